//! How far stated probabilities are from what happens.

use mixed_feelings::Scores;
use serde::Serialize;

/// Bins of equal width between 0 and 1, as in Guo et al. 2017.
pub const BINS: usize = 15;

/// The rows whose confidence (highest probability) falls into one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub rows: usize,
    /// Their mean confidence; 0 without rows.
    pub confidence: f64,
    /// Share of them whose label was predicted; 0 without rows.
    pub accuracy: f64,
}

/// The calibration of predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error: the mean distance of confidence and accuracy over the bins, weighted by rows
    /// (Guo, Pleiss, Sun & Weinberger 2017).
    pub ece: f64,
    /// Mean negative logarithm of the label's probability.
    pub nll: f64,
    /// Mean squared distance of the probabilities from the label's 0 and 1, summed over the classes (Brier 1950): from
    /// 0 to 2.
    pub brier: f64,
    /// [`BINS`] bins; bin `i` holds the confidences in (i / 15, (i + 1) / 15].
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Of predictions and labels; `None` if there are none.
    pub fn of(rows: &[(&Scores, usize)]) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let all = rows.len() as f64;
        let mut bins = vec![Bin::default(); BINS];
        let (mut nll, mut brier) = (0.0, 0.0);
        for (scores, label) in rows {
            let p = || scores.probabilities().iter().map(|&p| f64::from(p)).enumerate();
            let of = |class| f64::from(scores.probabilities()[class]);
            nll -= of(*label).max(f64::from(f32::MIN_POSITIVE)).ln();
            brier += p().map(|(class, p)| (p - one_if(class == *label)).powi(2)).sum::<f64>();
            let confidence = of(scores.class());
            let bin = &mut bins[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
            bin.rows += 1;
            bin.confidence += confidence;
            bin.accuracy += one_if(scores.class() == *label);
        }
        for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
            bin.confidence /= bin.rows as f64;
            bin.accuracy /= bin.rows as f64;
        }
        let ece = bins.iter().map(|b| (b.confidence - b.accuracy).abs() * b.rows as f64).sum::<f64>() / all;
        Some(Calibration { ece, nll: nll / all, brier: brier / all, bins })
    }
}

fn one_if(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// The scores that the logits behind `scores` give at another temperature: `softmax(ln p · by)`. With `by` the
/// temperature that the scores were made with, these are the scores as they were before temperature scaling.
pub fn sharpened(scores: &Scores, by: f32) -> Scores {
    // A probability of 0 has a logit of minus infinity; far below all others will do.
    let logits = scores.probabilities().iter().map(|p| p.max(f32::MIN_POSITIVE).ln() * by);
    Scores::at_temperature(scores.labels(), &logits.collect::<Vec<_>>(), 1.0)
}

#[cfg(test)]
mod tests {
    use mixed_feelings::Labels;

    use super::*;

    /// 60 rows of logits in -2..2 and labels, the same as the reference was given.
    fn rows(temperature: f32) -> Vec<(Scores, usize)> {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 * 4.0 - 2.0
        };
        (0..60)
            .map(|i| {
                let logits = [next(), next(), next()];
                (Scores::at_temperature(&Labels::sentiment(), &logits, temperature), (i * 7 + i * i % 5) % 3)
            })
            .collect()
    }

    /// Expected: numpy 2.4.6 and scikit-learn 1.9.1 (`log_loss`), the error over `linspace(0, 1, 16)` in float64.
    #[test]
    fn agrees_with_numpy_and_scikit_learn() {
        let expected = [
            (
                1.0,
                0.309_709_797,
                1.512_948_674,
                0.853_052_043,
                [0, 0, 0, 0, 0, 0, 3, 12, 12, 12, 6, 5, 7, 3, 0],
            ),
            (
                2.0,
                0.193_325_348,
                1.218_977_667,
                0.736_478_047,
                [0, 0, 0, 0, 0, 2, 20, 19, 9, 9, 1, 0, 0, 0, 0],
            ),
        ];
        for (temperature, ece, nll, brier, counts) in expected {
            let rows = rows(temperature);
            let rows: Vec<_> = rows.iter().map(|(scores, label)| (scores, *label)).collect();
            let found = Calibration::of(&rows).expect("60 rows");
            for (name, found, expected) in
                [("ECE", found.ece, ece), ("NLL", found.nll, nll), ("Brier", found.brier, brier)]
            {
                assert!((found - expected).abs() < 1e-5, "{name} at {temperature}: {found}, not {expected}");
            }
            assert_eq!(found.bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), counts);
        }
    }

    #[test]
    fn a_temperature_is_taken_back() {
        for ((hot, _), (cold, _)) in rows(2.0).into_iter().zip(rows(1.0)) {
            let back = sharpened(&hot, 2.0);
            let pairs = back.probabilities().iter().zip(cold.probabilities());
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5), "{back:?}");
        }
    }

    #[test]
    fn certain_and_right_is_perfect() {
        let sure = Scores::from_probabilities(&Labels::sentiment(), vec![0.0, 0.0, 1.0]);
        let found = Calibration::of(&[(&sure, 2)]).expect("a row");
        assert_eq!((found.ece, found.nll, found.brier, found.bins[14].rows), (0.0, 0.0, 0.0, 1));
        let wrong = Calibration::of(&[(&sure, 0)]).expect("a row");
        assert_eq!((wrong.ece, wrong.brier), (1.0, 2.0));
        assert!(wrong.nll.is_finite());
        assert_eq!(Calibration::of(&[]), None);
    }
}
