//! What follows a convolution's integer sums: bias (BatchNorm folded in), residual sum, activation, and the output's own
//! quantisation, in one pass.
//!
//! Costs a sum, a conversion, a product, two sums and two comparisons a number; with a residual a conversion, a product and
//! a sum more.

use super::{
    PANEL, Sink,
    lanes::{F32x8, I32x8, LANES},
    linear::padded,
    math::{max, min, store_u7},
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

    /// A sink that writes levels or real numbers to `out`, `[cells, channels]`.
    pub fn sink<'a, T: Element>(&'a self, residual: Option<Residual<'a>>, out: &'a mut [T]) -> Output<'a, T> {
        Output { requantize: self, residual, out }
    }
}

/// What the output of a convolution is made of.
pub trait Element: Sized {
    /// Writes as many lanes as `out` has room for, each held to `low..=high`.
    fn store(x: F32x8, low: F32x8, high: F32x8, out: &mut [Self]);
}

/// Levels.
impl Element for u8 {
    #[inline(always)]
    fn store(x: F32x8, low: F32x8, high: F32x8, out: &mut [u8]) {
        store_u7(x, low, high, out);
    }
}

/// Real numbers.
impl Element for f32 {
    #[inline(always)]
    fn store(x: F32x8, low: F32x8, high: F32x8, out: &mut [f32]) {
        x.max(low).min(high).store(out);
    }
}

/// Takes the sums of a convolution to its output.
#[derive(Debug)]
pub struct Output<'a, T> {
    requantize: &'a Requantize,
    residual: Option<Residual<'a>>,
    out: &'a mut [T],
}

impl<T: Element> Output<'_, T> {
    /// [`Sink::tile`] of the first `width` channels of a panel.
    #[inline(always)]
    fn write<const R: usize>(&mut self, cell: usize, channel: usize, width: usize, sums: [I32x8; R]) {
        let Requantize { channels, correction, multiplier, offset, residual, low, high } = self.requantize;
        let correction = I32x8::load(&correction[channel..]);
        let (multiplier, offset) = (F32x8::load(&multiplier[channel..]), F32x8::load(&offset[channel..]));
        let (low, high) = (F32x8::splat(*low), F32x8::splat(*high));
        let mut reals = sums.map(|sums| (sums + correction).to_f32() * multiplier + offset);
        let at = |i: usize| (cell + i) * channels + channel;
        if let Some(Residual { levels }) = self.residual {
            let factor = F32x8::splat(*residual);
            for (i, real) in reals.iter_mut().enumerate() {
                *real = *real + load_levels(&levels[at(i)..][..width]) * factor;
            }
        }
        for (i, real) in reals.into_iter().enumerate() {
            T::store(real, low, high, &mut self.out[at(i)..][..width]);
        }
    }
}

impl<T: Element> Sink for Output<'_, T> {
    #[inline(always)]
    fn tile<const R: usize>(&mut self, cell: usize, channel: usize, sums: [I32x8; R]) {
        // Almost all panels are whole: what is known to be needs no loop over lanes.
        match self.requantize.channels - channel {
            PANEL.. => self.write(cell, channel, PANEL, sums),
            width => self.write(cell, channel, width, sums),
        }
    }
}

/// The levels as floats, zeros where there are fewer than eight.
#[inline(always)]
fn load_levels(levels: &[u8]) -> F32x8 {
    match levels.first_chunk() {
        Some(levels) => F32x8::of_levels(levels),
        None => {
            let mut eight = [0; LANES];
            eight[..levels.len()].copy_from_slice(levels);
            F32x8::of_levels(&eight)
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
                let sums = [I32x8::from_array(&sums)];
                make(Some(output)).sink(residual, &mut quantized[..]).tile(1, channel, sums);
                make(None).sink(residual, &mut real[..]).tile(1, channel, sums);
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
