//! Depthwise convolution: each channel with its own kernel. Far too little arithmetic a byte for a matrix product, so it
//! is done directly, eight channels at a time.

use super::{
    PANEL,
    conv::{Scratch, Windows},
};

/// Kernels of a depthwise convolution, laid out tap by tap, channels last.
#[derive(Clone, Debug)]
pub struct DepthwiseKernels {
    channels: usize,
    kernel: usize,
    /// Widened once here: products of 16-bit numbers are what every instruction set has.
    taps: Vec<i16>,
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
        let taps =
            (0..area * channels).map(|i| i16::from(weights[i % channels * area + i / channels])).collect();
        let sums = weights.chunks_exact(area).map(|w| w.iter().map(|&w| i32::from(w)).sum()).collect();
        DepthwiseKernels { channels, kernel, taps, sums }
    }

    /// The sum of each channel's weights: what a zero point is multiplied with.
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Side of the kernel.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// The integer sums. `sink(cell, channel, sums)` receives eight channels of an output cell at a time.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn convolve(
        &self,
        input: &[u8],
        windows: &Windows,
        zero_point: u8,
        scratch: &mut Scratch,
        sink: impl FnMut(usize, usize, &[i32; PANEL]),
    ) {
        assert!(
            windows.channels == self.channels && windows.kernel == self.kernel,
            "windows fit the kernels"
        );
        let input = Scratch::pad(scratch.padded(), input, windows, zero_point);
        match self.kernel {
            3 => self.cells::<3>(input, windows, sink),
            _ => self.cells::<5>(input, windows, sink),
        }
    }

    fn cells<const KERNEL: usize>(
        &self,
        input: &[u8],
        windows: &Windows,
        mut sink: impl FnMut(usize, usize, &[i32; PANEL]),
    ) {
        let Windows { channels, stride, .. } = *windows;
        let (height, width) = (windows.output_height(), windows.output_width());
        let input_row = windows.padded_width() * channels;
        let span = (KERNEL - 1) * channels + PANEL;
        for y in 0..height {
            for x in 0..width {
                let corner = y * stride * input_row + x * stride * channels;
                for channel in (0..channels).step_by(PANEL) {
                    let mut sums = [0; PANEL];
                    for ky in 0..KERNEL {
                        let levels = &input[corner + ky * input_row + channel..][..span];
                        let taps = &self.taps[ky * KERNEL * channels + channel..][..span];
                        // Two products fit 16 bits, so neighbours are added before they are widened.
                        let mut kx = 0;
                        while kx + 2 <= KERNEL {
                            let (a, v) = (eight(levels, kx * channels), eight(taps, kx * channels));
                            let (b, w) =
                                (eight(levels, (kx + 1) * channels), eight(taps, (kx + 1) * channels));
                            for j in 0..PANEL {
                                let pair = (i16::from(a[j]).wrapping_mul(v[j]))
                                    .wrapping_add(i16::from(b[j]).wrapping_mul(w[j]));
                                sums[j] += i32::from(pair);
                            }
                            kx += 2;
                        }
                        let (a, v) = (eight(levels, kx * channels), eight(taps, kx * channels));
                        for j in 0..PANEL {
                            sums[j] += i32::from(i16::from(a[j]).wrapping_mul(v[j]));
                        }
                    }
                    sink(y * width + x, channel, &sums);
                }
            }
        }
    }
}

/// Eight elements from `at` on, by value.
#[inline(always)]
fn eight<T: Copy + Default>(x: &[T], at: usize) -> [T; PANEL] {
    x[at..].first_chunk().copied().unwrap_or([T::default(); PANEL])
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let mut sums = vec![None; oh * ow * channels];
                kernels.convolve(&input, &windows, zero_point, &mut scratch, |cell, channel, eight| {
                    for (j, &sum) in eight.iter().enumerate() {
                        sums[cell * channels + channel + j] = Some(sum);
                    }
                });
                for (i, sum) in sums.into_iter().enumerate() {
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
