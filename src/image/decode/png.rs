//! PNG: the picture, or the first frame of an animation on its canvas.
//!
//! The chunks are read here, as leniently as libpng does in a browser: a damaged chunk that is not needed is passed over, and
//! a file may end anywhere behind its first pixels. The decoder is given a new file that holds nothing but one picture.

use std::io::Cursor;

use miniz_oxide::inflate::core::{
    DecompressorOxide, decompress,
    inflate_flags::{TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, Transformations};

use super::{
    Stored,
    canvas::{Canvas, blended, filled},
    chunks::{Frame, Parts},
    colour::{Colour, Curve, Source},
};
use crate::image::{ImageError, Limits, orientation};

pub(super) use super::chunks::{check_kind, sides};

/// The passes of an interlaced picture: the first pixel's place and the steps to the next, across and down.
const PASSES: [[u32; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// Bytes of an unpacked picture of which a page has no room for two.
const MUCH: usize = 64 << 20;

fn corrupt(reason: impl Into<String>) -> ImageError {
    ImageError::Corrupt { format: "PNG", reason: reason.into() }
}

/// Reads a PNG.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    check_kind(bytes)?;
    let (width, height) = sides(bytes).ok_or_else(|| corrupt("it ends inside its header"))?;
    limits.check(width, height)?;
    let parts = Parts::read(bytes)?;
    let mut canvas = Canvas::white(width, height)?;
    let whole = Frame { left: 0, top: 0, width, height };
    // An animation's first frame that cannot be read leaves the picture that other viewers show.
    let animated =
        parts.first_frame().and_then(|(frame, data)| paint(&parts, frame, data, limits, &mut canvas).ok());
    let incomplete = match animated {
        Some(incomplete) => incomplete,
        None => paint(&parts, whole, &parts.data, limits, &mut canvas)?,
    };
    let orientation = orientation::of_exif(parts.exif.unwrap_or_default());
    Ok(Stored::whole(canvas.into_picture(), orientation, incomplete))
}

/// Paints a frame; whether some of it is missing.
fn paint(
    parts: &Parts<'_>,
    frame: Frame,
    data: &[&[u8]],
    limits: &Limits,
    canvas: &mut Canvas,
) -> Result<bool, ImageError> {
    let rows = stored_rows(parts, frame);
    if paint_rows(parts.file(frame, data), parts, frame, &rows, limits, canvas)? == rows.len() {
        return Ok(false);
    }
    // The decoder keeps back what it unpacked before a fault: unpacked here, all rows come that are in the file.
    let size: usize = rows.iter().map(|row| parts.row_bytes(row.columns)).sum();
    let mut unpacked = filled(size as u64, 0u8)?;
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (_, _, written) = decompress(&mut DecompressorOxide::new(), &data.concat(), &mut unpacked, 0, flags);
    let mut bytes = 0;
    let whole = rows.iter().take_while(|row| {
        bytes += parts.row_bytes(row.columns);
        bytes <= written
    });
    let whole = whole.count();
    // As it is, unless it is so large that a second one would not fit into memory.
    let level = u8::from(unpacked.len() > MUCH);
    let repacked = miniz_oxide::deflate::compress_to_vec_zlib(&unpacked, level);
    drop(unpacked);
    let file = parts.file(frame, &[&repacked]);
    let painted = paint_rows(file, parts, frame, rows.get(..whole).unwrap_or(&rows), limits, canvas)?;
    if painted == 0 {
        return Err(corrupt("nothing of its pixels can be read"));
    }
    Ok(painted < rows.len())
}

/// A row as it is stored: of a picture that is not interlaced, or of one of its passes.
struct Row {
    columns: u32,
    /// Where its first pixel stands, and how far apart they are.
    at: (u32, u32),
    step: u32,
}

fn stored_rows(parts: &Parts<'_>, frame: Frame) -> Vec<Row> {
    let passes: &[[u32; 4]] = if parts.interlaced { &PASSES } else { &[[0, 0, 1, 1]] };
    let mut rows = Vec::new();
    for &[x, y, step, down] in passes {
        let columns = frame.width.saturating_sub(x).div_ceil(step);
        if columns > 0 {
            let row = |y| Row { columns, at: (x, y), step };
            rows.extend((y..frame.height).step_by(down as usize).map(row));
        }
    }
    rows
}

/// Paints `rows` of `file`; how many of them there were.
fn paint_rows(
    file: Vec<u8>,
    parts: &Parts<'_>,
    frame: Frame,
    rows: &[Row],
    limits: &Limits,
    canvas: &mut Canvas,
) -> Result<usize, ImageError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    let bytes = usize::try_from(limits.max_pixels.saturating_mul(8)).unwrap_or(usize::MAX);
    decoder.set_limits(png::Limits { bytes });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|error| corrupt(error.to_string()))?;
    let colour = colour(parts, reader.info());
    let (color_type, depth) = reader.output_color_type();
    if depth != BitDepth::Eight {
        return Err(corrupt("its samples are not of 8 bits"));
    }
    let channels = color_type.samples();
    let mut stored = vec![0; frame.width as usize * channels];
    let mut pixels = Vec::new();
    for (number, &Row { columns, at: (x, y), step }) in rows.iter().enumerate() {
        if !matches!(reader.read_row(&mut stored), Ok(Some(_))) {
            return Ok(number);
        }
        let stored = stored.get(..columns as usize * channels).unwrap_or(&stored);
        to_rgb(stored, color_type, &colour, &mut pixels);
        let target = canvas.row(frame.top + y, frame.left, frame.width);
        // What is missing of an interlaced picture stays white, as in Chromium.
        for (target, &pixel) in target.iter_mut().skip(x as usize).step_by(step as usize).zip(&pixels) {
            *target = pixel;
        }
    }
    Ok(rows.len())
}

