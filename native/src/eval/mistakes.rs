//! The worst mistakes: the highest confidence in a wrong label. By id alone, so that no post is copied anywhere.

use mixed_feelings::{Scores, analyzer::Answer};
use serde::Serialize;

use super::cases::{Case, Row};
use crate::data::Relation;

/// One row that was read wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// The row's `id`; of a table of texts its number, from 1.
    pub id: String,
    /// What is right.
    pub label: String,
    /// What was said.
    pub predicted: String,
    /// The probability of what was said.
    pub confidence: f32,
    /// The probabilities.
    pub scores: Scores,
    /// The label of the text.
    pub text_label: Option<String>,
    /// What the text head said.
    pub text_predicted: Option<String>,
    /// The label of the picture.
    pub image_label: Option<String>,
    /// What the image head said.
    pub image_predicted: Option<String>,
    /// How the two labels stand to each other.
    pub relation: Option<Relation>,
    /// The probability of a contradiction.
    pub contradiction: Option<f32>,
}

/// The `most` worst, the worst first: the post on `label`, or without one the text on `text_label`.
pub fn worst(rows: &[Row<'_>], most: usize) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = rows.iter().filter_map(|(case, answer)| mistake(case, answer)).collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes.truncate(most);
    mistakes
}

fn mistake(case: &Case, answer: &Answer) -> Option<Mistake> {
    let (label, scores) = match case.label {
        Some(label) => (label, &answer.post),
        None if case.image.is_none() => (case.text_label?, answer.text.as_ref()?),
        None => return None,
    };
    let (predicted, labels) = (scores.class(), scores.labels());
    let name = |class: usize| labels.name(class).to_owned();
    let said = |scores: &Option<Scores>| scores.as_ref().map(|scores| scores.label().to_owned());
    (predicted != label).then(|| Mistake {
        id: case.id.clone(),
        label: name(label),
        predicted: name(predicted),
        confidence: scores.probabilities()[predicted],
        scores: scores.clone(),
        text_label: case.text_label.map(name),
        text_predicted: said(&answer.text),
        image_label: case.image_label.map(name),
        image_predicted: said(&answer.image),
        relation: case.relation,
        contradiction: answer.contradiction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::answers::{of_text, sure_of};

    #[test]
    fn the_surest_mistakes_come_first_and_right_rows_not_at_all() {
        let row = |id: &str, sureness: f32, label| {
            let case = Case { id: id.into(), text_label: Some(label), ..Case::default() };
            (case, of_text(sure_of(2, sureness)))
        };
        let rows = [row("right", 9.0, 2), row("unsure", 1.0, 0), row("sure", 5.0, 1), row("surer", 7.0, 1)];
        let rows: Vec<Row<'_>> = rows.iter().map(|(case, answer)| (case, answer)).collect();
        let ids = |most| worst(&rows, most).into_iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(ids(9), ["surer", "sure", "unsure"]);
        assert_eq!(ids(1), ["surer"]);
    }
}
