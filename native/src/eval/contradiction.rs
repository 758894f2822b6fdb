//! How well the contradiction tells posts whose modalities point opposite ways from posts whose modalities agree.

use serde::Serialize;

use super::{cases::Row, measured::Share};
use crate::{
    data::Relation,
    metrics::auc,
    stats::{
        bootstrap::{Bootstrap, Groups, Interval},
        roc::{self, Operating, RocPoint},
    },
};

/// The contradiction on `conflict` rows (to be found) against `agree` rows; rows with one neutral modality do not count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contradiction {
    /// Area under the ROC curve; `None` if one kind of row is missing.
    pub auc: Option<f64>,
    /// Its interval, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Rows of opposite labels.
    pub conflict: usize,
    /// Rows of equal labels.
    pub agree: usize,
    /// At the threshold with the largest Youden's J on these same rows, so a little flattered.
    pub best: Option<AtThreshold>,
    /// At a probability of one half.
    pub at_half: AtThreshold,
    /// At the model's own threshold, from which on it says `contradicts`.
    pub own: AtThreshold,
    /// The ROC curve.
    pub curve: Option<Vec<RocPoint>>,
    /// The contradictory rows of which the text head says `text_label`.
    pub text_right: Option<Share>,
    /// The contradictory rows of which the image head says `image_label`.
    pub image_right: Option<Share>,
    /// The contradictory rows of which both are so.
    pub both_right: Option<Share>,
}

/// What a threshold finds, and where that lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// What it finds.
    #[serde(flatten)]
    pub found: Operating,
    /// The intervals, if they were asked for; the threshold itself is not chosen anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<FoundIntervals>,
}

/// The intervals of what a threshold finds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoundIntervals {
    /// Of the precision.
    pub precision: Interval,
    /// Of the recall.
    pub recall: Interval,
}

/// The area under the ROC curve alone.
pub fn area<'a>(rows: impl Iterator<Item = Row<'a>>) -> Option<f64> {
    auc(&rows.filter_map(told).collect::<Vec<_>>())
}

/// What the model says of a row that counts, and whether its modalities conflict.
fn told((case, answer): Row<'_>) -> Option<(f32, bool)> {
    match case.relation? {
        Relation::OneNeutral => None,
        relation => Some((answer.contradiction?, relation == Relation::Conflict)),
    }
}

impl Contradiction {
    /// Of the rows that have both modalities, for a model that says `contradicts` from `own` on; `None` if there are none.
    pub fn of(rows: &[Row<'_>], own: f32, bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let counting = rows.iter().filter_map(|row| Some((told(*row)?, row.0.group.as_deref())));
        let mut counting: Vec<_> = counting.collect();
        // Sorted once, so that each resample can find its area in one pass.
        counting.sort_by(|((a, _), _), ((b, _), _)| a.total_cmp(b));
        let scored: Vec<(f32, bool)> = counting.iter().map(|(scored, _)| *scored).collect();
        let conflict = scored.iter().filter(|(_, conflict)| *conflict).count();
        let groups = Groups::new(counting.iter().map(|(_, group)| *group));
        let auc = auc(&scored);
        let interval = bootstrap.filter(|_| auc.is_some()).and_then(|bootstrap| {
            bootstrap.intervals(&groups, |weights| weighted_auc(&scored, weights).map(|auc| [auc]))
        });
        let curve = roc::curve(&scored);
        let best = curve.as_deref().and_then(roc::youden);
        let at = |threshold| AtThreshold::of(&scored, threshold, &groups, bootstrap);
        let [text_right, image_right, both_right] = heads_right(rows, bootstrap);
        (!scored.is_empty()).then(|| Contradiction {
            auc,
            interval: interval.map(|[interval]| interval),
            conflict,
            agree: scored.len() - conflict,
            best: best.map(at),
            at_half: at(0.5),
            own: at(own),
            curve,
            text_right,
            image_right,
            both_right,
        })
    }
}

impl AtThreshold {
    fn of(rows: &[(f32, bool)], threshold: f32, groups: &Groups, bootstrap: Option<&Bootstrap>) -> Self {
        let intervals = bootstrap.and_then(|bootstrap| {
            bootstrap.intervals(groups, |weights| {
                let found = roc::operate_weighted(rows, weights, threshold)?;
                Some([found.precision, found.recall])
            })
        });
        let intervals = intervals.map(|[precision, recall]| FoundIntervals { precision, recall });
        AtThreshold { found: roc::operate(rows, threshold), intervals }
    }
}

/// [`auc`] of rows in rising order that count several times, or not at all.
fn weighted_auc(sorted: &[(f32, bool)], weights: &[u32]) -> Option<f64> {
    let (mut below, mut wins, mut at) = (0.0, 0.0, 0);
    let mut all = [0.0; 2];
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mut here = [0.0; 2];
        for ((_, positive), weight) in ties.iter().zip(&weights[at..]) {
            here[usize::from(*positive)] += f64::from(*weight);
        }
        wins += here[1] * (below + here[0] / 2.0);
        below += here[0];
        all = [all[0] + here[0], all[1] + here[1]];
        at += ties.len();
    }
    (all[0] > 0.0 && all[1] > 0.0).then(|| wins / (all[0] * all[1]))
}

/// Of the contradictory rows, those that the text head, the image head, and both read as labelled.
fn heads_right(rows: &[Row<'_>], bootstrap: Option<&Bootstrap>) -> [Option<Share>; 3] {
    let conflicts = rows.iter().filter(|(case, _)| case.relation == Some(Relation::Conflict));
    let right: Vec<_> = conflicts
        .filter_map(|(case, answer)| {
            let text = case.text_label? == answer.text.as_ref()?.class();
            let image = case.image_label? == answer.image.as_ref()?.class();
            Some(([text, image, text && image], case.group.as_deref()))
        })
        .collect();
    [0, 1, 2].map(|which| {
        let rows: Vec<_> = right.iter().map(|(right, group)| (right[which], *group)).collect();
        Share::of(&rows, bootstrap)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scikit-learn 1.9.1, `roc_auc_score(y, s, sample_weight=w)`.
    #[test]
    fn the_weighted_area_agrees_with_scikit_learn() {
        let scores = [0.1f32, 0.4, 0.35, 0.8, 0.4, 0.4, 0.2, 0.9];
        let positive = [false, false, true, true, false, true, false, true];
        let mut rows: Vec<_> = scores.into_iter().zip(positive).zip([1u32, 2, 0, 3, 1, 1, 2, 1]).collect();
        rows.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
        let (rows, weights): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let area = weighted_auc(&rows, &weights).expect("both kinds");
        assert!((area - 0.95).abs() < 1e-12, "{area}");
        let plain = weighted_auc(&rows, &[1; 8]);
        assert_eq!(plain, auc(&rows));
        assert_eq!(weighted_auc(&rows, &[0; 8]), None);
    }
}
