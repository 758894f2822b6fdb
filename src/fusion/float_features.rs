//! What the float fusion reads: the outputs of both encoders for a batch.

use candle_core::{Result, Tensor};

use crate::{image::cnn::average_pool, text::bert::mean_pool};

/// The text encoder's output for a batch. It can be cached when the encoder is frozen.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    /// Hidden states `[batch, tokens, hidden_size]`.
    pub hidden: Tensor,
    /// 1 for a real token, 0 for padding: `[batch, tokens]`.
    pub mask: Tensor,
}

impl TextFeatures {
    /// From vectors `[batch, hidden_size]` that are pooled already: enough for all fusions but
    /// [`Tokens`](crate::model::FusionKind::Tokens).
    ///
    /// # Errors
    /// When `pooled` is not of rank 2.
    pub fn from_pooled(pooled: &Tensor) -> Result<Self> {
        let (batch, _) = pooled.dims2()?;
        let mask = Tensor::ones((batch, 1), pooled.dtype(), pooled.device())?;
        Ok(TextFeatures { hidden: pooled.unsqueeze(1)?, mask })
    }

    /// The mean over the real tokens, `[batch, hidden_size]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn pooled(&self) -> Result<Tensor> {
        mean_pool(&self.hidden, &self.mask)
    }
}

/// The image encoder's output for a batch. It can be cached when the encoder is frozen.
#[derive(Clone, Debug)]
pub struct ImageFeatures {
    /// The last grid `[batch, channels, rows, columns]`.
    pub grid: Tensor,
}

impl ImageFeatures {
    /// From vectors `[batch, channels]` that are pooled already: enough for all fusions but [`Tokens`](crate::model::FusionKind::Tokens).
    ///
    /// # Errors
    /// When `pooled` is not of rank 2.
    pub fn from_pooled(pooled: &Tensor) -> Result<Self> {
        let (batch, channels) = pooled.dims2()?;
        Ok(ImageFeatures { grid: pooled.reshape((batch, channels, 1, 1))? })
    }

    /// The mean over the cells, `[batch, channels]`.
    ///
    /// # Errors
    /// When the grid is not of rank 4.
    pub fn pooled(&self) -> Result<Tensor> {
        average_pool(&self.grid)
    }

    /// The cells row by row, `[batch, cells, channels]`.
    pub(super) fn cells(&self) -> Result<Tensor> {
        self.grid.flatten_from(2)?.transpose(1, 2)?.contiguous()
    }
}
