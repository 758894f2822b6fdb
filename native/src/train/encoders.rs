//! The base encoders that a training starts from: their files, read into one model config and one set of parameters.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    config::ModelConfig,
    image::{Architecture, CnnConfig, Preprocess},
    text::{BertConfig, bert::normalise_checkpoint},
};
use serde::Deserialize;

use super::config::ModelSection;
use crate::{
    checkpoint,
    hub::{self, Reads},
};

/// Both base encoders.
pub struct BaseEncoders {
    /// The whole model's configuration.
    pub config: ModelConfig,
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// The text encoder's tensors, without a prefix.
    pub text: HashMap<String, Tensor>,
    /// The image encoder's tensors, without a prefix.
    pub image: HashMap<String, Tensor>,
}

impl BaseEncoders {
    /// Finds and reads what the config names.
    ///
    /// # Errors
    /// When an encoder is not there or its files make none; the file is named.
    pub fn load(section: &ModelSection, device: &Device) -> Result<Self> {
        let text = hub::resolve_encoder(&section.text, Reads::Text)?;
        let image = hub::resolve_encoder(&section.image, Reads::Images)?;
        let at = |path: &std::path::Path| path.display().to_string();

        let path = text.join(hub::CONFIG);
        let bert = BertConfig::from_json(&checkpoint::read_text(&path)?).with_context(|| at(&path))?;
        let tokenizer = checkpoint::read_text(&text.join(hub::TOKENIZER))?;
        let text = normalise_checkpoint(checkpoint::load_tensors(&text.join(hub::WEIGHTS), device)?)?;

        let path = image.join(hub::CONFIG);
        let described: ImageEncoder =
            serde_json::from_str(&checkpoint::read_text(&path)?).with_context(|| at(&path))?;
        let mut image = checkpoint::load_tensors(&image.join(hub::WEIGHTS), device)?;
        image.retain(|name, _| !is_classifier(name) && !name.ends_with(".num_batches_tracked"));

        let config = ModelConfig {
            text: bert,
            max_tokens: section.max_tokens,
            preprocess: described.preprocess(section).with_context(|| at(&path))?,
            image: CnnConfig { architecture: described.architecture },
            fusion: section.fusion.clone(),
        };
        config.check()?;
        Ok(BaseEncoders { config, tokenizer, text, image })
    }
}

/// An image encoder's `config.json`; timm keeps some of it under `pretrained_cfg`.
#[derive(Deserialize)]
struct ImageEncoder {
    architecture: Architecture,
    #[serde(flatten)]
    outer: Pixels,
    #[serde(default)]
    pretrained_cfg: Pixels,
}

#[derive(Default, Deserialize)]
struct Pixels {
    input_size: Option<[usize; 3]>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
}

impl ImageEncoder {
    fn preprocess(&self, section: &ModelSection) -> Result<Preprocess> {
        let (outer, inner) = (&self.outer, &self.pretrained_cfg);
        let own_size = outer.input_size.or(inner.input_size).map(|[_, side, _]| side);
        Ok(Preprocess {
            input_size: section.input_size.or(own_size).context("no input_size")?,
            fit: section.fit,
            filter: section.filter,
            mean: outer.mean.or(inner.mean).context("no mean")?,
            std: outer.std.or(inner.std).context("no std")?,
        })
    }
}

fn is_classifier(name: &str) -> bool {
    name.starts_with("fc.") || name.starts_with("classifier.")
}
