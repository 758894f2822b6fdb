//! The float model behind [`Inference`], on any device of candle: natively, in a page, on CUDA.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, VarBuilder};

use super::{Immediate, Inference, float::FloatModel};
use crate::{
    bundle::Bundle,
    error::Result,
    fusion::{
        Features, HeadLogits, Readout,
        explain::{AttentionLayers, Dense, Shares, Trace, of_concat, of_head, of_late},
        float::{ImageFeatures, Outputs, TextFeatures},
        fused_head::{Attention, AttentionTrace, FusedHead, Projection},
    },
    image::Picture,
    layers::Mode,
    model::{ModelConfig, NORM_EPS, PerModality, Preprocess},
    quantize::dequantize,
};

/// A float model with what it needs to answer. Clones share the weights.
#[derive(Clone, Debug)]
pub struct Reference {
    model: FloatModel,
    device: Device,
    preprocess: Preprocess,
    hidden_size: usize,
    grid_side: usize,
}

impl Reference {
    /// From a float model whose weights are on `device`.
    pub fn new(model: FloatModel, config: &ModelConfig, device: &Device) -> Self {
        Reference {
            grid_side: model.image.network().grid_size(config.preprocess.input_size),
            hidden_size: config.text.hidden_size,
            preprocess: config.preprocess.clone(),
            device: device.clone(),
            model,
        }
    }

    /// From a bundle's dequantized weights.
    ///
    /// # Errors
    /// [`crate::Error::Bundle`] for a tensor that is missing or wrong.
    pub fn of_bundle(bundle: &Bundle, config: &ModelConfig, device: &Device) -> Result<Self> {
        let vb = VarBuilder::from_tensors(dequantize(bundle, config)?, DType::F32, device);
        Ok(Reference::new(FloatModel::load(vb, config)?, config, device))
    }

    /// The float model.
    pub fn model(&self) -> &FloatModel {
        &self.model
    }

    fn outputs(&self, features: Features<'_>) -> Result<Option<Outputs>> {
        let text = features.text.map(|hidden| self.text_features(hidden)).transpose()?;
        let image = features.image.map(|cells| self.image_features(cells)).transpose()?;
        if text.is_none() && image.is_none() {
            return Ok(None);
        }
        let present = Tensor::ones(1, DType::F32, &self.device)?;
        let fusion = &self.model.fusion;
        Ok(Some(fusion.forward(text.as_ref(), image.as_ref(), &present, &present, Mode::Infer)?))
    }

    /// `[ids, hidden_size]` back to a batch of one.
    fn text_features(&self, hidden: &[f32]) -> Result<TextFeatures> {
        let tokens = hidden.len() / self.hidden_size;
        Ok(TextFeatures {
            hidden: Tensor::from_slice(hidden, (1, tokens, self.hidden_size), &self.device)?,
            mask: Tensor::ones((1, tokens), DType::F32, &self.device)?,
        })
    }

    /// `[cells, channels]` back to a batch of one, channels first.
    fn image_features(&self, cells: &[f32]) -> Result<ImageFeatures> {
        let (side, channels) = (self.grid_side, self.model.image.network().channels);
        let grid = Tensor::from_slice(cells, (1, side, side, channels), &self.device)?;
        Ok(ImageFeatures { grid: grid.permute((0, 3, 1, 2))?.contiguous()? })
    }

    fn explain_fused(&self, items: PerModality<&[f32]>, class: usize) -> Result<Shares> {
        let features = PerModality { text: Some(items.text), image: Some(items.image) };
        let Some(outputs) = self.outputs(features)? else { return Ok(Shares::default()) };
        let logit = numbers(&outputs.fused)?[class];
        Ok(match self.model.fusion.fused() {
            FusedHead::Late { weights, bias } => {
                let [text, image] = self.heads()?;
                let weights = numbers(weights)?;
                let (of_text, of_image) = weights.split_at(weights.len() / 2);
                let weights = PerModality { text: of_text[class], image: of_image[class] };
                let heads = PerModality { text: &text, image: &image };
                of_late(heads, weights, numbers(bias)?[class], items, class, logit)
            }
            FusedHead::Concat { projections, classifier } => {
                let [text, image] = projections_of(projections)?;
                let classifier = dense(classifier)?;
                let row = (classifier.row(class), classifier.bias[class]);
                of_concat(PerModality { text: &text, image: &image }, row, items, logit)
            }
            FusedHead::Attention(attention) => {
                let Some(trace) = outputs.trace else { return Ok(Shares::default()) };
                explain_attention(attention, &trace, (items, self.hidden_size), class, logit)?
            }
        })
    }

    /// The heads of text and image.
    fn heads(&self) -> Result<[Dense; 2]> {
        let [text, image] = self.model.fusion.heads();
        Ok([dense(text)?, dense(image)?])
    }
}

