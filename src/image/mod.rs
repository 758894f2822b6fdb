//! Images: decode with limits, orientation, resize, normalize; the CNN encoder (float in `cnn`, with int8 weights in
//! `quantized`).

#[cfg(feature = "float")]
pub mod cnn;
mod decode;
mod error;
mod limits;
mod orientation;
mod picture;
mod preprocess;
pub mod quantized;
mod resize;

pub use decode::{Decoded, decode, inspect};
pub use error::ImageError;
pub use limits::Limits;
pub use picture::Picture;
pub use resize::resize;
