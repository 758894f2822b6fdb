//! Convolutions over grids of u7 activations in NHWC: 1x1 is a matrix product as it stands, others copy their windows
//! into rows first (im2col), a block at a time so that the rows stay in the cache.

use super::{InstructionSet, PANEL, PackedMatrix, gemm_with, padded_depth};

/// Bytes of window rows made at a time.
const BLOCK_BYTES: usize = 24 * 1024;

/// Where the windows of a convolution lie. Kernels, strides and padding are the same in both directions, the input is
/// square or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Input channels.
    pub channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Rows of padding above and below.
    pub rows_padding: (usize, usize),
    /// Columns of padding left and right.
    pub columns_padding: (usize, usize),
}

impl Windows {
    /// Output rows.
    pub fn output_height(&self) -> usize {
        (self.padded_height() - self.kernel) / self.stride + 1
    }

    /// Output columns.
    pub fn output_width(&self) -> usize {
        (self.padded_width() - self.kernel) / self.stride + 1
    }

    /// Input rows with padding.
    pub fn padded_height(&self) -> usize {
        self.height + self.rows_padding.0 + self.rows_padding.1
    }

    /// Input columns with padding.
    pub fn padded_width(&self) -> usize {
        self.width + self.columns_padding.0 + self.columns_padding.1
    }

    /// Whether the input can be read as it is.
    fn is_unpadded(&self) -> bool {
        self.rows_padding == (0, 0) && self.columns_padding == (0, 0)
    }
}

/// Buffers of a convolution, used again and again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    padded: Vec<u8>,
    rows: Vec<u8>,
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// `input` with `zero_point` around it, or `input` itself if nothing is to be added.
    pub(super) fn pad<'a>(
        padded: &'a mut Vec<u8>,
        input: &'a [u8],
        windows: &Windows,
        zero_point: u8,
    ) -> &'a [u8] {
        assert_eq!(input.len(), windows.height * windows.width * windows.channels, "input fits its shape");
        if windows.is_unpadded() {
            return input;
        }
        let row = windows.width * windows.channels;
        let padded_row = windows.padded_width() * windows.channels;
        padded.resize(windows.padded_height() * padded_row, 0);
        padded.fill(zero_point);
        if row > 0 {
            let left = windows.columns_padding.0 * windows.channels;
            let rows = padded.chunks_exact_mut(padded_row).skip(windows.rows_padding.0);
            for (input, out) in input.chunks_exact(row).zip(rows) {
                out[left..][..row].copy_from_slice(input);
            }
        }
        padded
    }

    /// The buffer of [`Scratch::pad`].
    pub(super) fn padded(&mut self) -> &mut Vec<u8> {
        &mut self.padded
    }
}

/// The integer sums of a convolution. `weights` is `[out, kernel * kernel * channels]`, the kernel row by row, channels
/// last (OHWI). `sink(cell, channel, sums)` receives eight channels of an output cell at a time.
///
/// # Panics
/// When a length does not fit.
pub fn convolve(
    input: &[u8],
    windows: &Windows,
    zero_point: u8,
    weights: &PackedMatrix,
    scratch: &mut Scratch,
    mut sink: impl FnMut(usize, usize, &[i32; PANEL]),
) {
    let set = InstructionSet::best();
    let Windows { channels, kernel, stride, .. } = *windows;
    let depth = kernel * kernel * channels;
    assert_eq!(weights.depth(), depth, "weights are [out, kernel * kernel * channels]");
    let Scratch { padded, rows } = scratch;
    let input = Scratch::pad(padded, input, windows, zero_point);
    let (height, width) = (windows.output_height(), windows.output_width());
    if kernel == 1 && stride == 1 && depth == padded_depth(depth) {
        gemm_with(set, input, depth, height * width, weights, sink);
        return;
    }
    let row_stride = padded_depth(depth);
    let block = (BLOCK_BYTES / row_stride).max(16);
    rows.resize(block.min(height * width) * row_stride, 0);
    let input_row = windows.padded_width() * channels;
    let span = kernel * channels;
    for start in (0..height * width).step_by(block) {
        let count = block.min(height * width - start);
        for (cell, row) in (start..start + count).zip(rows.chunks_exact_mut(row_stride)) {
            let corner = cell / width * stride * input_row + cell % width * stride * channels;
            for (y, part) in row[..depth].chunks_exact_mut(span).enumerate() {
                part.copy_from_slice(&input[corner + y * input_row..][..span]);
            }
        }
        gemm_with(set, rows, row_stride, count, weights, |row, column, sums| sink(start + row, column, sums));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition_under_every_padding() {
        let mut scratch = Scratch::new();
        for (height, width, channels, kernel, stride, rows_padding, columns_padding) in [
            (5, 5, 8, 1, 1, (0, 0), (0, 0)),
            (5, 6, 3, 1, 1, (0, 0), (0, 0)),
            (7, 5, 4, 1, 2, (0, 0), (0, 0)),
            (6, 7, 3, 3, 2, (0, 1), (1, 1)),
            (9, 9, 3, 7, 2, (3, 3), (3, 3)),
            (4, 4, 9, 3, 1, (1, 1), (1, 1)),
            (40, 40, 16, 3, 1, (1, 1), (1, 1)),
        ] {
            let windows = Windows { height, width, channels, kernel, stride, rows_padding, columns_padding };
            let (out, zero_point) = (11, 9);
            let input: Vec<u8> = (0..height * width * channels).map(|i| (i * 71 % 128) as u8).collect();
            let depth = kernel * kernel * channels;
            let weights: Vec<i8> = (0..out * depth).map(|i| (i * 113 % 251) as u8 as i8).collect();
            let packed = PackedMatrix::new(&weights, out, depth);
            let (oh, ow) = (windows.output_height(), windows.output_width());
            let mut sums = vec![None; oh * ow * out];
            convolve(&input, &windows, zero_point, &packed, &mut scratch, |cell, channel, eight| {
                for (j, &sum) in eight.iter().enumerate().take(out - channel) {
                    sums[cell * out + channel + j] = Some(sum);
                }
            });
            for (i, sum) in sums.into_iter().enumerate() {
                let (cell, channel) = (i / out, i % out);
                let mut expected = 0;
                for k in 0..depth {
                    let (ky, kx, c) = (k / channels / kernel, k / channels % kernel, k % channels);
                    let y = (cell / ow * stride + ky).checked_sub(rows_padding.0).filter(|&y| y < height);
                    let x = (cell % ow * stride + kx).checked_sub(columns_padding.0).filter(|&x| x < width);
                    let level = match (y, x) {
                        (Some(y), Some(x)) => input[(y * width + x) * channels + c],
                        _ => zero_point,
                    };
                    expected += i32::from(level) * i32::from(weights[channel * depth + k]);
                }
                assert_eq!(sum, Some(expected), "{windows:?}, cell {cell}, channel {channel}");
            }
        }
    }
}
