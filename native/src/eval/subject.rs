//! The model that an evaluation is about.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Device;
use mixed_feelings::{
    Analyzer, Bundle,
    model::{ModelConfig, Temperatures},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    bundle,
    checkpoint::{Checkpoint, read},
    digest,
    engine::Engine,
    hub::WEIGHTS,
};

/// What a model is and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// `int8` or `float`.
    pub form: &'static str,
    /// The name of its file or folder.
    pub name: String,
    /// Bytes of its weights file.
    pub bytes: usize,
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Its text encoder.
    pub text: String,
    /// Its image encoder.
    pub image: String,
    /// How the two are joined.
    pub fusion: String,
    /// What its logits are divided by.
    pub temperatures: Temperatures,
}

impl Subject {
    /// Opens the int8 model `bundle`, or the default one.
    ///
    /// # Errors
    /// When there is no such file, or it is no bundle; the message names it.
    pub fn int8(bundle: Option<&Path>) -> Result<(Engine, Self)> {
        let (path, bytes) = bundle::read(bundle)?;
        let (sha256, length) = (digest::sha256(&bytes), bytes.len());
        let named = || format!("bundle {}", path.display());
        let config = |bytes| Ok(ModelConfig::of_bundle(&Bundle::parse(bytes)?)?);
        let config = config(bytes.clone()).map_err(|e: mixed_feelings::Error| e).with_context(named)?;
        let engine = Engine::Int8(Box::new(Analyzer::from_bundle(bytes).with_context(named)?));
        let subject = Subject::new("int8", &path, length, sha256, &config, &engine);
        Ok((engine, subject))
    }

    /// Opens the float model of the checkpoint in the folder `dir`.
    ///
    /// # Errors
    /// When the checkpoint cannot be read; the message names the file.
    pub fn float(dir: &Path, device: &Device) -> Result<(Engine, Self)> {
        let checkpoint = Checkpoint::load(dir, device)?;
        let engine = Engine::of_checkpoint(&checkpoint, device)
            .with_context(|| format!("checkpoint {}", dir.display()))?;
        let weights = read(&dir.join(WEIGHTS))?;
        let sha256 = digest::sha256(&weights);
        let subject = Subject::new("float", dir, weights.len(), sha256, &checkpoint.config, &engine);
        Ok((engine, subject))
    }

    fn new(
        form: &'static str,
        path: &Path,
        bytes: usize,
        sha256: String,
        config: &ModelConfig,
        engine: &Engine,
    ) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        Subject {
            form,
            name: name.to_string_lossy().into_owned(),
            bytes,
            sha256,
            text: format!(
                "BERT, {} layers of {}, up to {} tokens",
                config.text.num_hidden_layers, config.text.hidden_size, config.max_tokens
            ),
            image: format!(
                "{}, {} × {1} pixels",
                config_name(config.image.architecture),
                config.preprocess.input_size
            ),
            fusion: format!(
                "{}, {} wide, {} heads",
                config_name(config.fusion.kind),
                config.fusion.width,
                config.fusion.heads
            ),
            temperatures: engine.readout().temperatures,
        }
    }
}

/// The name that a choice has in `config.json`.
fn config_name(choice: impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use mixed_feelings::model::{Architecture, FusionKind};

    use super::*;

    #[test]
    fn choices_are_called_as_in_the_config() {
        assert_eq!(config_name(FusionKind::Tokens), "tokens");
        assert_eq!(config_name(Architecture::EfficientnetLite0), "efficientnet_lite0");
    }
}
