//! WebP: the still picture, or the first frame of an animation on its canvas.
//!
//! The container is read here, as leniently as libwebp does (what stands behind the picture is not looked at, nor the length that
//! the file claims); the decoder is given a new one that holds nothing but one picture.

use std::io::Cursor;

use ::image::metadata::Orientation;
use image_webp::WebPDecoder;

use super::{
    Stored,
    canvas::{Canvas, blended, filled},
    colour::{Colour, Source},
};
use crate::image::{ImageError, Limits};

fn corrupt(reason: impl Into<String>) -> ImageError {
    ImageError::Corrupt { format: "WebP", reason: reason.into() }
}

/// The sides of the canvas, or of the picture where there is none.
pub(super) fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let chunk = Chunks { rest: bytes.get(12..)? }.next()?;
    match chunk.name {
        b"VP8X" => canvas_sides(chunk.body),
        _ => picture_sides(&chunk),
    }
}

fn canvas_sides(body: &[u8]) -> Option<(u32, u32)> {
    let &[w0, w1, w2, h0, h1, h2] = body.get(4..)?.first_chunk()?;
    Some((u24([w0, w1, w2]) + 1, u24([h0, h1, h2]) + 1))
}

fn u24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

fn picture_sides(chunk: &Chunk<'_>) -> Option<(u32, u32)> {
    match chunk.name {
        b"VP8 " => {
            let &[0x9D, 0x01, 0x2A, w0, w1, h0, h1] = chunk.body.get(3..)?.first_chunk()? else {
                return None;
            };
            let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
            Some((side([w0, w1]), side([h0, h1])))
        }
        b"VP8L" => {
            let &[0x2F, b0, b1, b2, b3] = chunk.body.first_chunk()? else { return None };
            let sides = u32::from_le_bytes([b0, b1, b2, b3]);
            Some(((sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1))
        }
        _ => None,
    }
}

/// A part of the file; `body` is shorter than it claims where the file ends.
struct Chunk<'a> {
    name: &'a [u8; 4],
    body: &'a [u8],
    whole: bool,
}

struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (name, after) = self.rest.split_first_chunk::<4>()?;
        let (length, body) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let whole = length <= body.len();
        // Chunks are padded to an even length.
        self.rest = length.checked_add(length % 2).and_then(|length| body.get(length..)).unwrap_or_default();
        Some(Chunk { name, body: body.get(..length).unwrap_or(body), whole })
    }
}

/// What is needed of a file.
#[derive(Default)]
struct Parts<'a> {
    /// Of the extended header.
    canvas: Option<(u32, u32)>,
    /// What the extended header says that there is; the rest is not looked at, as in Chromium.
    animated: bool,
    has_alpha: bool,
    has_profile: bool,
    profile: Option<&'a [u8]>,
    picture: Option<Still<'a>>,
    /// Where on the canvas the first frame stands.
    place: (u32, u32),
}

/// One picture: its chunk, and that of its alpha.
struct Still<'a> {
    alpha: Option<&'a [u8]>,
    chunk: Chunk<'a>,
    sides: (u32, u32),
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Parts<'a>, ImageError> {
        let mut parts = Parts::default();
        let mut alpha = None;
        for chunk in (Chunks { rest: bytes.get(12..).unwrap_or_default() }) {
            match chunk.name {
                b"VP8X" if parts.picture.is_none() => {
                    parts.canvas = canvas_sides(chunk.body);
                    let flags = chunk.body.first().copied().unwrap_or_default();
                    parts.animated = flags & 0x02 != 0;
                    parts.has_alpha = flags & 0x10 != 0;
                    parts.has_profile = flags & 0x20 != 0;
                }
                // That of an animation is not looked at, as in Chromium.
                b"ICCP" if parts.has_profile && !parts.animated && parts.profile.is_none() => {
                    parts.profile = Some(chunk.body);
                }
                b"ALPH" if !parts.animated && parts.has_alpha => alpha = Some(chunk.body),
                b"VP8 " | b"VP8L" if !parts.animated && parts.picture.is_none() => {
                    parts.picture = Some(Still::new(chunk, alpha)?);
                }
                b"ANMF" if parts.animated && parts.picture.is_none() => {
                    // One without a picture is passed over, as libwebp does.
                    if let Some((place, still)) = frame(&chunk)? {
                        (parts.place, parts.picture) = (place, Some(still));
                    }
                }
                _ => {}
            }
        }
        Ok(parts)
    }
}

