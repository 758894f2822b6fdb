//! What an evaluation found: metrics by the modality used, by relation, the contradiction, the modalities' shares.

use mixed_feelings::{Scores, analyzer::Answer, model::Thresholds};
use serde::Serialize;

use super::{
    cases::{Case, Row},
    contradiction::Contradiction,
    measured::{Measured, Outcome},
    selective::Selective,
    shapley::Shapley,
};
use crate::{data::Relation, stats::bootstrap::Bootstrap};

/// Each reading against the labels that it can be held to. `None` where no row has both.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Readings {
    /// The post against `label`; for rows without a picture that is the text head.
    pub whole: Option<Measured>,
    /// The text head against `label`.
    pub text: Option<Measured>,
    /// The image head against `label`.
    pub image: Option<Measured>,
    /// The text head against `text_label`.
    pub text_on_text_label: Option<Measured>,
    /// The image head against `image_label`.
    pub image_on_image_label: Option<Measured>,
}

/// The readings of the rows of one relation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelationReadings {
    /// How text and picture relate.
    pub relation: Relation,
    /// Rows.
    pub rows: usize,
    /// Their readings.
    #[serde(flatten)]
    pub readings: Readings,
}

/// All that `eval` prints and `--json` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Rows that were read.
    pub rows: usize,
    /// The readings of all rows.
    #[serde(flatten)]
    pub readings: Readings,
    /// The readings of each relation that occurs.
    pub by_relation: Vec<RelationReadings>,
    /// Present if some row has text and picture and says how they relate.
    pub contradiction: Option<Contradiction>,
    /// Present if some row has a label.
    pub selective: Option<Selective>,
    /// Present if some row has text, picture and label.
    pub shapley: Option<Shapley>,
}

impl Report {
    /// Holds the `answers` of a model with these thresholds to the `cases`, row by row; with intervals if `bootstrap` is given.
    pub fn new(
        cases: &[Case],
        answers: &[Answer],
        thresholds: Thresholds,
        bootstrap: Option<&Bootstrap>,
    ) -> Self {
        let rows: Vec<Row<'_>> = cases.iter().zip(answers).collect();
        let readings = Readings::of(&rows, bootstrap);
        let by_relation = Relation::ALL
            .into_iter()
            .filter_map(|relation| {
                let rows: Vec<_> =
                    rows.iter().copied().filter(|(case, _)| case.relation == Some(relation)).collect();
                let readings = Readings::of(&rows, bootstrap);
                (!rows.is_empty()).then_some(RelationReadings { relation, rows: rows.len(), readings })
            })
            .collect();
        let shapley = Shapley::of(&rows, bootstrap);
        let contradiction = Contradiction::of(&rows, thresholds.contradiction, bootstrap);
        let selective = Selective::of(&rows, thresholds.confidence, bootstrap);
        Report { rows: rows.len(), readings, by_relation, contradiction, selective, shapley }
    }
}

