//! Confidence intervals by the percentile bootstrap (Efron 1979) over groups of rows.
//!
//! Rows that are nearly the same (a tweet and its retweets) do not inform twice, so whole groups are drawn, not rows:
//! the cluster bootstrap (Davison & Hinkley 1997, 3.8).

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bootstrap {
    /// How often the groups are drawn.
    pub resamples: usize,
    /// The same seed and rows give the same intervals.
    pub seed: u64,
    /// The share of the resamples that an interval covers.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { resamples: 2000, seed: 1, level: 0.95 }
    }
}

/// Where a figure lies with the probability of the level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Rows in groups that are drawn together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The group of each row, from 0.
    of_row: Vec<usize>,
    count: usize,
}

impl Groups {
    /// From the name of each row's group; a row without a name is a group of its own.
    pub fn new<'a>(names: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut known = HashMap::new();
        let mut groups = Groups::default();
        for name in names {
            let next = groups.count;
            let group = name.map_or(next, |name| *known.entry(name).or_insert(next));
            groups.count = groups.count.max(group + 1);
            groups.of_row.push(group);
        }
        groups
    }

    /// How many groups there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Bootstrap {
    /// The intervals of `N` figures. `figures` is given how often each row was drawn, and answers `None` where they
    /// make no sense (nothing of a class was drawn); such resamples do not count. `None` if there are no rows, or
    /// less than half of the resamples count.
    pub fn intervals<const N: usize>(
        &self,
        groups: &Groups,
        figures: impl Fn(&[u32]) -> Option<[f64; N]>,
    ) -> Option<[Interval; N]> {
        if groups.count == 0 || self.resamples == 0 {
            return None;
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut values: [Vec<f64>; N] = [const { Vec::new() }; N];
        let mut weights = vec![0; groups.of_row.len()];
        for _ in 0..self.resamples {
            let mut drawn = vec![0; groups.count];
            for _ in 0..groups.count {
                drawn[random.random_range(0..groups.count)] += 1;
            }
            for (weight, &group) in weights.iter_mut().zip(&groups.of_row) {
                *weight = drawn[group];
            }
            if let Some(figures) = figures(&weights) {
                values.iter_mut().zip(figures).for_each(|(values, figure)| values.push(figure));
            }
        }
        let outside = (1.0 - self.level) / 2.0;
        let enough = values.iter().all(|values| !values.is_empty() && 2 * values.len() >= self.resamples);
        enough.then(|| {
            values.map(|mut values| {
                values.sort_by(f64::total_cmp);
                Interval { low: quantile(&values, outside), high: quantile(&values, 1.0 - outside) }
            })
        })
    }
}

/// The quantile `q` of sorted values, interpolated linearly between neighbours (numpy's default).
///
/// # Panics
/// Without values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(right: &[bool]) -> impl Fn(&[u32]) -> Option<[f64; 1]> {
        move |weights| {
            let drawn: u32 = weights.iter().sum();
            let hits: u32 = weights.iter().zip(right).filter(|(_, right)| **right).map(|(w, _)| w).sum();
            Some([f64::from(hits) / f64::from(drawn)])
        }
    }

    fn near(interval: Option<[Interval; 1]>, low: f64, high: f64) {
        let [found] = interval.expect("there are rows");
        assert!((found.low - low).abs() < 0.011 && (found.high - high).abs() < 0.011, "{found:?}");
    }

    /// Expected: scipy 1.17.1, `stats.bootstrap(x, mean, n_resamples=20000, method='percentile')`.
    #[test]
    fn agrees_with_scipy_on_single_rows() {
        let right: Vec<bool> = (0..200).map(|i| i < 150).collect();
        let groups = Groups::new(right.iter().map(|_| None));
        near(Bootstrap::default().intervals(&groups, mean(&right)), 0.69, 0.81);
    }

    /// 40 groups of five rows, of which `3 i mod 7 mod 6` are right. Expected: scipy 1.17.1, `stats.bootstrap` of the
    /// mean over the 40 groups, 50,000 resamples; over the 200 rows it says 0.355 to 0.495, which is too narrow.
    #[test]
    fn agrees_with_scipy_on_groups() {
        let right: Vec<bool> = (0..40).flat_map(|i| (0..5).map(move |j| j < i * 3 % 7 % 6)).collect();
        let names: Vec<String> = (0..200).map(|row| format!("g{}", row / 5)).collect();
        let groups = Groups::new(names.iter().map(|name| Some(name.as_str())));
        assert_eq!(groups.count(), 40);
        near(Bootstrap::default().intervals(&groups, mean(&right)), 0.315, 0.54);
    }

    /// Expected: numpy 2.4.6, `quantile`.
    #[test]
    fn quantiles_agree_with_numpy() {
        let sorted = [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9];
        for (q, expected) in [(0.025, 0.115), (0.5, 0.5), (0.975, 0.885), (0.0, 0.1), (1.0, 0.9)] {
            assert!((quantile(&sorted, q) - expected).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_has_no_interval() {
        let right: Vec<bool> = (0..50).map(|i| i % 3 == 0).collect();
        let groups = Groups::new(right.iter().map(|_| None));
        let with = |seed| Bootstrap { seed, ..Bootstrap::default() }.intervals(&groups, mean(&right));
        assert_eq!(with(1), with(1));
        assert!(with(1).is_some());
        let nothing = Groups::new([]);
        assert_eq!(Bootstrap::default().intervals(&nothing, mean(&[])), None);
        assert_eq!(Bootstrap::default().intervals(&groups, |_| None::<[f64; 1]>), None);
    }
}
