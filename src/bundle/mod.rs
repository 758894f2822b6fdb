//! The single-file weights format: one `.safetensors` file that holds everything an answer depends on.
//!
//! | part | where |
//! |---|---|
//! | int8 weights, `X.weight` | `I8` tensors: linear `[out, in]`, convolution `[out, height, width, in / groups]` |
//! | their scales and biases, `X.scale`, `X.bias` | `F32` tensors `[out]` |
//! | embeddings | `I8` with one `F32` scale a row |
//! | LayerNorm, small vectors, calibrated activation ranges, the heads' temperatures | `F32` tensors |
//! | model configuration, tokenizer, labels | JSON strings in the metadata: `config`, `tokenizer`, `labels` |
//! | what kind of file this is | metadata `format` = `mixed-feelings`, `version` = `2` |
//! | where it comes from | any other metadata: `created_by`, `trained_on`, `licence`, ... |
//!
//! [`Bundle::parse`] is where hostile bytes stop. What it lets through has a bounded header, tensors that tile the data
//! exactly, shapes that agree with their sizes, and a configuration within this crate's limits; [`Bundle::i8`] and
//! [`Bundle::f32`] then check each tensor against the shape that the configuration asks for, and
//! [`Bundle::check_all_read`] refuses tensors that the configuration has no place for. A file's SHA-256 is checked by
//! whoever fetches it, before it comes here: this reader has to hold without one.

#[cfg(feature = "float")]
mod calibrate;
#[cfg(feature = "float")]
mod dequantize;
mod format;
mod layers;
#[cfg(feature = "float")]
mod quantize;
mod random;
mod read;
pub mod schema;
mod write;

#[cfg(feature = "float")]
pub use calibrate::Calibration;
#[cfg(feature = "float")]
pub use dequantize::dequantize;
pub use format::{DType, FORMAT, MAX_HEADER_BYTES, VERSION};
#[cfg(feature = "float")]
pub use quantize::quantize;
pub use random::{random_bundle, tiny_config, tiny_tokenizer};
pub use read::Bundle;
pub use write::BundleWriter;

use crate::{config::ConfigError, fusion::Temperatures};

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not a bundle at all: no safetensors header, or one of another program.
    #[error("not a mixed-feelings bundle: {0}")]
    NotABundle(String),
    /// The file is shorter than its header says: an interrupted download, most likely.
    #[error("the bundle is cut off: {expected} bytes announced, {found} there; fetch it again")]
    Truncated {
        /// Bytes that the header asks for, itself included.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The header contradicts itself or the file.
    #[error("the bundle's header is damaged: {0}")]
    Header(String),
    /// There is no memory for the file.
    #[error("the bundle does not fit into memory: {bytes} bytes; take a smaller one or close other pages")]
    Memory {
        /// Bytes that it has, or has so far.
        bytes: u64,
    },
    /// A format version that this reader does not know.
    #[error("the bundle has format version {found:?}, this reader knows {known}: use a matching release", known = VERSION)]
    Version {
        /// The version found.
        found: String,
    },
    /// A metadata entry is missing.
    #[error("the bundle's metadata has no {0:?}")]
    MissingMetadata(String),
    /// A metadata entry has a value that makes no sense.
    #[error("the bundle's metadata {key:?} is wrong: {reason}")]
    Metadata {
        /// The entry.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model configuration in the metadata is malformed or makes no model.
    #[error("the bundle's config: {0}")]
    Config(#[from] ConfigError),
    /// The configuration asks for a tensor that is not there.
    #[error("the bundle has no tensor {0:?}, which its config asks for")]
    MissingTensor(String),
    /// The configuration has no place for a tensor that is there.
    #[error("the bundle has a tensor {0:?} that its config has no place for")]
    UnknownTensor(String),
    /// A tensor has another element type.
    #[error("tensor {name:?} is {found}, expected {expected}")]
    WrongDType {
        /// The tensor.
        name: String,
        /// What the model needs.
        expected: DType,
        /// What the file has.
        found: DType,
    },
    /// A tensor has another shape.
    #[error("tensor {name:?} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The tensor.
        name: String,
        /// What the config asks for.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
    /// A tensor holds an infinity or a NaN.
    #[error("tensor {name:?} has the value {value} at index {index}; every value must be finite")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A calibrated range that no activations can have.
    #[error(
        "range {name:?} has scale {scale} and zero point {zero_point}; expected a positive one and one of 0 to 127"
    )]
    WrongRange {
        /// The tensor.
        name: String,
        /// Its first value.
        scale: f32,
        /// Its second value.
        zero_point: f32,
    },
    /// A temperature that no head can have.
    #[error("temperature {name:?} is {value}; expected one within {bounds:?}", bounds = Temperatures::BOUNDS)]
    WrongTemperature {
        /// The tensor.
        name: String,
        /// Its value.
        value: f32,
    },
    /// A tensor given to [`BundleWriter`] cannot be written.
    #[error("cannot write tensor {name:?}: {reason}")]
    Unwritable {
        /// The tensor.
        name: String,
        /// Why not.
        reason: String,
    },
}

impl BundleError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            BundleError::NotABundle(_) => "not-a-bundle",
            BundleError::Truncated { .. } => "bundle-truncated",
            BundleError::Memory { .. } => "bundle-memory",
            BundleError::Header(_) => "bundle-header",
            BundleError::Version { .. } => "bundle-version",
            BundleError::MissingMetadata(_) | BundleError::Metadata { .. } => "bundle-metadata",
            BundleError::Config(_) => "bad-config",
            BundleError::MissingTensor(_)
            | BundleError::UnknownTensor(_)
            | BundleError::WrongDType { .. }
            | BundleError::WrongShape { .. }
            | BundleError::NotFinite { .. }
            | BundleError::WrongRange { .. }
            | BundleError::WrongTemperature { .. } => "bundle-tensor",
            BundleError::Unwritable { .. } => "bundle-unwritable",
        }
    }
}

#[cfg(test)]
mod attacks;
