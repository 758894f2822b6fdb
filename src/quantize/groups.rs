//! Rounding weights to a few bits: codes, a small multiplier for each group, a scale for each row.
//!
//! A group first gets the step that leaves the least squared error of its own. The row's scale is the largest of these steps over the
//! largest multiplier, the multipliers are the others over the scale, and at last the scale is fitted to the levels that were
//! chosen (least squares). Both steps are repeated, since each changes what is best for the other.

use crate::bundle::{GROUP, PackedWeights, largest_multiplier};

/// The steps that are tried: shares of the one that reaches a group's largest weight.
const SHARES: [f32; 9] = [0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0];
/// How often multipliers and scale are fitted to each other.
const ROUNDS: usize = 3;

/// Codes, and the scale of each row.
#[derive(Clone, Debug)]
pub(super) struct Rounded {
    pub weights: PackedWeights,
    pub scales: Vec<f32>,
}

/// Rounds rows of `width` finite weights to codes of `bits` bits.
pub(super) fn round_rows(values: &[f32], width: usize, bits: u32) -> Rounded {
    let groups = width.div_ceil(GROUP);
    let mut rounded = Rounded {
        weights: PackedWeights {
            bits,
            width,
            codes: Vec::with_capacity(values.len()),
            multipliers: Vec::with_capacity(values.len() / width.max(1) * groups),
        },
        scales: Vec::with_capacity(values.len() / width.max(1)),
    };
    let grid = Grid::new(bits);
    for row in values.chunks_exact(width.max(1)) {
        let (scale, multipliers) = grid.fit(row);
        for (group, &multiplier) in row.chunks(GROUP).zip(&multipliers) {
            let step = scale * f32::from(multiplier);
            rounded.weights.codes.extend(group.iter().map(|&w| grid.code(w, step)));
        }
        rounded.weights.multipliers.extend(multipliers);
        rounded.scales.push(scale);
    }
    rounded
}

/// What codes of some bits can say.
#[derive(Clone, Copy)]
struct Grid {
    lowest: f32,
    highest: f32,
    multiplier: i8,
}

impl Grid {
    fn new(bits: u32) -> Self {
        let half = (1_u32 << (bits - 1)) as f32;
        Grid { lowest: -half, highest: half - 1.0, multiplier: largest_multiplier(bits) }
    }

    fn code(self, w: f32, step: f32) -> i8 {
        (w / step).round_ties_even().clamp(self.lowest, self.highest) as i8
    }

    fn error(self, group: &[f32], step: f32) -> f32 {
        group.iter().map(|&w| (w - step * f32::from(self.code(w, step))).powi(2)).sum()
    }

    /// The scale of a row, and its groups' multipliers.
    fn fit(self, row: &[f32]) -> (f32, Vec<i8>) {
        let steps: Vec<f32> = row.chunks(GROUP).map(|group| self.step(group)).collect();
        let largest = steps.iter().fold(0.0_f32, |largest, &step| largest.max(step));
        let mut scale = largest / f32::from(self.multiplier);
        if scale < f32::MIN_POSITIVE {
            return (1.0, vec![1; steps.len()]);
        }
        let mut multipliers = vec![];
        for _ in 0..ROUNDS {
            multipliers = row
                .chunks(GROUP)
                .zip(&steps)
                .map(|(group, &step)| self.multiplier(group, step, scale))
                .collect();
            scale = self.scale(row, &multipliers, scale);
        }
        (scale, multipliers)
    }

    /// The step of a group on its own; 0 where all its weights are.
    fn step(self, group: &[f32]) -> f32 {
        let above = group.iter().fold(0.0_f32, |most, &w| most.max(w)) / self.highest;
        let below = group.iter().fold(0.0_f32, |most, &w| most.max(-w)) / -self.lowest;
        let reach = above.max(below);
        let steps = SHARES.map(|share| share * reach).into_iter().filter(|&step| step >= f32::MIN_POSITIVE);
        let best = steps.map(|step| (self.error(group, step), step)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or(0.0, |(_, step)| step)
    }

    /// The best multiplier of a group near the one that gives `step`.
    fn multiplier(self, group: &[f32], step: f32, scale: f32) -> i8 {
        let near = (step / scale).round() as i8;
        let tried = (near.saturating_sub(1)..=near.saturating_add(1)).map(|m| m.clamp(1, self.multiplier));
        let errors = tried.map(|m| (self.error(group, scale * f32::from(m)), m));
        errors.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(1, |(_, multiplier)| multiplier)
    }

    /// The scale that fits the levels best which `multipliers` and `scale` give.
    fn scale(self, row: &[f32], multipliers: &[i8], scale: f32) -> f32 {
        let (mut product, mut square) = (0.0_f64, 0.0_f64);
        for (group, &multiplier) in row.chunks(GROUP).zip(multipliers) {
            for &w in group {
                let code = self.code(w, scale * f32::from(multiplier));
                let level = f64::from(code) * f64::from(multiplier);
                product += f64::from(w) * level;
                square += level * level;
            }
        }
        let fitted = (product / square) as f32;
        if fitted.is_finite() && fitted >= f32::MIN_POSITIVE { fitted } else { scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bell-shaped weights whose spread differs from group to group.
    fn weights(rows: usize, width: usize) -> Vec<f32> {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let mut bell = || (0..6).map(|_| uniform()).sum::<f32>();
        (0..rows * width).map(|i| bell() * (1.0 + (i / GROUP % 4) as f32)).collect()
    }

    /// The root of the mean squared error, as a share of that of the weights.
    fn loss(values: &[f32], width: usize, bits: u32) -> f32 {
        let rounded = round_rows(values, width, bits);
        let levels = rounded.weights.levels();
        let rows = values.chunks(width).zip(levels.chunks(width)).zip(&rounded.scales);
        let error: f32 = rows
            .flat_map(|((w, levels), scale)| {
                w.iter().zip(levels).map(move |(w, &level)| (w - f32::from(level) * scale).powi(2))
            })
            .sum();
        (error / values.iter().map(|w| w * w).sum::<f32>()).sqrt()
    }

    #[test]
    fn each_bit_halves_the_error() {
        let values = weights(8, 384);
        let losses = [2, 3, 4, 5, 6].map(|bits| loss(&values, 384, bits));
        for pair in losses.windows(2) {
            assert!(pair[1] < 0.62 * pair[0], "{losses:?}");
        }
        // One step for a whole row of int8's kind, without groups, is worse than groups of four bits by far.
        assert!(losses[2] < 0.11, "{losses:?}");
    }

    #[test]
    fn odd_rows_are_rounded_too() {
        let mut values = weights(3, 50);
        values[..50].fill(0.0);
        values[50..82].fill(0.0);
        values[100..150].fill(1e-30);
        let rounded = round_rows(&values, 50, 4);
        assert_eq!(rounded.weights.multipliers.len(), 3 * 2);
        assert_eq!(rounded.weights.codes[..82], [0; 82]);
        assert!(rounded.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0), "{:?}", rounded.scales);
        assert!(rounded.weights.multipliers.iter().all(|m| (1..=15).contains(m)));
        let level = f32::from(rounded.weights.levels()[149]) * rounded.scales[2];
        assert!((level / 1e-30 - 1.0).abs() < 0.02, "{level}");
    }
}
