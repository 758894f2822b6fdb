//! The model's configuration: what a checkpoint's `config.json` and a bundle's metadata say, checked.

use serde::{Deserialize, Serialize};

use crate::{
    fusion::FusionConfig,
    image::{CnnConfig, Preprocess},
    text::BertConfig,
};

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not valid JSON, or a field is missing, unknown or of the wrong type.
    #[error("{what}: {reason}")]
    Syntax {
        /// Which configuration.
        what: String,
        /// What the parser said.
        reason: String,
    },
    /// A field's value makes no model.
    #[error("{field} = {value}: {reason}")]
    Value {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        reason: &'static str,
    },
}

/// A whole model: both encoders, how they are joined, how inputs are prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The text encoder, as its Hugging Face `config.json` describes it.
    pub text: BertConfig,
    /// Tokens read of a text, `[CLS]` and `[SEP]` included.
    pub max_tokens: usize,
    /// The image encoder.
    pub image: CnnConfig,
    /// From a picture to the image encoder's input.
    pub preprocess: Preprocess,
    /// How text and image are joined.
    pub fusion: FusionConfig,
}

impl ModelConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when the JSON is malformed or a value makes no model.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let config: ModelConfig = serde_json::from_str(json)
            .map_err(|e| ConfigError::Syntax { what: "model config".into(), reason: e.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// Checks every value against the limits of this crate.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.text.check()?;
        self.image.check()?;
        self.preprocess.check()?;
        self.fusion.check()?;
        require(
            (3..=self.text.max_position_embeddings).contains(&self.max_tokens),
            "max_tokens",
            self.max_tokens,
            "must be at least 3 and at most the text encoder's max_position_embeddings",
        )
    }
}

/// `Ok` if `ok`, else a [`ConfigError::Value`] naming `field`.
pub(crate) fn require(
    ok: bool,
    field: &'static str,
    value: impl std::fmt::Display,
    reason: &'static str,
) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::Value { field, value: value.to_string(), reason }) }
}
