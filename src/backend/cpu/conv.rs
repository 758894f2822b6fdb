//! Convolutions over grids of u7 activations in NHWC. The windows are read where they lie in the grid: a row of the kernel
//! is one run of neighboring bytes, so a convolution is a matrix product whose rows have as many runs as the kernel has
//! rows. Nothing is copied but a grid that needs padding.
//!
//! Costs the products of the definition, with each run rounded up to four bytes: of a first layer of 3x3 windows, which has
//! six channels (the two levels of three), 20 for 18.

use super::{Epilogue, Lhs, PackedMatrix, SLACK, Workspace, gemm, padded_depth};

/// Where the windows of a convolution lie. Kernels, strides and padding are the same in both directions, the input is
/// square or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
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
    /// Lhs of padding above and below.
    pub rows_padding: (usize, usize),
    /// Columns of padding left and right.
    pub columns_padding: (usize, usize),
}

impl Windows {
    /// Output rows.
    pub(crate) fn output_height(&self) -> usize {
        (self.padded_height() - self.kernel) / self.stride + 1
    }

    /// Output columns.
    pub(crate) fn output_width(&self) -> usize {
        (self.padded_width() - self.kernel) / self.stride + 1
    }

    /// Input rows with padding.
    pub(crate) fn padded_height(&self) -> usize {
        self.height + self.rows_padding.0 + self.rows_padding.1
    }

    /// Input columns with padding.
    pub(crate) fn padded_width(&self) -> usize {
        self.width + self.columns_padding.0 + self.columns_padding.1
    }

    /// Whether the input can be read as it is.
    fn is_unpadded(&self) -> bool {
        self.rows_padding == (0, 0) && self.columns_padding == (0, 0)
    }
}

/// Buffers of a convolution, used again and again.
#[derive(Clone, Debug, Default)]
pub struct ConvWorkspace {
    padded: Vec<u8>,
    workspace: Workspace,
}

impl ConvWorkspace {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// `input` with `zero_point` around it and [`SLACK`] bytes behind it, or `input` itself if it will do.
    pub(super) fn pad<'a>(
        padded: &'a mut Vec<u8>,
        input: &'a [u8],
        windows: &Windows,
        zero_point: u8,
    ) -> &'a [u8] {
        assert_eq!(input.len(), windows.height * windows.width * windows.channels, "input fits its shape");
        let run = windows.kernel * windows.channels;
        if windows.is_unpadded() && run == padded_depth(run) {
            return input;
        }
        let row = windows.width * windows.channels;
        let padded_row = windows.padded_width() * windows.channels;
        padded.resize(windows.padded_height() * padded_row + SLACK, 0);
        let (above, rest) = padded.split_at_mut(windows.rows_padding.0 * padded_row);
        above.fill(zero_point);
        let (rows, below) = rest.split_at_mut(windows.height * padded_row);
        below.fill(zero_point);
        if padded_row > 0 {
            let left = windows.columns_padding.0 * windows.channels;
            for (y, out) in rows.chunks_exact_mut(padded_row).enumerate() {
                out[..left].fill(zero_point);
                out[left..][..row].copy_from_slice(&input[y * row..][..row]);
                out[left + row..].fill(zero_point);
            }
        }
        padded
    }

    /// The buffer of [`ConvWorkspace::pad`].
    pub(super) fn padded(&mut self) -> &mut Vec<u8> {
        &mut self.padded
    }
}

/// Hands the integer sums of a convolution to `epilogue`, whose rows are the output's cells. `weights` has
/// `kernel * channels` numbers a run and `kernel` runs: the kernel row by row, channels last (OHWI).
///
/// # Panics
/// When a length does not fit.
pub(crate) fn convolve(
    input: &[u8],
    windows: &Windows,
    zero_point: u8,
    weights: &PackedMatrix,
    workspace: &mut ConvWorkspace,
    epilogue: &mut impl Epilogue,
) {
    let Windows { channels, kernel, stride, .. } = *windows;
    assert!(
        weights.runs() == kernel && weights.depth() == kernel * kernel * channels,
        "weights are [out, kernel, kernel * channels]"
    );
    let ConvWorkspace { padded, workspace } = workspace;
    let levels = ConvWorkspace::pad(padded, input, windows, zero_point);
    let run_step = windows.padded_width() * channels;
    let rows = Lhs {
        levels,
        count: windows.output_height() * windows.output_width(),
        line: windows.output_width(),
        step: stride * channels,
        line_step: stride * run_step,
        run_step,
    };
    gemm(&rows, weights, workspace, epilogue);
}

#[cfg(test)]
mod tests {
    use super::super::{InstructionSet, collect::Collect};
    use super::*;

    #[test]
    fn agrees_with_the_definition_under_every_padding() {
        let mut workspace = ConvWorkspace::new();
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
            let packed = PackedMatrix::new(InstructionSet::best(), &weights, out, kernel, kernel * channels);
            let (oh, ow) = (windows.output_height(), windows.output_width());
            let mut sums = Collect::new(oh * ow, out);
            convolve(&input, &windows, zero_point, &packed, &mut workspace, &mut sums);
            for (i, sum) in sums.into_sums().into_iter().enumerate() {
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
