//! The linear layer.

use candle_core::{
    CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, backend::BackendStorage, bail,
};
use candle_nn::VarBuilder;

use super::{fused::can_fuse, graft::graft3, product::product, real::Real};

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
        let shape = [rows, &[to]].concat();
        if !can_fuse(x) {
            return self.composed(x, &shape);
        }
        x.reshape(((), from))?.contiguous()?.apply_op3(&self.weight, &self.bias, Product)?.reshape(shape)
    }

    /// In the numbers of `x`, whatever those of the weights are: products are what half precision is for. Their gradients are
    /// summed in the numbers of the weights.
    fn composed(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let (_, from) = self.weight.dims2()?;
        let rows = x.detach().reshape(((), from))?;
        let (weight, bias) =
            (self.weight.detach().to_dtype(x.dtype())?, self.bias.detach().to_dtype(x.dtype())?);
        let value = product(&rows, &weight.t()?)?.broadcast_add(&bias)?.reshape(shape)?;
        let (wide, read) = (self.weight.dtype(), x.shape().clone());
        let (to_weight, to_x) = (self.weight.track_op(), x.track_op());
        graft3("linear", [x, &self.weight, &self.bias], value, move |gradient| {
            let gradient = gradient.reshape(((), weight.dim(0)?))?;
            let to_weight =
                if to_weight { Some(product(&gradient.t()?, &rows)?.to_dtype(wide)?) } else { None };
            let to_x = if to_x { Some(product(&gradient, &weight)?.reshape(&read)?) } else { None };
            Ok([to_x, to_weight, Some(gradient.to_dtype(wide)?.sum(0)?)])
        })
    }
}

/// `x weight^T + bias` of `x` `[rows, from]`, as one operation: candle's own chain of a transposition, a product and a sum
/// walks through the gradient of the weights twice more, and through that of the output once.
struct Product;

impl CustomOp3 for Product {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, from), (to, _)) = (x_layout.shape().dims2()?, weight_layout.shape().dims2()?);
        let transposed = weight_layout.transpose(0, 1)?;
        let mut product = x.matmul(weight, (1, rows, to, from), x_layout, &transposed)?;
        match x.dtype() {
            DType::F32 => add_to_rows::<f32>(&mut product, bias, bias_layout)?,
            _ => add_to_rows::<f64>(&mut product, bias, bias_layout)?,
        }
        Ok((product, Shape::from((rows, to))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let to_weight = if weight.track_op() { Some(gradient.t()?.matmul(x)?) } else { None };
        let to_x = if x.track_op() { Some(gradient.matmul(weight)?) } else { None };
        Ok((to_x, to_weight, Some(gradient.sum(0)?)))
    }
}

fn add_to_rows<T: Real>(rows: &mut CpuStorage, bias: &CpuStorage, layout: &Layout) -> Result<()> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a bias that is not contiguous") };
    let bias = &T::cpu_storage_as_slice(bias)?[start..end];
    for row in T::numbers_mut(rows)?.chunks_exact_mut(bias.len().max(1)) {
        row.iter_mut().zip(bias).for_each(|(y, &bias)| *y += bias);
    }
    Ok(())
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
    fn gradients_of_the_composed_form() -> Result<()> {
        let vars = VarMap::new();
        let linear = Linear::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), 5, 4)?;
        randomise(&vars)?;
        let x = input((2, 3, 5), 1)?;
        assert_gradients(&vars, &[("x", &x)], |_| true, || linear.composed(&x, &[2, 3, 4]))
    }

    #[test]
    fn another_width_is_an_error() -> Result<()> {
        let linear = Linear::load(VarBuilder::zeros(DType::F64, &Device::Cpu), 4, 2)?;
        assert!(linear.forward(input((2, 5), 1)?.as_tensor()).is_err());
        Ok(())
    }
}
