//! Which format a file has, by its first bytes.

use ::image::ImageFormat;

use crate::image::ImageError;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
}

/// The format of a file of which `bytes` is the beginning.
///
/// # Errors
/// [`ImageError::Unsupported`] for a format that is known but not read, [`ImageError::NotAnImage`] for anything else.
pub(super) fn detect(bytes: &[u8]) -> Result<Format, ImageError> {
    match ::image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok(Format::Jpeg),
        Ok(ImageFormat::Png) => Ok(Format::Png),
        Ok(ImageFormat::WebP) => Ok(Format::WebP),
        Ok(ImageFormat::Gif) => Ok(Format::Gif),
        Ok(ImageFormat::Bmp) => Ok(Format::Bmp),
        other => Err(unknown(bytes, other.ok())),
    }
}

/// A format that is known but not read, or no image at all.
fn unknown(bytes: &[u8], format: Option<ImageFormat>) -> ImageError {
    let unsupported =
        |format: String| ImageError::Unsupported { format, reason: "this format is not read".into() };
    if let Some(format) = format {
        return unsupported(format!("{format:?}").to_uppercase());
    }
    // What phones and drawing programs hand out; worth a better answer than "not an image".
    if let Some(b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftyphevc") = bytes.get(4..12) {
        return unsupported("HEIC".into());
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"<svg") || text.starts_with(b"<?xml") {
        return unsupported("SVG".into());
    }
    let start = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    ImageError::NotAnImage { start }
}
