//! The float layers, in candle, that both encoders and the fusion share. Each has a gradient for each of its inputs;
//! candle's own `LayerNorm::forward` and `softmax_last_dim` do not.
#![cfg(feature = "float")]

mod attention;
mod batch_norm;
mod conv;
mod depthwise;
mod dropout;
mod fused;
mod gelu;
#[cfg(test)]
pub(crate) mod gradient_check;
mod graft;
mod kept_layouts;
mod layer_norm;
mod linear;
mod mask_bank;
mod multi_head_attention;
mod product;
mod real;
mod relu6;
mod softmax;

pub use attention::{attend, key_bias};
pub use batch_norm::BatchNorm2d;
pub use conv::{ConvNorm, Pads, conv2d, max_pool2d};
pub use depthwise::depthwise_conv2d;
pub use dropout::{Mode, NoiseSource, dropout};
pub use gelu::gelu;
pub use kept_layouts::keep_layouts;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mask_bank::MaskBank;
pub use multi_head_attention::MultiHeadAttention;
pub use relu6::relu6;
