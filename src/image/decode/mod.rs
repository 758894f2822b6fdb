//! From a file's bytes to a picture: format detected from the content, limits checked in the header, orientation applied,
//! alpha laid over white.

use std::io::Cursor;

mod bmp;
mod canvas;
mod chunks;
mod colour;
mod format;
mod gif;
mod grid;
mod png;
mod webp;

use format::Format;
pub use format::inspect;

use ::image::codecs::jpeg::JpegDecoder;
use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageResult};

use super::{ImageError, Picture, container, orientation::orient, picture::over_white};

/// The limits of [`decode`]. Sizes are read from the file's header and checked before anything is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a file.
    pub max_bytes: usize,
    /// Most pixels in all.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 64 MB and 64 million pixels: above any phone's photo, within a browser tab's memory.
    fn default() -> Self {
        Limits { max_bytes: 64_000_000, max_pixels: 64_000_000 }
    }
}

impl Limits {
    /// Refuses sides beyond the limits.
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

    /// For the decoder's own buffers: 16-bit RGBA at most, and space for metadata.
    fn of_decoder(&self) -> ::image::Limits {
        let mut limits = ::image::Limits::default();
        limits.max_alloc = Some(self.max_pixels.saturating_mul(8).saturating_add(64 << 20));
        limits
    }
}

/// Decodes a JPEG, PNG, WebP, GIF (first frame) or BMP file.
///
/// The format is detected from the content. The EXIF orientation is applied; alpha is laid over white; gray, palette and
/// CMYK become RGB; of 16 bits the upper 8 are kept (as Pillow and libpng's `strip_16` do). Color profiles are
/// ignored.
///
/// # Errors
/// [`ImageError`], which says what was wrong; `TooManyBytes` and `TooLarge` come before anything is decoded.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let decoded = match format::sniff(bytes)? {
        Format::Jpeg => {
            let decoder = JpegDecoder::new(Cursor::new(bytes));
            return read("JPEG", decoder, limits, |_| container::check_jpeg(bytes));
        }
        Format::Png => png::decode(bytes, limits),
        Format::WebP => webp::decode(bytes, limits),
        Format::Gif => gif::decode(bytes, limits),
        Format::Bmp => bmp::decode(bytes, limits),
    };
    Ok(decoded?.picture)
}

/// A picture, and whether parts of it were missing from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What could be read, the rest as viewers fill it.
    pub picture: Picture,
    /// Whether there is such a rest.
    pub incomplete: bool,
}

/// Damaged metadata is no reason to refuse a picture: it then stands as it is stored.
fn exif_orientation(exif: &[u8]) -> Orientation {
    // Some writers keep JPEG's prefix in other containers.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// The rest is the same for every format. `check` looks at the file once its sides are known to be in bounds.
fn read<D: ImageDecoder>(
    format: &'static str,
    decoder: ImageResult<D>,
    limits: &Limits,
    check: impl FnOnce(&D) -> Result<(), ImageError>,
) -> Result<Picture, ImageError> {
    let refuse = |error| refused(format, error);
    let mut decoder = decoder.map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height)?;
    if width == 0 || height == 0 {
        return Err(ImageError::Corrupt { format, reason: format!("it has {width}x{height} pixels") });
    }
    check(&decoder)?;
    decoder.set_limits(limits.of_decoder()).map_err(refuse)?;
    let orientation = exif_orientation(&decoder.exif_metadata().ok().flatten().unwrap_or_default());
    let color = decoder.color_type();
    let mut pixels = zeros(decoder.total_bytes())?;
    decoder.read_image(&mut pixels).map_err(refuse)?;
    let pixels = to_rgb(format, color, pixels)?;
    Ok(orient(Picture::from_rgb(width, height, pixels)?, orientation))
}

/// `bytes` zeros, or an error where there is no memory for them.
fn zeros(bytes: u64) -> Result<Vec<u8>, ImageError> {
    let mut zeros = reserved(bytes)?;
    // Fits: so much was reserved.
    zeros.resize(bytes as usize, 0);
    Ok(zeros)
}

fn reserved(bytes: u64) -> Result<Vec<u8>, ImageError> {
    let mut reserved = Vec::new();
    let size = usize::try_from(bytes).map_err(|_| ImageError::Memory { bytes })?;
    reserved.try_reserve_exact(size).map_err(|_| ImageError::Memory { bytes })?;
    Ok(reserved)
}

/// From the decoder's pixels (native byte order) to 8-bit RGB.
fn to_rgb(format: &'static str, color: ColorType, mut pixels: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    let channels = color.channel_count();
    match color.bytes_per_pixel() / channels {
        1 => {}
        2 => {
            // Behind itself in the same buffer: an image of 16 bits is large enough as it is.
            for i in 0..pixels.len() / 2 {
                pixels[i] = (u16::from_ne_bytes([pixels[2 * i], pixels[2 * i + 1]]) >> 8) as u8;
            }
            pixels.truncate(pixels.len() / 2);
        }
        _ => {
            let reason = format!("its pixels are {color:?}");
            return Err(ImageError::Unsupported { format: format.into(), reason });
        }
    }
    if channels == 3 {
        return Ok(pixels);
    }
    let mut rgb = reserved(3 * (pixels.len() as u64 / u64::from(channels)))?;
    match channels {
        1 => pixels.iter().for_each(|&grey| rgb.extend([grey; 3])),
        2 => pixels.as_chunks().0.iter().for_each(|&[grey, alpha]| rgb.extend([over_white(grey, alpha); 3])),
        _ => pixels.as_chunks().0.iter().for_each(|&[red, green, blue, alpha]| {
            rgb.extend([over_white(red, alpha), over_white(green, alpha), over_white(blue, alpha)]);
        }),
    }
    Ok(rgb)
}

/// What the `image` crate said, in this crate's terms.
fn refused(format: &'static str, error: ::image::ImageError) -> ImageError {
    use ::image::ImageError::{IoError, Unsupported};
    match error {
        Unsupported(error) => ImageError::Unsupported { format: format.into(), reason: error.to_string() },
        IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::Corrupt { format, reason: "it ends too early".into() }
        }
        error => ImageError::Corrupt { format, reason: error.to_string() },
    }
}
