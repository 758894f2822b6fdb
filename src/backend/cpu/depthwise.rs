//! Depthwise convolution: each channel with its own kernel. Far too little arithmetic a byte for a matrix product, so it
//! is done directly, eight channels at a time, two taps in one step: their products are exact in 32 bits
//! (`dot_i16x8`, `pmaddwd`). A 3x3 costs 9 loads, 10 interleavings, 10 dots and 10 sums for 72 products, and four windows share
//! the loads of the weights.
#![allow(unsafe_code)]

use super::{
    Epilogue, InstructionSet, PANEL,
    conv::{ConvWorkspace, Windows},
    gemm::{Job, Kernel},
    lanes::{I16x8, I32x8},
};

/// Weights of a step: two taps of eight channels, channel by channel.
type Pair = [i16; 2 * PANEL];

/// Kernels of a depthwise convolution.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseKernels {
    set: InstructionSet,
    channels: usize,
    kernel: usize,
    /// For each eight channels, the taps in pairs, the last one with zeros.
    pairs: Vec<Pair>,
    sums: Vec<i32>,
}

impl DepthwiseKernels {
    /// For an instruction set, from `weights` `[channels, kernel, kernel]`.
    ///
    /// # Panics
    /// When the length does not fit, the kernel is neither 3 nor 5, or `channels` is no multiple of [`PANEL`] (those of
    /// every EfficientNet-Lite are).
    pub(crate) fn new(set: InstructionSet, weights: &[i8], channels: usize, kernel: usize) -> Self {
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
        DepthwiseKernels { set, channels, kernel, pairs, sums }
    }

    /// The sum of each channel's weights: what a zero point is multiplied with.
    pub(crate) fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Hands the integer sums to `epilogue`, whose rows are the output's cells.
    ///
    /// # Panics
    /// When a length does not fit.
    pub(crate) fn convolve(
        &self,
        input: &[u8],
        windows: &Windows,
        zero_point: u8,
        workspace: &mut ConvWorkspace,
        epilogue: &mut impl Epilogue,
    ) {
        assert!(
            windows.channels == self.channels && windows.kernel == self.kernel,
            "windows fit the kernels"
        );
        let input = ConvWorkspace::pad(workspace.padded(), input, windows, zero_point);
        self.set.vectorised(Cells { kernels: self, input, windows, epilogue });
    }

    /// Line by line, so that the kernel's rows of the input stay in the first cache while the channels pass.
    #[inline(always)]
    fn cells<const KERNEL: usize, const STEPS: usize>(
        &self,
        input: &[u8],
        windows: &Windows,
        epilogue: &mut impl Epilogue,
    ) {
        let Windows { channels, stride, .. } = *windows;
        let (height, width) = (windows.output_height(), windows.output_width());
        let input_row = windows.padded_width() * channels;
        // From a window's corner to the two taps of each step; the odd one out is paired with itself.
        let taps: [[usize; 2]; STEPS] = std::array::from_fn(|step| {
            [2 * step, 2 * step + 1].map(|tap| {
                let tap = tap.min(KERNEL * KERNEL - 1);
                tap / KERNEL * input_row + tap % KERNEL * channels
            })
        });
        for y in 0..height {
            let line = &input[y * stride * input_row..];
            for (block, pairs) in self.pairs.chunks_exact(STEPS).enumerate() {
                let channel = block * PANEL;
                let mut x = 0;
                while x < width {
                    let at = (y * width + x, channel);
                    let corners = |i: usize| &line[(x + i) * stride * channels + channel..];
                    x += match width - x {
                        4.. => tile::<4, STEPS>(at, corners, &taps, pairs, epilogue),
                        2.. => tile::<2, STEPS>(at, corners, &taps, pairs, epilogue),
                        _ => tile::<1, STEPS>(at, corners, &taps, pairs, epilogue),
                    };
                }
            }
        }
    }
}

/// A convolution of a padded input.
struct Cells<'a, S> {
    kernels: &'a DepthwiseKernels,
    input: &'a [u8],
    windows: &'a Windows,
    epilogue: &'a mut S,
}

impl<S: Epilogue> Job for Cells<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        match self.kernels.kernel {
            3 => self.kernels.cells::<3, 5>(self.input, self.windows, self.epilogue),
            _ => self.kernels.cells::<5, 13>(self.input, self.windows, self.epilogue),
        }
    }
}

/// Hands the sums of `R` neighboring windows, which begin at `corners`, to `epilogue`, and returns how many that are. The
/// steps' `taps` grow.
#[inline(always)]
fn tile<'a, const R: usize, const STEPS: usize>(
    (cell, channel): (usize, usize),
    corners: impl Fn(usize) -> &'a [u8],
    taps: &[[usize; 2]; STEPS],
    pairs: &[Pair],
    epilogue: &mut impl Epilogue,
) -> usize {
    let reach = taps[STEPS - 1][1] + PANEL;
    let mut windows: [&[u8]; R] = [&[]; R];
    for (i, window) in windows.iter_mut().enumerate() {
        *window = corners(i);
        assert!(reach <= window.len(), "a window fits the grid");
    }
    let mut sums = [I32x8::splat(0); R];
    for (&[a, b], weights) in taps.iter().zip(pairs) {
        for (sums, window) in sums.iter_mut().zip(windows) {
            // SAFETY: the last tap is the farthest, and its eight levels were checked to be there.
            let (a, b) = unsafe { (levels_at(window, a), levels_at(window, b)) };
            *sums = *sums + a.dot_pairs(b, weights);
        }
    }
    epilogue.tile(cell, channel, sums);
    R
}

/// # Safety
/// There must be eight levels from `at` on.
#[inline(always)]
unsafe fn levels_at(levels: &[u8], at: usize) -> I16x8 {
    // SAFETY: the caller's.
    I16x8::of_levels(unsafe { levels.get_unchecked(at..).first_chunk().unwrap_unchecked() })
}

#[cfg(test)]
mod tests {
    use super::super::collect::Collect;
    use super::*;

    #[test]
    fn agrees_with_the_definition() {
        let mut workspace = ConvWorkspace::new();
        for (height, width, channels, kernel, stride, padding) in [
            (6, 5, 8, 3, 1, (1, 1)),
            (7, 7, 16, 3, 2, (0, 1)),
            (9, 6, 24, 5, 1, (2, 2)),
            (8, 8, 8, 5, 2, (1, 2)),
            (1, 1, 8, 3, 1, (1, 1)),
        ] {
            // Miri takes a thousand times as long.
            if cfg!(miri) && channels > 8 {
                continue;
            }
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
                let kernels = DepthwiseKernels::new(InstructionSet::best(), &weights, channels, kernel);
                let (oh, ow) = (windows.output_height(), windows.output_width());
                let mut sums = Collect::new(oh * ow, channels);
                kernels.convolve(&input, &windows, zero_point, &mut workspace, &mut sums);
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
