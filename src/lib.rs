//! What a post feels, text and picture together.
//!
//! A BERT text encoder and a CNN image encoder are joined by attention. The float model (feature `float`, on by
//! default) is written in candle and trains; the int8 plan beside it has no dependency on candle and is what runs in a
//! web page. Both are built from the same [`config::ModelConfig`].
//!
//! Dependencies point one way: `analyzer` → `text` / `image` / `fusion` → `layers` → `kernels`. Nothing here knows
//! about files, threads or a browser; `web` alone is compiled for wasm32 only.

pub mod analysis;
pub mod analyzer;
pub mod bundle;
pub mod config;
pub mod error;
pub mod fusion;
pub mod image;
pub mod kernels;
pub mod layers;
#[cfg(feature = "float")]
pub mod model;
pub mod plan;
#[cfg(feature = "float")]
pub mod reference;
pub mod text;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use analysis::{Analysis, Scores, Sentiment};
pub use analyzer::{Analyzer, Post};
pub use bundle::Bundle;
pub use error::{Error, Result};
