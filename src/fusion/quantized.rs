//! The heads with int8 weights: from the encoders' outputs to logits, in the formulas of `float`. On the CPU for every
//! backend.

use super::{
    Features, HeadLogits,
    explain::{AttentionLayers, Dense, Shares, Trace, of_concat, of_head, of_late},
};
use crate::{
    backend::cpu::{
        InstructionSet, attention::Attention, layer_norm::LayerNorm, linear::Linear, math::log_softmax,
        pool::mean_rows, quantize::QuantizedRows,
    },
    bundle::{Bundle, BundleError},
    model::{
        FusionConfig, FusionKind, FusionParameters, LinearParameter, LinearWeights, Modality, Parameters,
        PerModality, VectorParameter, dequantized,
    },
};

/// The heads of each modality and the fused head.
#[derive(Clone, Debug)]
pub struct Fusion {
    heads: PerModality<Dense>,
    fused: FusedHead,
    workspace: Workspace,
}

/// The fused head, one of [`FusionKind`].
#[derive(Clone, Debug)]
enum FusedHead {
    Attention(Box<FusedAttention>),
    Concat { projections: Box<PerModality<Projection>>, classifier: Dense },
    Late { weight: PerModality<Vec<f32>>, bias: Vec<f32> },
}

/// The items of both modalities attend to one another.
#[derive(Clone, Debug)]
struct FusedAttention {
    projections: PerModality<Projection>,
    /// `[2, width]`: added to each item of the text, then of the image.
    modality: Vec<f32>,
    query_key_value: Linear,
    output: Linear,
    heads: usize,
    norm: LayerNorm,
    classifier: Dense,
    /// Whether the items are tokens and cells instead of the two pooled vectors.
    tokens: bool,
}

/// From one modality's features to the common width, and the stand-in for when it is missing.
#[derive(Clone, Debug)]
struct Projection {
    linear: Linear,
    missing: Vec<f32>,
}

/// Everything that a forward pass writes.
#[derive(Clone, Debug, Default)]
struct Workspace {
    pooled: Vec<f32>,
    items: Vec<f32>,
    /// How many of the items are the text's.
    text_items: usize,
    query_key_value: Vec<f32>,
    attended: Vec<f32>,
    /// What LayerNorm reads, kept for explanations.
    sums: Vec<f32>,
    rows: QuantizedRows,
    attention: Attention,
}

