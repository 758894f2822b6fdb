//! The fusion room: how text and image are joined, the heads, stand-ins for a missing modality, contradiction.

mod config;
#[cfg(feature = "float")]
pub mod float;
#[cfg(feature = "float")]
mod joint;
pub mod int8;

pub use config::{FusionConfig, FusionKind};