/// A row of the decoder's pixels in sRGB, over white.
fn to_rgb(row: &[u8], color_type: ColorType, colour: &Colour, pixels: &mut Vec<[u8; 3]>) {
    pixels.clear();
    match color_type {
        ColorType::Grayscale | ColorType::Indexed => pixels.extend(row.iter().map(|&gray| [gray; 3])),
        ColorType::GrayscaleAlpha => pixels.extend(row.as_chunks().0.iter().map(|&[gray, _]| [gray; 3])),
        ColorType::Rgb => pixels.extend_from_slice(row.as_chunks().0),
        ColorType::Rgba => {
            pixels.extend(row.as_chunks().0.iter().map(|&[red, green, blue, _]| [red, green, blue]))
        }
    }
    colour.apply(pixels.as_flattened_mut());
    if let channels @ (2 | 4) = color_type.samples() {
        let alphas = row.iter().skip(channels - 1).step_by(channels);
        for (pixel, &alpha) in pixels.iter_mut().zip(alphas) {
            *pixel = blended(*pixel, alpha);
        }
    }
}

/// By the first of: coding points (cICP), a profile, the mark of sRGB, a gamma with or without chromaticities.
fn colour(parts: &Parts<'_>, info: &png::Info<'_>) -> Colour {
    const SRGB: [[f64; 2]; 4] = [[0.3127, 0.3290], [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]];
    // Points that are not known here are passed over, as are those that say nothing.
    if let Some(colour) = parts.coding_points.and_then(coding_points) {
        return colour;
    }
    if let Some(profile) = &info.icc_profile {
        let gray = matches!(info.color_type, ColorType::Grayscale | ColorType::GrayscaleAlpha);
        // One that cannot be read is none.
        if let Some(colour) = Colour::of_icc(profile, if gray { Source::Gray } else { Source::Rgb }) {
            return colour;
        }
    }
    if parts.srgb {
        return Colour::Same;
    }
    let number = |number: u32| f64::from(number) / 100_000.0;
    match (parts.gamma.filter(|&gamma| gamma > 0), parts.chromaticities) {
        // What writers mean who write about 1 / 2.2 (libpng: within 5 %) is sRGB. Chromaticities alone are not looked at.
        (Some(43_182..=47_727) | None, None) | (None, Some(_)) => Colour::Same,
        (Some(gamma), places) => {
            let places = places.map_or(SRGB, |places| places.map(|place| place.map(number)));
            Colour::from_primaries(places, &Curve::gamma(1.0 / number(gamma)))
        }
    }
}

