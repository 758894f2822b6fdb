//! Convolution with zeros around the input as one needs them, and the unit that CNNs are made of: convolution and
//! BatchNorm, or the two already folded into one.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use super::{
    BatchNorm2d, Mode,
    depthwise::{depthwise_conv2d, every},
    product::product,
};

/// Zeros around an input: before and after its rows, before and after its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pads {
    /// Above and below.
    pub rows: (usize, usize),
    /// Left and right.
    pub columns: (usize, usize),
}

impl Pads {
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        x.pad_with_zeros(2, self.rows.0, self.rows.1)?.pad_with_zeros(3, self.columns.0, self.columns.1)
    }
}

/// Convolves `x` `[batch, in, rows, columns]` with `weight` `[out, in / groups, kernel, kernel]`; `groups` is 1 or the
/// number of channels.
///
/// # Errors
/// When shapes do not fit.
pub fn conv2d(x: &Tensor, weight: &Tensor, stride: usize, groups: usize, pads: Pads) -> Result<Tensor> {
    if groups > 1 {
        return depthwise_conv2d(x, weight, stride, pads);
    }
    let (out, inner, kernel_rows, kernel_columns) = weight.dims4()?;
    let (batch, channels, rows, columns) = x.dims4()?;
    let none = Pads { rows: (0, 0), columns: (0, 0) };
    if (kernel_rows, kernel_columns, stride, channels, pads) == (1, 1, 1, inner, none) {
        // A matrix product: its gradients are matrix products too. candle's of a convolution copy patches, and on a GPU go through
        // all channels in each thread.
        let weight = weight.reshape((out, inner))?.broadcast_left(batch)?;
        let y = product(&weight, &x.reshape((batch, channels, rows * columns))?)?;
        return y.reshape((batch, out, rows, columns));
    }
    let (top, bottom) = pads.rows;
    if top == bottom && pads.columns == pads.rows {
        x.conv2d(weight, top, stride, 1, 1)
    } else {
        pads.apply(x)?.conv2d(weight, 0, stride, 1, 1)
    }
}

/// The greatest of each 3x3 of `[batch, channels, rows, columns]`, stride 2 and padding 1, of values that are not
/// negative. (candle's own has a gradient only where windows do not overlap.)
///
/// # Errors
/// When `x` is not of rank 4.
pub fn max_pool2d(x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
    let (_, _, rows, columns) = x.dims4()?;
    let padded = Pads { rows: (1, 1), columns: (1, 1) }.apply(x)?;
    if !mode.is_train() {
        return padded.max_pool2d_with_stride(3, 2);
    }
    let greatest = |x: &Tensor, dim: usize, len: usize| -> Result<Tensor> {
        let len = len.div_ceil(2);
        let first = every(x, dim, 0, 2, len)?.maximum(&every(x, dim, 1, 2, len)?)?;
        first.maximum(&every(x, dim, 2, 2, len)?)
    };
    greatest(&greatest(&padded, 2, rows)?, 3, columns)
}

/// A convolution without bias and its BatchNorm; or, from a folded checkpoint, a convolution with bias.
#[derive(Clone, Debug)]
pub struct ConvNorm {
    weight: Tensor,
    norm: Norm,
    stride: usize,
    groups: usize,
    frozen: bool,
}

#[derive(Clone, Debug)]
enum Norm {
    Batch(BatchNorm2d),
    Folded(Tensor),
}

