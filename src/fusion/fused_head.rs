//! The fused head: attention over the items of both modalities, or one of the two baselines.

use candle_core::{D, Result, Tensor};
use candle_nn::{Init, Linear, Module, VarBuilder, ops::log_softmax};

use super::float_features::{ImageFeatures, TextFeatures};
use crate::{
    layers::{LayerNorm, Mode, MultiHeadAttention, dropout, key_bias},
    model::{FusionConfig, FusionKind, FusionParameters, LinearParameter, PerModality, VectorParameter},
    text::bert::mean_pool,
};

/// One modality of a batch: pooled `[batch, features]` and as a sequence `[batch, items, features]` with its mask.
pub(super) struct Items {
    pub pooled: Tensor,
    pub all: Tensor,
    pub mask: Tensor,
}

impl Items {
    pub(super) fn of_text(text: &TextFeatures) -> Result<Self> {
        Ok(Items { pooled: text.pooled()?, all: text.hidden.clone(), mask: text.mask.clone() })
    }

    pub(super) fn of_image(image: &ImageFeatures) -> Result<Self> {
        let all = image.cells()?;
        let mask = Tensor::ones((all.dim(0)?, all.dim(1)?), all.dtype(), all.device())?;
        Ok(Items { pooled: image.pooled()?, all, mask })
    }
}

/// A modality that may be missing.
pub(super) struct Input<'a> {
    pub items: Option<Items>,
    /// 1 where it is present, `[batch]`.
    pub has: &'a Tensor,
    /// The logits of its own head.
    pub logits: Option<&'a Tensor>,
}

/// What the attention computed for a batch.
#[derive(Clone, Debug)]
pub struct AttentionTrace {
    /// The items that attend, stand-ins included: `[batch, items, width]`.
    pub items: Tensor,
    /// Queries, keys and values: `[batch, items, 3 width]`.
    pub query_key_value: Tensor,
    /// Items and attention's output, added up: `[batch, items, width]`.
    pub sums: Tensor,
}

/// The output of the fused head.
pub(super) struct Fused {
    /// `[batch, classes]`.
    pub logits: Tensor,
    /// What the classifier reads, if there is one.
    pub features: Option<Tensor>,
    pub trace: Option<AttentionTrace>,
}

/// The fused head, one for each [`FusionKind`] (the two with attention share one).
#[derive(Clone, Debug)]
pub enum FusedHead {
    /// Items that attend to one another.
    Attention(Box<Attention>),
    /// The two pooled vectors, concatenated.
    Concat {
        /// From each encoder's features to the common width.
        projections: Box<PerModality<Projection>>,
        /// To the logits.
        classifier: Linear,
    },
    /// A weighted sum of the two heads' log-probabilities.
    Late {
        /// `[2, classes]`.
        weights: Tensor,
        /// `[classes]`.
        bias: Tensor,
    },
}

impl FusedHead {
    /// Loads the tensors of `parameters` below `vb`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: &VarBuilder<'_>, config: &FusionConfig, parameters: &FusionParameters) -> Result<Self> {
        let constant = |vector: &VectorParameter, value| {
            vb.get_with_hints(vector.shape.as_slice(), &vector.name, Init::Const(value))
        };
        let projections = |linears: &PerModality<LinearParameter>, missing: &PerModality<VectorParameter>| {
            PerModality::try_new(|modality| {
                Projection::load(vb, linears.get(modality), missing.get(modality))
            })
        };
        Ok(match parameters {
            FusionParameters::Late { weights, bias } => {
                FusedHead::Late { weights: constant(weights, 1.0)?, bias: constant(bias, 0.0)? }
            }
            FusionParameters::Concat { projections: linears, missing, classifier } => FusedHead::Concat {
                projections: Box::new(projections(linears, missing)?),
                classifier: linear(vb, classifier)?,
            },
            FusionParameters::Attention {
                projections: linears,
                missing,
                modality,
                norm,
                classifier,
                in_proj: _,
                out_proj: _,
            } => FusedHead::Attention(Box::new(Attention {
                projections: projections(linears, missing)?,
                modality: small(vb, modality)?,
                // It names its tensors itself, as torch's does.
                attention: MultiHeadAttention::load(
                    vb.pp("fusion.attention"),
                    config.width,
                    config.heads,
                    config.dropout,
                )?,
                norm: LayerNorm::load(vb.pp(&norm.name), norm.width, norm.eps)?,
                classifier: linear(vb, classifier)?,
                tokens: config.kind == FusionKind::Tokens,
            })),
        })
    }

    /// Runs the fused head; `p` is the dropout.
    pub(super) fn forward(
        &self,
        text: &Input<'_>,
        image: &Input<'_>,
        p: f64,
        mode: Mode<'_>,
    ) -> Result<Fused> {
        match self {
            FusedHead::Attention(attention) => {
                let (mean, trace) = attention.forward(text, image, p, mode)?;
                let features = dropout(&mean, p, mode)?;
                let logits = attention.classifier.forward(&features)?;
                Ok(Fused { logits, features: Some(features), trace: Some(trace) })
            }
            FusedHead::Concat { projections, classifier } => {
                let pooled =
                    [projections.text.pooled(text, p, mode)?, projections.image.pooled(image, p, mode)?];
                let features = Tensor::cat(&pooled, 1)?;
                let logits = classifier.forward(&features)?;
                Ok(Fused { logits, features: Some(features), trace: None })
            }
            FusedHead::Late { weights, bias } => {
                let shape = (text.has.dim(0)?, bias.dim(0)?);
                let mut sum = bias.unsqueeze(0)?.broadcast_as(shape)?.contiguous()?;
                for (row, input) in [text, image].into_iter().enumerate() {
                    if let Some(logits) = input.logits {
                        let said =
                            log_softmax(logits, D::Minus1)?.broadcast_mul(&weights.narrow(0, row, 1)?)?;
                        sum = (sum + said.broadcast_mul(&input.has.unsqueeze(1)?)?)?;
                    }
                }
                Ok(Fused { logits: sum, features: None, trace: None })
            }
        }
    }
}

