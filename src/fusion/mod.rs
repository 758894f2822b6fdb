//! The fusion room: how text and image are joined, the heads and their temperatures, stand-ins for a missing modality,
//! contradiction.

mod config;
#[cfg(feature = "float")]
pub mod float;
pub mod int8;
#[cfg(feature = "float")]
mod joint;
mod temperature;

pub use config::{FusionConfig, FusionKind};
pub use temperature::Temperatures;
