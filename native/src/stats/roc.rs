//! The receiver operating characteristic of a score that should tell two kinds of rows apart.

use serde::Serialize;

/// What saying "positive" from a threshold on finds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// Rows with at least this score are called positive; `None` at the start of the curve, where none is.
    pub threshold: Option<f32>,
    /// Share of the negative rows that are called positive.
    pub false_positive_rate: f64,
    /// Share of the positive rows that are called positive: the recall.
    pub true_positive_rate: f64,
}

/// A point of the curve with the scores that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Operating {
    /// Rows with at least this score are called positive.
    pub threshold: f32,
    /// Share of the rows called positive that are; 0 if none is called so.
    pub precision: f64,
    /// Share of the positive rows that are called so.
    pub recall: f64,
    /// Share of the negative rows that are not called positive.
    pub specificity: f64,
    /// Harmonic mean of precision and recall; 0 if both are.
    pub f1: f64,
}

/// The curve from (0, 0) to (1, 1), a point a distinct score, falling thresholds; rows are (score, whether positive).
/// `None` without rows of both kinds, or if a score is not a number.
pub fn curve(rows: &[(f32, bool)]) -> Option<Vec<RocPoint>> {
    let positives = rows.iter().filter(|(_, positive)| *positive).count();
    let negatives = rows.len() - positives;
    if positives == 0 || negatives == 0 || rows.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points = vec![RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let mut called = [0usize; 2];
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        ties.iter().for_each(|(_, positive)| called[usize::from(*positive)] += 1);
        points.push(RocPoint {
            threshold: Some(ties[0].0),
            false_positive_rate: called[0] as f64 / negatives as f64,
            true_positive_rate: called[1] as f64 / positives as f64,
        });
    }
    Some(points)
}

/// The threshold with the largest true minus false positive rate (Youden's J, 1950), the highest of equals.
pub fn youden(points: &[RocPoint]) -> Option<f32> {
    let j = |point: &RocPoint| point.true_positive_rate - point.false_positive_rate;
    let mut best: Option<&RocPoint> = None;
    for point in points.iter().filter(|point| point.threshold.is_some()) {
        if best.is_none_or(|best| j(point) > j(best)) {
            best = Some(point);
        }
    }
    best?.threshold
}

/// What `threshold` finds among the rows.
pub fn operate(rows: &[(f32, bool)], threshold: f32) -> Operating {
    let counts = Counts::of(rows.iter().map(|row| (*row, 1)), threshold);
    counts.operating(threshold)
}

/// [`operate`] of rows that count several times, or not at all; `None` if no row that counts is positive or called so:
/// then recall or precision has nothing to be a share of.
pub fn operate_weighted(rows: &[(f32, bool)], weights: &[u32], threshold: f32) -> Option<Operating> {
    let counts = Counts::of(rows.iter().copied().zip(weights.iter().copied()), threshold);
    let Counts { hits, false_alarms, misses, .. } = counts;
    (hits + misses > 0 && hits + false_alarms > 0).then(|| counts.operating(threshold))
}

/// The rows by whether they are called positive, and whether they are.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    hits: u32,
    false_alarms: u32,
    misses: u32,
    rejections: u32,
}

impl Counts {
    fn of(rows: impl Iterator<Item = ((f32, bool), u32)>, threshold: f32) -> Self {
        let mut counts = Counts::default();
        for ((score, positive), weight) in rows {
            *match (score >= threshold, positive) {
                (true, true) => &mut counts.hits,
                (true, false) => &mut counts.false_alarms,
                (false, true) => &mut counts.misses,
                (false, false) => &mut counts.rejections,
            } += weight;
        }
        counts
    }

    fn operating(self, threshold: f32) -> Operating {
        let Counts { hits, false_alarms, misses, rejections } = self;
        let ratio =
            |part: u32, rest: u32| if part == 0 { 0.0 } else { f64::from(part) / f64::from(part + rest) };
        Operating {
            threshold,
            precision: ratio(hits, false_alarms),
            recall: ratio(hits, misses),
            specificity: ratio(rejections, false_alarms),
            f1: ratio(2 * hits, misses + false_alarms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::auc;

    fn rows() -> Vec<(f32, bool)> {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.2, 0.9];
        let positive = [false, false, true, true, false, true, false, true];
        scores.into_iter().zip(positive).collect()
    }

    /// Expected: scikit-learn 1.9.1, `roc_curve(y, s, drop_intermediate=False)`.
    #[test]
    fn agrees_with_scikit_learn() {
        let points = curve(&rows()).expect("both kinds");
        let thresholds: Vec<_> = points.iter().filter_map(|p| p.threshold).collect();
        assert_eq!(thresholds, [0.9, 0.8, 0.4, 0.35, 0.2, 0.1]);
        let rates: Vec<_> = points.iter().map(|p| (p.false_positive_rate, p.true_positive_rate)).collect();
        let expected =
            [(0.0, 0.0), (0.0, 0.25), (0.0, 0.5), (0.5, 0.75), (0.5, 1.0), (0.75, 1.0), (1.0, 1.0)];
        assert_eq!(rates, expected);
        let area: f64 =
            rates.windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[0].1.midpoint(pair[1].1)).sum();
        assert!((area - auc(&rows()).expect("both kinds")).abs() < 1e-12, "{area}");
    }

    /// At 0.8 two of the four positive rows and no negative one are called.
    #[test]
    fn the_threshold_is_youdens_and_tells_what_it_finds() {
        let threshold = youden(&curve(&rows()).expect("both kinds")).expect("a threshold");
        assert_eq!(threshold, 0.8, "as high as 0.35 with the same J");
        let found = operate(&rows(), threshold);
        assert_eq!((found.precision, found.recall, found.specificity), (1.0, 0.5, 1.0));
        assert!((found.f1 - 2.0 / 3.0).abs() < 1e-12);
        let nothing = operate(&rows(), 2.0);
        assert_eq!((nothing.precision, nothing.recall, nothing.f1), (0.0, 0.0, 0.0));
    }

    /// Expected: scikit-learn 1.9.1, `precision_score(y, s >= 0.4, sample_weight=w)` and so on.
    #[test]
    fn weighted_rows_agree_with_scikit_learn() {
        let found = operate_weighted(&rows(), &[1, 2, 0, 3, 1, 1, 2, 1], 0.4).expect("both kinds");
        for (found, expected) in
            [(found.precision, 0.625), (found.recall, 1.0), (found.specificity, 0.5), (found.f1, 10.0 / 13.0)]
        {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        assert_eq!(operate_weighted(&rows(), &[1; 8], 0.8), Some(operate(&rows(), 0.8)));
        assert_eq!(operate_weighted(&rows(), &[1; 8], 2.0), None, "nothing is called positive");
        assert_eq!(operate_weighted(&rows(), &[1, 1, 0, 0, 1, 0, 1, 0], 0.2), None, "nothing is positive");
    }

    #[test]
    fn one_kind_alone_has_no_curve() {
        assert_eq!(curve(&[(0.1, true)]), None);
        assert_eq!(curve(&[(0.1, true), (f32::NAN, false)]), None);
    }
}
