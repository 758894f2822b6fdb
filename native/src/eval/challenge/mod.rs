//! Hard posts written by hand, by category, and sentences in which words are swapped that must not matter.
//!
//! A challenge is a folder with `texts.tsv`, `pairs.tsv` and `swaps.tsv`, or some of them. Its form is described in
//! `tests/challenge/README.md`.

mod read;
mod show;
mod swaps;

use anyhow::Result;
use mixed_feelings::{Scores, analyzer::Answer};
pub use read::files;
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
use crate::{data::Relation, engine::Engine, stats::bootstrap::Bootstrap};

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
    /// Of the posts whose modalities contradict each other, those of which the model says `contradicts`.
    pub contradictions_found: Option<Share>,
    /// Of the posts whose modalities agree, those of which it says so too.
    pub false_contradictions: Option<Share>,
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
    pub label: String,
    /// What the model took it for.
    pub predicted: String,
}

impl Challenge {
    /// Asks the model every question. Intervals draw single posts, though pairs share photos.
    ///
    /// # Errors
    /// When a picture is unreadable or the model fails; the row is named.
    pub fn ask(&self, engine: &Engine, bootstrap: &Bootstrap) -> Result<ChallengeReport> {
        let text_answers = answers(engine, &cases(&self.texts), "hard texts")?;
        let pair_cases = cases(&self.pairs);
        let threshold = engine.readout().thresholds.contradiction;
        let pair_answers = answers(engine, &pair_cases, "hard pairs")?;
        Ok(ChallengeReport {
            texts: Section::of(&self.texts, &text_answers, threshold, Some(bootstrap)),
            pairs: Section::of(&self.pairs, &pair_answers, threshold, Some(bootstrap)),
            contradiction_auc: contradiction::area(pair_cases.iter().zip(&pair_answers)),
            swaps: self.swaps.measure(engine)?,
        })
    }
}

fn cases(questions: &[Question]) -> Vec<Case> {
    questions.iter().map(|question| question.case.clone()).collect()
}

impl Section {
    /// For a model that says `contradicts` from `threshold` on; `None` if there are no questions.
    fn of(
        questions: &[Question],
        answers: &[Answer],
        threshold: f32,
        bootstrap: Option<&Bootstrap>,
    ) -> Option<Self> {
        let (mut all, mut image) = (Vec::new(), Vec::new());
        let [mut found, mut false_alarms] = [Vec::new(), Vec::new()];
        let mut categories: Vec<(&str, Vec<Outcome<'_>>)> = Vec::new();
        let mut wrong = Vec::new();
        for (Question { category, case }, answer) in questions.iter().zip(answers) {
            if let Some((label, head)) = case.image_label.zip(answer.image.as_ref()) {
                image.push(outcome(label, head));
            }
            let says = answer.contradiction.map(|contradiction| (contradiction >= threshold, None));
            match case.relation {
                Some(Relation::Conflict) => found.extend(says),
                Some(Relation::Agree) => false_alarms.extend(says),
                Some(Relation::OneNeutral) | None => {}
            }
            let Some((label, said)) = held_to(case, answer) else { continue };
            all.push(outcome(label, said));
            let at = categories.iter().position(|(name, _)| name == category).unwrap_or_else(|| {
                categories.push((category, Vec::new()));
                categories.len() - 1
            });
            categories[at].1.push(outcome(label, said));
            if label != said.class() {
                let (id, category) = (case.id.clone(), category.clone());
                let (label, predicted) = (said.labels().name(label).into(), said.label().into());
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
            false_contradictions: Share::of(&false_alarms, bootstrap),
            categories: categories.collect(),
            wrong,
        })
    }
}

fn outcome(label: usize, said: &Scores) -> Outcome<'_> {
    Outcome { label, said, group: None }
}

