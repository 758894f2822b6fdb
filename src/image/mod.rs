//! Images: decode with limits, orientation, resize, normalize; the CNN encoder (float in `cnn`, with int8 weights in
//! `quantized`).

mod area;
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

#[cfg(all(feature = "decoders", any(test, feature = "testing")))]
pub use decode::decode_at;
#[cfg(feature = "decoders")]
pub use decode::{Decoded, decode, decode_for, inspect};
pub use error::ImageError;
pub use limits::Limits;
pub use picture::Picture;
pub use resize::resize;
