//! From the encoders' outputs to logits: the head of each modality, the fused head, the stand-ins for a missing modality, and
//! explanations. Float in `float`, with int8 weights in `quantized`.

pub mod explain;
#[cfg(feature = "float")]
pub mod float;
#[cfg(feature = "float")]
mod float_features;
#[cfg(feature = "float")]
pub(crate) mod fused_head;
pub mod learn;
pub mod profile;
pub mod quantized;
mod readout;
mod shifts;

pub use readout::{HeadLogits, Readout};
#[cfg(feature = "float")]
pub use readout::{checkpoint_temperature, checkpoint_threshold};
pub use shifts::{Head, Shifts};

use crate::model::PerModality;

/// The items of each modality that is present: hidden states `[tokens, hidden_size]`, and the cells of the last grid
/// `[cells, channels]`.
pub type Features<'a> = PerModality<Option<&'a [f32]>>;