/// Attention over the items of both modalities: `mean(LayerNorm(s + MHA(s)))` into a linear classifier.
#[derive(Clone, Debug)]
pub struct Attention {
    pub(crate) projections: PerModality<Projection>,
    /// Added to each item: row 0 to those of the text, row 1 to those of the image.
    pub(crate) modality: Tensor,
    pub(crate) attention: MultiHeadAttention,
    pub(crate) norm: LayerNorm,
    pub(crate) classifier: Linear,
    /// Whether the items are tokens and cells, not the two pooled vectors.
    pub(crate) tokens: bool,
}

impl Attention {
    /// The mean of the attended items, `[batch, width]`.
    fn forward(
        &self,
        text: &Input<'_>,
        image: &Input<'_>,
        p: f64,
        mode: Mode<'_>,
    ) -> Result<(Tensor, AttentionTrace)> {
        let (mut items, mut masks) = (Vec::new(), Vec::new());
        for (row, (input, (_, projection))) in
            [text, image].into_iter().zip(self.projections.iter()).enumerate()
        {
            let (projected, mask) = if self.tokens {
                projection.sequence(input, p, mode)?
            } else {
                let pooled = projection.pooled(input, p, mode)?;
                (pooled.unsqueeze(1)?, input.has.ones_like()?.unsqueeze(1)?)
            };
            items.push(projected.broadcast_add(&self.modality.narrow(0, row, 1)?)?);
            masks.push(mask);
        }
        let (items, mask) = (Tensor::cat(&items, 1)?, Tensor::cat(&masks, 1)?);
        // Each of the two pooled items is always there, as itself or as its stand-in.
        let bias = if self.tokens { Some(key_bias(&mask)?) } else { None };
        let (attended, query_key_value) = self.attention.forward(&items, bias.as_ref(), mode)?;
        let sums = (&items + attended)?;
        let mean = mean_pool(&self.norm.forward(&sums)?, &mask)?;
        Ok((mean, AttentionTrace { items, query_key_value, sums }))
    }
}

/// Vectors that are added to projections start small.
fn small(vb: &VarBuilder<'_>, vector: &VectorParameter) -> Result<Tensor> {
    vb.get_with_hints(vector.shape.as_slice(), &vector.name, Init::Randn { mean: 0.0, stdev: 0.02 })
}

/// From one modality's features to the common width, with the stand-in for when it is missing.
#[derive(Clone, Debug)]
pub struct Projection {
    pub(crate) linear: Linear,
    missing: Tensor,
}

impl Projection {
    fn load(vb: &VarBuilder<'_>, parameter: &LinearParameter, missing: &VectorParameter) -> Result<Self> {
        Ok(Projection { linear: linear(vb, parameter)?, missing: small(vb, missing)? })
    }

    /// The projected pooled vector or the stand-in, row by row: `[batch, width]`.
    fn pooled(&self, input: &Input<'_>, p: f64, mode: Mode<'_>) -> Result<Tensor> {
        let has = input.has.unsqueeze(1)?;
        let stand_in = (1.0 - &has)?.broadcast_mul(&self.missing.unsqueeze(0)?)?;
        let Some(items) = &input.items else { return Ok(stand_in) };
        dropout(&self.linear.forward(&items.pooled)?, p, mode)?.broadcast_mul(&has)? + stand_in
    }

    /// The stand-in and all projected items, `[batch, 1 + items, width]`, and which of them count, `[batch, 1 +
    /// items]`: the stand-in where the modality is missing, the items where it is present.
    fn sequence(&self, input: &Input<'_>, p: f64, mode: Mode<'_>) -> Result<(Tensor, Tensor)> {
        let has = input.has.unsqueeze(1)?;
        let absent = (1.0 - &has)?;
        let stand_in =
            self.missing.reshape((1, 1, ()))?.broadcast_as((has.dim(0)?, 1, self.missing.dim(0)?))?;
        let Some(items) = &input.items else { return Ok((stand_in.contiguous()?, absent)) };
        let projected = dropout(&self.linear.forward(&items.all)?, p, mode)?;
        let mask = items.mask.broadcast_mul(&has)?;
        Ok((Tensor::cat(&[stand_in.contiguous()?, projected], 1)?, Tensor::cat(&[absent, mask], 1)?))
    }
}

/// The linear layer of `parameter` below `vb`, with candle's initialization.
pub(super) fn linear(vb: &VarBuilder<'_>, parameter: &LinearParameter) -> Result<Linear> {
    candle_nn::linear(parameter.inputs, parameter.outputs, vb.pp(&parameter.name))
}
