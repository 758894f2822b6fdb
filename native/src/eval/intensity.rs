//! The rows of an evaluation by how strong the feeling is: by the two gold labels, and by the predicted valence.

use serde::Serialize;

use super::{cases::Row, report::Readings};
use crate::{data::Relation, stats::bootstrap::Bootstrap};

/// A predicted |valence| from which on a post counts as mild, and as strong: thirds of its range. Fixed, so that
/// models and sets can be compared.
pub const THIRDS: [f32; 2] = [1.0 / 3.0, 2.0 / 3.0];

/// Rows of one intensity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intensity {
    /// Which: `strong`, `mild`, `neutral`, or `conflict`.
    pub name: &'static str,
    /// How many.
    pub rows: usize,
    /// Mean |valence| that the model gives the post.
    pub mean_magnitude: f64,
    /// The readings of these rows.
    #[serde(flatten)]
    pub readings: Readings,
}

/// Both ways of looking at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByIntensity {
    /// By gold labels: strong is both modalities alike and not neutral, mild one of them neutral, neutral both; conflict
    /// stands apart. Neutral is a label without polarity.
    pub labels: Vec<Intensity>,
    /// By predicted |valence|: neutral below the first of [`THIRDS`], strong from the second on.
    pub valence: Vec<Intensity>,
}

impl ByIntensity {
    /// Of all rows; groups without rows are left out.
    pub fn of(rows: &[Row<'_>], bootstrap: Option<&Bootstrap>) -> Self {
        let groups = |names: &[&'static str], name_of: fn(&Row<'_>) -> Option<&'static str>| {
            let group = |name: &&'static str| {
                let chosen: Vec<Row<'_>> =
                    rows.iter().copied().filter(|row| name_of(row) == Some(name)).collect();
                let magnitudes = chosen.iter().map(|row| f64::from(magnitude(row)));
                let mean_magnitude = magnitudes.sum::<f64>() / chosen.len() as f64;
                let readings = Readings::of(&chosen, bootstrap);
                (!chosen.is_empty()).then_some(Intensity {
                    name,
                    rows: chosen.len(),
                    mean_magnitude,
                    readings,
                })
            };
            names.iter().filter_map(group).collect()
        };
        ByIntensity {
            labels: groups(&["strong", "mild", "neutral", "conflict"], of_labels),
            valence: groups(&["strong", "mild", "neutral"], of_valence),
        }
    }
}

fn magnitude((_, answer): &Row<'_>) -> f32 {
    answer.post.valence().abs()
}

fn of_labels((case, answer): &Row<'_>) -> Option<&'static str> {
    let is_neutral = |class| answer.post.labels().iter().nth(class).is_some_and(|l| l.polarity == 0.0);
    Some(match case.relation? {
        Relation::Agree if is_neutral(case.text_label?) => "neutral",
        Relation::Agree => "strong",
        Relation::OneNeutral => "mild",
        Relation::Conflict => "conflict",
    })
}

fn of_valence(row: &Row<'_>) -> Option<&'static str> {
    let [mild, strong] = THIRDS;
    Some(match magnitude(row) {
        magnitude if magnitude >= strong => "strong",
        magnitude if magnitude >= mild => "mild",
        _ => "neutral",
    })
}

#[cfg(test)]
mod tests {
    use mixed_feelings::{Labels, Scores, analyzer::Answer};

    use super::*;
    use crate::eval::{answers::of_text, cases::Case};

    fn row(text: usize, relation: Relation, positive: f32) -> (Case, Answer) {
        let case = Case { text_label: Some(text), relation: Some(relation), ..Case::default() };
        let scores = Scores::from_probabilities(&Labels::sentiment(), vec![0.0, 1.0 - positive, positive]);
        (case, of_text(scores))
    }

    #[test]
    fn rows_are_grouped_by_labels_and_by_valence() {
        let rows = [
            row(2, Relation::Agree, 0.9),
            row(1, Relation::Agree, 0.1),
            row(1, Relation::OneNeutral, 0.5),
            row(2, Relation::Conflict, 0.7),
        ];
        let rows: Vec<Row<'_>> = rows.iter().map(|(case, answer)| (case, answer)).collect();
        let found = ByIntensity::of(&rows, None);
        let told = |groups: &[Intensity]| groups.iter().map(|g| (g.name, g.rows)).collect::<Vec<_>>();
        assert_eq!(told(&found.labels), [("strong", 1), ("mild", 1), ("neutral", 1), ("conflict", 1)]);
        assert_eq!(told(&found.valence), [("strong", 2), ("mild", 1), ("neutral", 1)]);
        assert!((found.valence[0].mean_magnitude - 0.8).abs() < 1e-6);
        let text = found.labels[0].readings.text_on_text_label.as_ref().expect("a text");
        assert_eq!(text.metrics.accuracy, 1.0);
    }
}
