//! The joint head: attention over both modalities, or one of the two baselines.

use candle_core::{D, Result, Tensor};
use candle_nn::{Init, Linear, Module, VarBuilder, ops::log_softmax};

use super::{
    FusionConfig, FusionKind,
    float::{CLASSES, ImageFeatures, TextFeatures},
};
use crate::{
    layers::{LayerNorm, Mode, MultiHeadAttention, dropout, key_bias},
    text::bert::mean_pool,
};

/// LayerNorm's epsilon, torch's default.
const NORM_EPS: f64 = 1e-5;

/// One modality of a batch: pooled `[batch, features]` and as a sequence `[batch, items, features]` with its mask.
pub(super) struct Side {
    pub pooled: Tensor,
    pub items: Tensor,
    pub mask: Tensor,
}

impl Side {
    pub fn of_text(text: &TextFeatures) -> Result<Self> {
        Ok(Side { pooled: text.pooled()?, items: text.hidden.clone(), mask: text.mask.clone() })
    }

    pub fn of_image(image: &ImageFeatures) -> Result<Self> {
        let items = image.cells()?;
        let mask = Tensor::ones((items.dim(0)?, items.dim(1)?), items.dtype(), items.device())?;
        Ok(Side { pooled: image.pooled()?, items, mask })
    }
}

/// A modality that may be missing.
pub(super) struct Input<'a> {
    pub side: Option<Side>,
    /// 1 where it is there, `[batch]`.
    pub has: &'a Tensor,
    /// What its own head says.
    pub logits: Option<&'a Tensor>,
}

/// The joint head, one for each [`FusionKind`] (the two with attention share one).
#[derive(Clone, Debug)]
pub(super) enum Joint {
    Attention(Box<Attention>),
    Concat { text: Projection, image: Projection, classifier: Linear },
    Late { weights: Tensor, bias: Tensor },
}

impl Joint {
    /// Loads `fusion.*`, of which `vb` is the prefix.
    pub fn load(
        vb: VarBuilder<'_>,
        config: &FusionConfig,
        hidden_size: usize,
        channels: usize,
    ) -> Result<Self> {
        let width = config.width;
        if config.kind == FusionKind::Late {
            return Ok(Joint::Late {
                weights: vb.get_with_hints((2, CLASSES), "late", Init::Const(1.0))?,
                bias: vb.get_with_hints(CLASSES, "late_bias", Init::Const(0.0))?,
            });
        }
        let text = Projection::load(vb.clone(), "text", hidden_size, width)?;
        let image = Projection::load(vb.clone(), "image", channels, width)?;
        let classifier = |from| candle_nn::linear(from, CLASSES, vb.pp("classifier"));
        if config.kind == FusionKind::Concat {
            return Ok(Joint::Concat { text, image, classifier: classifier(2 * width)? });
        }
        Ok(Joint::Attention(Box::new(Attention {
            text,
            image,
            modality: vb.get_with_hints((2, width), "modality", SMALL)?,
            attention: MultiHeadAttention::load(vb.pp("attention"), width, config.heads, config.dropout)?,
            norm: LayerNorm::load(vb.pp("norm"), width, NORM_EPS)?,
            classifier: classifier(width)?,
            tokens: config.kind == FusionKind::Tokens,
        })))
    }

    /// The logits of the post as a whole, `[batch, 3]`, and what the classifier reads, if there is one; `p` is the
    /// dropout.
    pub fn forward(
        &self,
        text: &Input<'_>,
        image: &Input<'_>,
        p: f64,
        mode: Mode<'_>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        match self {
            Joint::Attention(attention) => {
                let joined = dropout(&attention.forward(text, image, p, mode)?, p, mode)?;
                Ok((attention.classifier.forward(&joined)?, Some(joined)))
            }
            Joint::Concat { text: project_text, image: project_image, classifier } => {
                let sides = [project_text.pooled(text, p, mode)?, project_image.pooled(image, p, mode)?];
                let joined = Tensor::cat(&sides, 1)?;
                Ok((classifier.forward(&joined)?, Some(joined)))
            }
            Joint::Late { weights, bias } => {
                let mut sum = bias.unsqueeze(0)?.broadcast_as((text.has.dim(0)?, CLASSES))?.contiguous()?;
                for (row, input) in [text, image].into_iter().enumerate() {
                    if let Some(logits) = input.logits {
                        let said =
                            log_softmax(logits, D::Minus1)?.broadcast_mul(&weights.narrow(0, row, 1)?)?;
                        sum = (sum + said.broadcast_mul(&input.has.unsqueeze(1)?)?)?;
                    }
                }
                Ok((sum, None))
            }
        }
    }
}

