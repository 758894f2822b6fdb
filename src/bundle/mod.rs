//! The single-file weights format: one `.safetensors` file that holds everything an answer depends on.
//!
//! | part | where |
//! |---|---|
//! | int8 weights, `X.weight` | `I8` tensors: linear `[out, in]`, convolution `[out, height, width, in / groups]` |
//! | their scales and biases, `X.scale`, `X.bias` | `F32` tensors `[out]` |
//! | embeddings | `I8` with one `F32` scale a row |
//! | weights of a few bits, `X.codes` and `X.multipliers` in the place of `X.weight` | `U8` tensors, see [`Rows`] |
//! | LayerNorm, small vectors, calibrated activation ranges, the heads' temperatures | `F32` tensors |
//! | model configuration, tokenizer, labels | JSON strings in the metadata: `config`, `tokenizer`, `labels` |
//! | what kind of file this is | metadata `format` = `mixed-feelings`, `version` = `3`; `2` has no weights of a few bits |
//! | where it comes from | any other metadata: `created_by`, `trained_on`, `licence`, ... |
//!
//! [`Bundle::parse`] is where hostile bytes stop. What it accepts has a bounded header, and tensors that tile the data
//! exactly; [`Bundle::i8`] and [`Bundle::f32`] then hold each tensor to the shape that is asked for, and
//! [`Bundle::check_all_read`] refuses tensors that nobody asked for. Whoever fetches
//! a file checks its SHA-256; this reader does not rely on that. [`crate::model`] knows what the tensors mean, and
//! [`crate::guides::bundle_format`] walks through a file byte by byte.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod format;
mod packed;
mod read;
mod write;

use format::VERSIONS;
pub use format::{FORMAT, MAX_HEADER_BYTES, VERSION};
pub use packed::{BITS, GROUP, Rows, largest_multiplier};
pub use read::Bundle;
/// The element types of tensors: a bundle holds `F32`, `I8` and `U8`.
pub use safetensors::Dtype as DType;
pub use write::{BundleWriter, PackedWeights};

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
        /// Bytes in the file.
        found: u64,
    },
    /// The header contradicts itself or the file.
    #[error("the bundle's header is damaged: {0}")]
    Header(String),
    /// There is no memory for the file.
    #[error("the bundle does not fit into memory: {bytes} bytes; take a smaller one or close other pages")]
    Memory {
        /// Bytes of the file, or of the part that has arrived.
        bytes: u64,
    },
    /// A format version that this reader does not know.
    #[error("the bundle has format version {found:?}, this reader knows {known}: use a matching release", known = VERSIONS.join(" and "))]
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
    /// The configuration asks for a tensor that the file lacks.
    #[error("the bundle has no tensor {0:?}, which its config asks for")]
    MissingTensor(String),
    /// The file has a tensor that its configuration has no place for.
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
    /// The rows of packed weights are of a length that no number of bits has.
    #[error("tensor {name:?} has rows of {bytes} bytes: no codes of {} to {} bits for {width} weights", BITS.start(), BITS.end())]
    WrongCodes {
        /// The tensor.
        name: String,
        /// Weights in a row, as the config asks for.
        width: usize,
        /// Bytes in a row.
        bytes: usize,
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
    /// A tensor holds a number that is out of range for it.
    #[error("tensor {name:?} {reason}")]
    WrongValue {
        /// The tensor.
        name: String,
        /// What is wrong, and what would be right.
        reason: String,
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
            BundleError::MissingTensor(_)
            | BundleError::UnknownTensor(_)
            | BundleError::WrongDType { .. }
            | BundleError::WrongShape { .. }
            | BundleError::WrongCodes { .. }
            | BundleError::NotFinite { .. }
            | BundleError::WrongValue { .. } => "bundle-tensor",
            BundleError::Unwritable { .. } => "bundle-unwritable",
        }
    }
}

#[cfg(test)]
mod attacks;
