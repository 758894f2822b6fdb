//! Hard posts written by hand, by category, and sentences in which words are swapped that must not matter.
//!
//! A challenge is a folder with `texts.tsv`, `pairs.tsv` and `swaps.tsv`, or some of them. Its form is described in
//! `tests/challenge/README.md`.

mod read;
mod show;
mod swaps;

use anyhow::Result;
use mixed_feelings::Sentiment;
use serde::Serialize;
pub use show::print;
pub use swaps::{GroupShift, SwapReport, WordShift};

use self::swaps::Swaps;
use super::{
    answers,
    cases::Case,
    contradiction,
    measured::{Measured, Outcome, Share},
};
use crate::{
    data::Relation,
    engine::{Answer, Engine},
    stats::bootstrap::Bootstrap,
};

/// A challenge that was read from its folder.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    texts: Vec<Question>,
    pairs: Vec<Question>,
    swaps: Swaps,
}

/// A post of a challenge.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    category: String,
    case: Case,
}

/// All that `eval --challenge` prints and `--json` writes. A part is `None` where the folder has no such file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChallengeReport {
    /// The posts without a picture.
    pub texts: Option<Section>,
    /// The posts with a picture.
    pub pairs: Option<Section>,
    /// How well the contradiction tells the pairs that conflict from those that agree: the area under the ROC curve.
    pub contradiction_auc: Option<f64>,
    /// What swapped words do.
    pub swaps: Option<SwapReport>,
}

/// The posts of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// All of them.
    #[serde(rename = "metrics")]
    pub all: Measured,
    /// The image head against `image_label`, of posts with a picture.
    pub image: Option<Measured>,
    /// Of the posts whose halves contradict each other, those that are given a contradiction of at least one half.
    pub contradictions_found: Option<Share>,
    /// Category by category, in the order of the file.
    pub categories: Vec<CategoryReport>,
    /// The posts that were read wrongly, in the order of the file.
    pub wrong: Vec<Wrong>,
}

/// The posts of one category.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CategoryReport {
    /// Its name.
    pub category: String,
    /// How its posts were read.
    #[serde(rename = "metrics")]
    pub all: Measured,
}

/// A post that was read wrongly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wrong {
    /// Its name in the table.
    pub id: String,
    /// Its category.
    pub category: String,
    /// Its text.
    pub text: String,
    /// What it is.
    pub label: Sentiment,
    /// What the model took it for.
    pub predicted: Sentiment,
}

impl Challenge {
    /// Asks the model every question. Intervals draw single posts, though pairs share photos.
    ///
    /// # Errors
    /// When a picture is unreadable or the model fails; the row is named.
    pub fn ask(&self, engine: &Engine, bootstrap: &Bootstrap) -> Result<ChallengeReport> {
        let text_answers = answers(engine, &cases(&self.texts), "hard texts")?;
        let pair_cases = cases(&self.pairs);
        let pair_answers = answers(engine, &pair_cases, "hard pairs")?;
        Ok(ChallengeReport {
            texts: Section::of(&self.texts, &text_answers, Some(bootstrap)),
            pairs: Section::of(&self.pairs, &pair_answers, Some(bootstrap)),
            contradiction_auc: contradiction::area(pair_cases.iter().zip(&pair_answers)),
            swaps: self.swaps.measure(engine)?,
        })
    }
}

fn cases(questions: &[Question]) -> Vec<Case> {
    questions.iter().map(|question| question.case.clone()).collect()
}

impl Section {
    /// `None` if there are no questions.
    fn of(questions: &[Question], answers: &[Answer], bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let (mut all, mut image, mut found) = (Vec::new(), Vec::new(), Vec::new());
        let mut categories: Vec<(&str, Vec<Outcome<'_>>)> = Vec::new();
        let mut wrong = Vec::new();
        for (Question { category, case }, answer) in questions.iter().zip(answers) {
            if let Some((label, head)) = case.image_label.zip(answer.image) {
                image.push(outcome(label, head.label()));
            }
            if case.relation == Some(Relation::Conflict) {
                found.extend(answer.contradiction.map(|contradiction| (contradiction >= 0.5, None)));
            }
            let Some((label, predicted)) = held_to(case, answer) else { continue };
            all.push(outcome(label, predicted));
            let at = categories.iter().position(|(name, _)| name == category).unwrap_or_else(|| {
                categories.push((category, Vec::new()));
                categories.len() - 1
            });
            categories[at].1.push(outcome(label, predicted));
            if label != predicted {
                let (id, category) = (case.id.clone(), category.clone());
                wrong.push(Wrong { id, category, text: case.text.clone(), label, predicted });
            }
        }
        let categories = categories.into_iter().filter_map(|(category, outcomes)| {
            Some(CategoryReport { category: category.to_owned(), all: Measured::of(&outcomes, bootstrap)? })
        });
        Some(Section {
            all: Measured::of(&all, bootstrap)?,
            image: Measured::of(&image, bootstrap),
            contradictions_found: Share::of(&found, bootstrap),
            categories: categories.collect(),
            wrong,
        })
    }
}

fn outcome(label: Sentiment, prediction: Sentiment) -> Outcome<'static> {
    Outcome { label, prediction, group: None }
}