/// A picture and where it stands, in columns and rows.
type Placed<'a> = ((u32, u32), Still<'a>);

/// The picture of a frame, if it has one.
fn frame<'a>(chunk: &Chunk<'a>) -> Result<Option<Placed<'a>>, ImageError> {
    let ends = || corrupt("it ends inside a frame's header");
    let &[x0, x1, x2, y0, y1, y2, ..] = chunk.body.first_chunk::<16>().ok_or_else(ends)?;
    let mut alpha = None;
    for part in (Chunks { rest: chunk.body.get(16..).unwrap_or_default() }) {
        match part.name {
            b"ALPH" => alpha = Some(part.body),
            b"VP8 " | b"VP8L" => {
                let place = (2 * u24([x0, x1, x2]), 2 * u24([y0, y1, y2]));
                return Ok(Some((place, Still::new(part, alpha)?)));
            }
            _ => {}
        }
    }
    Ok(None)
}

impl<'a> Still<'a> {
    fn new(chunk: Chunk<'a>, alpha: Option<&'a [u8]>) -> Result<Still<'a>, ImageError> {
        if !chunk.whole {
            return Err(corrupt(format!("it ends inside its {} chunk", chunk.name.escape_ascii())));
        }
        let sides = picture_sides(&chunk).filter(|&(width, height)| width > 0 && height > 0);
        let sides = sides.ok_or_else(|| corrupt("its picture has no sides"))?;
        Ok(Still { alpha: alpha.filter(|_| chunk.name == b"VP8 "), chunk, sides })
    }

    /// A file of this picture alone.
    fn file(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.chunk.body.len() + self.alpha.map_or(0, <[u8]>::len) + 64);
        if let Some(alpha) = self.alpha {
            let (width, height) = (self.sides.0 - 1, self.sides.1 - 1);
            let sides = [&width.to_le_bytes()[..3], &height.to_le_bytes()[..3]].concat();
            push(&mut body, b"VP8X", &[&[0x10, 0, 0, 0][..], &sides].concat());
            push(&mut body, b"ALPH", alpha);
        }
        push(&mut body, self.chunk.name, self.chunk.body);
        let mut file = Vec::with_capacity(body.len() + 12);
        file.extend(b"RIFF");
        file.extend((body.len() as u32 + 4).to_le_bytes());
        file.extend(b"WEBP");
        file.extend(body);
        file
    }
}

fn push(file: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    file.extend(name);
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file.extend(vec![0; body.len() % 2]);
}

/// Reads a WebP.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    if let Some((width, height)) = sides(bytes) {
        limits.check(width, height)?;
    }
    let parts = Parts::read(bytes)?;
    let still = parts.picture.as_ref().ok_or_else(|| corrupt("it ends before its picture"))?;
    let (width, height) = still.sides;
    limits.check(width, height)?;
    let (columns, rows) = parts.canvas.unwrap_or(still.sides);
    let (left, top) = parts.place;
    let fits = if parts.animated {
        left + width <= columns && top + height <= rows
    } else {
        (columns, rows) == still.sides
    };
    if !fits {
        return Err(corrupt(format!("its picture of {width}x{height} pixels does not fit its canvas")));
    }

    let refuse = |error: image_webp::DecodingError| corrupt(error.to_string());
    let mut decoder = WebPDecoder::new(Cursor::new(still.file())).map_err(refuse)?;
    let size = decoder.output_buffer_size().ok_or_else(|| corrupt("its sides are not possible"))?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    if size as u64 != channels * u64::from(width) * u64::from(height) {
        return Err(corrupt("its headers contradict each other"));
    }
    let mut pixels = filled(size as u64, 0u8)?;
    decoder.read_image(&mut pixels).map_err(refuse)?;
    drop(decoder);

    let colour = parts.profile.map_or(Colour::Same, |profile| Colour::from_icc(profile, Source::Rgb));
    let mut canvas = Canvas::white(columns, rows)?;
    for (row, stored) in (top..).zip(pixels.chunks_exact(channels as usize * width as usize)) {
        let target = canvas.row(row, left, width);
        if channels == 3 {
            target.copy_from_slice(stored.as_chunks().0);
            colour.apply(target.as_flattened_mut());
        } else {
            let stored: &[[u8; 4]] = stored.as_chunks().0;
            for (pixel, &[red, green, blue, _]) in target.iter_mut().zip(stored) {
                *pixel = [red, green, blue];
            }
            colour.apply(target.as_flattened_mut());
            for (pixel, &[_, _, _, alpha]) in target.iter_mut().zip(stored) {
                *pixel = blended(*pixel, alpha);
            }
        }
    }
    // As it is stored: Chromium does not look at the orientation in a WebP.
    Ok(Stored::whole(canvas.into_picture(), Orientation::NoTransforms, false))
}

