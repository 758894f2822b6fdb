//! What the operations are, in `f64`, one number after the other.

use super::weights::{Range, Weights};
use crate::model::{Activation, ConvSpec, HiddenActivation};

/// A number and how far a backend may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// What the definition gives. Where it is quantized, the number before it is rounded to a level.
    pub value: f64,
    /// Float rounding, and half a level where it is quantized; 0 for the same bits.
    pub tolerance: f64,
}

/// Half a level, and what rounding floats can move a number across its border.
pub const HALF_LEVEL: f64 = 0.502;

/// The largest level.
const TOP: f64 = 127.0;

/// Rows of levels as they stand for reals: each row by its own smallest and largest number and zero.
pub fn quantized_row(row: &[f64]) -> Vec<Expected> {
    let (low, high) = row.iter().fold((0.0f64, 0.0f64), |(low, high), &x| (low.min(x), high.max(x)));
    let scale = match (high - low) / TOP {
        0.0 => 1.0,
        scale => scale,
    };
    let zero = (-low / scale).round_ties_even();
    row.iter()
        .map(|x| Expected {
            value: ((x / scale + zero).clamp(0.0, TOP) - zero) * scale,
            tolerance: HALF_LEVEL * scale,
        })
        .collect()
}

/// `activation(x w^T + bias)` of a row of reals that its levels hold exactly.
pub fn linear(row: &[f64], weights: &Weights, activation: Option<HiddenActivation>) -> Vec<Expected> {
    let rows = weights.levels.chunks_exact(row.len()).zip(&weights.scale).zip(&weights.bias);
    rows.map(|((levels, &scale), &bias)| {
        let sum: f64 = row.iter().zip(levels).map(|(x, &w)| x * f64::from(w)).sum();
        let (product, bias) = (sum * f64::from(scale), f64::from(bias));
        let x = product + bias;
        let value = match activation {
            None => x,
            Some(HiddenActivation::Gelu) => x * normal_cdf(x),
            Some(HiddenActivation::GeluNew) => {
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + u.tanh())
            }
            Some(HiddenActivation::Relu) => x.max(0.0),
        };
        Expected { value, tolerance: 3e-6 * (1.0 + product.abs() + bias.abs()) }
    })
    .collect()
}

/// The distribution function of the normal distribution by its series (Marsaglia 2004).
fn normal_cdf(x: f64) -> f64 {
    if x.abs() > 7.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut term, mut total, mut i) = (x, x, 1.0);
    for _ in 0..200 {
        i += 2.0;
        term *= x * x / i;
        total += term;
    }
    0.5 + total * (-0.5 * x * x - 0.918_938_533_204_672_8).exp()
}

/// LayerNorm of a row.
pub fn layer_norm(row: &[f64], weight: &[f32], bias: &[f32], eps: f64) -> Vec<Expected> {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    let deviation = (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count + eps).sqrt();
    // The mean is off by float rounding of the largest number, and so is everything, divided by the deviation.
    let largest = row.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let rounding = 1e-6 * (1.0 + largest / deviation);
    let parts = row.iter().zip(weight).zip(bias);
    parts
        .map(|((x, &weight), &bias)| {
            let (normal, weight) = ((x - mean) / deviation, f64::from(weight));
            Expected {
                value: normal * weight + f64::from(bias),
                tolerance: rounding * (1.0 + (normal * weight).abs() + weight.abs()),
            }
        })
        .collect()
}

/// Attention of `[rows, 3 * width]`.
pub fn attend(qkv: &[f64], width: usize, heads: usize) -> Vec<Expected> {
    let (stride, depth) = (3 * width, width / heads);
    let rows = qkv.len() / stride;
    let at = |row: usize, part: usize, i: usize| qkv[row * stride + part * width + i];
    let mut out = Vec::new();
    for row in 0..rows {
        for i in 0..width {
            let head = i / depth * depth;
            let logit = |other| {
                let parts = (head..head + depth).map(|i| at(row, 0, i) * at(other, 1, i));
                let (sum, size) = parts.fold((0.0, 0.0f64), |(sum, size), x| (sum + x, size + x.abs()));
                (sum / (depth as f64).sqrt(), size / (depth as f64).sqrt())
            };
            let logits: Vec<(f64, f64)> = (0..rows).map(logit).collect();
            let top = logits.iter().fold(f64::NEG_INFINITY, |top, l| top.max(l.0));
            let weights: Vec<f64> = logits.iter().map(|l| (l.0 - top).exp()).collect();
            let total: f64 = weights.iter().sum();
            let values = || weights.iter().enumerate().map(|(r, w)| w / total * at(r, 2, i));
            // A logit's rounding error is relative to what was added up, and an exponential makes it a factor.
            let size = logits.iter().fold(0.0f64, |size, l| size.max(l.1));
            let magnitude: f64 = values().map(f64::abs).sum();
            out.push(Expected { value: values().sum(), tolerance: 1e-6 * (6.0 + size) * (magnitude + 1e-6) });
        }
    }
    out
}

/// Square grids of levels, `[pictures, side, side, channels]`.
#[derive(Clone, Debug)]
pub struct Levels {
    pub side: usize,
    pub channels: usize,
    pub levels: Vec<u8>,
}

impl Levels {
    /// Each picture's.
    fn pictures(&self) -> impl Iterator<Item = Levels> {
        let Levels { side, channels, .. } = *self;
        let picture = move |levels: &[u8]| Levels { side, channels, levels: levels.to_vec() };
        self.levels.chunks_exact(side * side * channels).map(picture)
    }

