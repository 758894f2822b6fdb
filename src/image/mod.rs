//! Images: decode with limits, orientation, resize, normalize; the CNN encoder (float in `cnn`, with int8 weights in
//! `quantized`).

#[cfg(feature = "float")]
pub mod cnn;
mod container;
mod decode;
mod error;
mod orientation;
mod picture;
mod preprocess;
pub mod quantized;
mod resize;

pub use decode::{Decoded, Limits, decode, inspect};
pub use error::ImageError;
pub use picture::Picture;
pub use resize::resize;
