//! What a post feels, text and picture together.
//!
//! A BERT text encoder and a CNN image encoder are joined by attention. The float model (feature `float`, on by
//! default) is written in candle and trains; the quantized model beside it has no dependency on candle and is what runs in a
//! web page. Both are built from the same [`model::ModelConfig`].
//!
//! Nothing here knows about files, threads or a browser; `web` alone is compiled for wasm32 only.

pub mod analyzer;
pub mod backend;
pub mod bundle;
pub mod error;
pub mod fusion;
pub mod image;
pub mod inference;
pub mod layers;
pub mod model;
#[cfg(feature = "float")]
pub mod quantize;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use analyzer::{Analysis, Analyzer, Post, Scores};
pub use bundle::Bundle;
pub use error::{Error, Result};
pub use model::Labels;
