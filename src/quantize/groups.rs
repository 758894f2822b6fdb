//! Rounding weights to a few bits: codes, a small multiplier for each group, a scale for each row.
//!
//! A group first gets the step that leaves the least squared error of its own. The row's scale is the largest of these steps over the
//! largest multiplier, the multipliers are the others over the scale, and at last the scale is fitted to the levels that were
//! chosen (least squares). Both steps are repeated, since each changes what is best for the other.
//!
//! Where the [`Correlation`] of the inputs is known, a weight counts as much as its input varies, and the codes are then chosen with
//! respect to each other.

use super::correlation::Correlation;
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
pub(super) fn round_rows(values: &[f32], width: usize, bits: u32, inputs: Option<&Correlation>) -> Rounded {
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
    let alike = vec![1.0; width];
    let importance = inputs.map_or(alike.as_slice(), Correlation::variances);
    for row in values.chunks_exact(width.max(1)) {
        let (mut scale, multipliers) = grid.fit(row, importance);
        let step = |input: usize| scale * f32::from(multipliers[input / GROUP]);
        let codes = match inputs {
            Some(inputs) => inputs.round(row, |input, w| {
                let code = grid.code(w, step(input));
                (code, f32::from(code) * step(input))
            }),
            None => row.iter().enumerate().map(|(input, &w)| grid.code(w, step(input))).collect(),
        };
        if let Some(inputs) = inputs {
            let level =
                |(input, &code): (usize, &i8)| f32::from(code) * f32::from(multipliers[input / GROUP]);
            let levels: Vec<f32> = codes.iter().enumerate().map(level).collect();
            scale = sound(inputs.scale(row, &levels), scale);
        }
        rounded.weights.codes.extend(codes);
        rounded.weights.multipliers.extend(multipliers);
        rounded.scales.push(scale);
    }
    rounded
}

/// A scale that was fitted, or the one before where that is none.
fn sound(fitted: f32, before: f32) -> f32 {
    if fitted.is_finite() && fitted >= f32::MIN_POSITIVE { fitted } else { before }
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

    fn error(self, group: Group<'_>, step: f32) -> f32 {
        let error = |(&w, &importance)| importance * (w - step * f32::from(self.code(w, step))).powi(2);
        group.weights.iter().zip(group.importance).map(error).sum()
    }

    /// The scale of a row, and its groups' multipliers.
    fn fit(self, row: &[f32], importance: &[f32]) -> (f32, Vec<i8>) {
        let groups = || groups(row, importance);
        let steps: Vec<f32> = groups().map(|group| self.step(group)).collect();
        let largest = steps.iter().fold(0.0_f32, |largest, &step| largest.max(step));
        let mut scale = largest / f32::from(self.multiplier);
        if scale < f32::MIN_POSITIVE {
            return (1.0, vec![1; steps.len()]);
        }
        let mut multipliers = vec![];
        for _ in 0..ROUNDS {
            multipliers =
                groups().zip(&steps).map(|(group, &step)| self.multiplier(group, step, scale)).collect();
            scale = self.scale(groups(), &multipliers, scale);
        }
        (scale, multipliers)
    }

    /// The step of a group on its own; 0 where all its weights are.
    fn step(self, group: Group<'_>) -> f32 {
        let above = group.weights.iter().fold(0.0_f32, |most, &w| most.max(w)) / self.highest;
        let below = group.weights.iter().fold(0.0_f32, |most, &w| most.max(-w)) / -self.lowest;
        let reach = above.max(below);
        let steps = SHARES.map(|share| share * reach).into_iter().filter(|&step| step >= f32::MIN_POSITIVE);
        let best = steps.map(|step| (self.error(group, step), step)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or(0.0, |(_, step)| step)
    }

    /// The best multiplier of a group near the one that gives `step`.
    fn multiplier(self, group: Group<'_>, step: f32, scale: f32) -> i8 {
        let near = (step / scale).round() as i8;
        let tried = (near.saturating_sub(1)..=near.saturating_add(1)).map(|m| m.clamp(1, self.multiplier));
        let errors = tried.map(|m| (self.error(group, scale * f32::from(m)), m));
        errors.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(1, |(_, multiplier)| multiplier)
    }

    /// The scale that fits the levels best which `multipliers` and `scale` give.
    fn scale<'a>(self, groups: impl Iterator<Item = Group<'a>>, multipliers: &[i8], scale: f32) -> f32 {
        let (mut product, mut square) = (0.0_f64, 0.0_f64);
        for (group, &multiplier) in groups.zip(multipliers) {
            for (&w, &importance) in group.weights.iter().zip(group.importance) {
                let code = self.code(w, scale * f32::from(multiplier));
                let level = f64::from(code) * f64::from(multiplier);
                product += f64::from(importance) * f64::from(w) * level;
                square += f64::from(importance) * level * level;
            }
        }
        sound((product / square) as f32, scale)
    }
}

