//! Batch normalization that trains: statistics of the batch with their gradient, running statistics kept.

use candle_core::{Result, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};

/// How much of the running statistics one batch replaces, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each channel of `[batch, channels, rows, columns]` (Ioffe &
/// Szegedy 2015). In training, mean and variance are the batch's; otherwise the running ones.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
    eps: f64,
}

impl BatchNorm2d {
    /// Loads `weight`, `bias`, `running_mean` and `running_var`, each `[channels]`. Where they are variables of a
    /// `VarMap`, training updates the map's own running statistics.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder<'_>, channels: usize, eps: f64) -> Result<Self> {
        let get = |name, value| vb.get_with_hints(channels, name, Init::Const(value));
        Ok(BatchNorm2d {
            weight: get("weight", 1.0)?,
            bias: get("bias", 0.0)?,
            running_mean: Var::from_tensor(&get("running_mean", 0.0)?)?,
            running_var: Var::from_tensor(&get("running_var", 1.0)?)?,
            eps,
        })
    }

    /// Makes weight and bias constants: no gradient reaches them any more.
    pub fn freeze(&mut self) {
        self.weight = self.weight.detach();
        self.bias = self.bias.detach();
    }

    /// Normalises with the statistics of this batch and moves the running statistics towards them (the variance
    /// without bias, as PyTorch does).
    ///
    /// # Errors
    /// When `x` is not `[batch, channels, rows, columns]` or has only one value a channel.
    pub fn forward_train(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, rows, columns) = x.dims4()?;
        let count = batch * rows * columns;
        if count < 2 {
            bail!("batch norm in training needs more than one value a channel, got {:?}", x.shape())
        }
        let by_channel = x.transpose(0, 1)?.reshape((channels, count))?;
        let mean = by_channel.mean_keepdim(1)?;
        let centred = by_channel.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_keepdim(1)?;
        let unbiased = (variance.detach() * (count as f64 / (count - 1) as f64))?;
        advance(&self.running_mean, &mean.detach().flatten_all()?)?;
        advance(&self.running_var, &unbiased.flatten_all()?)?;
        let scale = self.weight.unsqueeze(1)?.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        centred
            .broadcast_mul(&scale)?
            .broadcast_add(&self.bias.unsqueeze(1)?)?
            .reshape((channels, batch, rows, columns))?
            .transpose(0, 1)?
            .contiguous()
    }

    /// The normalisation with the running statistics as `(scale, shift)`, each `[channels]`: `x * scale + shift`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn scale_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let scale = (&self.weight / (self.running_var.as_detached_tensor() + self.eps)?.sqrt()?)?;
        let shift = (&self.bias - (self.running_mean.as_detached_tensor() * &scale)?)?;
        Ok((scale, shift))
    }
}

fn advance(running: &Var, batch: &Tensor) -> Result<()> {
    let kept = (running.as_detached_tensor() * (1.0 - MOMENTUM))?;
    running.set(&(kept + batch * MOMENTUM)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::gradient_check::{assert_gradients, input, randomise};

    #[test]
    fn gradients_through_the_statistics_of_the_batch() -> Result<()> {
        let vars = VarMap::new();
        let norm = BatchNorm2d::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), 3, 1e-3)?;
        randomise(&vars)?;
        let x = input((4, 3, 2, 3), 1)?;
        let trainable = |name: &str| !name.contains("running");
        assert_gradients(&vars, &[("x", &x)], trainable, || norm.forward_train(&x))
    }

    #[test]
    fn training_moves_the_statistics_of_the_var_map() -> Result<()> {
        let vars = VarMap::new();
        let norm = BatchNorm2d::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), 1, 1e-5)?;
        let x = Tensor::new(&[1.0f32, 2.0, 3.0, 6.0], &Device::Cpu)?.reshape((2, 1, 1, 2))?;
        let y = norm.forward_train(&x)?.flatten_all()?.to_vec1::<f32>()?;
        // mean 3, biased variance 3.5
        for (y, x) in y.iter().zip([1.0f32, 2.0, 3.0, 6.0]) {
            assert!((y - (x - 3.0) / 3.50001f32.sqrt()).abs() < 1e-6);
        }
        let data = vars.data().lock().expect("not poisoned");
        let stat = |name: &str| data[name].to_vec1::<f32>();
        assert!((stat("running_mean")?[0] - 0.3).abs() < 1e-6);
        assert!((stat("running_var")?[0] - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn one_value_a_channel_cannot_train() -> Result<()> {
        let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
        let norm = BatchNorm2d::load(vb, 2, 1e-5)?;
        assert!(norm.forward_train(&Tensor::ones((1, 2, 1, 1), DType::F32, &Device::Cpu)?).is_err());
        Ok(())
    }
}
