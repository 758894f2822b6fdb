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
use super::{answers, cases::Case};
use crate::{
    data::Relation,
    engine::{Answer, Engine},
    metrics::{Confusion, Metrics, auc},
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
    pub metrics: Metrics,
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
    pub metrics: Metrics,
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
    /// Asks the model every question.
    ///
    /// # Errors
    /// When a picture is unreadable or the model fails; the row is named.
    pub fn ask(&self, engine: &Engine) -> Result<ChallengeReport> {
        let text_answers = answers(engine, &cases(&self.texts), "hard texts")?;
        let pair_cases = cases(&self.pairs);
        let pair_answers = answers(engine, &pair_cases, "hard pairs")?;
        Ok(ChallengeReport {
            texts: Section::of(&self.texts, &text_answers),
            pairs: Section::of(&self.pairs, &pair_answers),
            contradiction_auc: contradiction_auc(&pair_cases, &pair_answers),
            swaps: self.swaps.measure(engine)?,
        })
    }
}

fn cases(questions: &[Question]) -> Vec<Case> {
    questions.iter().map(|question| question.case.clone()).collect()
}

fn contradiction_auc(cases: &[Case], answers: &[Answer]) -> Option<f64> {
    let told = |(case, answer): (&Case, &Answer)| match case.relation? {
        Relation::OneNeutral => None,
        relation => Some((answer.contradiction?, relation == Relation::Conflict)),
    };
    auc(&cases.iter().zip(answers).filter_map(told).collect::<Vec<_>>())
}

impl Section {
    /// `None` if there are no questions.
    fn of(questions: &[Question], answers: &[Answer]) -> Option<Self> {
        let mut all = Confusion::default();
        let mut categories: Vec<(&str, Confusion)> = Vec::new();
        let mut wrong = Vec::new();
        for (Question { category, case }, answer) in questions.iter().zip(answers) {
            let Some((label, predicted)) = held_to(case, answer) else { continue };
            all.record(label, predicted);
            let at = categories.iter().position(|(name, _)| name == category).unwrap_or_else(|| {
                categories.push((category, Confusion::default()));
                categories.len() - 1
            });
            categories[at].1.record(label, predicted);
            if label != predicted {
                let (id, category) = (case.id.clone(), category.clone());
                wrong.push(Wrong { id, category, text: case.text.clone(), label, predicted });
            }
        }
        let categories = categories.into_iter().filter_map(|(category, confusion)| {
            Some(CategoryReport { category: category.to_owned(), metrics: confusion.metrics()? })
        });
        Some(Section { metrics: all.metrics()?, categories: categories.collect(), wrong })
    }
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
        let section = Section::of(&questions, &answers).expect("four rows");
        assert_eq!(section.metrics.confusion.0, [[1, 1, 0], [0, 0, 0], [0, 0, 2]]);
        let found: Vec<_> =
            section.categories.iter().map(|c| (c.category.as_str(), c.metrics.rows)).collect();
        assert_eq!(found, [("slang", 3), ("contradict", 1)]);
        assert!((section.categories[0].metrics.accuracy - 2.0 / 3.0).abs() < 1e-12);
        let wrong: Vec<_> = section.wrong.iter().map(|w| (w.id.as_str(), w.label, w.predicted)).collect();
        assert_eq!(wrong, [("b", Negative, Neutral)]);
        assert_eq!(Section::of(&[], &[]), None);
    }
}