/// Attention over the items of both modalities: `mean(LayerNorm(s + MHA(s)))` into a linear classifier.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    text: Projection,
    image: Projection,
    /// Added to each item: row 0 to those of the text, row 1 to those of the image.
    modality: Tensor,
    attention: MultiHeadAttention,
    norm: LayerNorm,
    classifier: Linear,
    /// Whether the items are tokens and cells, not the two pooled vectors.
    tokens: bool,
}

impl Attention {
    /// The mean of the attended items, `[batch, width]`.
    fn forward(&self, text: &Input<'_>, image: &Input<'_>, p: f64, mode: Mode<'_>) -> Result<Tensor> {
        let (mut items, mut masks) = (Vec::new(), Vec::new());
        for (row, projection, input) in [(0, &self.text, text), (1, &self.image, image)] {
            let (side, mask) = if self.tokens {
                projection.sequence(input, p, mode)?
            } else {
                let pooled = projection.pooled(input, p, mode)?;
                (pooled.unsqueeze(1)?, input.has.ones_like()?.unsqueeze(1)?)
            };
            items.push(side.broadcast_add(&self.modality.narrow(0, row, 1)?)?);
            masks.push(mask);
        }
        let (items, mask) = (Tensor::cat(&items, 1)?, Tensor::cat(&masks, 1)?);
        // Each of the two pooled items is always there, as itself or as its stand-in.
        let bias = if self.tokens { Some(key_bias(&mask)?) } else { None };
        let attended = self.attention.forward(&items, bias.as_ref(), mode)?;
        mean_pool(&self.norm.forward(&(items + attended)?)?, &mask)
    }
}

/// The start of vectors that are added to projections.
const SMALL: Init = Init::Randn { mean: 0.0, stdev: 0.02 };

/// From one modality's features to the common width, with the stand-in for when it is missing.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    linear: Linear,
    missing: Tensor,
}

impl Projection {
    fn load(vb: VarBuilder<'_>, modality: &str, features: usize, width: usize) -> Result<Self> {
        let linear = candle_nn::linear(features, width, vb.pp(modality))?;
        Ok(Projection { linear, missing: vb.pp("missing").get_with_hints(width, modality, SMALL)? })
    }

    /// The projected pooled vector or the stand-in, row by row: `[batch, width]`.
    fn pooled(&self, input: &Input<'_>, p: f64, mode: Mode<'_>) -> Result<Tensor> {
        let has = input.has.unsqueeze(1)?;
        let stand_in = (1.0 - &has)?.broadcast_mul(&self.missing.unsqueeze(0)?)?;
        let Some(side) = &input.side else { return Ok(stand_in) };
        dropout(&self.linear.forward(&side.pooled)?, p, mode)?.broadcast_mul(&has)? + stand_in
    }

    /// The stand-in and all projected items, `[batch, 1 + items, width]`, and which of them count, `[batch, 1 +
    /// items]`: the stand-in where the modality is missing, the items where it is there.
    fn sequence(&self, input: &Input<'_>, p: f64, mode: Mode<'_>) -> Result<(Tensor, Tensor)> {
        let has = input.has.unsqueeze(1)?;
        let absent = (1.0 - &has)?;
        let stand_in =
            self.missing.reshape((1, 1, ()))?.broadcast_as((has.dim(0)?, 1, self.missing.dim(0)?))?;
        let Some(side) = &input.side else { return Ok((stand_in.contiguous()?, absent)) };
        let items = dropout(&self.linear.forward(&side.items)?, p, mode)?;
        let mask = side.mask.broadcast_mul(&has)?;
        Ok((Tensor::cat(&[stand_in.contiguous()?, items], 1)?, Tensor::cat(&[absent, mask], 1)?))
    }
}
