//! The float model with a bundle's dequantised weights: what the int8 plan is held to, natively and in the browser.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::{VarBuilder, ops::sigmoid};

use crate::{
    analyzer::{Inference, Side, Verdict},
    bundle::{Bundle, dequantize},
    config::ModelConfig,
    error::Result,
    fusion::{
        Temperatures,
        float::{ImageFeatures, TextFeatures},
        int8::{Fusion, Head},
    },
    image::Picture,
    layers::Mode,
    model::Model,
};

/// The float model behind an [`Analyzer`](crate::Analyzer).
#[derive(Clone, Debug)]
pub struct Reference {
    model: Model,
    config: ModelConfig,
    grid_side: usize,
    /// The heads again, for the explanation: their weights are floats in the plan too.
    text_head: Head,
    image_head: Head,
}

impl Reference {
    /// Loads the weights that the bundle's configuration asks for.
    ///
    /// # Errors
    /// [`crate::Error::Bundle`] for a tensor that is missing or wrong.
    pub fn load(bundle: &Bundle) -> Result<Self> {
        let config = bundle.config().clone();
        let vb = VarBuilder::from_tensors(dequantize(bundle)?, DType::F32, &Device::Cpu);
        let model = Model::load(vb, &config)?;
        let channels = model.image.network().channels;
        let heads = Fusion::load(bundle, &config.fusion, config.text.hidden_size, channels)?;
        let blank = Tensor::zeros(
            (1, 3, config.preprocess.input_size, config.preprocess.input_size),
            DType::F32,
            &Device::Cpu,
        )?;
        let grid_side = model.image_features(&blank, Mode::Infer)?.grid.dim(D::Minus1)?;
        Ok(Reference { model, config, grid_side, text_head: heads.text, image_head: heads.image })
    }

    /// `[ids, hidden_size]` back to a batch of one.
    fn text_features(&self, hidden: &[f32]) -> Result<TextFeatures> {
        let width = self.config.text.hidden_size;
        let tokens = hidden.len() / width;
        Ok(TextFeatures {
            hidden: Tensor::from_slice(hidden, (1, tokens, width), &Device::Cpu)?,
            mask: Tensor::ones((1, tokens), DType::F32, &Device::Cpu)?,
        })
    }

    /// `[cells, channels]` back to a batch of one, channels first.
    fn image_features(&self, cells: &[f32]) -> Result<ImageFeatures> {
        let (side, channels) = (self.grid_side, self.model.image.network().channels);
        let grid = Tensor::from_slice(cells, (1, side, side, channels), &Device::Cpu)?;
        Ok(ImageFeatures { grid: grid.permute((0, 3, 1, 2))?.contiguous()? })
    }
}

impl Inference for Reference {
    fn encode_text(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let mask = ids.ones_like()?.to_dtype(DType::F32)?;
        let features = self.model.text_features(&ids, &mask, Mode::Infer)?;
        Ok(features.hidden.flatten_all()?.to_vec1()?)
    }

    fn encode_image(&mut self, picture: &Picture) -> Result<Vec<f32>> {
        let preprocess = &self.config.preprocess;
        let size = preprocess.input_size;
        let pixels = preprocess.to_chw(&preprocess.apply(picture));
        let pixels = Tensor::from_vec(pixels, (1, 3, size, size), &Device::Cpu)?;
        let features = self.model.image_features(&pixels, Mode::Infer)?;
        Ok(features.grid.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?)
    }

    fn grid_side(&self) -> usize {
        self.grid_side
    }

    fn judge(&mut self, text: Option<&[f32]>, image: Option<&[f32]>) -> Result<Verdict> {
        let text = text.map(|hidden| self.text_features(hidden)).transpose()?;
        let image = image.map(|cells| self.image_features(cells)).transpose()?;
        let here = Tensor::ones(1, DType::F32, &Device::Cpu)?;
        if text.is_none() && image.is_none() {
            return Ok(Verdict::default());
        }
        let outputs = self.model.fusion.forward(text.as_ref(), image.as_ref(), &here, &here, Mode::Infer)?;
        let contradiction =
            outputs.contradiction.map(|logit| sigmoid(&logit)?.squeeze(0)?.to_scalar::<f32>());
        Ok(Verdict {
            fused: if text.is_some() && image.is_some() { Some(logits(&outputs.fused)?) } else { None },
            text: outputs.text.as_ref().map(logits).transpose()?,
            image: outputs.image.as_ref().map(logits).transpose()?,
            contradiction: contradiction.transpose()?,
        })
    }

    fn temperatures(&self) -> Temperatures {
        self.model.temperatures
    }

    fn contributions(&self, side: Side, items: &[f32], class: usize) -> Vec<f32> {
        match side {
            Side::Text => self.text_head.contributions(items, class),
            Side::Image => self.image_head.contributions(items, class),
        }
    }
}

/// The three logits of a batch of one.
fn logits(batch: &Tensor) -> Result<[f32; 3]> {
    let logits = batch.squeeze(0)?.to_vec1::<f32>()?;
    <[f32; 3]>::try_from(logits)
        .map_err(|logits| candle_core::Error::msg(format!("{} logits instead of 3", logits.len())).into())
}
