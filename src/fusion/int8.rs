//! The heads and the joint part with int8 weights: from the encoders' outputs to logits, in the formulas of `float`.

use super::{FusionConfig, FusionKind, Temperatures};
use crate::{
    bundle::{Bundle, BundleError},
    kernels::{
        attention::Attention,
        layer_norm::LayerNorm,
        linear::Linear,
        math::{dot, ln, log_softmax, max, min, sigmoid},
        pool::mean_rows,
        quantize::QuantizedRows,
    },
};

/// Classes: negative, neutral, positive.
const CLASSES: usize = 3;

/// LayerNorm's epsilon, torch's default.
const NORM_EPS: f64 = 1e-5;

/// How near to 0 and 1 a probability gets before its logit is taken.
const PROBABILITY_MARGIN: f32 = 1e-6;

/// The heads, the joint part and the contradiction.
#[derive(Clone, Debug)]
pub struct Fusion {
    /// Text alone.
    pub text: Head,
    /// Image alone.
    pub image: Head,
    joint: Joint,
    contradiction: (f32, f32),
    temperatures: Temperatures,
    buffers: Buffers,
}

/// A linear classifier. Its few weights become floats again when it is loaded: an input is not quantised for them.
#[derive(Clone, Debug)]
pub struct Head {
    weight: Vec<f32>,
    bias: [f32; CLASSES],
}

/// The joint part, one of [`FusionKind`].
#[derive(Clone, Debug)]
enum Joint {
    Attention(Box<Attend>),
    Concat(Box<Concat>),
    Late { weight: [[f32; CLASSES]; 2], bias: [f32; CLASSES] },
}

/// The two pooled vectors, projected, side by side into a linear layer.
#[derive(Clone, Debug)]
struct Concat {
    text: Projection,
    image: Projection,
    classifier: Head,
}

/// Projected items of both sides attend to one another.
#[derive(Clone, Debug)]
struct Attend {
    text: Projection,
    image: Projection,
    /// Added to each item of the text, then of the image.
    modality: Vec<f32>,
    query_key_value: Linear,
    output: Linear,
    heads: usize,
    norm: LayerNorm,
    classifier: Head,
    /// Whether the items are tokens and cells instead of the two pooled vectors.
    tokens: bool,
}

/// From one side's features to the common width, and what stands in for them when the side is missing.
#[derive(Clone, Debug)]
struct Projection {
    linear: Linear,
    missing: Vec<f32>,
}

/// Everything that a forward pass writes.
#[derive(Clone, Debug, Default)]
struct Buffers {
    pooled: Vec<f32>,
    items: Vec<f32>,
    query_key_value: Vec<f32>,
    attended: Vec<f32>,
    rows: QuantizedRows,
    attention: Attention,
}

impl Fusion {
    /// Loads `heads.*`, `fusion.*`, `contradiction.*` and `temperature.*` for a text encoder of width `hidden_size` and
    /// an image encoder whose last grid has `channels`.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(
        bundle: &Bundle,
        config: &FusionConfig,
        hidden_size: usize,
        channels: usize,
    ) -> Result<Self, BundleError> {
        let scalar = |name: &str| bundle.f32(name, &[1]).map(|value| value[0]);
        Ok(Fusion {
            text: Head::load(bundle, "heads.text", hidden_size)?,
            image: Head::load(bundle, "heads.image", channels)?,
            joint: Joint::load(bundle, config, hidden_size, channels)?,
            contradiction: (scalar("contradiction.scale")?, scalar("contradiction.bias")?),
            temperatures: Temperatures::load(bundle)?,
            buffers: Buffers::default(),
        })
    }

    /// What the logits of the three heads are divided by for the scores.
    pub fn temperatures(&self) -> Temperatures {
        self.temperatures
    }

    /// The logits of both sides together. `text` is `[tokens, hidden_size]`, `image` `[cells, channels]`; a learned
    /// stand-in takes the place of a missing side.
    pub fn fused(&mut self, text: Option<&[f32]>, image: Option<&[f32]>) -> [f32; CLASSES] {
        let b = &mut self.buffers;
        match &self.joint {
            Joint::Late { weight, bias } => {
                let mut logits = *bias;
                for (items, head, weight) in
                    [(text, &self.text, &weight[0]), (image, &self.image, &weight[1])]
                {
                    let Some(items) = items else { continue };
                    let said = log_softmax(head.logits_of_mean(items));
                    for ((logit, said), weight) in logits.iter_mut().zip(said).zip(weight) {
                        *logit += said * weight;
                    }
                }
                logits
            }
            Joint::Concat(concat) => {
                b.items.clear();
                concat.text.pooled(text, b);
                concat.image.pooled(image, b);
                concat.classifier.logits(&b.items)
            }
            Joint::Attention(attend) => attend.forward(text, image, b),
        }
    }

    /// The calibrated probability that the two sides point opposite ways, from the probabilities that their own heads
    /// give: Platt scaling (Platt 1999) of `text(pos) image(neg) + text(neg) image(pos)`.
    pub fn contradiction(&self, text: [f32; CLASSES], image: [f32; CLASSES]) -> f32 {
        let p = text[2] * image[0] + text[0] * image[2];
        let p = min(max(p, PROBABILITY_MARGIN), 1.0 - PROBABILITY_MARGIN);
        let (scale, bias) = self.contradiction;
        sigmoid(scale * (ln(p) - ln(1.0 - p)) + bias)
    }
}

impl Head {
    fn load(bundle: &Bundle, name: &str, inputs: usize) -> Result<Self, BundleError> {
        let bias = bundle.f32(&format!("{name}.bias"), &[CLASSES])?;
        Ok(Head { weight: bundle.dequantized(name, CLASSES, inputs)?, bias: [bias[0], bias[1], bias[2]] })
    }

