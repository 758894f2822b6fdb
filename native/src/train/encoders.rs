//! The base encoders that a training starts from: their files, read into one model config and one set of parameters.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Labels,
    image::cnn::Cnn,
    model::{
        Architecture, BertConfig, CnnConfig, Modality, ModelConfig, Parameters, Preprocess, TEXT_PREPARATION,
    },
    text::{
        Tokenizer,
        bert::{Bert, normalise_checkpoint},
    },
};
use serde::Deserialize;

use super::config::ModelSection;
use crate::{
    checkpoint::{self, Checkpoint, at},
    hub::{self, Reads},
    inventory,
};

/// Tokens read of a text where nothing says otherwise.
const MAX_TOKENS: usize = 128;

/// The classes that a model is trained to tell apart.
///
/// # Errors
/// When the checkpoint to start from cannot be read; the message names the file.
pub fn labels(section: &ModelSection) -> Result<Labels> {
    match (&section.labels, &section.from) {
        (Some(labels), _) => Ok(labels.clone()),
        (None, Some(dir)) => Ok(Checkpoint::config(dir)?.labels),
        (None, None) => Ok(Labels::default()),
    }
}

/// Both base encoders, and what a checkpoint to start from has besides.
pub struct BaseEncoders {
    /// The whole model's configuration.
    pub config: ModelConfig,
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// The text encoder's tensors, without a prefix.
    pub text: HashMap<String, Tensor>,
    /// The image encoder's tensors, without a prefix.
    pub image: HashMap<String, Tensor>,
    /// The heads of those encoders that come from a checkpoint with the same labels, `heads.*`.
    pub heads: HashMap<String, Tensor>,
}

impl BaseEncoders {
    /// Finds and reads what the config names.
    ///
    /// # Errors
    /// When an encoder is not there or its files make none; the file is named. The weights must be exactly those that
    /// its config asks for: what is missing would be learned from random numbers, and nobody would notice.
    pub fn load(section: &ModelSection, device: &Device) -> Result<Self> {
        let start = section.from.as_ref().map(|dir| whole_checkpoint(dir, device)).transpose()?;
        let part = |prefix: &str| -> HashMap<String, Tensor> {
            let tensors = start.iter().flat_map(|start| &start.tensors);
            tensors.filter_map(|(n, t)| Some((n.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
        };
        let mut heads = HashMap::new();
        let labels = labels(section)?;
        let mut keep_head = |start: &Checkpoint, modality: Modality| {
            let names = Parameters::new(&start.config).heads.get(modality).float_names();
            let kept = names.into_iter().filter(|_| start.config.labels == labels);
            heads.extend(kept.filter_map(|name| start.tensors.get(&name).cloned().map(|t| (name, t))));
        };
        let (bert, tokenizer, text) = match (&section.text, &start) {
            (Some(name), _) => text_encoder(name, device)?,
            (None, Some(start)) => {
                keep_head(start, Modality::Text);
                (start.config.text.clone(), start.tokenizer.clone(), part("text."))
            }
            (None, None) => bail!("[model] says neither `text` nor `from`"),
        };
        let (architecture, preprocess, image) = match (&section.image, &start) {
            (Some(name), _) => image_encoder(name, section, device)?,
            (None, Some(start)) => {
                keep_head(start, Modality::Image);
                let mut preprocess = start.config.preprocess.clone();
                preprocess.input_size = section.input_size.unwrap_or(preprocess.input_size);
                preprocess.fit = section.fit.unwrap_or(preprocess.fit);
                preprocess.filter = section.filter.unwrap_or(preprocess.filter);
                (start.config.image.architecture, preprocess, part("image."))
            }
            (None, None) => bail!("[model] says neither `image` nor `from`"),
        };
        let kept_tokens = start.as_ref().map(|start| start.config.max_tokens);
        let config = ModelConfig {
            text: bert,
            max_tokens: section.max_tokens.or(kept_tokens).unwrap_or(MAX_TOKENS),
            preprocess,
            image: CnnConfig { architecture },
            fusion: section.fusion.clone(),
            text_preparation: TEXT_PREPARATION,
            labels,
        };
        config.check()?;
        Tokenizer::from_json(&tokenizer, config.max_tokens, config.text_preparation)
            .and_then(|tokenizer| tokenizer.check_vocab(config.text.vocab_size))
            .context("the text encoder's")?;
        Ok(BaseEncoders { config, tokenizer, text, image, heads })
    }
}

fn whole_checkpoint(dir: &Path, device: &Device) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::load(dir, device)?;
    checkpoint.model(device).with_context(|| format!("checkpoint {}", dir.display()))?;
    Ok(checkpoint)
}

fn text_encoder(name: &str, device: &Device) -> Result<(BertConfig, String, HashMap<String, Tensor>)> {
    let text = hub::resolve_encoder(name, Reads::Text)?;
    let path = text.join(hub::CONFIG);
    let bert = BertConfig::from_json(&checkpoint::read_text(&path)?).with_context(|| at(&path))?;
    let tokenizer = checkpoint::read_text(&text.join(hub::TOKENIZER))?;
    let path = text.join(hub::WEIGHTS);
    let tensors = normalise_checkpoint(checkpoint::load_tensors(&path, device)?)?;
    inventory::build(&tensors, device, |vb| Bert::load(vb, &bert)).with_context(|| at(&path))?;
    Ok((bert, tokenizer, tensors))
}

fn image_encoder(
    name: &str,
    section: &ModelSection,
    device: &Device,
) -> Result<(Architecture, Preprocess, HashMap<String, Tensor>)> {
    let image = hub::resolve_encoder(name, Reads::Images)?;
    let path = image.join(hub::CONFIG);
    let described: ImageEncoder =
        serde_json::from_str(&checkpoint::read_text(&path)?).with_context(|| at(&path))?;
    let preprocess = described.preprocess(section).with_context(|| at(&path))?;
    let path = image.join(hub::WEIGHTS);
    let mut tensors = checkpoint::load_tensors(&path, device)?;
    tensors.retain(|name, _| !is_classifier(name) && !name.ends_with(".num_batches_tracked"));
    let architecture = described.architecture;
    inventory::build(&tensors, device, |vb| Cnn::load(vb, architecture)).with_context(|| at(&path))?;
    Ok((architecture, preprocess, tensors))
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
            fit: section.fit.unwrap_or_default(),
            filter: section.filter.unwrap_or_default(),
            mean: outer.mean.or(inner.mean).context("no mean")?,
            std: outer.std.or(inner.std).context("no std")?,
        })
    }
}

fn is_classifier(name: &str) -> bool {
    name.starts_with("fc.") || name.starts_with("classifier.")
}
