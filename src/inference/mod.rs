//! Whole models: both encoders and the heads, behind one trait. The quantized model runs in a page; the float model trains
//! and is the reference that the quantized one is held to.

#[cfg(feature = "float")]
pub mod float;
mod quantized;
#[cfg(feature = "float")]
mod reference;

pub use quantized::QuantizedModel;
#[cfg(feature = "float")]
pub use reference::Reference;

use crate::{
    backend::{Backend, Cpu, Pass},
    error::Result,
    fusion::{Features, HeadLogits, Readout, explain::Shares},
    image::Picture,
    model::Preprocess,
};

/// What an [`Analyzer`](crate::Analyzer) needs of a model.
///
/// The encoders may wait for a device; the heads are on the CPU.
#[allow(async_fn_in_trait, reason = "driven where it is made; nothing is sent to other threads")]
pub trait Inference {
    /// The hidden states `[ids, hidden_size]` of each text, in one pass. Those of a text do not depend on the others.
    ///
    /// # Errors
    /// When an id is not in the vocabulary, a text has too many, or the device is lost.
    async fn encode_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>>;

    /// How much it should be asked for in one pass.
    fn pass(&self) -> Pass {
        Cpu::PASS
    }

    /// How pictures are prepared for [`encode_images`](Self::encode_images).
    fn preprocess(&self) -> &Preprocess;

    /// The last grid `[cells, channels]` of each picture that [`preprocess`](Self::preprocess) has prepared, in one pass.
    /// That of a picture does not depend on the others.
    ///
    /// # Errors
    /// When the device is lost.
    async fn encode_images(&mut self, squares: &[&Picture]) -> Result<Vec<Vec<f32>>>;

    /// Rows of the grid, and as many columns.
    fn grid_side(&self) -> usize;

    /// The logits of every head whose modality is present.
    ///
    /// # Errors
    /// Those of the model.
    fn logits(&mut self, features: Features<'_>) -> Result<HeadLogits>;

    /// The share of every item in the logit of `class` that the answering head gives: the fused head if both modalities are
    /// present, else the head of the one that is.
    ///
    /// # Errors
    /// Those of the model.
    fn explain(&mut self, features: Features<'_>, class: usize) -> Result<Shares>;

    /// What turns logits into an answer: labels, temperatures, and the calibration of the contradiction.
    fn readout(&self) -> &Readout;
}

/// A model whose encoders never wait, so that it runs without an async executor.
pub trait Immediate: Inference {}