impl Fusion {
    /// Loads `heads.*` and `fusion.*`.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(
        bundle: &Bundle,
        config: &FusionConfig,
        parameters: &Parameters,
    ) -> Result<Self, BundleError> {
        let head = |modality| classifier(bundle, parameters.heads.get(modality));
        Ok(Fusion {
            heads: PerModality::try_new(head)?,
            fused: FusedHead::load(bundle, config, &parameters.fusion)?,
            workspace: Workspace::default(),
        })
    }

    /// The logits of every head whose modality is present.
    pub fn logits(&mut self, features: Features<'_>) -> HeadLogits {
        let both = features.text.is_some() && features.image.is_some();
        HeadLogits {
            text: features.text.map(|items| self.heads.text.forward_mean(items)),
            image: features.image.map(|items| self.heads.image.forward_mean(items)),
            fused: both.then(|| self.fused(features)),
        }
    }

    /// The logits of the fused head; a learned stand-in takes the place of a missing modality.
    pub fn fused(&mut self, features: Features<'_>) -> Vec<f32> {
        let w = &mut self.workspace;
        match &self.fused {
            FusedHead::Late { weight, bias } => {
                let mut logits = bias.clone();
                for (modality, items) in features.iter() {
                    let Some(items) = items else { continue };
                    let said = log_softmax(&self.heads.get(modality).forward_mean(items));
                    for ((logit, said), weight) in logits.iter_mut().zip(said).zip(weight.get(modality)) {
                        *logit += said * weight;
                    }
                }
                logits
            }
            FusedHead::Concat { projections, classifier } => {
                w.items.clear();
                for (modality, items) in features.iter() {
                    projections.get(modality).pooled(*items, w);
                }
                classifier.forward(&w.items)
            }
            FusedHead::Attention(attention) => attention.forward(features, w),
        }
    }

    /// The share of every item in the logit of `class` that the answering head gives: the fused head if both modalities are
    /// there, else the head of the one that is.
    pub fn explain(&mut self, features: Features<'_>, class: usize) -> Shares {
        match (features.text, features.image) {
            (Some(text), Some(image)) => self.explain_fused(PerModality { text, image }, class),
            (Some(text), None) => {
                let (shares, base, logit) = of_head(&self.heads.text, text, class);
                Shares { text: Some(shares), base, logit, ..Shares::default() }
            }
            (None, Some(image)) => {
                let (shares, base, logit) = of_head(&self.heads.image, image, class);
                Shares { image: Some(shares), base, logit, ..Shares::default() }
            }
            (None, None) => Shares::default(),
        }
    }

    fn explain_fused(&mut self, items: PerModality<&[f32]>, class: usize) -> Shares {
        let logit = self.fused(PerModality { text: Some(items.text), image: Some(items.image) })[class];
        match &self.fused {
            FusedHead::Late { weight, bias } => {
                let heads = PerModality { text: &self.heads.text, image: &self.heads.image };
                let weights = PerModality { text: weight.text[class], image: weight.image[class] };
                of_late(heads, weights, bias[class], items, class, logit)
            }
            FusedHead::Concat { projections, classifier } => {
                let linears =
                    PerModality { text: &projections.text.linear, image: &projections.image.linear };
                of_concat(linears, (classifier.row(class), classifier.bias[class]), items, logit)
            }
            FusedHead::Attention(attention) => {
                let w = &self.workspace;
                let trace = Trace {
                    items: &w.items,
                    text_items: w.text_items,
                    query_key_value: &w.query_key_value,
                    sums: &w.sums,
                };
                attention.layers(class).shares(trace, items, logit)
            }
        }
    }
}

/// A classifier. Its few weights are dequantized when it is loaded, so its input is not quantized.
fn classifier(bundle: &Bundle, parameter: &LinearParameter) -> Result<Dense, BundleError> {
    let LinearWeights { levels, scale, bias } = parameter.read(bundle)?;
    Ok(Dense { weight: dequantized(&levels, &scale), bias })
}

impl FusedHead {
    fn load(
        bundle: &Bundle,
        config: &FusionConfig,
        parameters: &FusionParameters,
    ) -> Result<Self, BundleError> {
        let projections = |linear: &PerModality<LinearParameter>, missing: &PerModality<_>| {
            PerModality::try_new(|modality| {
                Projection::load(bundle, linear.get(modality), missing.get(modality))
            })
        };
        let linear =
            |parameter| Linear::load(InstructionSet::best(), bundle, std::slice::from_ref(parameter));
        Ok(match parameters {
            FusionParameters::Late { weights, bias } => {
                let weights = weights.read(bundle)?;
                let (text, image) = weights.split_at(weights.len() / 2);
                let weight = PerModality { text: text.to_vec(), image: image.to_vec() };
                FusedHead::Late { weight, bias: bias.read(bundle)? }
            }
            FusionParameters::Concat { projections: linears, missing, classifier } => FusedHead::Concat {
                projections: Box::new(projections(linears, missing)?),
                classifier: self::classifier(bundle, classifier)?,
            },
            FusionParameters::Attention {
                projections: linears,
                missing,
                modality,
                in_proj,
                out_proj,
                norm,
                classifier,
            } => FusedHead::Attention(Box::new(FusedAttention {
                projections: projections(linears, missing)?,
                modality: modality.read(bundle)?,
                query_key_value: linear(in_proj)?,
                output: linear(out_proj)?,
                heads: config.heads,
                norm: LayerNorm::load(InstructionSet::best(), bundle, norm)?,
                classifier: self::classifier(bundle, classifier)?,
                tokens: config.kind == FusionKind::Tokens,
            })),
        })
    }
}

