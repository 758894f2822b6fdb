//! The fusion room: how text and image are joined, the heads, stand-ins for a missing modality, contradiction.

mod config;

pub use config::{FusionConfig, FusionKind};
