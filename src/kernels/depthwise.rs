//! Depthwise convolution: each channel with its own kernel. Far too little arithmetic a byte for a matrix product, so it
//! is done directly, eight channels at a time, two taps in one step: their products are exact in 32 bits
//! (`dot_i16x8`, `pmaddwd`). A 3x3 costs 9 loads, 5 interleavings and 5 pairs of dots for 72 products.

use super::{
    PANEL, Sink,
    conv::{Scratch, Windows},
    lanes::{I16x8, I32x8},
};

/// Weights of a step: two taps of eight channels, channel by channel.
type Pair = [i16; 2 * PANEL];

/// Kernels of a depthwise convolution.
#[derive(Clone, Debug)]
pub struct DepthwiseKernels {
    channels: usize,
    kernel: usize,
    /// For each eight channels, the taps in pairs, the last one with zeros.
    pairs: Vec<Pair>,
    sums: Vec<i32>,
}

impl DepthwiseKernels {
    /// From `weights` `[channels, kernel, kernel]`.
    ///
    /// # Panics
    /// When the length does not fit, the kernel is neither 3 nor 5, or `channels` is no multiple of [`PANEL`] (those of
    /// every EfficientNet-Lite are).
    pub fn new(weights: &[i8], channels: usize, kernel: usize) -> Self {
        assert!(matches!(kernel, 3 | 5) && channels.is_multiple_of(PANEL), "a 3x3 or 5x5 over whole panels");
        let area = kernel * kernel;
        assert_eq!(weights.len(), channels * area, "weights are [channels, kernel, kernel]");
        let steps = area.div_ceil(2);
        let mut pairs = vec![[0; 2 * PANEL]; channels / PANEL * steps];
        for (i, &weight) in weights.iter().enumerate() {
            let (channel, tap) = (i / area, i % area);
            pairs[channel / PANEL * steps + tap / 2][channel % PANEL * 2 + tap % 2] = i16::from(weight);
        }
        let sums = weights.chunks_exact(area).map(|w| w.iter().map(|&w| i32::from(w)).sum()).collect();
        DepthwiseKernels { channels, kernel, pairs, sums }
    }

    /// The sum of each channel's weights: what a zero point is multiplied with.
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Side of the kernel.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Hands the integer sums to `sink`, whose rows are the output's cells.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn convolve(
        &self,
        input: &[u8],
        windows: &Windows,
        zero_point: u8,
        scratch: &mut Scratch,
        sink: &mut impl Sink,
    ) {
        assert!(
            windows.channels == self.channels && windows.kernel == self.kernel,
            "windows fit the kernels"
        );
        let input = Scratch::pad(scratch.padded(), input, windows, zero_point);
        match self.kernel {
            3 => self.cells::<3, 9>(input, windows, sink),
            _ => self.cells::<5, 25>(input, windows, sink),
        }
    }

    /// Line by line, so that the kernel's rows of the input stay in the first cache while the channels pass.
    fn cells<const KERNEL: usize, const TAPS: usize>(
        &self,
        input: &[u8],
        windows: &Windows,
        sink: &mut impl Sink,
    ) {
        let Windows { channels, stride, .. } = *windows;
        let (height, width) = (windows.output_height(), windows.output_width());
        let input_row = windows.padded_width() * channels;
        // From a window's corner to each of its taps; an odd one out is paired with the last.
        let taps: [usize; TAPS] =
            std::array::from_fn(|tap| tap / KERNEL * input_row + tap % KERNEL * channels);
        for y in 0..height {
            let line = &input[y * stride * input_row..];
            for (block, pairs) in self.pairs.chunks_exact(TAPS.div_ceil(2)).enumerate() {
                let channel = block * PANEL;
                for x in 0..width {
                    let corner = &line[x * stride * channels + channel..];
                    let sums = window(corner, &taps, pairs);
                    sink.tile(y * width + x, channel, [sums]);
                }
            }
        }
    }
}

/// The sums of one window in eight channels.
#[inline(always)]
fn window<const TAPS: usize>(corner: &[u8], taps: &[usize; TAPS], pairs: &[Pair]) -> I32x8 {
    let levels =
        |tap: usize| I16x8::of_levels(corner[taps[tap]..].first_chunk().expect("a window fits the grid"));
    let mut sums = I32x8::splat(0);
    for (step, weights) in pairs.iter().enumerate() {
        let (a, b) = (2 * step, (2 * step + 1).min(TAPS - 1));
        sums = sums + levels(a).dot_pairs(levels(b), weights);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::collect::Collect;

    #[test]
    fn agrees_with_the_definition() {
        let mut scratch = Scratch::new();
        for (height, width, channels, kernel, stride, padding) in [
            (6, 5, 8, 3, 1, (1, 1)),
            (7, 7, 16, 3, 2, (0, 1)),
            (9, 6, 24, 5, 1, (2, 2)),
            (8, 8, 8, 5, 2, (1, 2)),
            (1, 1, 8, 3, 1, (1, 1)),
        ] {
            let windows = Windows {
                height,
                width,
                channels,
                kernel,
                stride,
                rows_padding: padding,
                columns_padding: padding,
            };
            let zero_point = 100;
            for extreme in [false, true] {
                let level = |i: usize| if extreme { 127 } else { (i * 71 % 128) as u8 };
                let weight = |i: usize| if extreme { -128 } else { (i * 113 % 251) as u8 as i8 };
                let input: Vec<u8> = (0..height * width * channels).map(level).collect();
                let weights: Vec<i8> = (0..channels * kernel * kernel).map(weight).collect();
                let kernels = DepthwiseKernels::new(&weights, channels, kernel);
                let (oh, ow) = (windows.output_height(), windows.output_width());
                let mut sums = Collect::new(oh * ow, channels);
                kernels.convolve(&input, &windows, zero_point, &mut scratch, &mut sums);
                for (i, sum) in sums.into_sums().into_iter().enumerate() {
                    let (cell, channel) = (i / channels, i % channels);
                    let mut expected = 0;
                    for k in 0..kernel * kernel {
                        let y =
                            (cell / ow * stride + k / kernel).checked_sub(padding.0).filter(|&y| y < height);
                        let x =
                            (cell % ow * stride + k % kernel).checked_sub(padding.0).filter(|&x| x < width);
                        let level = match (y, x) {
                            (Some(y), Some(x)) => input[(y * width + x) * channels + channel],
                            _ => zero_point,
                        };
                        expected += i32::from(level) * i32::from(weights[channel * kernel * kernel + k]);
                    }
                    assert_eq!(sum, Some(expected), "{windows:?}, cell {cell}, channel {channel}");
                }
            }
        }
    }
}