/// The label and the reading that is held to it: the post's, or the text's where only the text has a label (a post
/// without a picture, or one whose modalities conflict).
fn held_to<'a>(case: &Case, answer: &'a Answer) -> Option<(usize, &'a Scores)> {
    match case.label {
        Some(label) => Some((label, &answer.post)),
        None => Some((case.text_label?, answer.text.as_ref()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::answers::sure_of;

    const NEGATIVE: usize = 0;
    const NEUTRAL: usize = 1;
    const POSITIVE: usize = 2;

    fn question(id: &str, category: &str, label: Option<usize>, text_label: usize) -> Question {
        let case = Case { id: id.into(), label, text_label: Some(text_label), ..Case::default() };
        Question { category: category.into(), case }
    }

    fn answer(post: usize, text: usize) -> Answer {
        let [post, text] = [post, text].map(|class| sure_of(class, 3.0));
        Answer {
            post,
            text: Some(text),
            image: None,
            contradiction: None,
            truncated: false,
            incomplete: false,
        }
    }

    #[test]
    fn questions_are_counted_by_category_and_wrong_ones_named() {
        let questions = [
            question("a", "slang", Some(POSITIVE), POSITIVE),
            question("b", "slang", Some(NEGATIVE), NEGATIVE),
            question("c", "contradict", None, NEGATIVE), // Held to the text.
            question("d", "slang", Some(POSITIVE), NEUTRAL),
        ];
        let answers = [
            answer(POSITIVE, NEGATIVE),
            answer(NEUTRAL, NEGATIVE),
            answer(POSITIVE, NEGATIVE),
            answer(POSITIVE, NEUTRAL),
        ];
        let section = Section::of(&questions, &answers, 0.5, None).expect("four rows");
        assert_eq!(section.all.metrics.confusion.counts, [[1, 1, 0], [0, 0, 0], [0, 0, 2]]);
        let found: Vec<_> =
            section.categories.iter().map(|c| (c.category.as_str(), c.all.metrics.rows)).collect();
        assert_eq!(found, [("slang", 3), ("contradict", 1)]);
        assert!((section.categories[0].all.metrics.accuracy - 2.0 / 3.0).abs() < 1e-12);
        let wrong: Vec<_> =
            section.wrong.iter().map(|w| (w.id.as_str(), w.label.as_str(), w.predicted.as_str())).collect();
        assert_eq!(wrong, [("b", "negative", "neutral")]);
        assert_eq!((section.image, section.contradictions_found), (None, None));
        assert_eq!(Section::of(&[], &[], 0.5, None), None);
    }

    #[test]
    fn pairs_tell_of_the_picture_and_of_contradictions() {
        let pair = |image_label, relation, read: usize, contradiction| {
            let Question { category, case } = question("p", "pairs", None, NEGATIVE);
            let case = Case { image_label: Some(image_label), relation: Some(relation), ..case };
            let answer = answer(read, NEGATIVE);
            let answer =
                Answer { image: Some(answer.post.clone()), contradiction: Some(contradiction), ..answer };
            (Question { category, case }, answer)
        };
        let (questions, answers): (Vec<_>, Vec<_>) = [
            pair(POSITIVE, Relation::Conflict, POSITIVE, 0.5),
            pair(POSITIVE, Relation::Conflict, NEUTRAL, 0.4),
            pair(NEGATIVE, Relation::Agree, NEGATIVE, 0.9), // Does not contradict: a false alarm.
        ]
        .into_iter()
        .unzip();
        let section =
            Section::of(&questions, &answers, 0.5, Some(&Bootstrap::default())).expect("three rows");
        let image = section.image.expect("pictures").accuracy();
        assert_eq!((image.rows, image.share), (3, 2.0 / 3.0));
        let found = section.contradictions_found.expect("two contradict");
        assert_eq!((found.rows, found.share, section.all.metrics.accuracy), (2, 0.5, 1.0));
        assert_eq!(section.false_contradictions.map(|of| (of.rows, of.share)), Some((1, 1.0)));
        assert!(found.interval.is_some() && section.all.intervals.is_some());
    }
}
