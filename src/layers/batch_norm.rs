//! Batch normalization that trains: statistics of the batch with their gradient, running statistics kept.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, Var, WithDType, bail};
use candle_nn::{Init, VarBuilder};

use super::real::{Real, by_type, can_fuse, numbers, sum};

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
        let (batch, _, rows, columns) = x.dims4()?;
        let count = batch * rows * columns;
        if count < 2 {
            bail!("batch norm in training needs more than one value a channel, got {:?}", x.shape())
        }
        let unbias = count as f64 / (count - 1) as f64;
        if can_fuse(x) {
            let x = x.contiguous()?;
            let moments = x.apply_op1_no_bwd(&Moments)?;
            let (mean, variance) = (moments.get(0)?, moments.get(1)?);
            advance(&self.running_mean, &mean)?;
            advance(&self.running_var, &(variance * unbias)?)?;
            return x.apply_op3(&self.weight, &self.bias, Normalise { eps: self.eps });
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

/// The mean and the variance of each channel, one under the other: `[2, channels]`.
struct Moments;

struct Normalise {
    eps: f64,
}

/// The gradients of the input, the weight and the bias, one after the other, flat.
struct NormaliseGradient {
    eps: f64,
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

fn forward<T: Real>(x: &[T], weight: &[T], bias: &[T], cells: usize, eps: f64) -> Vec<T> {
    let (means, variances) = moments(x, weight.len(), cells);
    let mut result = Vec::with_capacity(x.len());
    each_plane(x, weight.len(), cells, |c, plane| {
        let mean = T::from_f64(means[c]);
        let (scale, bias) = (weight[c] * T::from_f64((variances[c] + eps).sqrt().recip()), bias[c]);
        result.extend(plane.iter().map(|&x| (x - mean) * scale + bias));
    });
    result
}

fn backward<T: Real>(x: &[T], weight: &[T], gradient: &[T], cells: usize, eps: f64) -> Vec<T> {
    let channels = weight.len();
    let (means, variances) = moments(x, channels, cells);
    let scale = |c: usize| (variances[c] + eps).sqrt().recip();
    let planes = || x.chunks_exact(cells.max(1)).zip(gradient.chunks_exact(cells.max(1))).enumerate();
    let (mut to_weight, mut to_bias) = (vec![0.0; channels], vec![0.0; channels]);
    for (i, (x, dy)) in planes() {
        let c = i % channels;
        let mean = T::from_f64(means[c]);
        to_bias[c] += sum(dy, dy, |dy, _| dy).to_f64();
        to_weight[c] += sum(x, dy, |x, dy| (x - mean) * dy).to_f64() * scale(c);
    }
    let count = (x.len() / channels.max(1)) as f64;
    let mut result = Vec::with_capacity(x.len() + 2 * channels);
    for (i, (x, dy)) in planes() {
        let c = i % channels;
        let (mean, factor) = (T::from_f64(means[c]), weight[c] * T::from_f64(scale(c)));
        let along_mean = T::from_f64(to_bias[c] / count);
        let along_normed = T::from_f64(to_weight[c] / count * scale(c));
        let dx = x.iter().zip(dy);
        result.extend(dx.map(|(&x, &dy)| factor * (dy - along_mean - (x - mean) * along_normed)));
    }
    result.extend(to_weight.into_iter().chain(to_bias).map(T::from_f64));
    result
}

/// Channels, and cells of one plane.
fn sizes(layout: &Layout) -> Result<(usize, usize)> {
    let (_, channels, rows, columns) = layout.shape().dims4()?;
    Ok((channels, rows * columns))
}

impl CustomOp1 for Moments {
    fn name(&self) -> &'static str {
        "batch-norm-moments"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (channels, cells) = sizes(layout)?;
        let both = by_type!(x, self.name(), T => {
            let (means, variances) = moments(numbers::<T>(x, layout)?, channels, cells);
            means.into_iter().chain(variances).map(T::from_f64).collect()
        });
        Ok((both, (2, channels).into()))
    }
}

impl CustomOp3 for Normalise {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, cells) = sizes(layout)?;
        let y = by_type!(x, self.name(), T => {
            let (weight, bias) = (numbers(weight, weight_layout)?, numbers(bias, bias_layout)?);
            forward(numbers::<T>(x, layout)?, weight, bias, cells, self.eps)
        });
        Ok((y, layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let op = NormaliseGradient { eps: self.eps };
        let all = x.apply_op3_no_bwd(weight, &gradient.contiguous()?, &op)?;
        let (len, channels) = (x.elem_count(), weight.elem_count());
        let to_x = all.narrow(0, 0, len)?.reshape(x.shape())?;
        let to_weight = all.narrow(0, len, channels)?;
        Ok((Some(to_x), Some(to_weight), Some(all.narrow(0, len + channels, channels)?)))
    }
}

impl CustomOp3 for NormaliseGradient {
    fn name(&self) -> &'static str {
        "batch-norm-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (channels, cells) = sizes(layout)?;
        let all = by_type!(x, self.name(), T => {
            let (weight, gradient) = (numbers(weight, weight_layout)?, numbers(gradient, gradient_layout)?);
            backward(numbers::<T>(x, layout)?, weight, gradient, cells, self.eps)
        });
        Ok((all, (layout.shape().elem_count() + 2 * channels).into()))
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
