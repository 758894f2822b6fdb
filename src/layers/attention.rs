//! Scaled dot-product attention over several heads, the one that BERT and the fusion share.

use candle_core::{Result, Tensor};

use super::{Mode, dropout, softmax::masked_softmax};

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
