//! Everything that can go wrong, as one typed error: it names the input and says what to do.

use crate::{bundle::BundleError, image::ImageError, model::ConfigError, text::TextError};

/// The result of a call into this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of this crate. [`Error::code`] is the stable, machine-readable name that JavaScript sees.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither text nor image was given (text of only white space counts as none).
    #[error("the post is empty: give a text, an image, or both")]
    EmptyPost,
    /// The text cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The weights cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The model's configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The GPU cannot be used, or failed.
    #[cfg(feature = "webgpu")]
    #[error(transparent)]
    Gpu(#[from] crate::backend::gpu::GpuError),
    /// The float model failed inside candle.
    #[cfg(feature = "float")]
    #[error("float model: {0}")]
    Float(#[from] candle_core::Error),
}

impl Error {
    /// A stable kebab-case name of the kind of error, the `code` of a JavaScript error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::EmptyPost => "empty-post",
            Error::Text(e) => e.code(),
            Error::Image(e) => e.code(),
            Error::Bundle(e) => e.code(),
            Error::Config(e) => e.code(),
            #[cfg(feature = "webgpu")]
            Error::Gpu(e) => e.code(),
            #[cfg(feature = "float")]
            Error::Float(_) => "float-model",
        }
    }
}
