//! Images: decode with limits, orientation, resize, normalize; the CNN encoder (float in `cnn`, with int8 weights in
//! `quantized`).

#[cfg(feature = "float")]
pub mod cnn;
#[cfg(feature = "decoders")]
mod decode;
mod error;
mod limits;
#[cfg(feature = "decoders")]
mod orientation;
mod picture;
mod preprocess;
pub mod quantized;
mod resize;

#[cfg(feature = "decoders")]
pub use decode::{Decoded, decode, decode_for, inspect};
pub use error::ImageError;
pub use limits::Limits;
pub use picture::Picture;
pub use resize::resize;