impl FusedAttention {
    fn forward(&self, features: Features<'_>, w: &mut Workspace) -> Vec<f32> {
        let width = self.output.outputs();
        w.items.clear();
        for (modality, items) in features.iter() {
            let start = w.items.len();
            let projection = self.projections.get(modality);
            if self.tokens {
                projection.all(*items, w)
            } else {
                projection.pooled(*items, w)
            }
            if modality == Modality::Text {
                w.text_items = w.items.len() / width;
            }
            for item in w.items[start..].chunks_exact_mut(width) {
                for (x, &m) in item.iter_mut().zip(self.modality(modality)) {
                    *x += m;
                }
            }
        }
        w.rows.quantize(&w.items, width);
        w.query_key_value.resize(3 * w.items.len(), 0.0);
        self.query_key_value.forward(&mut w.rows, &mut w.query_key_value);
        w.attended.resize(w.items.len(), 0.0);
        let all = [w.items.len() / width];
        w.attention.attend(&w.query_key_value, &all, width, self.heads, &mut w.attended);
        w.rows.quantize(&w.attended, width);
        self.output.forward(&mut w.rows, &mut w.attended);
        w.sums.clear();
        w.sums.extend(w.attended.iter().zip(&w.items).map(|(a, x)| a + x));
        self.norm.forward_sum(&mut w.attended, &w.items);
        w.pooled.resize(width, 0.0);
        mean_rows(&w.attended, &mut w.pooled);
        self.classifier.forward(&w.pooled)
    }

    fn modality(&self, modality: Modality) -> &[f32] {
        let (text, image) = self.modality.split_at(self.output.outputs());
        match modality {
            Modality::Text => text,
            Modality::Image => image,
        }
    }

    fn layers(&self, class: usize) -> AttentionLayers<'_, Linear> {
        let PerModality { text, image } = &self.projections;
        AttentionLayers {
            projections: PerModality { text: &text.linear, image: &image.linear },
            modality: &self.modality,
            in_proj: &self.query_key_value,
            out_proj: &self.output,
            norm: self.norm.parts(),
            classifier: (self.classifier.row(class), self.classifier.bias[class]),
            heads: self.heads,
            tokens: self.tokens,
        }
    }
}

impl Projection {
    fn load(
        bundle: &Bundle,
        linear: &LinearParameter,
        missing: &VectorParameter,
    ) -> Result<Self, BundleError> {
        Ok(Projection {
            linear: Linear::load(InstructionSet::best(), bundle, std::slice::from_ref(linear))?,
            missing: missing.read(bundle)?,
        })
    }

    /// Appends the projected mean of the modality's items, or the stand-in, to the items.
    fn pooled(&self, items: Option<&[f32]>, w: &mut Workspace) {
        match items {
            Some(rows) => {
                w.pooled.resize(self.linear.inputs(), 0.0);
                mean_rows(rows, &mut w.pooled);
                w.rows.quantize(&w.pooled, self.linear.inputs());
                self.project(w);
            }
            None => w.items.extend_from_slice(&self.missing),
        }
    }

    /// Appends every projected item of the modality, or the stand-in, to the items.
    fn all(&self, items: Option<&[f32]>, w: &mut Workspace) {
        match items {
            Some(rows) => {
                w.rows.quantize(rows, self.linear.inputs());
                self.project(w);
            }
            None => w.items.extend_from_slice(&self.missing),
        }
    }

    fn project(&self, w: &mut Workspace) {
        let start = w.items.len();
        w.items.resize(start + w.rows.rows().len() * self.linear.outputs(), 0.0);
        self.linear.forward(&mut w.rows, &mut w.items[start..]);
    }
}
