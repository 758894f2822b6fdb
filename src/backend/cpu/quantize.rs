//! Between real numbers and unsigned 7-bit ones: `real = (q - zero_point) * scale`.
//!
//! Lhs cost two passes: one for the bounds, and one with a product, two sums and two comparisons a number.

use super::{
    InstructionSet, Lhs, Workspace,
    gemm::{Job, Kernel},
    lanes::{F32x8, LANES},
    math::{max, min, round, round_to_u7, store_u7},
    padded_depth,
};

/// The largest quantized activation.
pub const LEVELS: f32 = 127.0;

/// How a tensor or a row of activations is quantized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The real step between two neighboring levels.
    pub scale: f32,
    /// The level of the real 0, in `0..=127`.
    pub zero_point: u8,
}

impl Quantization {
    /// The finest one that holds `low..=high` and zero, which padding and ReLU need exactly.
    pub fn covering(low: f32, high: f32) -> Self {
        let (low, high) = (min(low, 0.0), max(high, 0.0));
        let scale = (high - low) * (1.0 / LEVELS);
        if scale > f32::MIN_POSITIVE {
            Quantization { scale, zero_point: round_to_u7(-low / scale, 0.0, LEVELS) }
        } else {
            Quantization { scale: 1.0, zero_point: 0 }
        }
    }

    /// The nearest level, halves to even; what lies outside goes to the ends.
    pub fn quantize(self, real: f32) -> u8 {
        round_to_u7(real / self.scale + f32::from(self.zero_point), 0.0, LEVELS)
    }

    /// The real number of a level.
    pub fn dequantize(self, level: u8) -> f32 {
        (f32::from(level) - f32::from(self.zero_point)) * self.scale
    }

    /// The level of a real number as a float that is not yet held to `0..=127`.
    pub fn level_of(self, real: f32) -> f32 {
        round(real / self.scale) + f32::from(self.zero_point)
    }
}

/// Lhs of activations, each quantized by its own smallest and largest element. The buffer is used again and again: it
/// grows to the largest use and allocates no more.
#[derive(Clone, Debug, Default)]
pub struct QuantizedRows {
    data: Vec<u8>,
    rows: Vec<Quantization>,
    stride: usize,
    workspace: Workspace,
}

impl QuantizedRows {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Quantizes the rows of `x`, each `width` long. A width of zero gives no rows.
    pub fn quantize(&mut self, x: &[f32], width: usize) {
        self.quantize_on(InstructionSet::best(), x, width);
    }

    /// [`quantize`](Self::quantize) on a given instruction set.
    pub fn quantize_on(&mut self, set: InstructionSet, x: &[f32], width: usize) {
        let count = x.len().checked_div(width).unwrap_or(0);
        self.stride = padded_depth(width);
        self.data.resize(count * self.stride, 0);
        self.rows.clear();
        if count == 0 {
            return;
        }
        set.vectorised(Quantize { x, width, to: self });
    }

    /// The rows as a matrix product takes them, how each was quantized, and the product's workspace.
    pub(super) fn parts(&mut self) -> (Lhs<'_>, &[Quantization], &mut Workspace) {
        let rows = Lhs::plain(&self.data, self.rows.len(), self.stride);
        (rows, &self.rows, &mut self.workspace)
    }

    /// The levels, row by row, [`stride`](Self::stride) apart.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// How each row was quantized.
    pub fn rows(&self) -> &[Quantization] {
        &self.rows
    }

    /// Bytes from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }
}

/// The rows of a call.
struct Quantize<'a> {
    x: &'a [f32],
    width: usize,
    to: &'a mut QuantizedRows,
}

impl Job for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let Quantize { x, width, to } = self;
        for (row, out) in x.chunks_exact(width).zip(to.data.chunks_exact_mut(to.stride)) {
            let (low, high) = bounds(row);
            let quantization = Quantization::covering(low, high);
            let inverse = F32x8::splat(1.0 / quantization.scale);
            let zero = F32x8::splat(f32::from(quantization.zero_point));
            let (least, most) = (F32x8::splat(0.0), F32x8::splat(LEVELS));
            let store = |x: F32x8, out: &mut [u8]| store_u7(x * inverse + zero, least, most, out);
            let (chunks, rest) = row.as_chunks::<LANES>();
            let (out, out_rest) = out.split_at_mut(chunks.len() * LANES);
            for (x, out) in chunks.iter().zip(out.as_chunks_mut::<LANES>().0) {
                store(F32x8::from_array(x), out);
            }
            store(F32x8::load_partly(rest, 0.0), out_rest);
            to.rows.push(quantization);
        }
    }
}

/// The smallest and the largest element, or zero where that is farther out.
#[inline(always)]
fn bounds(row: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = (F32x8::splat(0.0), F32x8::splat(0.0));
    let (chunks, rest) = row.as_chunks::<LANES>();
    for x in chunks {
        let x = F32x8::from_array(x);
        low = x.min(low);
        high = x.max(high);
    }
    let rest = F32x8::load_partly(rest, 0.0);
    (low, high) = (rest.min(low), rest.max(high));
    (low.to_array().into_iter().fold(0.0, min), high.to_array().into_iter().fold(0.0, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_the_ends_are_held() {
        for (low, high) in [(-1.0, 3.0), (0.5, 2.0), (-7.0, -0.1), (0.0, 6.0), (-1e-3, 1e3)] {
            let q = Quantization::covering(low, high);
            assert_eq!(q.dequantize(q.quantize(0.0)), 0.0);
            for x in [low, high, 0.3 * low + 0.7 * high] {
                assert!((q.dequantize(q.quantize(x)) - x).abs() <= 1.01 * q.scale, "{x} in {low}..{high}");
            }
            assert_eq!(q.quantize(1e30), 127);
            assert_eq!(q.quantize(-1e30), 0);
        }
    }

    #[test]
    fn rows_are_independent_and_padded() {
        let mut rows = QuantizedRows::new();
        let x = [0.0, 0.0, 0.0, -1.0, 1.0, 0.5, 100.0, 200.0, 300.0];
        rows.quantize(&x, 3);
        assert_eq!((rows.stride(), rows.data().len(), rows.rows().len()), (4, 12, 3));
        for (i, &x) in x.iter().enumerate() {
            let q = rows.rows()[i / 3];
            let back = q.dequantize(rows.data()[i / 3 * 4 + i % 3]);
            assert!((back - x).abs() <= 0.51 * q.scale + 1e-6, "{back} for {x}");
        }
        rows.quantize(&[], 3);
        assert!(rows.rows().is_empty());
    }

    #[test]
    fn what_is_no_number_stays_within_the_levels() {
        let mut rows = QuantizedRows::new();
        rows.quantize(&[f32::NAN, 1.0, f32::INFINITY, f32::NEG_INFINITY], 4);
        assert!(rows.data().iter().all(|&q| q <= 127));
    }
}
