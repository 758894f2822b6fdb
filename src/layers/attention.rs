//! Scaled dot-product attention over several heads, the one that BERT and the fusion share.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::{softmax, softmax_last_dim};

use super::{
    Mode, dropout, dropout::mask, fused::can_fuse, graft::graft3, product::product, softmax::masked_softmax,
};

/// Turns a mask `[batch, keys]` of 1 (attend) and 0 (ignore) into what [`attend`] adds to its scores, `[batch, 1, 1,
/// keys]`: 0 and -1e9.
///
/// # Errors
/// When `mask` is not of rank 2.
pub fn key_bias(mask: &Tensor) -> Result<Tensor> {
    let (batch, keys) = mask.dims2()?;
    ((mask - 1.0)? * 1e9)?.reshape((batch, 1, 1, keys))
}

/// `softmax(q k^T / sqrt(width / heads) + bias) v`, head by head (Vaswani et al. 2017).
///
/// `q` is `[batch, queries, width]`, `k` and `v` are `[batch, keys, width]`, `bias` comes from [`key_bias`]. Returns
/// the context `[batch, queries, width]` and the probabilities `[batch, heads, queries, keys]`. `p` is the dropout on
/// the probabilities.
///
/// # Errors
/// When shapes do not fit or `heads` does not divide `width`.
pub fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    bias: Option<&Tensor>,
    heads: usize,
    p: f64,
    mode: Mode<'_>,
) -> Result<(Tensor, Tensor)> {
    if !can_fuse(q) {
        return composed([q, k, v], bias, heads, p, mode);
    }
    let (batch, queries, width) = q.dims3()?;
    let split = |x: &Tensor| -> Result<Tensor> {
        let (batch, len, width) = x.dims3()?;
        x.reshape((batch, len, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let scores = split(q)?.matmul(&split(k)?.transpose(2, 3)?)?;
    let probabilities = masked_softmax(&scores, scale, bias)?;
    let context = dropout(&probabilities, p, mode)?.matmul(&split(v)?)?;
    let context = context.transpose(1, 2)?.reshape((batch, queries, width))?;
    Ok((context, probabilities))
}

/// [`attend`] for any device and number: one node of the graph for all of it. Scores and probabilities are float32 where `q` is
/// in half precision.
fn composed(
    inputs: [&Tensor; 3],
    bias: Option<&Tensor>,
    heads: usize,
    p: f64,
    mode: Mode<'_>,
) -> Result<(Tensor, Tensor)> {
    let (batch, queries, width) = inputs[0].dims3()?;
    let narrow = inputs[0].dtype();
    let wide = if narrow == DType::F64 { DType::F64 } else { DType::F32 };
    let split = move |x: &Tensor| -> Result<Tensor> {
        let len = x.dim(1)?;
        x.detach().reshape((batch, len, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let merge = move |x: &Tensor| -> Result<Tensor> {
        let len = x.dim(2)?;
        x.transpose(1, 2)?.reshape((batch, len, width))
    };
    let [q, k, v] = inputs.map(split);
    let (q, k, v) = (q?, k?, v?);
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let mut scores = (product(&q, &k.t()?)?.to_dtype(wide)? * scale)?;
    if let Some(bias) = bias {
        scores = scores.broadcast_add(&bias.detach().to_dtype(wide)?)?;
    }
    let probabilities = match wide {
        DType::F32 => softmax_last_dim(&scores.contiguous()?)?,
        _ => softmax(&scores, D::Minus1)?,
    };
    let mask = mask(&probabilities, p, mode)?;
    let kept = match &mask {
        Some(mask) => (&probabilities * mask)?,
        None => probabilities.clone(),
    };
    let kept = kept.to_dtype(narrow)?;
    let value = merge(&product(&kept, &v)?)?;
    let said = probabilities.clone();
    let context = graft3("attention", inputs, value, move |gradient| {
        let gradient =
            gradient.reshape((batch, queries, heads, width / heads))?.transpose(1, 2)?.contiguous()?;
        let to_v = product(&kept.t()?, &gradient)?;
        let mut to_p = product(&gradient, &v.t()?)?.to_dtype(wide)?;
        if let Some(mask) = &mask {
            to_p = (to_p * mask)?;
        }
        // As rows of one matrix, for the sake of a GPU's kernels.
        let rows = |x: &Tensor| x.reshape(((), x.dim(D::Minus1)?));
        let weighted = rows(&(&to_p * &probabilities)?)?;
        let mean = weighted.sum_keepdim(D::Minus1)?;
        let to_scores = (weighted - rows(&probabilities)?.broadcast_mul(&mean)?)?;
        let to_scores = (to_scores * scale)?.to_dtype(narrow)?.reshape(probabilities.shape())?;
        let (to_q, to_k) = (product(&to_scores, &k)?, product(&to_scores.t()?, &q)?);
        Ok([Some(merge(&to_q)?), Some(merge(&to_k)?), Some(merge(&to_v)?)])
    })?;
    Ok((context, said))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::{
        NoiseSource,
        gradient_check::{assert_agree, assert_gradients, input},
    };

    fn inputs() -> Result<([Var; 3], Tensor)> {
        let mask = Tensor::new(&[[1f64, 1., 1., 1.], [1., 1., 0., 0.]], &Device::Cpu)?;
        Ok(([input((2, 3, 8), 1)?, input((2, 4, 8), 2)?, input((2, 4, 8), 3)?], key_bias(&mask)?))
    }

    #[test]
    fn gradients_of_the_composed_form() -> Result<()> {
        let ([q, k, v], bias) = inputs()?;
        assert_gradients(
            &VarMap::new(),
            &[("q", &q), ("k", &k), ("v", &v)],
            |_| true,
            || Ok(composed([&q, &k, &v], Some(&bias), 2, 0.3, Mode::Train(&NoiseSource::new(5)))?.0),
        )
    }

    #[test]
    fn agrees_with_the_composed_form() -> Result<()> {
        let ([q, k, v], bias) = inputs()?;
        let bias = bias.to_dtype(DType::F32)?;
        let train = || NoiseSource::new(5);
        assert_agree(
            &[&q, &k, &v],
            2e-6,
            |x| Ok(attend(x[0], x[1], x[2], Some(&bias), 2, 0.3, Mode::Train(&train()))?.0),
            |x| Ok(composed([x[0], x[1], x[2]], Some(&bias), 2, 0.3, Mode::Train(&train()))?.0),
        )
    }
}
