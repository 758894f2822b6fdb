//! LayerNorm over rows of floats.

use super::math;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over each row (Ba et al. 2016).
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// From `weight` and `bias`, both as long as a row.
    ///
    /// # Panics
    /// When their lengths differ or are zero.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f32) -> Self {
        assert!(weight.len() == bias.len() && !weight.is_empty(), "a weight and a bias for each number");
        LayerNorm { weight, bias, eps }
    }

    /// Normalises each row of `x` in place.
    pub fn forward(&self, x: &mut [f32]) {
        for row in x.chunks_exact_mut(self.weight.len()) {
            math::layer_norm(row, &self.weight, &self.bias, self.eps);
        }
    }

    /// Normalises each row of `x + residual` in place.
    pub fn forward_sum(&self, x: &mut [f32], residual: &[f32]) {
        for (x, &r) in x.iter_mut().zip(residual) {
            *x += r;
        }
        self.forward(x);
    }
}