/// Primaries and curve by their numbers in ITU-T H.273; `None` for those that are not known here.
fn coding_points([primaries, transfer, matrix, range]: [u8; 4]) -> Option<Colour> {
    const D65: [f64; 2] = [0.3127, 0.3290];
    let primaries = match primaries {
        1 => [D65, [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]],
        5 => [D65, [0.64, 0.33], [0.29, 0.60], [0.15, 0.06]],
        6 | 7 => [D65, [0.630, 0.340], [0.310, 0.595], [0.155, 0.070]],
        9 => [D65, [0.708, 0.292], [0.170, 0.797], [0.131, 0.046]],
        11 => [[0.314, 0.351], [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
        12 => [D65, [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
        _ => return None,
    };
    let curve = match transfer {
        // Of television: shown as its screens show it.
        1 | 6 | 14 | 15 => Curve::gamma(2.4),
        4 => Curve::gamma(2.2),
        5 => Curve::gamma(2.8),
        8 => Curve::gamma(1.0),
        13 => Curve::SRGB,
        16 => Curve::pq(),
        18 => Curve::hlg(),
        _ => return None,
    };
    if (matrix, range) != (0, 1) {
        return None;
    }
    Some(Colour::from_primaries(primaries, &curve))
}

#[cfg(test)]
mod tests {
    use crate::image::Decoded;
    use crate::image::decode::fixtures::{decoded, fixture};

    use crate::image::decode::chunks;

    #[test]
    fn the_end_is_not_needed() {
        let file = fixture("rgb.png");
        let right = decoded(&file).unwrap();
        assert!(!right.incomplete);
        assert_eq!(decoded(&file[..file.len() - 12]).unwrap(), right, "no IEND");
        assert_eq!(decoded(&file[..file.len() - 16]).unwrap(), right, "nor the checksum of the last IDAT");
        assert_eq!(decoded(&[&file, &b"more"[..]].concat()).unwrap(), right);
    }

    #[test]
    fn a_cut_picture_is_incomplete() {
        let file = fixture("rgb.png");
        let cut = decoded(&file[..file.len() * 3 / 4]).unwrap();
        assert!(cut.incomplete);
        let right = decoded(&file).unwrap().picture;
        assert_eq!(cut.picture.pixels()[..300], right.pixels()[..300]);
        assert_eq!(cut.picture.pixels().last(), Some(&255));
        assert_eq!(decoded(&file[..60]).unwrap_err().code(), "image-corrupt");
    }

    #[test]
    fn interlaced_and_cut() {
        let header = [&9u32.to_be_bytes()[..], &9u32.to_be_bytes(), &[8, 0, 0, 0, 1]].concat();
        // The first pass: two rows of two pixels.
        let rows = miniz_oxide::deflate::compress_to_vec_zlib(&[0, 10, 20, 0, 30, 40], 6);
        let file = chunks::tests::png(&[(b"IHDR", &header), (b"IDAT", &rows)]);
        let Decoded { picture, incomplete } = decoded(&file).unwrap();
        assert!(incomplete);
        let at = |x: usize, y: usize| picture.pixels()[3 * (9 * y + x)];
        assert_eq!([at(0, 0), at(8, 0), at(0, 8), at(8, 8), at(1, 0), at(4, 4)], [10, 20, 30, 40, 255, 255]);
    }

    #[test]
    fn one_transparent_colour_of_16_bits() {
        let header = [&2u32.to_be_bytes()[..], &1u32.to_be_bytes(), &[16, 0, 0, 0, 0]].concat();
        let rows = miniz_oxide::deflate::compress_to_vec_zlib(&[0, 0x10, 0x01, 0x10, 0x02], 6);
        let file = chunks::tests::png(&[(b"IHDR", &header), (b"tRNS", &[0x10, 0x02]), (b"IDAT", &rows)]);
        assert_eq!(decoded(&file).unwrap().picture.pixels(), [0x10, 0x10, 0x10, 255, 255, 255]);
    }

    /// A pixel of `color_type` with chunks before its data.
    fn one_pixel(color_type: u8, pixel: &[u8], chunks: &[(&[u8; 4], &[u8])]) -> [u8; 3] {
        let header = [&1u32.to_be_bytes()[..], &1u32.to_be_bytes(), &[8, color_type, 0, 0, 0]].concat();
        let rows = miniz_oxide::deflate::compress_to_vec_zlib(&[&[0], pixel].concat(), 6);
        let chunks = [&[(b"IHDR", &header[..])], chunks, &[(b"IDAT", &rows[..])]].concat();
        decoded(&chunks::tests::png(&chunks)).unwrap().picture.pixels().try_into().unwrap()
    }

    #[test]
    fn of_two_chunks_of_a_kind_the_first_counts() {
        let (linear, usual) = (100_000u32.to_be_bytes(), 45_455u32.to_be_bytes());
        let gamma = |chunks: &[(&[u8; 4], &[u8])]| one_pixel(2, &[60, 60, 60], chunks)[0];
        assert_eq!(gamma(&[(b"gAMA", &usual), (b"gAMA", &linear)]), 60);
        // About 1 / 2.2 is that.
        for (nearly, same) in [(43_182u32, true), (47_727, true), (43_000, false), (48_000, false)] {
            assert_eq!(gamma(&[(b"gAMA", &nearly.to_be_bytes())]) == 60, same, "{nearly}");
        }
        assert_eq!(gamma(&[(b"gAMA", &linear), (b"gAMA", &usual)]), gamma(&[(b"gAMA", &linear)]),);
        let alphas = |alphas: &[u8], more: &[u8]| {
            one_pixel(3, &[0], &[(b"PLTE", &[1, 2, 3]), (b"tRNS", alphas), (b"tRNS", more)])
        };
        assert_eq!(alphas(&[0], &[255]), [255; 3]);
        assert_eq!(alphas(&[255], &[0]), [1, 2, 3]);
    }

    #[test]
    fn colours_that_say_nothing_are_passed_over() {
        let linear = 100_000u32.to_be_bytes();
        let gamma = |chunks: &[(&[u8; 4], &[u8])]| {
            one_pixel(2, &[60, 60, 60], &[chunks, &[(b"gAMA", &linear)]].concat())[0]
        };
        let right = gamma(&[]);
        assert!(right > 100);
        // Coding points without a meaning, an intent that there is not.
        assert_eq!(gamma(&[(b"cICP", &[2, 2, 0, 1])]), right);
        assert_eq!(gamma(&[(b"sRGB", &[9])]), right);
        assert_eq!(gamma(&[(b"sRGB", &[0])]), 60);
        assert_eq!(gamma(&[(b"cICP", &[1, 13, 0, 1])]), 60);
        // A profile that cannot be read.
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&[7; 200], 6);
        assert_eq!(gamma(&[(b"iCCP", &[&b"none\0\0"[..], &packed].concat())]), right);
        // Chromaticities that no colour has.
        let places = [31270, 32900, u32::MAX, 33000, 30000, 60000, 15000, 6000u32].map(u32::to_be_bytes);
        assert_eq!(gamma(&[(b"cHRM", places.as_flattened())]), 60);
        // A chunk of no proper name that is whole.
        assert_eq!(gamma(&[(b"a1b2", b"x")]), right);
    }

    #[test]
    fn a_profile_that_unpacks_to_many_megabytes_is_passed_over() {
        let mut profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        let shown = |profile: &[u8]| {
            let packed = miniz_oxide::deflate::compress_to_vec_zlib(profile, 6);
            one_pixel(2, &[200, 100, 50], &[(b"iCCP", &[b"P3\0\0", &packed[..]].concat())])
        };
        assert_eq!(shown(&profile), [215, 93, 31]);
        profile.resize(9 << 20, 0);
        assert_eq!(shown(&profile), [200, 100, 50]);
    }
}