    /// The logits of one vector.
    pub fn logits(&self, x: &[f32]) -> [f32; CLASSES] {
        std::array::from_fn(|class| dot(self.row(class), x) + self.bias[class])
    }

    /// The logits of the mean of some rows.
    pub fn logits_of_mean(&self, rows: &[f32]) -> [f32; CLASSES] {
        let mut mean = vec![0.0; self.weight.len() / CLASSES];
        mean_rows(rows, &mut mean);
        self.logits(&mean)
    }

    /// How much each row spoke for `class` in [`logits_of_mean`](Self::logits_of_mean): its share of that logit minus the
    /// mean of its shares of all three. The shares of all rows and the bias add up to the logit.
    pub fn contributions(&self, rows: &[f32], class: usize) -> Vec<f32> {
        let width = self.weight.len() / CLASSES;
        let count = rows.len() / width.max(1);
        let share = |row: &[f32]| {
            let all: [f32; CLASSES] = std::array::from_fn(|class| dot(self.row(class), row));
            let mean = (all[0] + all[1] + all[2]) / CLASSES as f32;
            (all.get(class).copied().unwrap_or(mean) - mean) / count as f32
        };
        rows.chunks_exact(width.max(1)).map(share).collect()
    }

    fn row(&self, class: usize) -> &[f32] {
        let width = self.weight.len() / CLASSES;
        &self.weight[class * width..][..width]
    }
}

impl Joint {
    fn load(
        bundle: &Bundle,
        config: &FusionConfig,
        hidden_size: usize,
        channels: usize,
    ) -> Result<Self, BundleError> {
        let width = config.width;
        if config.kind == FusionKind::Late {
            let weight = bundle.f32("fusion.late", &[2, CLASSES])?;
            let bias = bundle.f32("fusion.late_bias", &[CLASSES])?;
            return Ok(Joint::Late {
                weight: [[weight[0], weight[1], weight[2]], [weight[3], weight[4], weight[5]]],
                bias: [bias[0], bias[1], bias[2]],
            });
        }
        let text = Projection::load(bundle, "text", width, hidden_size)?;
        let image = Projection::load(bundle, "image", width, channels)?;
        if config.kind == FusionKind::Concat {
            let classifier = Head::load(bundle, "fusion.classifier", 2 * width)?;
            return Ok(Joint::Concat(Box::new(Concat { text, image, classifier })));
        }
        Ok(Joint::Attention(Box::new(Attend {
            text,
            image,
            modality: bundle.f32("fusion.modality", &[2, width])?,
            query_key_value: bundle.linear("fusion.attention.in_proj", 3 * width, width)?,
            output: bundle.linear("fusion.attention.out_proj", width, width)?,
            heads: config.heads,
            norm: bundle.layer_norm("fusion.norm", width, NORM_EPS)?,
            classifier: Head::load(bundle, "fusion.classifier", width)?,
            tokens: config.kind == FusionKind::Tokens,
        })))
    }
}

impl Attend {
    fn forward(&self, text: Option<&[f32]>, image: Option<&[f32]>, b: &mut Buffers) -> [f32; CLASSES] {
        let width = self.output.outputs();
        b.items.clear();
        let modality = self.modality.split_at(width);
        for (projection, side, modality) in [(&self.text, text, modality.0), (&self.image, image, modality.1)]
        {
            let start = b.items.len();
            if self.tokens {
                projection.all(side, b)
            } else {
                projection.pooled(side, b)
            }
            for item in b.items[start..].chunks_exact_mut(width) {
                for (x, &m) in item.iter_mut().zip(modality) {
                    *x += m;
                }
            }
        }
        b.rows.quantize(&b.items, width);
        b.query_key_value.resize(3 * b.items.len(), 0.0);
        self.query_key_value.forward(&mut b.rows, &mut b.query_key_value);
        b.attended.resize(b.items.len(), 0.0);
        b.attention.attend(&b.query_key_value, width, self.heads, &mut b.attended);
        b.rows.quantize(&b.attended, width);
        self.output.forward(&mut b.rows, &mut b.attended);
        self.norm.forward_sum(&mut b.attended, &b.items);
        b.pooled.resize(width, 0.0);
        mean_rows(&b.attended, &mut b.pooled);
        self.classifier.logits(&b.pooled)
    }
}

impl Projection {
    fn load(bundle: &Bundle, side: &str, width: usize, features: usize) -> Result<Self, BundleError> {
        Ok(Projection {
            linear: bundle.linear(&format!("fusion.{side}"), width, features)?,
            missing: bundle.f32(&format!("fusion.missing.{side}"), &[width])?,
        })
    }

    /// Appends the projected mean of the side's rows, or the stand-in, to the items.
    fn pooled(&self, side: Option<&[f32]>, b: &mut Buffers) {
        match side {
            Some(rows) => {
                b.pooled.resize(self.linear.inputs(), 0.0);
                mean_rows(rows, &mut b.pooled);
                b.rows.quantize(&b.pooled, self.linear.inputs());
                self.project(b);
            }
            None => b.items.extend_from_slice(&self.missing),
        }
    }

    /// Appends every projected row of the side, or the stand-in, to the items.
    fn all(&self, side: Option<&[f32]>, b: &mut Buffers) {
        match side {
            Some(rows) => {
                b.rows.quantize(rows, self.linear.inputs());
                self.project(b);
            }
            None => b.items.extend_from_slice(&self.missing),
        }
    }

    fn project(&self, b: &mut Buffers) {
        let start = b.items.len();
        b.items.resize(start + b.rows.rows().len() * self.linear.outputs(), 0.0);
        self.linear.forward(&mut b.rows, &mut b.items[start..]);
    }
}
