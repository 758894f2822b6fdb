//! Batch normalization that trains: statistics of the batch with their gradient, running statistics kept.

use candle_core::{Result, Shape, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    real::{Real, sum},
};

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
        let unbias = count as f64 / (count - 1) as f64;
        if can_fuse(x) {
            let x = x.contiguous()?;
            let cells = rows * columns;
            let moments = x.apply_op1_no_bwd(&Op(Moments { channels, cells }))?;
            let (mean, variance) = (moments.get(0)?, moments.get(1)?);
            advance(&self.running_mean, &mean)?;
            advance(&self.running_var, &(variance * unbias)?)?;
            return x.apply_op3(&self.weight, &self.bias, Op(Normalise { cells, eps: self.eps }));
        }
        let (y, mean, variance) = self.composed(x)?;
        advance(&self.running_mean, &mean.detach())?;
        advance(&self.running_var, &(variance.detach() * unbias)?)?;
        Ok(y)
    }

    /// The normalised batch, and its mean and variance a channel.
    fn composed(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let (batch, channels, rows, columns) = x.dims4()?;
        let by_channel = x.transpose(0, 1)?.reshape((channels, ()))?;
        let mean = by_channel.mean_keepdim(1)?;
        let centred = by_channel.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_keepdim(1)?;
        let scale = self.weight.unsqueeze(1)?.broadcast_div(&(&variance + self.eps)?.sqrt()?)?;
        let y = centred
            .broadcast_mul(&scale)?
            .broadcast_add(&self.bias.unsqueeze(1)?)?
            .reshape((channels, batch, rows, columns))?
            .transpose(0, 1)?
            .contiguous()?;
        Ok((y, mean.flatten_all()?, variance.flatten_all()?))
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

/// Calls `visit(channel, plane)` for each channel of each picture, in order.
fn each_plane<T>(x: &[T], channels: usize, cells: usize, mut visit: impl FnMut(usize, &[T])) {
    for (i, plane) in x.chunks_exact(cells.max(1)).enumerate() {
        visit(i % channels, plane);
    }
}

/// Means and variances. What planes add up to is added in float64: there may be a million numbers a channel.
fn moments<T: Real>(x: &[T], channels: usize, cells: usize) -> (Vec<f64>, Vec<f64>) {
    let count = (x.len() / channels.max(1)) as f64;
    let (mut means, mut variances) = (vec![0.0; channels], vec![0.0; channels]);
    each_plane(x, channels, cells, |c, plane| means[c] += sum(plane, plane, |x, _| x).to_f64() / count);
    each_plane(x, channels, cells, |c, plane| {
        let mean = T::from_f64(means[c]);
        variances[c] += sum(plane, plane, |x, _| (x - mean) * (x - mean)).to_f64() / count;
    });
    (means, variances)
}

/// The mean and the variance of each channel, one under the other: `[2, channels]`.
struct Moments {
    channels: usize,
    cells: usize,
}

impl Fused<1> for Moments {
    const NAME: &'static str = "batch-norm-moments";

    fn shape(&self, _: &Shape) -> Shape {
        (2, self.channels).into()
    }

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Vec<T> {
        let (means, variances) = moments(x, self.channels, self.cells);
        means.into_iter().chain(variances).map(T::from_f64).collect()
    }
}

struct Normalise {
    cells: usize,
    eps: f64,
}

impl Fused<3> for Normalise {
    const NAME: &'static str = "batch-norm";

    fn forward<T: Real>(&self, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        let (means, variances) = moments(x, weight.len(), self.cells);
        let mut result = Vec::with_capacity(x.len());
        each_plane(x, weight.len(), self.cells, |c, plane| {
            let mean = T::from_f64(means[c]);
            let (scale, bias) = (weight[c] * T::from_f64((variances[c] + self.eps).sqrt().recip()), bias[c]);
            result.extend(plane.iter().map(|&x| (x - mean) * scale + bias));
        });
        result
    }

    fn backward<T: Real>(&self, [x, weight, _]: [&[T]; 3], _: &[T], gradient: &[T]) -> [Gradient<T>; 3] {
        let (channels, cells) = (weight.len(), self.cells.max(1));
        let (means, variances) = moments(x, channels, cells);
        let scale = |c: usize| (variances[c] + self.eps).sqrt().recip();
        let planes = || x.chunks_exact(cells).zip(gradient.chunks_exact(cells)).enumerate();
        let (mut to_weight, mut to_bias) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, (x, dy)) in planes() {
            let c = i % channels;
            let mean = T::from_f64(means[c]);
            to_bias[c] += sum(dy, dy, |dy, _| dy).to_f64();
            to_weight[c] += sum(x, dy, |x, dy| (x - mean) * dy).to_f64() * scale(c);
        }
        let count = (x.len() / channels.max(1)) as f64;
        let mut to_x = Vec::with_capacity(x.len());
        for (i, (x, dy)) in planes() {
            let c = i % channels;
            let (mean, factor) = (T::from_f64(means[c]), weight[c] * T::from_f64(scale(c)));
            let along_mean = T::from_f64(to_bias[c] / count);
            let along_normed = T::from_f64(to_weight[c] / count * scale(c));
            let dx = x.iter().zip(dy);
            to_x.extend(dx.map(|(&x, &dy)| factor * (dy - along_mean - (x - mean) * along_normed)));
        }
        let [to_weight, to_bias] = [to_weight, to_bias].map(|to| to.into_iter().map(T::from_f64).collect());
        [to_x, to_weight, to_bias].map(Gradient::Of)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::gradient_check::{assert_agree, assert_gradients, input, randomise};

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
    fn agrees_with_the_composed_form() -> Result<()> {
        let [x, weight, bias] = [input((4, 3, 5, 7), 1)?, input(3, 2)?, input(3, 3)?];
        let norm = |x: &[&Tensor]| -> Result<BatchNorm2d> {
            let statistic = || Var::zeros(3, DType::F32, &Device::Cpu);
            let (weight, bias) = (x[1].clone(), x[2].clone());
            Ok(BatchNorm2d { weight, bias, running_mean: statistic()?, running_var: statistic()?, eps: 1e-3 })
        };
        let composed = |x: &[&Tensor]| Ok(norm(x)?.composed(x[0])?.0);
        assert_agree(&[&x, &weight, &bias], 1e-5, |x| norm(x)?.forward_train(x[0]), composed)
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
