//! Everything that can go wrong, as one typed error: it names the input and says what to do.

use crate::{
    bundle::BundleError, fusion::profile::ProfileError, image::ImageError, model::ConfigError,
    text::TextError,
};

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
    /// Nothing can be learned from the examples.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// What was learned elsewhere cannot be used here.
    #[error(transparent)]
    Profile(#[from] ProfileError),
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
            Error::Learn(e) => e.code(),
            Error::Profile(e) => e.code(),
            #[cfg(feature = "webgpu")]
            Error::Gpu(e) => e.code(),
            #[cfg(feature = "float")]
            Error::Float(_) => "float-model",
        }
    }
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// There was nothing to learn from.
    #[error("there are no examples: give 1 to 500 posts with their labels")]
    NoExamples,
    /// There were too many.
    #[error("there are {0} examples: give 500 at most, the clearest; for more, train a bundle of your own")]
    TooManyExamples(usize),
    /// A label that the model does not have.
    #[error("example {index}: the label `{label}` is none of {known}")]
    UnknownLabel {
        /// From 0.
        index: usize,
        /// What it was.
        label: String,
        /// The model's labels.
        known: String,
    },
    /// An example that cannot be read.
    #[error("example {index}: {error}")]
    Example {
        /// From 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        error: Box<Error>,
    },
    /// What was given as an encoded example is none of this model's.
    #[error("an example was not read by this model: read it again")]
    Foreign,
}

impl LearnError {
    /// A stable kebab-case name; of an example that cannot be read, that of what is wrong with it.
    pub fn code(&self) -> &'static str {
        match self {
            LearnError::NoExamples => "no-examples",
            LearnError::TooManyExamples(_) => "too-many-examples",
            LearnError::UnknownLabel { .. } => "unknown-label",
            LearnError::Example { error, .. } => error.code(),
            LearnError::Foreign => "bad-input",
        }
    }
}
