//! What the decoders of the `image` crate have in common.

use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageResult};

use super::Stored;
use crate::image::{ImageError, Limits, Picture, picture::over_white};

/// For the decoder's own buffers: 16-bit RGBA at most, and space for metadata.
pub(super) fn limits_of_decoder(limits: &Limits) -> ::image::Limits {
    let mut of_decoder = ::image::Limits::default();
    of_decoder.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(64 << 20));
    of_decoder
}

/// The rest is the same for every format. `check` looks at the file once its sides are known to be in bounds.
pub(super) fn read<D: ImageDecoder>(
    format: &'static str,
    decoder: ImageResult<D>,
    limits: &Limits,
    check: impl FnOnce(&D) -> Result<(), ImageError>,
) -> Result<Stored, ImageError> {
    let refuse = |error| refused(format, error);
    let mut decoder = decoder.map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height)?;
    if width == 0 || height == 0 {
        return Err(ImageError::Corrupt { format, reason: format!("it has {width}x{height} pixels") });
    }
    check(&decoder)?;
    decoder.set_limits(limits_of_decoder(limits)).map_err(refuse)?;
    let orientation = exif_orientation(&mut decoder);
    let color = decoder.color_type();
    let mut pixels = zeros(decoder.total_bytes())?;
    decoder.read_image(&mut pixels).map_err(refuse)?;
    let pixels = to_rgb(format, color, pixels)?;
    let picture = Picture::from_rgb(width, height, pixels)?;
    Ok(Stored { picture, orientation, incomplete: false })
}

/// Damaged metadata is no reason to refuse a picture: it then stands as it is stored.
fn exif_orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten().unwrap_or_default();
    // Some writers keep JPEG's prefix in other containers.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
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
