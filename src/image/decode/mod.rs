//! From a file's bytes to a picture: format detected from the content, limits checked in the header, orientation applied,
//! alpha laid over white.

use ::image::metadata::Orientation;

use super::{ImageError, Picture, limits::Limits, orientation::orient};
use format::Format;

mod bmp;
mod canvas;
mod chunks;
mod codec;
mod colour;
mod format;
mod gif;
mod grid;
mod jpeg;
mod png;
mod webp;

pub use format::inspect;

/// A file's picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it shows, upright, in sRGB, over white.
    pub picture: Picture,
    /// Whether a part of the file was missing or damaged, and the picture is what viewers make of the rest.
    pub incomplete: bool,
}

/// What a format's decoder hands over.
struct Stored {
    /// In sRGB, over white, as it is stored.
    picture: Picture,
    /// How it is to be turned.
    orientation: Orientation,
    /// As [`Decoded::incomplete`].
    incomplete: bool,
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame) or BMP file.
///
/// The format is detected from the content. The EXIF orientation is applied; alpha is laid over white; gray, palette and
/// CMYK become RGB; of 16 bits the upper 8 are kept (as Pillow and libpng's `strip_16` do).
///
/// # Errors
/// [`ImageError`], which says what was wrong; `TooManyBytes` and `TooLarge` come before anything is decoded.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let Stored { picture, orientation, incomplete } = match format::sniff(bytes)? {
        Format::Jpeg => jpeg::read(bytes, limits),
        Format::Png => png::read(bytes, limits),
        Format::WebP => webp::read(bytes, limits),
        Format::Gif => gif::read(bytes, limits),
        Format::Bmp => bmp::read(bytes, limits),
    }?;
    Ok(Decoded { picture: orient(picture, orientation), incomplete })
}