#[cfg(test)]
mod tests {
    use crate::image::decode::fixtures::{decoded, fixture};

    #[test]
    fn what_stands_behind_the_picture_is_ignored() {
        for name in
            ["lossy.webp", "lossless.webp", "lossy_alpha.webp", "lossless_alpha.webp", "animated.webp"]
        {
            let file = fixture(name);
            let right = decoded(&file).unwrap();
            let mut longer = file.clone();
            longer.extend(b"JUNK behind the file, of an odd length");
            assert_eq!(decoded(&longer).unwrap(), right, "{name}");
            for claimed in [0u32, 13, u32::MAX] {
                let mut other = file.clone();
                other[4..8].copy_from_slice(&claimed.to_le_bytes());
                assert_eq!(decoded(&other).unwrap(), right, "{name} claims {claimed} bytes");
            }
        }
    }

    #[test]
    fn cut_files_are_corrupt() {
        for name in ["lossy.webp", "lossless_alpha.webp", "animated.webp"] {
            let file = fixture(name);
            for length in 12..file.len().min(400) {
                if let Err(error) = decoded(&file[..length]) {
                    assert_eq!(error.code(), "image-corrupt", "{name} cut at {length}");
                }
            }
        }
    }

    #[test]
    fn a_frame_beyond_its_canvas_is_corrupt() {
        let mut file = fixture("animated.webp");
        let frame = file.windows(4).position(|name| name == b"ANMF").unwrap();
        file[frame + 8] = 200;
        assert!(decoded(&file).unwrap_err().to_string().contains("canvas"));
    }

    /// As Chromium shows it.
    #[test]
    fn a_first_frame_without_a_picture_is_passed_over() {
        let file = fixture("animated.webp");
        let first = file.windows(4).position(|name| name == b"ANMF").unwrap();
        let second = first + 8 + file[first + 8..].windows(4).position(|name| name == b"ANMF").unwrap();
        let next = decoded(&[&file[..first], &file[second..]].concat()).unwrap();
        assert_ne!(next, decoded(&file).unwrap());
        let picture = first + file[first..].windows(4).position(|name| name == b"VP8 ").unwrap();
        let mut renamed = file.clone();
        renamed[picture..picture + 4].copy_from_slice(b"JUNK");
        assert_eq!(decoded(&renamed).unwrap(), next);
        let header =
            [&file[..first], b"ANMF\x10\0\0\0", &file[first + 8..first + 24], &file[second..]].concat();
        assert_eq!(decoded(&header).unwrap(), next);
        assert!(decoded(&file[..second - 400]).is_err());
    }

    /// As Chromium shows it, which converts still pictures alone.
    #[test]
    fn the_profile_of_an_animation_is_passed_over() {
        let mut file = fixture("animated.webp");
        let plain = decoded(&file).unwrap();
        let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        file[20] |= 0x20;
        let length = (profile.len() as u32).to_le_bytes();
        let padding = vec![0; profile.len() % 2];
        let file = [&file[..30], b"ICCP", &length, &profile, &padding, &file[30..]].concat();
        assert_eq!(decoded(&file).unwrap(), plain);
    }

    #[test]
    fn a_picture_beyond_the_limits_is_not_decoded() {
        let file = b"RIFF\xFF\0\0\0WEBPVP8 \x0A\0\0\0\0\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F";
        assert_eq!(decoded(file).unwrap_err().code(), "image-too-large");
    }

    #[test]
    fn what_the_header_does_not_announce_is_not_looked_at() {
        let mut file = fixture("lossy_alpha.webp");
        let shown = decoded(&file).unwrap();
        assert_eq!(&file[12..16], b"VP8X");
        file[20] &= !0x10;
        let opaque = decoded(&file).unwrap();
        assert_ne!(opaque, shown);
        // The same without the chunk.
        let alpha = file.windows(4).position(|name| name == b"ALPH").unwrap();
        file[alpha..alpha + 4].copy_from_slice(b"JUNK");
        assert_eq!(decoded(&file).unwrap(), opaque);
    }
}