impl Inference for Reference {
    /// One by one: a batch of one length would be padded, and float products of another shape round otherwise.
    async fn encode_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let encode = |ids: &&[u32]| {
            let ids = Tensor::new(*ids, &self.device)?.unsqueeze(0)?;
            let mask = ids.ones_like()?.to_dtype(DType::F32)?;
            numbers(&self.model.text_features(&ids, &mask, Mode::Infer)?.hidden)
        };
        texts.iter().map(encode).collect()
    }

    fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    async fn encode_images(&mut self, squares: &[&Picture]) -> Result<Vec<Vec<f32>>> {
        let size = self.preprocess.input_size;
        let encode = |square: &&Picture| {
            let pixels = self.preprocess.to_chw(square);
            let pixels = Tensor::from_vec(pixels, (1, 3, size, size), &self.device)?;
            let features = self.model.image_features(&pixels, Mode::Infer)?;
            numbers(&features.grid.permute((0, 2, 3, 1))?)
        };
        squares.iter().map(encode).collect()
    }

    fn grid_side(&self) -> usize {
        self.grid_side
    }

    fn logits(&mut self, features: Features<'_>) -> Result<HeadLogits> {
        let both = features.text.is_some() && features.image.is_some();
        let Some(outputs) = self.outputs(features)? else { return Ok(HeadLogits::default()) };
        Ok(HeadLogits {
            text: outputs.text.as_ref().map(numbers).transpose()?,
            image: outputs.image.as_ref().map(numbers).transpose()?,
            fused: if both { Some(numbers(&outputs.fused)?) } else { None },
        })
    }

    fn explain(&mut self, features: Features<'_>, class: usize) -> Result<Shares> {
        let [text_head, image_head] = self.heads()?;
        Ok(match (features.text, features.image) {
            (Some(text), Some(image)) => self.explain_fused(PerModality { text, image }, class)?,
            (Some(text), None) => {
                let (shares, base, logit) = of_head(&text_head, text, class);
                Shares { text: Some(shares), base, logit, ..Shares::default() }
            }
            (None, Some(image)) => {
                let (shares, base, logit) = of_head(&image_head, image, class);
                Shares { image: Some(shares), base, logit, ..Shares::default() }
            }
            (None, None) => Shares::default(),
        })
    }

    fn readout(&self) -> &Readout {
        &self.model.readout
    }
}

impl Immediate for Reference {}

fn explain_attention(
    attention: &Attention,
    trace: &AttentionTrace,
    (items, hidden_size): (PerModality<&[f32]>, usize),
    class: usize,
    logit: f32,
) -> Result<Shares> {
    let [text, image] = projections_of(&attention.projections)?;
    let [in_proj, out_proj] = attention.attention.projections();
    let (in_proj, out_proj) = (dense_of(in_proj.parameters())?, dense_of(out_proj.parameters())?);
    let [weight, bias] = attention.norm.parameters();
    let (weight, bias) = (numbers(weight)?, numbers(bias)?);
    let classifier = dense(&attention.classifier)?;
    let layers = AttentionLayers {
        projections: PerModality { text: &text, image: &image },
        modality: &numbers(&attention.modality)?,
        in_proj: &in_proj,
        out_proj: &out_proj,
        norm: (&weight, &bias, NORM_EPS as f32),
        classifier: (classifier.row(class), classifier.bias[class]),
        heads: attention.attention.heads(),
        tokens: attention.tokens,
    };
    let text_items = if attention.tokens { items.text.len() / hidden_size } else { 1 };
    // A batch of tokens and cells begins each modality with its stand-in, which is masked out here.
    let rows = |x: &Tensor| -> Result<Vec<f32>> {
        if !attention.tokens {
            return numbers(x);
        }
        let text = x.narrow(1, 1, text_items)?;
        let image = x.narrow(1, text_items + 2, x.dim(1)? - text_items - 2)?;
        numbers(&Tensor::cat(&[text, image], 1)?)
    };
    let (all, query_key_value, sums) =
        (rows(&trace.items)?, rows(&trace.query_key_value)?, rows(&trace.sums)?);
    let trace = Trace { items: &all, text_items, query_key_value: &query_key_value, sums: &sums };
    Ok(layers.shares(trace, items, logit))
}

fn projections_of(projections: &PerModality<Projection>) -> Result<[Dense; 2]> {
    Ok([dense(&projections.text.linear)?, dense(&projections.image.linear)?])
}

fn dense(linear: &Linear) -> Result<Dense> {
    let Some(bias) = linear.bias() else {
        return Err(candle_core::Error::msg("a linear layer without a bias").into());
    };
    dense_of([linear.weight(), bias])
}

fn dense_of([weight, bias]: [&Tensor; 2]) -> Result<Dense> {
    Ok(Dense { weight: numbers(weight)?, bias: numbers(bias)? })
}

/// The numbers of a tensor in row-major order.
fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
