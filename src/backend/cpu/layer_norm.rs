//! LayerNorm over rows of floats: three passes over a row, which stays in the first cache, for mean, variance and result.

use super::{
    gemm::{Job, Kernel},
    instruction_set::InstructionSet,
    math,
};

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over each row (Ba et al. 2016).
#[derive(Clone, Debug)]
pub struct LayerNorm {
    set: InstructionSet,
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// For an instruction set, from `weight` and `bias`, both as long as a row.
    ///
    /// # Panics
    /// When their lengths differ or are zero.
    pub fn new(set: InstructionSet, weight: Vec<f32>, bias: Vec<f32>, eps: f32) -> Self {
        assert!(weight.len() == bias.len() && !weight.is_empty(), "a weight and a bias for each number");
        LayerNorm { set, weight, bias, eps }
    }

    /// Weight, bias, and what is added to the variance.
    pub fn parts(&self) -> (&[f32], &[f32], f32) {
        (&self.weight, &self.bias, self.eps)
    }

    /// Normalizes each row of `x` in place.
    pub fn forward(&self, x: &mut [f32]) {
        self.set.vectorised(Norm { norm: self, x, residual: None });
    }

    /// Normalizes each row of `x + residual` in place.
    pub fn forward_sum(&self, x: &mut [f32], residual: &[f32]) {
        self.set.vectorised(Norm { norm: self, x, residual: Some(residual) });
    }
}

/// The rows of a call.
struct Norm<'a> {
    norm: &'a LayerNorm,
    x: &'a mut [f32],
    residual: Option<&'a [f32]>,
}

impl Job for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let LayerNorm { weight, bias, eps, .. } = self.norm;
        if let Some(residual) = self.residual {
            self.x.iter_mut().zip(residual).for_each(|(x, &r)| *x += r);
        }
        for row in self.x.chunks_exact_mut(weight.len()) {
            math::layer_norm(row, weight, bias, *eps);
        }
    }
}
