//! Which image encoder, and what it expects to see.
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

use super::{Architecture, ConfigError, require};

/// An image encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Its architecture.
    pub architecture: Architecture,
}

impl CnnConfig {
    /// Nothing to refuse yet: each architecture is complete in itself.
    ///
    /// # Errors
    /// None today.
    pub fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// How a picture becomes a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The whole picture, without keeping its aspect ratio: nothing at the edges is lost.
    #[default]
    Stretch,
    /// The center square: the short side becomes `input_size / 0.875`, then the middle is cut out.
    Crop,
}

/// The resampling filter, always antialiased, as Pillow's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Triangle.
    Bilinear,
    /// Keys' cubic, a = -0.5.
    #[default]
    Bicubic,
}

/// From a picture to the encoder's input: `(pixel / 255 - mean) / std` on a square of `input_size`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Side of the square, in pixels.
    pub input_size: usize,
    /// How the picture becomes a square.
    #[serde(default)]
    pub fit: Fit,
    /// The resampling filter.
    #[serde(default)]
    pub filter: Filter,
    /// Mean of each channel, of pixels in 0..=1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, of pixels in 0..=1.
    pub std: [f32; 3],
}

impl Preprocess {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        require(
            (32..=1024).contains(&self.input_size),
            "input_size",
            self.input_size,
            "must be in 32..=1024",
        )?;
        let finite = self.mean.iter().all(|m| m.is_finite());
        require(finite, "mean", format!("{:?}", self.mean), "must be finite")?;
        let positive = self.std.iter().all(|s| s.is_finite() && *s > 0.0);
        require(positive, "std", format!("{:?}", self.std), "must be positive")
    }
}
