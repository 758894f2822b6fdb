//! A decoded picture: 8-bit RGB, row by row.

use super::ImageError;

/// 8-bit RGB pixels, interleaved, row by row from the top left, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// From `3 * width * height` bytes of RGB.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when a side is zero or the bytes do not fit.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, ImageError> {
        if width == 0 || height == 0 || pixels.len() as u64 != 3 * u64::from(width) * u64::from(height) {
            return Err(ImageError::Shape { width, height, bytes: pixels.len(), channels: 3 });
        }
        Ok(Picture { width, height, pixels })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, `3 * width * height` of them.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
