//! How text and image are fused.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// What LayerNorm adds to the variance in the fusion: torch's default.
pub const NORM_EPS: f64 = 1e-5;

/// The four ways to fuse text and image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FusionKind {
    /// The two pooled vectors, projected, attend to each other.
    #[default]
    Pooled,
    /// All text tokens and all cells of the CNN's last grid, projected, attend together.
    Tokens,
    /// The two pooled vectors, projected and concatenated, into a linear layer: a baseline.
    Concat,
    /// A weighted sum of the text head's and the image head's log-probabilities: a baseline.
    Late,
}

/// The fusion layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionConfig {
    /// How text and image are fused.
    #[serde(default)]
    pub kind: FusionKind,
    /// Width that both are projected to.
    #[serde(default = "width")]
    pub width: usize,
    /// Attention heads; divides `width`.
    #[serde(default = "heads")]
    pub heads: usize,
    /// Dropout on projections, attention and the fused vector, in training.
    #[serde(default = "dropout")]
    pub dropout: f64,
}

fn width() -> usize {
    512
}
fn heads() -> usize {
    8
}
fn dropout() -> f64 {
    0.1
}

impl Default for FusionConfig {
    fn default() -> Self {
        FusionConfig { kind: FusionKind::default(), width: width(), heads: heads(), dropout: dropout() }
    }
}

impl FusionConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        require((1..=4096).contains(&self.width), "fusion.width", self.width, "must be in 1..=4096")?;
        require(
            (1..=64).contains(&self.heads) && self.width.is_multiple_of(self.heads),
            "fusion.heads",
            self.heads,
            "must be in 1..=64 and divide fusion.width",
        )?;
        require((0.0..1.0).contains(&self.dropout), "fusion.dropout", self.dropout, "must be in 0..1")
    }
}
