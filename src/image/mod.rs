//! The image room: decode with limits, orientation, resize, normalise; ResNet and EfficientNet-Lite encoders
//! (float in `cnn`, int8 in `int8`).

pub mod architecture;
#[cfg(feature = "float")]
pub mod cnn;
mod config;
mod container;
mod decode;
mod error;
pub mod int8;
mod orientation;
mod picture;
mod preprocess;
mod resize;

pub use config::{Architecture, CnnConfig, Filter, Fit, Preprocess};
pub use decode::{Limits, decode};
pub use error::ImageError;
pub use picture::Picture;
pub use resize::resize;
