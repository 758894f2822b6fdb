//! How right the answers are when the least confident are withheld.

use mixed_feelings::{Scores, analyzer::Answer};
use serde::Serialize;

use super::{
    cases::{Case, Row},
    measured::Share,
};
use crate::stats::{
    bootstrap::{Bootstrap, Groups},
    selective::{Covered, Ranked},
};

/// The share of the posts at which the accuracy is told.
pub const COVERAGE: f64 = 0.7;

/// The posts against `label`; texts without a picture against `text_label`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Selective {
    /// Rows.
    pub rows: usize,
    /// The area under the risk-coverage curve.
    pub area: f64,
    /// The area if every wrong answer were less confident than every right one.
    pub least_area: f64,
    /// The accuracy of the most confident answers, [`COVERAGE`] of all.
    pub at_coverage: Share,
    /// The answers that the bundle's own threshold calls sure.
    pub sure: Option<Covered>,
    /// Accuracy over coverage.
    pub curve: Vec<Covered>,
}

impl Selective {
    /// Of the rows that have a label, for a model that is sure from `threshold` on; `None` if there are none.
    pub fn of(rows: &[Row<'_>], threshold: f32, bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let mut told: Vec<_> = rows
            .iter()
            .filter_map(|(case, answer)| {
                let (label, said) = held_to(case, answer)?;
                Some(((said.confidence(), said.class() == label), case.group.as_deref()))
            })
            .collect();
        // As they are ranked, so that weights fit.
        told.sort_by(|((a, _), _), ((b, _), _)| b.total_cmp(a));
        let ranked = Ranked::new(told.iter().map(|(row, _)| *row).collect())?;
        let groups = Groups::new(told.iter().map(|(_, group)| *group));
        let interval = bootstrap.and_then(|bootstrap| {
            bootstrap.intervals(&groups, |weights| ranked.accuracy_at(COVERAGE, weights).map(|of| [of]))
        });
        Some(Selective {
            rows: told.len(),
            area: ranked.area(),
            least_area: ranked.least_area(),
            at_coverage: Share {
                rows: told.len(),
                share: ranked.accuracy_at(COVERAGE, &vec![1; told.len()])?,
                interval: interval.map(|[of]| of),
            },
            sure: ranked.from(threshold),
            curve: ranked.curve(),
        })
    }
}

fn held_to<'a>(case: &Case, answer: &'a Answer) -> Option<(usize, &'a Scores)> {
    let label = if case.image.is_some() || case.relation.is_some() {
        case.label
    } else {
        case.label.or(case.text_label)
    };
    Some((label?, &answer.post))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::answers::{of_text, sure_of};

    #[test]
    fn the_surest_are_answered_first() {
        let case = Case { text_label: Some(2), ..Case::default() };
        // Right where it is sure; the last one wrong.
        let answers: Vec<_> =
            [(2, 3.0), (2, 2.0), (0, 1.0)].map(|(class, logit)| of_text(sure_of(class, logit))).into();
        let rows: Vec<Row<'_>> = answers.iter().map(|answer| (&case, answer)).collect();
        let found = Selective::of(&rows, 0.7, Some(&Bootstrap::default())).expect("three rows");
        assert_eq!((found.rows, found.curve.len(), found.area), (3, 3, found.least_area));
        assert!((found.area - 1.0 / 9.0).abs() < 1e-12, "{found:?}");
        let sure = found.sure.expect("two");
        assert_eq!(((sure.coverage * 3.0).round(), sure.accuracy), (2.0, 1.0));
        assert!((found.at_coverage.share - 2.0 / 2.1).abs() < 1e-12, "{found:?}");
        let conflict = Case { image: Some("a.jpg".into()), ..case };
        assert_eq!(Selective::of(&[(&conflict, &answers[0])], 0.0, None), None, "a conflict has no label");
    }
}
