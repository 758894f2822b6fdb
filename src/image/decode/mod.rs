//! From a file's bytes to a picture: format detected from the content, limits checked in the header, orientation applied,
//! alpha laid over white.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use ::image::metadata::Orientation;

use super::{
    ImageError, Picture,
    area::Area,
    limits::Limits,
    orientation::{Turn, orient},
};
use crate::model::Preprocess;
use format::Format;

mod bmp;
mod canvas;
mod chunks;
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
    /// What of its pixels counts.
    area: Area,
    /// How it is to be turned.
    orientation: Orientation,
    /// As [`Decoded::incomplete`].
    incomplete: bool,
}

impl Stored {
    /// A picture that was decoded as it is.
    fn whole(picture: Picture, orientation: Orientation, incomplete: bool) -> Stored {
        Stored { area: Area::whole(&picture), picture, orientation, incomplete }
    }
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame) or BMP file.
///
/// The format is detected from the content. The EXIF orientation is applied; alpha is laid over white; gray, palette and
/// CMYK become RGB; of 16 bits the upper 8 are kept (as Pillow and libpng's `strip_16` do).
///
/// # Errors
/// [`ImageError`], which says what was wrong; `TooManyBytes` and `TooLarge` come before anything is decoded.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, ImageError> {
    Ok(read(bytes, limits, &|_| 1)?.0)
}

/// Decodes a file and prepares its picture for the encoder: the square that `preprocess` makes of it. This is what the
/// package's program for pictures does, so natively and in the browser the pixels are the same.
///
/// A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size; [`decode`] always decodes the whole.
///
/// # Errors
/// As [`decode`].
pub fn decode_for(bytes: &[u8], limits: &Limits, preprocess: &Preprocess) -> Result<Decoded, ImageError> {
    let (Decoded { picture, incomplete }, area) =
        read(bytes, limits, &|sides| jpeg::reduction(sides, preprocess.short_side()))?;
    Ok(Decoded { picture: preprocess.apply_area(&picture, area), incomplete })
}

/// As [`decode_for`], with a JPEG at 1 / `divisor` (1, 2, 4 or 8) of its size: to measure what that does.
///
/// # Errors
/// As [`decode`].
#[cfg(any(test, feature = "testing"))]
pub fn decode_at(
    bytes: &[u8],
    limits: &Limits,
    preprocess: &Preprocess,
    divisor: u32,
) -> Result<Decoded, ImageError> {
    let (Decoded { picture, incomplete }, area) = read(bytes, limits, &|_| divisor)?;
    Ok(Decoded { picture: preprocess.apply_area(&picture, area), incomplete })
}

/// By how much a JPEG of these sides is reduced.
type Reduction<'a> = &'a dyn Fn((u32, u32)) -> u32;

/// The picture and what of its pixels counts.
fn read(bytes: &[u8], limits: &Limits, reduction: Reduction<'_>) -> Result<(Decoded, Area), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let Stored { picture, area, orientation, incomplete } = match format::sniff(bytes)? {
        Format::Jpeg => caught("JPEG", || jpeg::read(bytes, limits, reduction)),
        Format::Png => caught("PNG", || png::read(bytes, limits)),
        Format::WebP => caught("WebP", || webp::read(bytes, limits)),
        Format::Gif => caught("GIF", || gif::read(bytes, limits)),
        Format::Bmp => caught("BMP", || bmp::read(bytes, limits)),
    }?;
    let area = area.turned((picture.width(), picture.height()), Turn::of(orientation));
    Ok((Decoded { picture: orient(picture, orientation), incomplete }, area))
}

/// Decoders are given bytes from anyone. Should one panic for all the tests of its authors and ours, that costs this
/// picture. In wasm a panic ends the program; there it runs alone, and is started again.
fn caught(
    format: &'static str,
    decode: impl FnOnce() -> Result<Stored, ImageError>,
) -> Result<Stored, ImageError> {
    // Nothing that the decoder had in hand is seen afterwards.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ImageError::Corrupt { format, reason: "its decoder failed on it".into() }))
}

/// What the formats' tests share.
#[cfg(test)]
mod fixtures {
    use super::{Decoded, ImageError, Limits, decode};

    /// A file of `tests/fixtures/images`.
    pub(super) fn fixture(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        std::fs::read(folder.join(name)).unwrap()
    }

    pub(super) fn decoded(bytes: &[u8]) -> Result<Decoded, ImageError> {
        decode(bytes, &Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_costs_its_picture() {
        let error = caught("PNG", || panic!("as a decoder may")).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "image-corrupt");
        assert!(error.to_string().contains("PNG"), "{error}");
    }
}
