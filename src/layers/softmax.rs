//! The softmax over attention scores, on the CPU.

use candle_core::{Result, Tensor, bail};

use super::{
    fused::{Fused, Gradient, Op},
    real::{Real, sum},
};

/// `softmax(scores * scale + bias)` of float32 or float64 on the CPU, over the last dimension. `scores` is `[batch, heads, queries, keys]`; `bias`,
/// `[batch, 1, 1, keys]`, is a constant: no gradient reaches it.
///
/// # Errors
/// When shapes do not fit.
pub(super) fn masked_softmax(scores: &Tensor, scale: f64, bias: Option<&Tensor>) -> Result<Tensor> {
    let (batch, _, _, keys) = scores.dims4()?;
    let bias = match bias {
        Some(bias) => bias.to_dtype(scores.dtype())?.detach(),
        None => Tensor::zeros((batch, 1, 1, keys), scores.dtype(), scores.device())?,
    };
    if bias.dims() != [batch, 1, 1, keys] {
        bail!("a bias of shape {:?} for attention scores of shape {:?}", bias.shape(), scores.shape())
    }
    scores.contiguous()?.apply_op2(&bias.contiguous()?, Op(MaskedSoftmax { batch, keys, scale }))
}

struct MaskedSoftmax {
    batch: usize,
    keys: usize,
    scale: f64,
}

impl Fused<2> for MaskedSoftmax {
    const NAME: &'static str = "masked-softmax";

    fn forward<T: Real>(&self, [scores, bias]: [&[T]; 2]) -> Vec<T> {
        let scale = T::from_f64(self.scale);
        let mut probabilities = scores.to_vec();
        if probabilities.is_empty() {
            return probabilities;
        }
        // Below this the exponential is a subnormal number, which costs time and counts for nothing.
        let least = T::from_f64(-87.0);
        let rows_of_one = scores.len() / self.batch;
        for (rows, bias) in probabilities.chunks_exact_mut(rows_of_one).zip(bias.chunks_exact(self.keys)) {
            for row in rows.chunks_exact_mut(self.keys) {
                let mut largest = row[0] * scale + bias[0];
                for (x, &bias) in row.iter_mut().zip(bias) {
                    *x = *x * scale + bias;
                    largest = if *x > largest { *x } else { largest };
                }
                for x in row.iter_mut() {
                    let below = *x - largest;
                    let power = below.exp();
                    *x = if below < least { T::zero() } else { power };
                }
                let factor = T::one() / sum(row, row, |x, _| x);
                for x in row.iter_mut() {
                    *x *= factor;
                }
            }
        }
        probabilities
    }

    /// `scale p (dp - sum(p dp))` of the probabilities and their gradient.
    fn backward<T: Real>(&self, _: [&[T]; 2], probabilities: &[T], gradient: &[T]) -> [Gradient<T>; 2] {
        let (scale, keys) = (T::from_f64(self.scale), self.keys.max(1));
        let mut result = Vec::with_capacity(gradient.len());
        for (p, dp) in probabilities.chunks_exact(keys).zip(gradient.chunks_exact(keys)) {
            let mean = sum(p, dp, |p, dp| p * dp);
            result.extend(p.iter().zip(dp).map(|(&p, &dp)| scale * p * (dp - mean)));
        }
        [Gradient::Of(result), Gradient::None]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device};
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::{
        gradient_check::{assert_agree, assert_gradients, input},
        key_bias,
    };

    fn composed(scores: &Tensor, scale: f64, bias: Option<&Tensor>) -> Result<Tensor> {
        let scores = (scores * scale)?;
        let scores = match bias {
            Some(bias) => scores.broadcast_add(bias)?,
            None => scores,
        };
        candle_nn::ops::softmax(&scores, D::Minus1)
    }

    fn bias() -> Result<Tensor> {
        key_bias(&Tensor::new(&[[1f64, 1., 1., 1., 1.], [1., 1., 1., 0., 0.]], &Device::Cpu)?)
    }

    #[test]
    fn gradient() -> Result<()> {
        let (x, bias) = (input((2, 3, 4, 5), 1)?, bias()?);
        assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || masked_softmax(&x, 3.0, Some(&bias)))
    }

    #[test]
    fn agrees_with_the_composed_form() -> Result<()> {
        let x = input((2, 3, 4, 5), 2)?;
        for bias in [None, Some(bias()?)] {
            let bias = |x: &Tensor| bias.as_ref().map(|bias| bias.to_dtype(x.dtype())).transpose();
            assert_agree(
                &[&x],
                2e-6,
                |x| masked_softmax(x[0], 5.0, bias(x[0])?.as_ref()),
                |x| composed(x[0], 5.0, bias(x[0])?.as_ref()),
            )?;
        }
        Ok(())
    }

    #[test]
    fn a_hidden_key_counts_for_nothing() -> Result<()> {
        let p = masked_softmax(input((2, 1, 1, 5), 3)?.as_tensor(), 1.0, Some(&bias()?))?
            .flatten_all()?
            .to_vec1::<f64>()?;
        assert_eq!(p[8..], [0.0, 0.0]);
        assert!((p[5..8].iter().sum::<f64>() - 1.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn a_bias_of_another_shape_is_an_error() -> Result<()> {
        let (x, bias) = (input((2, 1, 1, 4), 3)?, bias()?);
        assert!(masked_softmax(&x, 1.0, Some(&bias)).is_err());
        Ok(())
    }
}
