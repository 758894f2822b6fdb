//! Scaled dot-product attention over several heads (Vaswani et al. 2017), in floats, reading heads where they lie.
//!
//! Costs `2 rows^2 width` products, an exponential for each head and pair of rows, and a copy of keys and values into
//! panels. Weights are divided by their sum only after they have met the values: once a number of the context, which is
//! narrower than a row of weights is long.

use super::{
    float::{Panels, Rows, matmul},
    gemm::{Job, Kernel},
    math::exponentials,
    vectorised,
};

/// The workspace of attention: one head's keys and values, its weights before they are divided by their sums, and the
/// divisors. It grows to the largest use and allocates no more.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    keys: Panels,
    values: Panels,
    weights: Vec<f32>,
    factors: Vec<f32>,
}

impl Attention {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// `softmax(q k^T / sqrt(width / heads)) v`, head by head, every row attending to every row.
    ///
    /// `qkv` is `[rows, 3 * width]`: query, key and value of a row one after the other, as one fused product leaves them. The
    /// context goes to `out`, `[rows, width]`.
    ///
    /// # Panics
    /// When `heads` does not divide `width` or a length does not fit.
    pub fn attend(&mut self, qkv: &[f32], width: usize, heads: usize, out: &mut [f32]) {
        assert!(heads > 0 && width.is_multiple_of(heads) && width > 0, "heads divide the width");
        let stride = 3 * width;
        let rows = qkv.len() / stride;
        assert!(qkv.len() == rows * stride && out.len() == rows * width, "lengths fit the rows");
        if rows == 0 {
            return;
        }
        let depth = width / heads;
        self.weights.resize(rows * rows, 0.0);
        self.factors.resize(rows, 0.0);
        vectorised(Heads { room: self, qkv, rows, width, depth, out });
    }
}

/// All heads, one after the other.
struct Heads<'a> {
    room: &'a mut Attention,
    qkv: &'a [f32],
    rows: usize,
    width: usize,
    depth: usize,
    out: &'a mut [f32],
}

impl Job for Heads<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let Heads { room: Attention { keys, values, weights, factors }, qkv, rows, width, depth, out } = self;
        let stride = 3 * width;
        let scale = 1.0 / (depth as f32).sqrt();
        for head in (0..width).step_by(depth) {
            let from = |part: usize| Rows { data: &qkv[part * width + head..], stride };
            keys.pack_transposed(from(1), depth, rows);
            values.pack(from(2), rows, depth);
            matmul(from(0), keys, |_| scale, weights, rows, rows);
            for (row, factor) in weights.chunks_exact_mut(rows).zip(&mut *factors) {
                *factor = 1.0 / exponentials(row);
            }
            let weighed = Rows { data: weights, stride: rows };
            matmul(weighed, values, |row| factors[row], &mut out[head..], width, rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_f64() {
        let mut attention = Attention::new();
        for (rows, width, heads) in [(1, 4, 2), (2, 24, 3), (13, 40, 4), (7, 10, 1)] {
            let qkv: Vec<f32> =
                (0..rows * 3 * width).map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 4.0).collect();
            let mut out = vec![f32::NAN; rows * width];
            attention.attend(&qkv, width, heads, &mut out);
            let depth = width / heads;
            let at = |row: usize, part: usize, i: usize| f64::from(qkv[row * 3 * width + part * width + i]);
            for row in 0..rows {
                for i in 0..width {
                    let head = i / depth * depth;
                    let weights: Vec<f64> = (0..rows)
                        .map(|other| {
                            let dot: f64 =
                                (head..head + depth).map(|i| at(row, 0, i) * at(other, 1, i)).sum();
                            (dot / (depth as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = weights.iter().sum();
                    let exact: f64 = weights.iter().enumerate().map(|(r, w)| w / total * at(r, 2, i)).sum();
                    assert!((f64::from(out[row * width + i]) - exact).abs() < 1e-5);
                }
            }
        }
    }
}
