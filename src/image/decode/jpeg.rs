//! JPEG, as libjpeg-turbo decodes it: leniently, and at a part of its size where no more is needed.

use ::image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, DecodeWarning, Decoder, JpegError, PixelFormat, ScalingFactor};

use super::{
    Reduction, Stored,
    colour::{self, Source},
};
use crate::image::{ImageError, Limits, Picture, area::Area};
use header::Header;

mod header;
mod interleaved;
mod missing;
mod numbers;
mod restarts;
mod scans;

/// The factor by which a reduced picture stays above what the resize needs; see [`reduction`].
const MARGIN: u64 = 2;
/// Pixels times scans: more than any encoder writes, and a bound to the time that a file of many empty scans takes.
const MOST_WORK: u64 = 1 << 31;
/// Most scans of a small picture.
const MOST_SCANS: u64 = 1_000;

/// Reads a JPEG.
pub(super) fn read(bytes: &[u8], limits: &Limits, reduction: Reduction<'_>) -> Result<Stored, ImageError> {
    let header = Header::read(bytes)?;
    limits.check(header.sides.0, header.sides.1)?;
    let divisor = reduction(header.sides);
    // Only where something is wrong do these copy the file.
    let renumbered = header.doubled.then(|| {
        numbers::told_apart(bytes)
            .ok_or_else(|| corrupt("a scan names a component that it does not have".into()))
    });
    let renumbered = renumbered.transpose()?;
    let bytes = renumbered.as_deref().unwrap_or(bytes);
    let mended = restarts::mended(bytes);
    let bytes = mended.as_deref().unwrap_or(bytes);
    let apart = interleaved::apart(bytes);
    let bytes = apart.as_deref().unwrap_or(bytes);
    let decoded = decode(bytes, &header, divisor)
        .map(|stored| Stored { incomplete: stored.incomplete || mended.is_some(), ..stored });
    match decoded {
        Err(error @ ImageError::Corrupt { .. }) => {
            let incomplete = |stored| Stored { incomplete: true, ..stored };
            scans::most(bytes, |part| decode(part, &header, divisor)).map(incomplete).ok_or(error)
        }
        result => result,
    }
}

fn decode(bytes: &[u8], header: &Header, divisor: u32) -> Result<Stored, ImageError> {
    let pixels = u64::from(header.sides.0) * u64::from(header.sides.1);
    let max_scans = (MOST_WORK / pixels.max(1)).min(MOST_SCANS) as usize;
    let most = DecodeLimits { max_scans, max_pixels: pixels, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, most).map_err(refused)?;
    decoder.set_lenient(true);
    // As libjpeg does by itself: what scans that have not come leave open is smoothed over.
    decoder.set_block_smoothing(true);
    let format = if header.components == 4 { PixelFormat::Cmyk } else { PixelFormat::Rgb };
    decoder.set_output_format(format);
    decoder.set_scale(ScalingFactor::try_new(1, divisor).map_err(refused)?);
    let orientation = orientation(&decoder);
    let profile = decoder.icc_profile().ok().flatten();
    let image = decoder.decode_image().map_err(refused)?;
    let incomplete = is_incomplete(&image.warnings)?;
    let (width, height, mut pixels) = (image.width, image.height, image.data);
    if header.components == 4 {
        pixels = from_cmyk(pixels);
    }
    if let Some(profile) = profile {
        let source = match header.components {
            1 => Source::Gray,
            4 => Source::Cmyk,
            _ => Source::Rgb,
        };
        colour::to_srgb(&mut pixels, &profile, source);
    }
    let decoded = image.warnings.iter().find_map(|warning| match warning {
        DecodeWarning::TruncatedData { decoded_mcus, .. } => Some(*decoded_mcus),
        _ => None,
    });
    if let Some(decoded) = decoded {
        missing::whiten(bytes, decoder.header(), decoded, &mut pixels, width, divisor as usize);
    }
    let picture = Picture::from_rgb(width as u32, height as u32, pixels)?;
    Ok(Stored { picture, area: Area::reduced(header.sides, divisor), orientation, incomplete })
}

/// By how much a picture of these sides is reduced while it is decoded: the largest `d` of 1, 2, 4 and 8 with
///
/// `ceil(min(width, height) / d) >= MARGIN * short_side`
///
/// where `short_side` is what the picture's short side is resized to. The inverse DCT of 8 / d x 8 / d points then makes
/// only the pixels that are kept, and the resize, which is at least `MARGIN`-fold, does the rest.
///
/// What that does to the valence of a photo is in `tests/variants/README.md`, with the command that measures it: with
/// `MARGIN` 2 less than .01 in the mean, less than one level in every twelfth pixel does.
pub(super) fn reduction((width, height): (u32, u32), short_side: u32) -> u32 {
    let needed = MARGIN * u64::from(short_side);
    let side = width.min(height);
    [8, 4, 2].into_iter().find(|&divisor| u64::from(side.div_ceil(divisor)) >= needed).unwrap_or(1)
}

/// Damaged metadata is no reason to refuse a picture: it then stands as it is stored.
fn orientation(decoder: &Decoder<'_>) -> Orientation {
    let exif = decoder.exif_data().unwrap_or_default();
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// Printers' inks to RGB, in place. As browsers do, all files are taken for inverted, as Adobe's are: 255 is no ink.
fn from_cmyk(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        let Some(&[cyan, magenta, yellow, black]) = pixels.get(4 * i..).and_then(|rest| rest.first_chunk())
        else {
            break;
        };
        let rgb = [cyan, magenta, yellow].map(|ink| ((u32::from(ink) * u32::from(black) + 127) / 255) as u8);
        if let Some(place) = pixels.get_mut(3 * i..3 * i + 3) {
            place.copy_from_slice(&rgb);
        }
    }
    pixels.truncate(3 * count);
    pixels
}

/// Whether the decoder had to fill something in.
fn is_incomplete(warnings: &[DecodeWarning]) -> Result<bool, ImageError> {
    let mut incomplete = false;
    for warning in warnings {
        match warning {
            DecodeWarning::TruncatedData { decoded_mcus: 0, .. } => {
                return Err(corrupt("it ends before its first row".into()));
            }
            DecodeWarning::UnsupportedRecovered { detail } => return Err(unsupported(detail.clone())),
            DecodeWarning::ExtraneousData { .. } => {}
            _ => incomplete = true,
        }
    }
    Ok(incomplete)
}

fn corrupt(reason: String) -> ImageError {
    ImageError::Corrupt { format: "JPEG", reason }
}

fn unsupported(reason: String) -> ImageError {
    ImageError::Unsupported { format: "JPEG".into(), reason }
}

/// What the decoder said, in this crate's terms.
fn refused(error: JpegError) -> ImageError {
    match error {
        JpegError::Unsupported(reason) => unsupported(reason),
        error @ JpegError::LimitExceeded { .. } => unsupported(error.to_string()),
        JpegError::AllocationFailed { bytes, .. } => ImageError::Memory { bytes },
        JpegError::UnexpectedEof => corrupt("it ends too early".into()),
        error => corrupt(error.to_string()),
    }
}