    /// The level, or `None` outside.
    fn at(&self, y: Option<usize>, x: Option<usize>, channel: usize) -> Option<u8> {
        let (y, x) = (y.filter(|&y| y < self.side)?, x.filter(|&x| x < self.side)?);
        Some(self.levels[(y * self.side + x) * self.channels + channel])
    }
}

/// `activation(conv(input) + bias + residual)`, quantized to `output` where there is one.
pub fn conv(
    spec: &ConvSpec,
    weights: &Weights,
    (input, range): (&Levels, &Range),
    residual: Option<(&Levels, &Range)>,
    activation: Activation,
    output: Option<&Range>,
) -> Vec<Expected> {
    let mut residuals = residual.map(|(levels, range)| (levels.pictures(), range));
    let of_picture = |input: Levels| {
        let residual = residuals.as_mut().and_then(|(levels, range)| Some((levels.next()?, *range)));
        let residual = residual.as_ref().map(|(levels, range)| (levels, *range));
        conv_of_one(spec, weights, (&input, range), residual, activation, output)
    };
    input.pictures().flat_map(of_picture).collect()
}

fn conv_of_one(
    spec: &ConvSpec,
    weights: &Weights,
    (input, range): (&Levels, &Range),
    residual: Option<(&Levels, &Range)>,
    activation: Activation,
    output: Option<&Range>,
) -> Vec<Expected> {
    let (side, before) = (spec.output_size(input.side), spec.pads(input.side).0);
    let [_, inputs, kernel, _] = spec.weight_shape();
    let mut all = Vec::new();
    for (y, x, channel) in triples(side, side, spec.out_channels) {
        let mut sum = 0i64;
        for (ky, kx, i) in triples(kernel, kernel, inputs) {
            let from = if spec.is_depthwise() { channel } else { i };
            let (iy, ix) =
                ((y * spec.stride + ky).checked_sub(before), (x * spec.stride + kx).checked_sub(before));
            let level = input.at(iy, ix, from).unwrap_or(range.zero_point);
            let weight = weights.levels[((channel * kernel + ky) * kernel + kx) * inputs + i];
            sum += (i64::from(level) - i64::from(range.zero_point)) * i64::from(weight);
        }
        let product = sum as f64 * f64::from(range.scale) * f64::from(weights.scale[channel]);
        let bias = f64::from(weights.bias[channel]);
        let added = residual.map_or(0.0, |(levels, range)| {
            let level = levels.at(Some(y), Some(x), channel).map_or(0.0, f64::from);
            (level - f64::from(range.zero_point)) * f64::from(range.scale)
        });
        // A curve keeps to its bounds by itself.
        let (low, high) = match activation {
            Activation::HardSwish => (f64::NEG_INFINITY, f64::INFINITY),
            clamp => (f64::from(clamp.bounds().0), f64::from(clamp.bounds().1)),
        };
        let sum = product + bias + added;
        let real = if activation == Activation::HardSwish { sum * hard_sigmoid(sum) } else { sum };
        let rounding = 1e-6 * (1.0 + product.abs() + bias.abs() + added.abs());
        all.push(match output {
            None => Expected { value: real.clamp(low, high), tolerance: rounding },
            Some(&Range { scale, zero_point, .. }) => {
                let (scale, zero) = (f64::from(scale), f64::from(zero_point));
                // An activation's bounds are levels.
                let bound = |real: f64| ((real / scale).round_ties_even() + zero).clamp(0.0, TOP);
                let value = (real / scale + zero).clamp(bound(low), bound(high));
                Expected { value, tolerance: HALF_LEVEL + rounding / scale }
            }
        });
    }
    all
}

/// Squeeze and excitation whose logits are the means themselves: each channel times the hard sigmoid of its mean.
pub fn gate(input: &Levels, range: &Range) -> Vec<Expected> {
    input.pictures().flat_map(|input| gate_of_one(&input, range)).collect()
}

fn gate_of_one(input: &Levels, range: &Range) -> Vec<Expected> {
    let (scale, zero) = (f64::from(range.scale), f64::from(range.zero_point));
    let cells = input.levels.chunks_exact(input.channels);
    let count = cells.len() as f64;
    let mean = |channel: usize| {
        cells.clone().map(|cell| f64::from(cell[channel]) - zero).sum::<f64>() / count * scale
    };
    let means: Vec<f64> = (0..input.channels).map(mean).collect();
    let gated = |(i, &level): (usize, &u8)| Expected {
        value: (f64::from(level) - zero) * hard_sigmoid(means[i % input.channels]) + zero,
        tolerance: HALF_LEVEL,
    };
    input.levels.iter().enumerate().map(gated).collect()
}

fn hard_sigmoid(x: f64) -> f64 {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// The 3x3 maximum of stride 2 and padding 1.
pub fn max_pool(input: &Levels) -> Levels {
    let side = input.side.div_ceil(2);
    let levels = input.pictures().flat_map(|input| max_pool_of_one(&input, side)).collect();
    Levels { side, channels: input.channels, levels }
}

fn max_pool_of_one(input: &Levels, side: usize) -> Vec<u8> {
    let maximum = |(y, x, channel): (usize, usize, usize)| {
        let window = triples(3, 3, 1).filter_map(|(ky, kx, _)| {
            input.at((2 * y + ky).checked_sub(1), (2 * x + kx).checked_sub(1), channel)
        });
        window.max().unwrap_or(0)
    };
    triples(side, side, input.channels).map(maximum).collect()
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}
