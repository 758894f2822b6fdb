//! Pooling: the maximum of windows of levels, nine comparisons a number, and the mean of rows of floats, a sum a number.
//! And what follows a mean in squeeze and excitation: a gate, a product and a sum a number.

use super::{
    InstructionSet,
    gemm::{Job, Kernel},
    lanes::{F32x8, LANES},
    math::store_u7,
    quantize::{LEVELS, Quantization},
    requantize::{hard_sigmoid, load_levels},
};

/// The 3x3 maximum of stride 2 and padding 1 over `[pictures, height, width, channels]` levels, which ResNets have after
/// their stem. Resizes `out` to `[pictures, ceil(height / 2), ceil(width / 2), channels]`.
///
/// # Panics
/// When a side is zero or `input` does not hold whole pictures.
pub(crate) fn max_pool(input: &[u8], height: usize, width: usize, channels: usize, out: &mut Vec<u8>) {
    assert!(height > 0 && width > 0 && channels > 0, "no side is zero");
    let (len, out_len) = (height * width * channels, height.div_ceil(2) * width.div_ceil(2) * channels);
    assert!(input.len().is_multiple_of(len), "input holds whole pictures");
    // The least level is a neutral start: quantization keeps the order of the reals.
    out.clear();
    out.resize(input.len() / len * out_len, 0);
    for (input, out) in input.chunks_exact(len).zip(out.chunks_exact_mut(out_len)) {
        max_pool_picture(input, height, width, channels, out);
    }
}

/// [`max_pool`] of one picture, from zeros.
fn max_pool_picture(input: &[u8], height: usize, width: usize, channels: usize, out: &mut [u8]) {
    let (out_height, out_width) = (height.div_ceil(2), width.div_ceil(2));
    for y in 0..out_height {
        for x in 0..out_width {
            let cell = &mut out[(y * out_width + x) * channels..][..channels];
            for iy in (2 * y).saturating_sub(1)..(2 * y + 2).min(height) {
                for ix in (2 * x).saturating_sub(1)..(2 * x + 2).min(width) {
                    for (m, &level) in cell.iter_mut().zip(&input[(iy * width + ix) * channels..][..channels])
                    {
                        *m = level.max(*m);
                    }
                }
            }
        }
    }
}

/// The mean of the rows of `x`, each as long as `out`, added up in order; zeros if there is none.
pub(crate) fn mean_rows(x: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    if out.is_empty() {
        return;
    }
    let rows = x.chunks_exact(out.len());
    let scale = 1.0 / rows.len().max(1) as f32;
    for row in rows {
        for (sum, &x) in out.iter_mut().zip(row) {
            *sum += x;
        }
    }
    for sum in out {
        *sum *= scale;
    }
}

/// Squeeze and excitation (Hu et al. 2018) without its linear layers: levels in, levels of the same range out.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Cells of a picture.
    pub cells: usize,
    /// Channels of the levels.
    pub channels: usize,
    /// The range of the levels.
    pub range: Quantization,
    /// What computes it.
    pub set: InstructionSet,
}

impl Gate {
    /// Replaces `out` by the real mean of each picture's channels. The sums are exact below 2^24, that is 132 thousand
    /// cells.
    pub fn squeeze(&self, input: &[u8], out: &mut Vec<f32>) {
        out.clear();
        out.resize(input.len() / self.cells, 0.0);
        let pictures = input.chunks_exact(self.cells * self.channels);
        for (input, out) in pictures.zip(out.chunks_exact_mut(self.channels)) {
            self.set.vectorised(Squeeze { gate: self, input, out });
        }
    }

    /// Replaces `out` by the levels whose distance from the zero point is the input's times the hard sigmoid of the
    /// logit of the picture's channel. `gates` is workspace that grows.
    ///
    /// # Panics
    /// When there is not one logit for each channel of each picture.
    pub fn excite(&self, input: &[u8], logits: &[f32], gates: &mut Vec<f32>, out: &mut Vec<u8>) {
        let picture = self.cells * self.channels;
        assert_eq!(logits.len() * self.cells, input.len(), "one logit a channel of a picture");
        gates.clear();
        gates.extend(logits.iter().map(|&logit| hard_sigmoid(logit)));
        out.resize(input.len(), 0);
        let parts = input.chunks_exact(picture).zip(out.chunks_exact_mut(picture));
        for ((input, out), gates) in parts.zip(gates.chunks_exact(self.channels)) {
            self.set.vectorised(Excite { gate: self, input, gates, out });
        }
    }
}

