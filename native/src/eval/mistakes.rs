//! The worst mistakes: the highest confidence in a wrong label. By id alone, so that no post is copied anywhere.

use mixed_feelings::{Scores, Sentiment};
use serde::Serialize;

use super::{cases::Case, report::Row};
use crate::{data::Relation, engine::Answer};

/// One row that was read wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// The row's `id`; of a table of texts its number, from 1.
    pub id: String,
    /// What is right.
    pub label: Sentiment,
    /// What was said.
    pub predicted: Sentiment,
    /// The probability of what was said.
    pub confidence: f32,
    /// The probabilities.
    pub scores: Scores,
    /// The label of the text.
    pub text_label: Option<Sentiment>,
    /// What the text head said.
    pub text_predicted: Option<Sentiment>,
    /// The label of the picture.
    pub image_label: Option<Sentiment>,
    /// What the image head said.
    pub image_predicted: Option<Sentiment>,
    /// How the two labels stand to each other.
    pub relation: Option<Relation>,
    /// The probability of a contradiction.
    pub contradiction: Option<f32>,
}

/// The `most` worst, the worst first: the whole post on `label`, or without one the text on `text_label`.
pub fn worst(rows: &[Row<'_>], most: usize) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = rows.iter().filter_map(|(case, answer)| mistake(case, answer)).collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes.truncate(most);
    mistakes
}

fn mistake(case: &Case, answer: &Answer) -> Option<Mistake> {
    let (label, scores) = match case.label {
        Some(label) => (label, answer.whole),
        None if case.image.is_none() => (case.text_label?, answer.text?),
        None => return None,
    };
    let predicted = scores.label();
    (predicted != label).then(|| Mistake {
        id: case.id.clone(),
        label,
        predicted,
        confidence: scores.to_array()[predicted as usize],
        scores,
        text_label: case.text_label,
        text_predicted: answer.text.map(Scores::label),
        image_label: case.image_label,
        image_predicted: answer.image.map(Scores::label),
        relation: case.relation,
        contradiction: answer.contradiction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistakes_come_first_and_right_rows_not_at_all() {
        let row = |id: &str, sureness: f32, label| {
            let scores = Scores::from_logits([0.0, 0.0, sureness]);
            let case = Case { id: id.into(), text_label: Some(label), ..Case::default() };
            (case, Answer { whole: scores, text: Some(scores), image: None, contradiction: None })
        };
        let rows = [
            row("right", 9.0, Sentiment::Positive),
            row("unsure", 1.0, Sentiment::Negative),
            row("sure", 5.0, Sentiment::Neutral),
            row("surer", 7.0, Sentiment::Neutral),
        ];
        let rows: Vec<Row<'_>> = rows.iter().map(|(case, answer)| (case, answer)).collect();
        let ids = |most| worst(&rows, most).into_iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(ids(9), ["surer", "sure", "unsure"]);
        assert_eq!(ids(1), ["surer"]);
    }
}