impl ConvNorm {
    /// Loads `weight` of `shape` `[out, in / groups, kernel, kernel]` from `conv`, and from `norm` a BatchNorm. A
    /// `conv` that has a `bias`, beside a `norm` that has nothing, is an already folded one.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(
        conv: VarBuilder<'_>,
        norm: VarBuilder<'_>,
        shape: [usize; 4],
        stride: usize,
        groups: usize,
        eps: f64,
    ) -> Result<Self> {
        let [out, ..] = shape;
        let weight =
            conv.get_with_hints(shape.as_slice(), "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
        let norm = if conv.contains_tensor("bias") && !norm.contains_tensor("weight") {
            Norm::Folded(conv.get_with_hints(out, "bias", Init::Const(0.0))?)
        } else {
            Norm::Batch(BatchNorm2d::load(norm, out, eps)?)
        };
        Ok(ConvNorm { weight, norm, stride, groups, frozen: false })
    }

    /// Makes the convolution's weight a constant.
    pub fn freeze_conv(&mut self) {
        self.weight = self.weight.detach();
    }

    /// Makes the BatchNorm's weight and bias constants, and keeps its statistics as they are, in training too.
    pub fn freeze_norm(&mut self) {
        match &mut self.norm {
            Norm::Batch(norm) => norm.freeze(),
            Norm::Folded(bias) => *bias = bias.detach(),
        }
        self.frozen = true;
    }

    /// `[batch, in, rows, columns]` to `[batch, out, .., ..]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, x: &Tensor, pads: Pads, mode: Mode<'_>) -> Result<Tensor> {
        match &self.norm {
            Norm::Batch(norm) if mode.is_train() && !self.frozen => {
                norm.forward_train(&conv2d(x, &self.weight, self.stride, self.groups, pads)?)
            }
            _ => {
                let (weight, bias) = self.folded()?;
                let bias = bias.reshape((1, (), 1, 1))?;
                conv2d(x, &weight, self.stride, self.groups, pads)?.broadcast_add(&bias)
            }
        }
    }

    /// The two as one convolution: weight `[out, in / groups, kernel, kernel]` and bias `[out]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn folded(&self) -> Result<(Tensor, Tensor)> {
        match &self.norm {
            Norm::Batch(norm) => {
                let (scale, shift) = norm.scale_and_shift()?;
                Ok((self.weight.broadcast_mul(&scale.reshape(((), 1, 1, 1))?)?, shift))
            }
            Norm::Folded(bias) => Ok((self.weight.clone(), bias.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::{
        NoiseSource,
        gradient_check::{assert_gradients, input, randomise},
    };

    const ONE: Pads = Pads { rows: (1, 1), columns: (1, 1) };
    const SAME: Pads = Pads { rows: (0, 1), columns: (0, 1) };

    #[test]
    fn both_max_pools_agree() -> Result<()> {
        let noise = NoiseSource::new(1);
        for (rows, columns) in [(7, 8), (1, 2), (4, 5)] {
            let x = Tensor::rand(0f32, 1.0, (2, 3, rows, columns), &Device::Cpu)?;
            let infer = max_pool2d(&x, Mode::Infer)?;
            let train = max_pool2d(&x, Mode::Train(&noise))?;
            assert_eq!(infer.dims(), [2, 3, rows.div_ceil(2), columns.div_ceil(2)]);
            assert_eq!(infer.flatten_all()?.to_vec1::<f32>()?, train.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }

    #[test]
    fn gradients_of_convolutions() -> Result<()> {
        let x = input((2, 3, 6, 6), 1)?;
        for (out, inner, kernel, stride, groups, pads) in [
            (4, 3, 3, 1, 1, ONE),
            (4, 3, 3, 2, 1, ONE),
            (4, 3, 3, 2, 1, SAME),
            (4, 3, 1, 1, 1, Pads { rows: (0, 0), columns: (0, 0) }),
            (4, 3, 1, 2, 1, Pads { rows: (0, 0), columns: (0, 0) }),
            (3, 1, 3, 1, 3, ONE),
            (3, 1, 3, 2, 3, SAME),
            (3, 1, 5, 2, 3, Pads { rows: (1, 2), columns: (1, 2) }),
        ] {
            let weight = input((out, inner, kernel, kernel), 2)?;
            let inputs = [("x", &x), ("weight", &weight)];
            assert_gradients(
                &VarMap::new(),
                &inputs,
                |_| true,
                || conv2d(&x, &weight, stride, groups, pads),
            )?;
        }
        Ok(())
    }

    #[test]
    fn gradient_of_the_maximum() -> Result<()> {
        let x = input((2, 2, 7, 6), 3)?;
        let noise = NoiseSource::new(1);
        assert_gradients(
            &VarMap::new(),
            &[("x", &x)],
            |_| true,
            || max_pool2d(&(x.as_tensor() + 0.5)?, Mode::Train(&noise)),
        )
    }

    /// In inference mode, and frozen in training mode: the running statistics are constants, all else has a gradient
    /// unless it is frozen too.
    #[test]
    fn gradients_past_running_statistics() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let mut unit = ConvNorm::load(vb.pp("conv"), vb.pp("norm"), [4, 3, 3, 3], 1, 1, 1e-3)?;
        randomise(&vars)?;
        let running_var = vars.data().lock().unwrap()["norm.running_var"].clone();
        running_var.set(&(running_var.as_tensor() + 1.0)?)?;
        let x = input((2, 3, 5, 5), 1)?;
        let noise = NoiseSource::new(1);
        let learnt = |name: &str| !name.contains("running");
        assert_gradients(&vars, &[("x", &x)], learnt, || unit.forward(&x, ONE, Mode::Infer))?;
        unit.freeze_norm();
        let learnt = |name: &str| name.starts_with("conv.");
        assert_gradients(&vars, &[("x", &x)], learnt, || unit.forward(&x, ONE, Mode::Train(&noise)))
    }
}
