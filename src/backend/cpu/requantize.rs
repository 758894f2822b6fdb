//! What follows a convolution's integer sums: bias (BatchNorm folded in), residual sum, activation, and the output's own
//! quantisation, in one pass.
//!
//! Costs a sum, a conversion, a product, two sums and two comparisons a number; with a residual a conversion, a product and
//! a sum more. A hard swish takes two products, two sums and two comparisons more.

use super::{
    Epilogue, PANEL,
    lanes::{F32x8, Float, I32x8, LANES},
    linear::padded,
    math::{max, min, store_u7},
    quantize::{LEVELS, Quantization},
};
use crate::model::Activation;

/// The levels that a residual sum adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Residual<'a> {
    /// `[cells, channels]`, as the output.
    pub levels: &'a [u8],
}

/// What makes the sums of a convolution.
pub(crate) trait Sums {
    /// Hands all of them to `epilogue`.
    fn hand_to(self, epilogue: &mut impl Epilogue);
}

/// From the sums of a convolution to its output: `clamp(curve(sum * multiplier + offset + residual))`.
#[derive(Clone, Debug)]
pub(crate) struct Requantize {
    /// What is no clamp in the activation.
    pub(in crate::backend) curve: Option<HardSwish>,
    channels: usize,
    /// Takes the input's zero point off the sum.
    pub(in crate::backend) correction: Vec<i32>,
    pub(in crate::backend) multiplier: Vec<f32>,
    pub(in crate::backend) offset: Vec<f32>,
    /// Factor of the residual's levels; their zero point is in the offset.
    pub(in crate::backend) residual: f32,
    pub(in crate::backend) low: f32,
    pub(in crate::backend) high: f32,
}

impl Requantize {
    /// For a convolution whose input is quantised as `input`, whose weights have `weight_sums` and `scale` a channel, and
    /// whose output is quantised as `output`, or real where that is `None`. `residual` says how the levels that are added
    /// are quantised.
    ///
    /// # Panics
    /// When `scale` and `bias` have different lengths or `weight_sums` is shorter.
    pub(crate) fn new(
        weight_sums: &[i32],
        scale: &[f32],
        bias: &[f32],
        input: Quantization,
        residual: Option<Quantization>,
        activation: Activation,
        output: Option<Quantization>,
    ) -> Self {
        assert!(
            scale.len() == bias.len() && weight_sums.len() >= scale.len(),
            "a scale, bias and sum a channel"
        );
        let (step, zero) = output.map_or((1.0, 0.0), |output| (output.scale, f32::from(output.zero_point)));
        let curve = (activation == Activation::HardSwish).then(|| HardSwish { factor: 1.0 / step, zero });
        // What a curve bends must be real.
        let (step, zero) = if curve.is_some() { (1.0, 0.0) } else { (step, zero) };
        let factor = residual.map_or(0.0, |residual| residual.scale / step);
        let shift = zero - residual.map_or(0.0, |residual| f32::from(residual.zero_point) * factor);
        let multiplier: Vec<f32> = scale.iter().map(|scale| input.scale * scale / step).collect();
        let offset: Vec<f32> = bias.iter().map(|bias| bias / step + shift).collect();
        let mut correction: Vec<i32> =
            weight_sums[..scale.len()].iter().map(|sum| -i32::from(input.zero_point) * sum).collect();
        correction.resize(scale.len().next_multiple_of(PANEL), 0);
        // An activation's bounds are levels of the output: ReLU's zero is exactly its zero point.
        let (low, high) = activation.bounds();
        let (low, high) = match output {
            Some(output) => (max(output.level_of(low), 0.0), min(output.level_of(high), LEVELS)),
            None => (low, high),
        };
        Requantize {
            curve,
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
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Takes `sums` to levels or real numbers in `out`, `[cells, channels]`.
    pub(crate) fn apply<T: Element>(&self, sums: impl Sums, residual: Option<Residual<'_>>, out: &mut [T]) {
        // One loop for each: the convolutions without a curve pay nothing for it.
        match self.curve {
            None => sums.hand_to(&mut Output { requantize: self, curve: Straight, residual, out }),
            Some(curve) => sums.hand_to(&mut Output { requantize: self, curve, residual, out }),
        }
    }
}

/// `min(max(x + 3, 0), 6) / 6`.
#[inline(always)]
pub(super) fn hard_sigmoid<F: Float>(x: F) -> F {
    min(max(x + F::splat(3.0), F::splat(0.0)), F::splat(6.0)) * F::splat(1.0 / 6.0)
}

/// What an activation does before it is held to its bounds.
trait Curve: Copy {
    /// It.
    fn bend(self, x: F32x8) -> F32x8;
}

/// Nothing.
#[derive(Clone, Copy)]
struct Straight;

impl Curve for Straight {
    #[inline(always)]
    fn bend(self, x: F32x8) -> F32x8 {
        x
    }
}

/// From a real number to its hard swish in the output's steps.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct HardSwish {
    /// Steps in 1.
    pub(in crate::backend) factor: f32,
    /// The zero point.
    pub(in crate::backend) zero: f32,
}

impl Curve for HardSwish {
    #[inline(always)]
    fn bend(self, x: F32x8) -> F32x8 {
        x * hard_sigmoid(x) * F32x8::splat(self.factor) + F32x8::splat(self.zero)
    }
}

/// What the output of a convolution is made of.
pub trait Element: Clone + Default {
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
struct Output<'a, T, C> {
    requantize: &'a Requantize,
    curve: C,
    residual: Option<Residual<'a>>,
    out: &'a mut [T],
}

impl<T: Element, C: Curve> Output<'_, T, C> {
    /// [`Epilogue::tile`] of the first `width` channels of a panel.
    #[inline(always)]
    fn write<const R: usize>(&mut self, cell: usize, channel: usize, width: usize, sums: [I32x8; R]) {
        let Requantize { channels, correction, multiplier, offset, residual, low, high, .. } =
            self.requantize;
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
            T::store(self.curve.bend(real), low, high, &mut self.out[at(i)..][..width]);
        }
    }
}

