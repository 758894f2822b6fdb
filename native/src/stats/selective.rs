//! Selective prediction: how right the answers are when the least confident are withheld (El-Yaniv & Wiener 2010).
//!
//! Rows of equal confidence come in no order: of a part of them that is answered, the errors are their share. So no figure depends on
//! how the rows were sorted.

use serde::Serialize;

/// How right a share of the rows is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covered {
    /// The least confidence of those that are answered.
    pub threshold: f32,
    /// Share of the rows that are answered.
    pub coverage: f64,
    /// Share of these that are right.
    pub accuracy: f64,
}

/// Rows by falling confidence, each with whether it is right.
#[derive(Clone, Debug)]
pub struct Ranked(Vec<(f32, bool)>);

impl Ranked {
    /// Of rows in any order; `None` without rows, or if a confidence is not a number.
    pub fn new(mut rows: Vec<(f32, bool)>) -> Option<Self> {
        if rows.is_empty() || rows.iter().any(|(confidence, _)| confidence.is_nan()) {
            return None;
        }
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        Some(Ranked(rows))
    }

    /// Accuracy over coverage: a point for each distinct confidence, from the highest on.
    pub fn curve(&self) -> Vec<Covered> {
        let all = self.0.len() as f64;
        let (mut rows, mut right) = (0, 0);
        let ties = self.0.chunk_by(|a, b| a.0 == b.0).map(|ties| {
            rows += ties.len();
            right += ties.iter().filter(|(_, right)| *right).count();
            let accuracy = right as f64 / rows as f64;
            Covered { threshold: ties[0].0, coverage: rows as f64 / all, accuracy }
        });
        ties.collect()
    }

    /// The accuracy of the share `coverage` of the rows, those of the highest confidence, when each counts as often as `weights` (in
    /// the order of the rows here) says; `None` if none counts.
    pub fn accuracy_at(&self, coverage: f64, weights: &[u32]) -> Option<f64> {
        let all: f64 = weights.iter().copied().map(f64::from).sum();
        let wanted = coverage * all;
        let (mut answered, mut right, mut at) = (0.0, 0.0, 0);
        for ties in self.0.chunk_by(|a, b| a.0 == b.0) {
            let (mut here, mut right_here) = (0.0, 0.0);
            for ((_, is_right), &weight) in ties.iter().zip(&weights[at..]) {
                here += f64::from(weight);
                right_here += if *is_right { f64::from(weight) } else { 0.0 };
            }
            let part = (wanted - answered).min(here);
            right += if here > 0.0 { right_here * part / here } else { 0.0 };
            answered += part;
            at += ties.len();
            if answered >= wanted {
                break;
            }
        }
        (answered > 0.0).then(|| right / answered)
    }

    /// What is answered from this confidence on; `None` if nothing is.
    pub fn from(&self, threshold: f32) -> Option<Covered> {
        let answered = self.0.partition_point(|(confidence, _)| *confidence >= threshold);
        let right = self.0[..answered].iter().filter(|(_, right)| *right).count();
        (answered > 0).then(|| Covered {
            threshold,
            coverage: answered as f64 / self.0.len() as f64,
            accuracy: right as f64 / answered as f64,
        })
    }

    /// The area under the risk-coverage curve: the mean over all coverages (1 row, 2 rows, ... all of them) of the share that is
    /// wrong. 0 is best.
    pub fn area(&self) -> f64 {
        let (mut rows, mut wrong, mut sum) = (0.0, 0.0, 0.0);
        for ties in self.0.chunk_by(|a, b| a.0 == b.0) {
            let share = ties.iter().filter(|(_, right)| !right).count() as f64 / ties.len() as f64;
            for _ in ties {
                rows += 1.0;
                wrong += share;
                sum += wrong / rows;
            }
        }
        sum / rows
    }

    /// The area that the same answers would have if every wrong one were less confident than every right one.
    pub fn least_area(&self) -> f64 {
        let all = self.0.len();
        let right = self.0.iter().filter(|(_, right)| *right).count();
        (right + 1..=all).map(|rows| (rows - right) as f64 / rows as f64).sum::<f64>() / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(rows: &[(f32, bool)]) -> Ranked {
        Ranked::new(rows.to_vec()).expect("rows")
    }

    /// By hand: risks 0, 0, 1/3, 1/4, 2/5.
    #[test]
    fn a_curve_of_five() {
        let rows = ranked(&[(0.4, false), (0.9, true), (0.6, false), (0.5, true), (0.8, true)]);
        let curve: Vec<_> = rows.curve().iter().map(|p| (p.threshold, p.coverage, p.accuracy)).collect();
        assert_eq!(
            curve,
            [(0.9, 0.2, 1.0), (0.8, 0.4, 1.0), (0.6, 0.6, 2.0 / 3.0), (0.5, 0.8, 0.75), (0.4, 1.0, 0.6)]
        );
        assert!((rows.area() - (1.0 / 3.0 + 0.25 + 0.4) / 5.0).abs() < 1e-12);
        // The two wrong ones last: risks 0, 0, 0, 1/4, 2/5.
        assert!((rows.least_area() - 0.65 / 5.0).abs() < 1e-12);
        assert_eq!(rows.accuracy_at(0.8, &[1; 5]), Some(0.75));
        // 3.5 rows: half of the fourth, which is right.
        let half = rows.accuracy_at(0.7, &[1; 5]).expect("rows");
        assert!((half - 2.5 / 3.5).abs() < 1e-12, "{half}");
        assert_eq!(rows.accuracy_at(0.5, &[0, 0, 0, 2, 2]), Some(1.0));
        assert_eq!(rows.accuracy_at(0.5, &[0; 5]), None);
        assert_eq!(rows.from(0.5), Some(Covered { threshold: 0.5, coverage: 0.8, accuracy: 0.75 }));
        assert_eq!(rows.from(0.95), None);
    }

    /// Whatever order equal confidences come in.
    #[test]
    fn ties_have_no_order() {
        let (a, b) = (
            [(0.5, true), (0.5, false), (0.5, false), (0.5, true)],
            [(0.5, false), (0.5, true), (0.5, true), (0.5, false)],
        );
        for rows in [ranked(&a), ranked(&b)] {
            assert_eq!((rows.area(), rows.curve().len()), (0.5, 1));
            assert_eq!(rows.accuracy_at(0.25, &[1; 4]), Some(0.5));
        }
        assert!(Ranked::new(vec![]).is_none() && Ranked::new(vec![(f32::NAN, true)]).is_none());
    }
}