/// The label and the reading that is held to it: the whole post's, or the text's where only the text has a label (a post
/// without a picture, or one whose halves conflict).
fn held_to(case: &Case, answer: &Answer) -> Option<(Sentiment, Sentiment)> {
    match case.label {
        Some(label) => Some((label, answer.whole.label())),
        None => Some((case.text_label?, answer.text?.label())),
    }
}

#[cfg(test)]
mod tests {
    use mixed_feelings::Scores;

    use super::*;
    use Sentiment::{Negative, Neutral, Positive};

    fn question(id: &str, category: &str, label: Option<Sentiment>, text_label: Sentiment) -> Question {
        let case = Case { id: id.into(), label, text_label: Some(text_label), ..Case::default() };
        Question { category: category.into(), case }
    }

    fn answer(whole: Sentiment, text: Sentiment) -> Answer {
        let scores = |label: Sentiment| {
            let mut logits = [0.0; 3];
            logits[label as usize] = 3.0;
            Scores::from_logits(logits)
        };
        Answer { whole: scores(whole), text: Some(scores(text)), image: None, contradiction: None }
    }

    #[test]
    fn questions_are_counted_by_category_and_wrong_ones_named() {
        let questions = [
            question("a", "slang", Some(Positive), Positive),
            question("b", "slang", Some(Negative), Negative),
            question("c", "contradict", None, Negative), // Held to the text.
            question("d", "slang", Some(Positive), Neutral),
        ];
        let answers = [
            answer(Positive, Negative),
            answer(Neutral, Negative),
            answer(Positive, Negative),
            answer(Positive, Neutral),
        ];
        let section = Section::of(&questions, &answers, None).expect("four rows");
        assert_eq!(section.all.metrics.confusion.0, [[1, 1, 0], [0, 0, 0], [0, 0, 2]]);
        let found: Vec<_> =
            section.categories.iter().map(|c| (c.category.as_str(), c.all.metrics.rows)).collect();
        assert_eq!(found, [("slang", 3), ("contradict", 1)]);
        assert!((section.categories[0].all.metrics.accuracy - 2.0 / 3.0).abs() < 1e-12);
        let wrong: Vec<_> = section.wrong.iter().map(|w| (w.id.as_str(), w.label, w.predicted)).collect();
        assert_eq!(wrong, [("b", Negative, Neutral)]);
        assert_eq!((section.image, section.contradictions_found), (None, None));
        assert_eq!(Section::of(&[], &[], None), None);
    }

    #[test]
    fn pairs_tell_of_the_picture_and_of_contradictions() {
        let pair = |image_label, relation, read: Sentiment, contradiction| {
            let Question { category, case } = question("p", "pairs", None, Negative);
            let case = Case { image_label: Some(image_label), relation: Some(relation), ..case };
            let answer = answer(read, Negative);
            let answer = Answer { image: Some(answer.whole), contradiction: Some(contradiction), ..answer };
            (Question { category, case }, answer)
        };
        let (questions, answers): (Vec<_>, Vec<_>) = [
            pair(Positive, Relation::Conflict, Positive, 0.5),
            pair(Positive, Relation::Conflict, Neutral, 0.4),
            pair(Negative, Relation::Agree, Negative, 0.9), // Does not contradict, so is nothing to be found.
        ]
        .into_iter()
        .unzip();
        let section = Section::of(&questions, &answers, Some(&Bootstrap::default())).expect("three rows");
        let image = section.image.expect("pictures").accuracy();
        assert_eq!((image.rows, image.share), (3, 2.0 / 3.0));
        let found = section.contradictions_found.expect("two contradict");
        assert_eq!((found.rows, found.share, section.all.metrics.accuracy), (2, 0.5, 1.0));
        assert!(found.interval.is_some() && section.all.intervals.is_some());
    }
}
