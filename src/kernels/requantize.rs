//! What follows a convolution's integer sums: bias (BatchNorm folded in), residual sum, activation, and the output's own
//! quantisation, in one pass.

use super::{
    PANEL,
    linear::padded,
    math::{max, min, round_to_u7},
    quantize::{LEVELS, Quantization},
};

/// The real values that an activation lets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The least.
    pub low: f32,
    /// The largest.
    pub high: f32,
}

/// The levels that a residual sum adds.
#[derive(Clone, Copy, Debug)]
pub struct Residual<'a> {
    /// `[cells, channels]`, as the output.
    pub levels: &'a [u8],
}

/// From the sums of a convolution to its output: `clamp(sum * multiplier + offset + residual)`.
#[derive(Clone, Debug)]
pub struct Requantize {
    channels: usize,
    /// Takes the input's zero point off the sum.
    correction: Vec<i32>,
    multiplier: Vec<f32>,
    offset: Vec<f32>,
    /// Factor of the residual's levels; their zero point is in the offset.
    residual: f32,
    low: f32,
    high: f32,
}

impl Requantize {
    /// For a convolution whose input is quantised as `input`, whose weights have `weight_sums` and `scale` a channel, and
    /// whose output is quantised as `output`, or real where that is `None`. `residual` says how the levels that are added
    /// are quantised.
    ///
    /// # Panics
    /// When `scale` and `bias` have different lengths or `weight_sums` is shorter.
    pub fn new(
        weight_sums: &[i32],
        scale: &[f32],
        bias: &[f32],
        input: Quantization,
        residual: Option<Quantization>,
        clamp: Clamp,
        output: Option<Quantization>,
    ) -> Self {
        assert!(
            scale.len() == bias.len() && weight_sums.len() >= scale.len(),
            "a scale, bias and sum a channel"
        );
        let (step, zero) = output.map_or((1.0, 0.0), |output| (output.scale, f32::from(output.zero_point)));
        let factor = residual.map_or(0.0, |residual| residual.scale / step);
        let shift = zero - residual.map_or(0.0, |residual| f32::from(residual.zero_point) * factor);
        let multiplier: Vec<f32> = scale.iter().map(|scale| input.scale * scale / step).collect();
        let offset: Vec<f32> = bias.iter().map(|bias| bias / step + shift).collect();
        let mut correction: Vec<i32> =
            weight_sums[..scale.len()].iter().map(|sum| -i32::from(input.zero_point) * sum).collect();
        correction.resize(scale.len().next_multiple_of(PANEL), 0);
        // An activation's bounds are levels of the output: ReLU's zero is exactly its zero point.
        let (low, high) = match output {
            Some(output) => (max(output.level_of(clamp.low), 0.0), min(output.level_of(clamp.high), LEVELS)),
            None => (clamp.low, clamp.high),
        };
        Requantize {
            channels: scale.len(),
            correction,
            multiplier: padded(&multiplier),
            offset: padded(&offset),
            residual: factor,
            low,
            high,
        }
    }

    /// Output channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Writes the eight sums of `channel..channel + 8` of `cell` as levels to `out`, `[cells, channels]`.
    #[inline(always)]
    pub fn levels(
        &self,
        cell: usize,
        channel: usize,
        sums: &[i32; PANEL],
        residual: Option<Residual<'_>>,
        out: &mut [u8],
    ) {
        let reals = self.reals(cell, channel, sums, residual);
        let levels = reals.map(|x| round_to_u7(x, self.low, self.high));
        store(&levels, &mut out[cell * self.channels..][..self.channels][channel..]);
    }

    /// Writes the eight sums of `channel..channel + 8` of `cell` as real numbers to `out`, `[cells, channels]`.
    #[inline(always)]
    pub fn floats(
        &self,
        cell: usize,
        channel: usize,
        sums: &[i32; PANEL],
        residual: Option<Residual<'_>>,
        out: &mut [f32],
    ) {
        let reals = self.reals(cell, channel, sums, residual).map(|x| min(max(x, self.low), self.high));
        store(&reals, &mut out[cell * self.channels..][..self.channels][channel..]);
    }

    #[inline(always)]
    fn reals(
        &self,
        cell: usize,
        channel: usize,
        sums: &[i32; PANEL],
        residual: Option<Residual<'_>>,
    ) -> [f32; PANEL] {
        let correction = &self.correction[channel..][..PANEL];
        let (multiplier, offset) = (&self.multiplier[channel..][..PANEL], &self.offset[channel..][..PANEL]);
        let mut reals = [0.0; PANEL];
        for j in 0..PANEL {
            reals[j] = (sums[j] + correction[j]) as f32 * multiplier[j] + offset[j];
        }
        if let Some(residual) = residual {
            let levels = &residual.levels[cell * self.channels..][..self.channels][channel..];
            for (real, &level) in reals.iter_mut().zip(levels) {
                *real += f32::from(level) * self.residual;
            }
        }
        reals
    }
}

/// As many of the eight as there are channels left.
#[inline(always)]
fn store<T: Copy>(eight: &[T; PANEL], out: &mut [T]) {
    match out.first_chunk_mut::<PANEL>() {
        Some(out) => *out = *eight,
        None => {
            let left = out.len();
            out.copy_from_slice(&eight[..left]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_real_arithmetic() {
        let channels = 11;
        let input = Quantization { scale: 0.02, zero_point: 60 };
        let shortcut = Quantization { scale: 0.05, zero_point: 12 };
        let output = Quantization { scale: 0.04, zero_point: 5 };
        let scale: Vec<f32> = (0..channels).map(|c| 0.01 + c as f32 * 1e-3).collect();
        let bias: Vec<f32> = (0..channels).map(|c| c as f32 * 0.3 - 1.0).collect();
        let weight_sums: Vec<i32> = (0..16).map(|c| 10 * c - 50).collect();
        let sums: [i32; 8] = std::array::from_fn(|j| 700 * j as i32 - 1500);
        let levels: Vec<u8> = (0..2 * channels).map(|i| (i * 5 % 128) as u8).collect();
        let clamp = Clamp { low: 0.0, high: 3.0 };
        for residual in [None, Some(Residual { levels: &levels })] {
            let make = |output| {
                let shortcut = residual.map(|_| shortcut);
                Requantize::new(&weight_sums, &scale, &bias, input, shortcut, clamp, output)
            };
            let (mut quantized, mut real) = (vec![0u8; 2 * channels], vec![0.0; 2 * channels]);
            for channel in [0, 8] {
                make(Some(output)).levels(1, channel, &sums, residual, &mut quantized);
                make(None).floats(1, channel, &sums, residual, &mut real);
            }
            for c in 0..channels {
                let sum = f64::from(sums[c % 8] - 60 * weight_sums[c]);
                let mut exact = sum * 0.02 * f64::from(scale[c]) + f64::from(bias[c]);
                if residual.is_some() {
                    exact += f64::from(shortcut.dequantize(levels[channels + c]));
                }
                let exact = exact.clamp(0.0, 3.0);
                assert!((f64::from(real[channels + c]) - exact).abs() < 1e-5);
                let back = f64::from(output.dequantize(quantized[channels + c]));
                assert!((back - exact).abs() <= 0.0201, "{back} for {exact}");
            }
        }
    }
}
