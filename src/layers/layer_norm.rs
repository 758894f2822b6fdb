//! LayerNorm with a gradient.

use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::{VarBuilder, ops::layer_norm};

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    graft::graft3,
    real::{Real, sum},
};

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension (Ba et al. 2016).
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Loads `weight` and `bias`, each `[width]`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder<'_>, width: usize, eps: f64) -> Result<Self> {
        let weight = vb.get_with_hints(width, "weight", candle_nn::Init::Const(1.0))?;
        let bias = vb.get_with_hints(width, "bias", candle_nn::Init::Const(0.0))?;
        Ok(LayerNorm { weight, bias, eps })
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// `[.., width]` to `[.., width]`.
    ///
    /// # Errors
    /// When the last dimension is not `width`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.dim(D::Minus1)? != self.weight.elem_count() {
            bail!("a LayerNorm of width {} for a tensor of shape {:?}", self.weight.elem_count(), x.shape())
        }
        if can_fuse(x) {
            x.contiguous()?.apply_op3(&self.weight, &self.bias, Op(Normalise { eps: self.eps }))
        } else {
            self.composed(x)
        }
    }

    /// In the numbers of the weights, whatever those of `x` are: half precision cannot hold a sum of squares.
    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        // Rows of one matrix, however many dimensions there are: a GPU divides by each to find an element's place.
        let (shape, width) = (x.shape().clone(), self.weight.elem_count());
        let wide = x.detach().reshape(((), width))?.to_dtype(self.weight.dtype())?;
        let weight = self.weight.detach();
        let value = match wide.dtype() {
            DType::F32 => layer_norm(&wide.contiguous()?, &weight, &self.bias.detach(), self.eps as f32)?,
            _ => normalised(&wide, self.eps)?.0.broadcast_mul(&weight)?.broadcast_add(&self.bias.detach())?,
        };
        let (eps, narrow) = (self.eps, x.dtype());
        let value = value.to_dtype(narrow)?.reshape(&shape)?;
        graft3("layer-norm", [x, &self.weight, &self.bias], value, move |gradient| {
            let gradient = gradient.reshape(((), width))?.to_dtype(wide.dtype())?;
            let (normed, scale) = normalised(&wide, eps)?;
            let scaled = gradient.broadcast_mul(&weight)?;
            let along_mean = scaled.mean_keepdim(D::Minus1)?;
            let along_normed = (&scaled * &normed)?.mean_keepdim(D::Minus1)?;
            let across = scaled.broadcast_sub(&along_mean)?.sub(&normed.broadcast_mul(&along_normed)?)?;
            let to_x = across.broadcast_mul(&scale)?.to_dtype(narrow)?.reshape(&shape)?;
            Ok([Some(to_x), Some((&gradient * &normed)?.sum(0)?), Some(gradient.sum(0)?)])
        })
    }
}

/// `(x - mean) / sqrt(variance + eps)` over the last dimension, and what `x - mean` was multiplied by.
fn normalised(x: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let count = x.dim(D::Minus1)? as f64;
    let scale = centred.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0 / count, eps)?.sqrt()?.recip()?;
    Ok((centred.broadcast_mul(&scale)?, scale))
}

struct Normalise {
    eps: f64,
}

/// A row's mean and `1 / sqrt(variance + eps)`.
#[inline(always)]
fn moments<T: Real>(x: &[T], eps: T) -> (T, T) {
    let count = T::from_f64(x.len() as f64);
    let mean = sum(x, x, |x, _| x) / count;
    let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) / count;
    (mean, T::one() / (variance + eps).sqrt())
}

impl Fused<3> for Normalise {
    const NAME: &'static str = "layer-norm";

    fn forward<T: Real>(&self, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        let mut result = Vec::with_capacity(x.len());
        for x in x.chunks_exact(weight.len()) {
            let (mean, scale) = moments(x, T::from_f64(self.eps));
            let normed = x.iter().map(|&x| (x - mean) * scale);
            result.extend(normed.zip(weight).zip(bias).map(|((x, &weight), &bias)| x * weight + bias));
        }
        result
    }

    fn backward<T: Real>(&self, [x, weight, _]: [&[T]; 3], _: &[T], gradient: &[T]) -> [Gradient<T>; 3] {
        let width = weight.len();
        let count = T::from_f64(width as f64);
        let mut to_x = Vec::with_capacity(x.len());
        let (mut to_weight, mut to_bias) = (vec![T::zero(); width], vec![T::zero(); width]);
        let (mut normed, mut scaled) = (vec![T::zero(); width], vec![T::zero(); width]);
        for (x, dy) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
            let (mean, scale) = moments(x, T::from_f64(self.eps));
            for (normed, &x) in normed.iter_mut().zip(x) {
                *normed = (x - mean) * scale;
            }
            for ((scaled, &dy), &weight) in scaled.iter_mut().zip(dy).zip(weight) {
                *scaled = dy * weight;
            }
            let along_mean = sum(&scaled, &scaled, |dy, _| dy) / count;
            let along_normed = sum(&scaled, &normed, |dy, n| dy * n) / count;
            let dx = scaled.iter().zip(&normed);
            to_x.extend(dx.map(|(&dy, &n)| scale * (dy - along_mean - n * along_normed)));
            for ((to_weight, &dy), &normed) in to_weight.iter_mut().zip(dy).zip(&normed) {
                *to_weight += dy * normed;
            }
            for (to_bias, &dy) in to_bias.iter_mut().zip(dy) {
                *to_bias += dy;
            }
        }
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
    fn gradients() -> Result<()> {
        let vars = VarMap::new();
        let norm = LayerNorm::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), 11, 1e-5)?;
        randomise(&vars)?;
        let x = input((2, 3, 11), 1)?;
        assert_gradients(&vars, &[("x", &x)], |_| true, || norm.forward(&x))
    }

    #[test]
    fn agrees_with_the_composed_form() -> Result<()> {
        let inputs = [input((2, 3, 37), 1)?, input(37, 2)?, input(37, 3)?];
        let norm = |x: &[&Tensor]| LayerNorm { weight: x[1].clone(), bias: x[2].clone(), eps: 1e-5 };
        let [x, weight, bias] = &inputs;
        assert_agree(&[x, weight, bias], 1e-5, |x| norm(x).forward(x[0]), |x| norm(x).composed(x[0]))
    }

    #[test]
    fn gradients_of_the_composed_form() -> Result<()> {
        let vars = VarMap::new();
        let norm = LayerNorm::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), 11, 1e-5)?;
        randomise(&vars)?;
        let x = input((2, 3, 11), 1)?;
        assert_gradients(&vars, &[("x", &x)], |_| true, || norm.composed(&x))
    }

    #[test]
    fn another_width_is_an_error() -> Result<()> {
        let norm = LayerNorm::load(VarBuilder::zeros(DType::F64, &Device::Cpu), 4, 1e-5)?;
        assert!(norm.forward(input((2, 5), 1)?.as_tensor()).is_err());
        Ok(())
    }
}
