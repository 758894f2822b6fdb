//! What a model is: its configuration, its networks as data, the names and shapes of its parameters, its labels. Nothing
//! here runs.

mod architecture;
mod bert;
mod fusion;
mod image;
mod labels;
mod modality;
mod network;
mod parameters;
mod stored;
mod temperature;
mod thresholds;

use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;

pub use architecture::Architecture;
pub use bert::{BertConfig, HiddenActivation};
pub use fusion::{FusionConfig, FusionKind, NORM_EPS};
pub use image::{CnnConfig, Filter, Fit, Preprocess};
pub use labels::{Label, Labels};
pub use modality::{Modality, PerModality};
pub use network::{Activation, ConvSpec, Network, Node, Op, Padding, Slots, max_pool_size};
pub use parameters::{
    ConvParameter, EmbeddingParameter, FusionParameters, ImageParameters, LayerNormParameter,
    LayerParameters, LinearLayout, LinearParameter, Parameter, Parameters, RangeParameter, TextParameters,
    VectorParameter,
};
pub use stored::{ConvWeights, LinearWeights, Table, dequantized, tokenizer_json};
pub use temperature::Temperatures;
pub use thresholds::Thresholds;

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
    /// The configuration of a bundle.
    #[error("the bundle's config: {0}")]
    OfBundle(Box<ConfigError>),
    /// The bundle lacks it, or cannot hold it.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl ConfigError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            ConfigError::Syntax { .. } | ConfigError::Value { .. } => "bad-config",
            ConfigError::OfBundle(e) => e.code(),
            ConfigError::Bundle(e) => e.code(),
        }
    }
}

/// The newest version of the text preparation ([`crate::text::Preparation`]). A model needs texts that are prepared as they were
/// for its training, so every change of the preparation gets a new number.
pub const TEXT_PREPARATION: u32 = 2;

/// A whole model: both encoders, how they are fused, how inputs are prepared, and its labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The text encoder, as its Hugging Face `config.json` describes it.
    pub text: BertConfig,
    /// The most tokens of a text that are read, `[CLS]` and `[SEP]` included.
    pub max_tokens: usize,
    /// The version of the text preparation that it was trained with.
    #[serde(default = "first_preparation", skip_serializing_if = "is_first_preparation")]
    pub text_preparation: u32,
    /// The image encoder.
    pub image: CnnConfig,
    /// How a picture becomes the image encoder's input.
    pub preprocess: Preprocess,
    /// How text and image are fused.
    pub fusion: FusionConfig,
    /// The classes.
    #[serde(default, skip_serializing_if = "Labels::is_sentiment")]
    pub labels: Labels,
}

/// Models from before there was a number were trained with the first preparation.
fn first_preparation() -> u32 {
    1
}

fn is_first_preparation(version: &u32) -> bool {
    *version == first_preparation()
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
            (1..=TEXT_PREPARATION).contains(&self.text_preparation),
            "text_preparation",
            self.text_preparation,
            "is not known to this release: use the release that the model was made with, or a newer one",
        )?;
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
