//! Self-attention with one input projection, as torch's `nn.MultiheadAttention` stores it.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use super::{Linear, Mode, attend};

/// Multi-head self-attention (Vaswani et al. 2017) with torch's tensor names: `in_proj_weight` `[3 width, width]` holds
/// query, key and value one after the other, `in_proj_bias`, `out_proj.{weight,bias}`.
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    in_proj: Linear,
    out_proj: Linear,
    heads: usize,
    dropout: f64,
}

impl MultiHeadAttention {
    /// Loads the tensors; `dropout` is the one on the attention probabilities.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder<'_>, width: usize, heads: usize, dropout: f64) -> Result<Self> {
        // Glorot & Bengio 2010, over the three projections together, as torch does.
        let bound = (6.0 / (4 * width) as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let weight = vb.get_with_hints((3 * width, width), "in_proj_weight", init)?;
        let bias = vb.get_with_hints(3 * width, "in_proj_bias", Init::Const(0.0))?;
        Ok(MultiHeadAttention {
            in_proj: Linear::new(weight, bias),
            out_proj: Linear::load(vb.pp("out_proj"), width, width)?,
            heads,
            dropout,
        })
    }

    /// How many heads there are.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Input and output projection.
    pub fn projections(&self) -> [&Linear; 2] {
        [&self.in_proj, &self.out_proj]
    }

    /// `[batch, items, width]` to the same shape, and the queries, keys and values on the way, `[batch, items, 3 width]`;
    /// `bias` comes from [`key_bias`](super::key_bias) and hides items.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, mode: Mode<'_>) -> Result<(Tensor, Tensor)> {
        let projected = self.in_proj.forward(x)?;
        let parts = projected.chunk(3, 2)?;
        let [q, k, v] = parts.as_slice() else { candle_core::bail!("in_proj gave no three parts") };
        let (context, _) = attend(q, k, v, bias, self.heads, self.dropout, mode)?;
        Ok((self.out_proj.forward(&context)?, projected))
    }
}