impl<T: Element, C: Curve> Epilogue for Output<'_, T, C> {
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
pub(super) fn load_levels(levels: &[u8]) -> F32x8 {
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

    /// One tile for each eight channels of the second cell.
    struct Tiles([i32; LANES]);

    impl Sums for Tiles {
        fn hand_to(self, epilogue: &mut impl Epilogue) {
            for channel in [0, 8] {
                epilogue.tile(1, channel, [I32x8::from_array(&self.0)]);
            }
        }
    }

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
        for (activation, exactly) in ACTIVATIONS {
            for residual in [None, Some(Residual { levels: &levels })] {
                let make = |output| {
                    let shortcut = residual.map(|_| shortcut);
                    Requantize::new(&weight_sums, &scale, &bias, input, shortcut, activation, output)
                };
                let (mut quantized, mut real) = (vec![0u8; 2 * channels], vec![0.0; 2 * channels]);
                make(Some(output)).apply(Tiles(sums), residual, &mut quantized);
                make(None).apply(Tiles(sums), residual, &mut real);
                for c in 0..channels {
                    let sum = f64::from(sums[c % 8] - 60 * weight_sums[c]);
                    let mut exact = sum * 0.02 * f64::from(scale[c]) + f64::from(bias[c]);
                    if residual.is_some() {
                        exact += f64::from(shortcut.dequantize(levels[channels + c]));
                    }
                    let exact = exactly(exact);
                    assert!((f64::from(real[channels + c]) - exact).abs() < 1e-5, "{activation:?}");
                    let back = f64::from(output.dequantize(quantized[channels + c]));
                    let held = exact.clamp(-5.0 * 0.04, 122.0 * 0.04);
                    assert!((back - held).abs() <= 0.0201, "{activation:?}: {back} for {exact}");
                }
            }
        }
    }

    type Real = fn(f64) -> f64;

    /// Each activation and what it is.
    const ACTIVATIONS: [(Activation, Real); 4] = [
        (Activation::None, |x| x),
        (Activation::Relu, |x| x.max(0.0)),
        (Activation::Relu6, |x| x.clamp(0.0, 6.0)),
        (Activation::HardSwish, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
    ];
}
