//! The image room: decode with limits, orientation, resize, normalise; ResNet and EfficientNet-Lite encoders
//! (float in `cnn`, int8 in `int8`).

mod config;
mod picture;

pub use config::{Architecture, CnnConfig, Filter, Fit, Preprocess};
pub use picture::Picture;

/// Why an image was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Pixels do not fit the sides they are said to have, or a side is zero.
    #[error("image of {width}x{height} pixels cannot have {bytes} bytes of {channels} channels")]
    Shape {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes given.
        bytes: usize,
        /// Channels a pixel.
        channels: usize,
    },
}

impl ImageError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            ImageError::Shape { .. } => "image-shape",
        }
    }
}
