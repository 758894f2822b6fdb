//! How large a picture may be.

use super::ImageError;

/// The limits of a picture. Sizes are read from the file's header and checked before anything is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a file.
    pub max_bytes: usize,
    /// Most pixels. Sides have no limit but the format's own.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 64 MB, 64 million pixels: above any phone's photo, within a browser tab's memory.
    fn default() -> Self {
        Limits { max_bytes: 64_000_000, max_pixels: 64_000_000 }
    }
}

impl Limits {
    /// Refuses more pixels than the limit.
    ///
    /// # Errors
    /// [`ImageError::TooLarge`].
    pub fn check(&self, width: u32, height: u32) -> Result<(), ImageError> {
        let max_pixels = self.max_pixels;
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(ImageError::TooLarge { width, height, max_pixels });
        }
        Ok(())
    }
}