/// Weights that share a multiplier, and how much each counts.
#[derive(Clone, Copy)]
struct Group<'a> {
    weights: &'a [f32],
    importance: &'a [f32],
}

fn groups<'a>(row: &'a [f32], importance: &'a [f32]) -> impl Iterator<Item = Group<'a>> {
    row.chunks(GROUP).zip(importance.chunks(GROUP)).map(|(weights, importance)| Group { weights, importance })
}

#[cfg(test)]
mod tests {
    use super::{super::moments::Moments, *};

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
        let rounded = round_rows(values, width, bits, None);
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
        let rounded = round_rows(&values, 50, 4, None);
        assert_eq!(rounded.weights.multipliers.len(), 3 * 2);
        assert_eq!(rounded.weights.codes[..82], [0; 82]);
        assert!(rounded.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0), "{:?}", rounded.scales);
        assert!(rounded.weights.multipliers.iter().all(|m| (1..=15).contains(m)));
        let level = f32::from(rounded.weights.levels()[149]) * rounded.scales[2];
        assert!((level / 1e-30 - 1.0).abs() < 0.02, "{level}");
    }
    /// Neighbors among the inputs go up and down together, so the errors of one weight can be made up for by the next.
    #[test]
    fn what_the_layer_reads_makes_its_output_more_exact() {
        const WIDTH: usize = 96;
        let values = weights(8, WIDTH);
        let noise = weights(400, WIDTH);
        let inputs: Vec<Vec<f32>> = noise
            .chunks(WIDTH)
            .map(|noise| (0..WIDTH).map(|i| noise[i] + noise[i / 4] + 2.0 * noise[i / 16]).collect())
            .collect();
        let mut moments = Moments::new(WIDTH);
        inputs.iter().for_each(|row| moments.add(row).unwrap());
        let (means, covariance) = moments.finish().unwrap().unwrap();
        let correlation = Correlation::new(&covariance, WIDTH).unwrap();
        let change = |inputs_known: Option<&Correlation>| -> f64 {
            let rounded = round_rows(&values, WIDTH, 3, inputs_known);
            let levels = rounded.weights.levels();
            let rows = values.chunks(WIDTH).zip(levels.chunks(WIDTH)).zip(&rounded.scales);
            rows.flat_map(|((row, levels), scale)| {
                let errors: Vec<f64> = row
                    .iter()
                    .zip(levels)
                    .map(|(w, &level)| f64::from(w - f32::from(level) * scale))
                    .collect();
                let output = |x: &Vec<f32>| -> f64 {
                    x.iter().zip(&means).zip(&errors).map(|((&x, mean), e)| (f64::from(x) - mean) * e).sum()
                };
                inputs.iter().map(|x| output(x).powi(2)).collect::<Vec<_>>()
            })
            .sum()
        };
        let (blind, knowing) = (change(None), change(Some(&correlation)));
        assert!(knowing < 0.4 * blind, "{knowing} against {blind}");
    }

    #[test]
    fn inputs_that_never_vary_are_no_correlation() {
        assert!(Correlation::new(&[0.0; 16], 4).is_none());
        assert!(Correlation::new(&[f64::NAN; 16], 4).is_none());
        // One of them constant, two the same.
        let mut covariance = [0.0; 9];
        for i in [0, 1, 3, 4] {
            covariance[i] = 2.0;
        }
        let correlation = Correlation::new(&covariance, 3).unwrap();
        let codes = correlation.round(&[0.4, 0.4, 0.4], |_, w| (w.round() as i8, w.round()));
        assert_eq!(codes.iter().map(|&code| i32::from(code)).sum::<i32>(), 1, "{codes:?}");
    }
}
