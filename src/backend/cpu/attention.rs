//! Scaled dot-product attention over several heads (Vaswani et al. 2017), in floats, reading heads where they lie.
//!
//! Costs `2 rows^2 width` products, an exponential for each head and pair of rows, and a copy of keys and values into
//! panels. Weights are divided by their sum only after they have met the values: once a number of the context, which is
//! narrower than a row of weights is long.

use super::{
    float::{Panels, Rows, matmul},
    gemm::{Job, Kernel},
    instruction_set::InstructionSet,
    math::exponentials,
};

/// The workspace of attention: one head's keys and values, its weights before they are divided by their sums, and the
/// divisors. It grows to the largest use and allocates no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attention {
    set: InstructionSet,
    keys: Panels,
    values: Panels,
    weights: Vec<f32>,
    factors: Vec<f32>,
}

impl Attention {
    /// An empty one, for an instruction set.
    pub(crate) fn new(set: InstructionSet) -> Self {
        Attention { set, ..Self::default() }
    }

    /// `softmax(q k^T / sqrt(width / heads)) v`, head by head. `lengths` are the rows of each sequence, one after the other;
    /// every row attends to every row of its own.
    ///
    /// `qkv` is `[rows, 3 * width]`: query, key and value of a row one after the other, as one fused product leaves them. The
    /// context goes to `out`, `[rows, width]`.
    ///
    /// # Panics
    /// When `heads` does not divide `width` or a length does not fit.
    pub(crate) fn attend(
        &mut self,
        mut qkv: &[f32],
        lengths: &[usize],
        width: usize,
        heads: usize,
        mut out: &mut [f32],
    ) {
        assert!(heads > 0 && width.is_multiple_of(heads) && width > 0, "heads divide the width");
        let rows: usize = lengths.iter().sum();
        assert!(qkv.len() == rows * 3 * width && out.len() == rows * width, "lengths fit the rows");
        let depth = width / heads;
        for &rows in lengths.iter().filter(|&&rows| rows > 0) {
            let (own, others) = qkv.split_at(rows * 3 * width);
            let (own_out, others_out) = out.split_at_mut(rows * width);
            self.weights.resize(rows * rows, 0.0);
            self.factors.resize(rows, 0.0);
            self.set.vectorised(Heads { workspace: self, qkv: own, rows, width, depth, out: own_out });
            (qkv, out) = (others, others_out);
        }
    }
}

/// All heads of a sequence, one after the other.
struct Heads<'a> {
    workspace: &'a mut Attention,
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
        let Heads {
            workspace: Attention { keys, values, weights, factors, .. },
            qkv,
            rows,
            width,
            depth,
            out,
        } = self;
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
