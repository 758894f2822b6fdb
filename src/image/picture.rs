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
        check_shape(width, height, pixels.len(), 3)?;
        Ok(Picture { width, height, pixels })
    }

    /// From `4 * width * height` bytes of RGBA with straight alpha (a canvas's `ImageData`), laid over white.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when a side is zero or the bytes do not fit.
    pub fn from_rgba(width: u32, height: u32, pixels: &[u8]) -> Result<Self, ImageError> {
        check_shape(width, height, pixels.len(), 4)?;
        let mut rgb = Vec::with_capacity(pixels.len() / 4 * 3);
        for &[red, green, blue, alpha] in pixels.as_chunks().0 {
            rgb.extend([red, green, blue].map(|value| over_white(value, alpha)));
        }
        Ok(Picture { width, height, pixels: rgb })
    }

    /// From pixels that this crate made itself: `3 * width * height` bytes, no side zero.
    pub(super) fn new(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        debug_assert!(check_shape(width, height, pixels.len(), 3).is_ok());
        Picture { width, height, pixels }
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

/// One channel of a pixel with straight `alpha`, laid over white and rounded.
pub(super) fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn check_shape(width: u32, height: u32, bytes: usize, channels: usize) -> Result<(), ImageError> {
    let pixels = u128::from(width) * u128::from(height);
    if pixels == 0 || bytes as u128 != pixels * channels as u128 {
        return Err(ImageError::Shape { width, height, bytes, channels });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_laid_over_white() {
        let picture = Picture::from_rgba(3, 1, &[10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128]).unwrap();
        assert_eq!(picture.pixels(), [10, 20, 30, 255, 255, 255, 127, 177, 255]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let refused = |r: Result<Picture, ImageError>| assert_eq!(r.unwrap_err().code(), "image-shape");
        refused(Picture::from_rgb(2, 2, vec![0; 11]));
        refused(Picture::from_rgb(0, 2, vec![]));
        refused(Picture::from_rgba(2, 0, &[]));
        refused(Picture::from_rgba(1, 1, &[0; 3]));
        refused(Picture::from_rgba(u32::MAX, u32::MAX, &[0; 4]));
    }
}