struct Squeeze<'a> {
    gate: &'a Gate,
    input: &'a [u8],
    out: &'a mut [f32],
}

impl Job for Squeeze<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let Gate { channels, range, .. } = *self.gate;
        let cells = self.input.chunks_exact(channels);
        let count = cells.len() as f32;
        for cell in cells {
            for (sum, levels) in self.out.chunks_mut(LANES).zip(cell.chunks(LANES)) {
                (F32x8::load_partly(sum, 0.0) + load_levels(levels)).store(sum);
            }
        }
        for sum in self.out {
            *sum = (*sum - count * f32::from(range.zero_point)) / count * range.scale;
        }
    }
}

struct Excite<'a> {
    gate: &'a Gate,
    input: &'a [u8],
    gates: &'a [f32],
    out: &'a mut [u8],
}

impl Job for Excite<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let Gate { channels, range, .. } = *self.gate;
        let zero = F32x8::splat(f32::from(range.zero_point));
        let (low, high) = (F32x8::splat(0.0), F32x8::splat(LEVELS));
        for (cell, out) in self.input.chunks_exact(channels).zip(self.out.chunks_exact_mut(channels)) {
            let blocks = cell.chunks(LANES).zip(self.gates.chunks(LANES)).zip(out.chunks_mut(LANES));
            for ((levels, gates), out) in blocks {
                let gated = (load_levels(levels) - zero) * F32x8::load_partly(gates, 0.0) + zero;
                store_u7(gated, low, high, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_the_product_with_the_hard_sigmoid() {
        for (cells, channels) in [(1, 3), (6, 8), (49, 19), (9, 24)] {
            let range = Quantization { scale: 0.03, zero_point: 9 };
            let gate = Gate { cells, channels, range, set: InstructionSet::best() };
            let input: Vec<u8> = (0..cells * channels).map(|i| (i * 53 % 128) as u8).collect();
            let real = |i: usize| f64::from(range.dequantize(input[i]));
            let mut means = vec![7.0; 2];
            gate.squeeze(&input, &mut means);
            assert_eq!(means.len(), channels);
            for (channel, mean) in means.iter().enumerate() {
                let exact =
                    (0..cells).map(|cell| real(cell * channels + channel)).sum::<f64>() / cells as f64;
                assert!((f64::from(*mean) - exact).abs() < 1e-5, "{mean} for {exact}");
            }
            // Both ends of the hard sigmoid, and what is between.
            let logits: Vec<f32> = (0..channels).map(|channel| channel as f32 * 0.9 - 4.0).collect();
            let mut out = vec![1; 3];
            gate.excite(&input, &logits, &mut Vec::new(), &mut out);
            assert_eq!(out.len(), input.len());
            for (i, level) in out.into_iter().enumerate() {
                let factor = (f64::from(logits[i % channels]) + 3.0).clamp(0.0, 6.0) / 6.0;
                let exact = real(i) * factor;
                let back = f64::from(range.dequantize(level));
                assert!((back - exact).abs() <= 0.0151, "{back} for {exact}");
            }
        }
    }

    #[test]
    fn the_maximum_is_that_of_the_window() {
        for (height, width, channels) in [(1, 1, 3), (4, 5, 2), (7, 6, 1)] {
            let input: Vec<u8> = (0..height * width * channels).map(|i| (i * 59 % 128) as u8).collect();
            let mut out = vec![9; 3];
            max_pool(&input, height, width, channels, &mut out);
            let out_width = width.div_ceil(2);
            assert_eq!(out.len(), height.div_ceil(2) * out_width * channels);
            for (i, &m) in out.iter().enumerate() {
                let (cell, channel) = (i / channels, i % channels);
                let near = |a: usize, b: usize| (2 * a).abs_diff(b) <= 1;
                let expected = (0..height * width)
                    .filter(|p| near(cell / out_width, p / width) && near(cell % out_width, p % width))
                    .map(|p| input[p * channels + channel])
                    .max();
                assert_eq!(Some(m), expected);
            }
        }
    }

    #[test]
    fn the_mean_is_that_of_the_rows() {
        let mut mean = [9.0; 2];
        mean_rows(&[1.0, 2.0, 3.0, 6.0], &mut mean);
        assert_eq!(mean, [2.0, 4.0]);
        mean_rows(&[], &mut mean);
        assert_eq!(mean, [0.0, 0.0]);
    }
}
