//! What the decoders paint on: 8-bit RGB that is white where nothing is painted, as a page is.

use crate::image::{ImageError, Picture, picture::over_white};

#[derive(Debug)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// # Errors
    /// [`ImageError::Memory`].
    pub(super) fn white(width: u32, height: u32) -> Result<Canvas, ImageError> {
        let count = u64::from(width) * u64::from(height);
        let pixels = filled(count, [255; 3])?;
        Ok(Canvas { width, height, pixels })
    }

    /// `width` pixels from `left` in row `row`; fewer, or none, where the canvas ends.
    pub(super) fn row(&mut self, row: u32, left: u32, width: u32) -> &mut [[u8; 3]] {
        if row >= self.height {
            return &mut [];
        }
        let (left, right) = (left.min(self.width), left.saturating_add(width).min(self.width));
        let start = row as usize * self.width as usize;
        self.pixels.get_mut(start + left as usize..start + right as usize).unwrap_or_default()
    }

    pub(super) fn into_picture(self) -> Picture {
        Picture::new(self.width, self.height, self.pixels.into_flattened())
    }
}

/// `count` times `value`, or an error where there is no memory for them.
pub(super) fn filled<T: Clone>(count: u64, value: T) -> Result<Vec<T>, ImageError> {
    let bytes = count.saturating_mul(size_of::<T>() as u64);
    let mut all = Vec::new();
    let count = usize::try_from(count).map_err(|_| ImageError::Memory { bytes })?;
    all.try_reserve_exact(count).map_err(|_| ImageError::Memory { bytes })?;
    all.resize(count, value);
    Ok(all)
}

/// A pixel with straight `alpha`, laid over white.
pub(super) fn blended(colour: [u8; 3], alpha: u8) -> [u8; 3] {
    match alpha {
        255 => colour,
        0 => [255; 3],
        _ => colour.map(|value| over_white(value, alpha)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_painted_is_white() {
        let mut canvas = Canvas::white(2, 2).unwrap();
        canvas.row(1, 1, 5).fill([1, 2, 3]);
        assert!(canvas.row(2, 0, 1).is_empty() && canvas.row(0, 7, 1).is_empty());
        let pixels = canvas.into_picture();
        assert_eq!(pixels.pixels(), [255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3]);
    }

    #[test]
    fn no_memory_is_an_error() {
        assert_eq!(filled(u64::MAX, 0u8).unwrap_err().code(), "image-memory");
    }
}
