//! The linear layer.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    real::Real,
};

/// `x weight^T + bias` over the last dimension.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// From `weight` `[to, from]` and `bias` `[to]`.
    pub fn new(weight: Tensor, bias: Tensor) -> Self {
        Linear { weight, bias }
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// Loads `weight` `[to, from]` and `bias` `[to]`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder<'_>, from: usize, to: usize) -> Result<Self> {
        let weight = vb.get_with_hints((to, from), "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
        let bound = 1.0 / (from as f64).sqrt();
        let bias = vb.get_with_hints(to, "bias", candle_nn::Init::Uniform { lo: -bound, up: bound })?;
        Ok(Linear::new(weight, bias))
    }

    /// `[.., from]` to `[.., to]`.
    ///
    /// # Errors
    /// When the last dimension is not `from`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (to, from) = self.weight.dims2()?;
        let Some((&last, rows)) = x.dims().split_last() else { bail!("a linear layer for a single number") };
        if last != from {
            bail!("a linear layer of {from} features for a tensor of shape {:?}", x.shape())
        }
        let product = x.reshape(((), from))?.matmul(&self.weight.t()?)?;
        let y = if can_fuse(&product) {
            product.apply_op2(&self.bias, Op(AddBias))?
        } else {
            product.broadcast_add(&self.bias)?
        };
        y.reshape([rows, &[to]].concat())
    }
}

/// Adds a row to each row.
struct AddBias;

impl Fused<2> for AddBias {
    const NAME: &'static str = "add-bias";

    fn forward<T: Real>(&self, [x, bias]: [&[T]; 2]) -> Vec<T> {
        let mut result = Vec::with_capacity(x.len());
        for row in x.chunks_exact(bias.len().max(1)) {
            result.extend(row.iter().zip(bias).map(|(&x, &bias)| x + bias));
        }
        result
    }

    fn backward<T: Real>(&self, [_, bias]: [&[T]; 2], _: &[T], gradient: &[T]) -> [Gradient<T>; 2] {
        let mut to_bias = vec![T::zero(); bias.len()];
        for row in gradient.chunks_exact(bias.len().max(1)) {
            for (total, &dy) in to_bias.iter_mut().zip(row) {
                *total += dy;
            }
        }
        [Gradient::Same, Gradient::Of(to_bias)]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::{Module, VarMap};

    use super::*;
    use crate::layers::gradient_check::{assert_agree, assert_gradients, input, randomise};

    #[test]
    fn gradients() -> Result<()> {
        let vars = VarMap::new();
        let linear = Linear::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), 5, 4)?;
        randomise(&vars)?;
        let x = input((2, 3, 5), 1)?;
        assert_gradients(&vars, &[("x", &x)], |_| true, || linear.forward(&x))
    }

    #[test]
    fn agrees_with_the_one_of_candle() -> Result<()> {
        let [x, weight, bias] = [input((2, 3, 19), 1)?, input((7, 19), 2)?, input(7, 3)?];
        assert_agree(
            &[&x, &weight, &bias],
            1e-6,
            |x| Linear::new(x[1].clone(), x[2].clone()).forward(x[0]),
            |x| candle_nn::Linear::new(x[1].clone(), Some(x[2].clone())).forward(x[0]),
        )
    }

    #[test]
    fn another_width_is_an_error() -> Result<()> {
        let linear = Linear::load(VarBuilder::zeros(DType::F64, &Device::Cpu), 4, 2)?;
        assert!(linear.forward(input((2, 5), 1)?.as_tensor()).is_err());
        Ok(())
    }
}