impl Readings {
    /// Of some rows; with intervals if `bootstrap` is given.
    pub fn of(rows: &[Row<'_>], bootstrap: Option<&Bootstrap>) -> Self {
        let against = |label: fn(&Case) -> Option<usize>, reading: fn(&Answer) -> Option<&Scores>| {
            let both = rows.iter().filter_map(|(case, answer)| {
                let (label, said) = (label(case)?, reading(answer)?);
                Some(Outcome { label, said, group: case.group.as_deref() })
            });
            Measured::of(&both.collect::<Vec<_>>(), bootstrap)
        };
        Readings {
            whole: against(|c| c.label, |a| Some(&a.post)),
            text: against(|c| c.label, |a| a.text.as_ref()),
            image: against(|c| c.label, |a| a.image.as_ref()),
            text_on_text_label: against(|c| c.text_label, |a| a.text.as_ref()),
            image_on_image_label: against(|c| c.image_label, |a| a.image.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::answers::sure_of;

    const NEGATIVE: usize = 0;
    const NEUTRAL: usize = 1;
    const POSITIVE: usize = 2;

    fn row(labels: [usize; 2], read: [usize; 3], contradiction: f32) -> (Case, Answer) {
        let [text_label, image_label] = labels;
        let (relation, label) = match (text_label, image_label) {
            (a, b) if a == b => (Relation::Agree, Some(a)),
            (NEUTRAL, b) => (Relation::OneNeutral, Some(b)),
            (a, NEUTRAL) => (Relation::OneNeutral, Some(a)),
            _ => (Relation::Conflict, None),
        };
        let case = Case {
            text_label: Some(text_label),
            image_label: Some(image_label),
            label,
            relation: Some(relation),
            ..Case::default()
        };
        let [text, image, post] = read.map(|class| sure_of(class, 2.0));
        let (text, image) = (Some(text), Some(image));
        (
            case,
            Answer {
                post,
                text,
                image,
                contradiction: Some(contradiction),
                truncated: false,
                incomplete: false,
            },
        )
    }

    #[test]
    fn each_head_is_held_to_its_labels_and_conflicts_have_no_label() {
        let (cases, answers): (Vec<_>, Vec<_>) = [
            row([POSITIVE, POSITIVE], [POSITIVE, NEGATIVE, POSITIVE], 0.2),
            row([NEGATIVE, NEGATIVE], [POSITIVE, NEGATIVE, NEGATIVE], 0.1),
            row([NEUTRAL, POSITIVE], [NEUTRAL, POSITIVE, NEGATIVE], 0.9),
            row([NEGATIVE, POSITIVE], [NEGATIVE, POSITIVE, NEUTRAL], 0.15),
        ]
        .into_iter()
        .unzip();
        let report = Report::new(&cases, &answers, Thresholds { contradiction: 0.15, confidence: 0.0 }, None);
        let accuracy =
            |m: &Option<Measured>| m.as_ref().map(|m| (m.metrics.rows, (m.metrics.accuracy * 12.0).round()));
        assert_eq!(report.rows, 4);
        assert_eq!(accuracy(&report.readings.whole), Some((3, 8.0)));
        assert_eq!(accuracy(&report.readings.text), Some((3, 4.0)));
        assert_eq!(accuracy(&report.readings.image), Some((3, 8.0)));
        assert_eq!(accuracy(&report.readings.text_on_text_label), Some((4, 9.0)));
        assert_eq!(accuracy(&report.readings.image_on_image_label), Some((4, 9.0)));

        let conflict = report.by_relation.iter().find(|r| r.relation == Relation::Conflict).expect("one row");
        assert_eq!((conflict.rows, conflict.readings.whole.is_none()), (1, true));
        assert_eq!(accuracy(&conflict.readings.text_on_text_label), Some((1, 12.0)));

        // One conflict at 0.15 against agreeing rows at 0.2 and 0.1; the row with one neutral label does not count.
        let contradiction = report.contradiction.expect("both kinds");
        assert_eq!((contradiction.auc, contradiction.conflict, contradiction.agree), (Some(0.5), 1, 2));
        // From the bundle's threshold on: the conflict and one that agrees.
        let own = contradiction.own.found;
        assert_eq!((own.recall, own.precision, own.specificity), (1.0, 0.5, 0.5));
        assert_eq!(report.selective.map(|selective| selective.rows), Some(3));
        let shares = [&contradiction.text_right, &contradiction.image_right, &contradiction.both_right];
        assert!(shares.iter().all(|share| share.is_some_and(|share| (share.rows, share.share) == (1, 1.0))));

        // Alone the text reads 1 of 3 right and the picture 2, together 2, and so does who always says positive.
        let shares = report.shapley.expect("all three readings").shares;
        let expected = [2.0 / 3.0, -1.0 / 6.0, 1.0 / 6.0];
        for (share, expected) in [shares.baseline, shares.text, shares.image].into_iter().zip(expected) {
            assert!((share - expected).abs() < 1e-12, "{shares:?}");
        }
    }
}
