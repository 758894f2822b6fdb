//! BMP of Windows and OS/2: every header, palettes of 1, 2, 4 and 8 bits, 16, 24 and 32 bits with masks, run lengths.
//!
//! Where the format's many descriptions leave something open, Chromium's reading is followed: an alpha mask counts in headers that
//! have one (of version 4 and 5) even when the compression has no masks, unless all alpha is zero; pixels that run lengths skip
//! are transparent.

use ::image::metadata::Orientation;

use super::{
    Stored,
    canvas::{Canvas, blended},
    colour::{Colour, Source},
};
use crate::image::{ImageError, Limits};

/// Bytes of the file's own header, before the picture's.
const FILE_HEADER: usize = 14;

fn corrupt(reason: impl Into<String>) -> ImageError {
    ImageError::Corrupt { format: "BMP", reason: reason.into() }
}

fn unsupported(reason: impl Into<String>) -> ImageError {
    ImageError::Unsupported { format: "BMP".into(), reason: reason.into() }
}

/// Whether `bytes` begin like a BMP: two letters alone are also the beginning of many a text.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let known = |size| matches!(size, 12 | 16..=64 | 108 | 124);
    bytes.starts_with(b"BM") && u32_at(bytes, FILE_HEADER).map_or(bytes.len() < FILE_HEADER + 4, known)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&number| u16::from_le_bytes(number))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&number| u32::from_le_bytes(number))
}

/// The sides in the header.
pub(super) fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    if u32_at(bytes, FILE_HEADER)? == 12 {
        return Some((u16_at(bytes, 18)?.into(), u16_at(bytes, 20)?.into()));
    }
    Some((u32_at(bytes, 18)?, (u32_at(bytes, 22)? as i32).unsigned_abs()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Rows,
    /// Run lengths of pixels of so many bits.
    Runs,
}

#[derive(Debug)]
struct Header {
    width: u32,
    height: u32,
    top_down: bool,
    bits: u16,
    packing: Packing,
    /// Red, green, blue, alpha.
    masks: [u32; 4],
    palette: Vec<[u8; 3]>,
}

/// The header, and the bytes of the pixels.
fn read_header<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Header, &'a [u8]), ImageError> {
    let ends = || corrupt("it ends inside its header");
    let size = u32_at(bytes, FILE_HEADER).ok_or_else(ends)? as usize;
    let (width, height) = sides(bytes).ok_or_else(ends)?;
    let top_down = size != 12 && u32_at(bytes, 22).ok_or_else(ends)? > i32::MAX as u32;
    limits.check(width, height)?;
    if width == 0 || height == 0 || width > i32::MAX as u32 {
        return Err(corrupt(format!("it has {width}x{height} pixels")));
    }
    let bits = u16_at(bytes, if size == 12 { 24 } else { 28 }).ok_or_else(ends)?;
    // Shorter headers are cut off wherever their writer liked; what is missing is zero.
    let field = |at: usize| if at + 4 <= FILE_HEADER + size { u32_at(bytes, at).unwrap_or(0) } else { 0 };
    let compression = field(30);
    // OS/2 has other meanings for 3 and 4, which its longer header or the bits give away.
    let os2 = size != 12 && !matches!(size, 40 | 52 | 56 | 108 | 124);
    let masked = !os2 && matches!(compression, 3 | 6) && matches!(bits, 16 | 32);
    let packing = match (compression, bits) {
        (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) => Packing::Rows,
        (1, 8) | (2, 4) => Packing::Runs,
        (4, 24)
            if os2
                || size == 40
                    && bytes.get(field(10) as usize..).is_some_and(|data| !data.starts_with(b"\xFF\xD8")) =>
        {
            Packing::Runs
        }
        (3 | 6, 16 | 32) if masked => Packing::Rows,
        (3, 1) => return Err(unsupported("it is compressed as a fax (OS/2's Huffman coding)")),
        (4, _) => return Err(unsupported("it holds a JPEG instead of pixels")),
        (5, _) => return Err(unsupported("it holds a PNG instead of pixels")),
        (11..=13, _) => return Err(unsupported("its colours are CMYK")),
        (0, 64) => return Err(unsupported("it has 16 bits a channel")),
        _ => return Err(corrupt(format!("{bits} bits a pixel do not go with compression {compression}"))),
    };
    // Masks stand at the same place whether the header counts them or not.
    let mask = |number: usize| u32_at(bytes, 54 + 4 * number).unwrap_or(0);
    let alpha = if size >= 108 || (masked && (size >= 56 || compression == 6)) { mask(3) } else { 0 };
    let masks = match bits {
        _ if masked => [mask(0), mask(1), mask(2), alpha],
        16 => [0x7C00, 0x03E0, 0x001F, alpha],
        _ => [0xFF_0000, 0xFF00, 0xFF, if bits == 32 { alpha } else { 0 }],
    };
    let behind_masks = match (masked && size == 40, compression) {
        (false, _) => 0,
        (true, 6) => 16,
        (true, _) => 12,
    };
    let start = FILE_HEADER + size + behind_masks;
    let offset = u32_at(bytes, 10).ok_or_else(ends)? as usize;
    let (palette, end) = read_palette(bytes, start, bits, field(46) as usize, size == 12);
    let data = bytes
        .get(if offset < start { end } else { offset }..)
        .ok_or_else(|| corrupt("it ends before its pixels"))?;
    Ok((Header { width, height, top_down, bits, packing, masks, palette }, data))
}

/// The palette at `start`, if pixels of `bits` have one, and where it ends.
fn read_palette(bytes: &[u8], start: usize, bits: u16, used: usize, short: bool) -> (Vec<[u8; 3]>, usize) {
    if bits > 8 {
        return (Vec::new(), start);
    }
    let most = 1 << bits;
    let count = if used == 0 || used > most { most } else { used };
    let entry = if short { 3 } else { 4 };
    let entries = bytes.get(start..).unwrap_or_default().chunks_exact(entry).take(count);
    let palette = entries
        .filter_map(|entry| entry.first_chunk().map(|&[blue, green, red]| [red, green, blue]))
        .collect();
    (palette, start + entry * count)
}

/// The colour profile that a header of version 5 may have: where it stands is counted from the header.
fn profile(bytes: &[u8]) -> Option<&[u8]> {
    const VERSION_5: u32 = 124;
    const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");
    let field = |at: usize| u32_at(bytes, FILE_HEADER + at);
    if field(0) != Some(VERSION_5) || field(56) != Some(EMBEDDED) {
        return None;
    }
    let start = FILE_HEADER.checked_add(field(112)? as usize)?;
    bytes.get(start..start.checked_add(field(116)? as usize)?)
}

/// Reads a BMP.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    let (header, data) = read_header(bytes, limits)?;
    if data.is_empty() {
        return Err(corrupt("it ends before its pixels"));
    }
    let mut canvas = Canvas::white(header.width, header.height)?;
    let colour = profile(bytes).map(|profile| Colour::from_icc(profile, Source::Rgb));
    let incomplete = match (header.packing, header.bits) {
        (Packing::Runs, _) => header.paint_runs(data, &mut canvas),
        (Packing::Rows, ..=8) => header.paint_indices(data, &mut canvas),
        (Packing::Rows, _) => header.paint_colours(data, &mut canvas),
    };
    if let Some(colour) = colour {
        // White, which stands behind what is transparent, is white in any of them.
        (0..header.height).for_each(|row| colour.apply(canvas.row(row, 0, header.width).as_flattened_mut()));
    }
    Ok(Stored::whole(canvas.into_picture(), Orientation::NoTransforms, incomplete))
}

impl Header {
    /// The row of the picture that is stored as row `stored`.
    fn row(&self, stored: u32) -> u32 {
        if self.top_down { stored } else { self.height - 1 - stored }
    }

    /// Bytes of a stored row: a multiple of four.
    fn stride(&self) -> usize {
        (self.width as usize * usize::from(self.bits)).div_ceil(32) * 4
    }

    fn colour(&self, index: u8) -> [u8; 3] {
        self.palette.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// Each stored row and its place, and whether rows are missing; one that is cut is not shown.
    fn stored_rows<'a>(&self, data: &'a [u8]) -> (impl Iterator<Item = (u32, &'a [u8])>, bool) {
        let used = (self.width as usize * usize::from(self.bits)).div_ceil(8);
        let needed = self.stride() as u64 * u64::from(self.height - 1) + used as u64;
        let places: Vec<u32> = (0..self.height).map(|stored| self.row(stored)).collect();
        let rows = data.chunks(self.stride()).filter(move |stored| stored.len() >= used);
        (places.into_iter().zip(rows), (data.len() as u64) < needed)
    }

    fn paint_indices(&self, data: &[u8], canvas: &mut Canvas) -> bool {
        let (rows, incomplete) = self.stored_rows(data);
        let (bits, mask) = (self.bits, ((1u16 << self.bits) - 1) as u8);
        for (row, stored) in rows {
            let indices = stored
                .iter()
                .flat_map(|&byte| (1..=8 / bits).map(move |number| byte >> (8 - number * bits) & mask));
            for (pixel, index) in canvas.row(row, 0, self.width).iter_mut().zip(indices) {
                *pixel = self.colour(index);
            }
        }
        incomplete
    }

    fn paint_colours(&self, data: &[u8], canvas: &mut Canvas) -> bool {
        let size = usize::from(self.bits / 8);
        let [red, green, blue, alpha] = self.masks.map(Channel::new);
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        // A file whose alpha is zero throughout has none.
        let opaque = self.masks[3] == 0
            || self.stored_rows(data).0.all(|(_, stored)| {
                stored
                    .chunks_exact(size)
                    .take(self.width as usize)
                    .all(|bytes| word(bytes) & self.masks[3] == 0)
            });
        let (rows, incomplete) = self.stored_rows(data);
        for (row, stored) in rows {
            for (pixel, bytes) in canvas.row(row, 0, self.width).iter_mut().zip(stored.chunks_exact(size)) {
                let word = word(bytes);
                let colour = [red.of(word), green.of(word), blue.of(word)];
                *pixel = if opaque { colour } else { blended(colour, alpha.of(word)) };
            }
        }
        incomplete
    }

    /// Pixels that are skipped stay as they are.
    fn paint_runs(&self, data: &[u8], canvas: &mut Canvas) -> bool {
        let (mut x, mut stored) = (0u32, 0u32);
        let mut bytes = data.iter().copied();
        let mut put = |x: &mut u32, stored: u32, colour: [u8; 3]| {
            if stored < self.height
                && let Some(pixel) = canvas.row(self.row(stored), *x, 1).first_mut()
            {
                *pixel = colour;
            }
            *x = x.saturating_add(1);
        };
        loop {
            let (Some(count), Some(value)) = (bytes.next(), bytes.next()) else {
                // Without its end mark a picture is whole all the same when the last row is.
                return stored + 1 < self.height || stored + 1 == self.height && x < self.width;
            };
            match (count, value) {
                (0, 0) => (x, stored) = (0, stored.saturating_add(1)),
                (0, 1) => return false,
                (0, 2) => {
                    let (Some(right), Some(up)) = (bytes.next(), bytes.next()) else { return true };
                    x = x.saturating_add(right.into());
                    stored = stored.saturating_add(up.into());
                }
                (0, count) => {
                    let length = match self.bits {
                        4 => usize::from(count).div_ceil(2),
                        8 => count.into(),
                        _ => 3 * usize::from(count),
                    };
                    let pixels: Vec<u8> = bytes.by_ref().take(length.next_multiple_of(2)).collect();
                    for number in 0..usize::from(count) {
                        match self.bits {
                            4 => {
                                let Some(pair) = pixels.get(number / 2) else { return true };
                                put(
                                    &mut x,
                                    stored,
                                    self.colour(if number % 2 == 0 { pair >> 4 } else { pair & 15 }),
                                );
                            }
                            8 => {
                                let Some(&index) = pixels.get(number) else { return true };
                                put(&mut x, stored, self.colour(index));
                            }
                            _ => {
                                let Some(&[blue, green, red]) =
                                    pixels.get(3 * number..).and_then(<[u8]>::first_chunk)
                                else {
                                    return true;
                                };
                                put(&mut x, stored, [red, green, blue]);
                            }
                        }
                    }
                }
                (count, value) => {
                    let colours = match self.bits {
                        4 => [self.colour(value >> 4), self.colour(value & 15)],
                        8 => [self.colour(value); 2],
                        _ => {
                            let (Some(green), Some(red)) = (bytes.next(), bytes.next()) else { return true };
                            [[red, green, value]; 2]
                        }
                    };
                    // A file of runs beyond the row's end is not counted pixel by pixel.
                    let room = if stored < self.height { self.width.saturating_sub(x) } else { 0 };
                    let shown = room.min(count.into());
                    for colour in colours.into_iter().cycle().take(shown as usize) {
                        put(&mut x, stored, colour);
                    }
                    x = x.saturating_add(u32::from(count) - shown);
                }
            }
        }
    }
}

/// Where a channel's bits lie in a pixel's word.
#[derive(Clone, Copy, Debug)]
struct Channel {
    mask: u32,
    shift: u32,
    bits: u32,
}

impl Channel {
    fn new(mask: u32) -> Channel {
        let shift = mask.trailing_zeros().min(31);
        Channel { mask, shift, bits: 32 - (mask >> shift).leading_zeros() }
    }

    /// As 8 bits: more are cut off, fewer spread over the range.
    fn of(self, word: u32) -> u8 {
        let value = (word & self.mask) >> self.shift;
        match self.bits {
            0 => 0,
            bits @ 1..8 => {
                let most = (1 << bits) - 1;
                ((value * 255 + most / 2) / most) as u8
            }
            bits => (value >> (bits - 8)) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Decoded, decode};

    /// A file with a header of `size` bytes, of which `fields` are the first behind the sides, then `data`.
    fn bmp(size: u32, (width, height): (i32, i32), fields: &[u8], rest: &[u8], data: &[u8]) -> Vec<u8> {
        let mut header =
            [&size.to_le_bytes()[..], &width.to_le_bytes(), &height.to_le_bytes(), fields].concat();
        header.resize(size as usize, 0);
        let offset = (FILE_HEADER + header.len() + rest.len()) as u32;
        [&b"BM\0\0\0\0\0\0\0\0"[..], &offset.to_le_bytes(), &header, rest, data].concat()
    }

    fn pixels(file: &[u8]) -> Vec<u8> {
        let Decoded { picture, incomplete } = decode(file, &Limits::default()).unwrap();
        assert!(!incomplete);
        picture.pixels().to_vec()
    }

    /// Planes, bits, compression.
    fn kind(bits: u8, compression: u8) -> Vec<u8> {
        vec![1, 0, bits, 0, compression, 0, 0, 0]
    }

    const BLACK: [u8; 3] = [0; 3];
    const WHITE: [u8; 3] = [255; 3];
    const RED: [u8; 3] = [255, 0, 0];

    #[test]
    fn rows_run_upwards_unless_the_height_is_negative() {
        let data = [0, 0, 255, 0, 255, 255, 255, 0];
        assert_eq!(pixels(&bmp(40, (1, 2), &kind(24, 0), &[], &data)), [WHITE, RED].concat());
        assert_eq!(pixels(&bmp(40, (1, -2), &kind(24, 0), &[], &data)), [RED, WHITE].concat());
    }

    #[test]
    fn the_profile_of_version_5_counts() {
        let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        let file = |marked: &[u8; 4]| {
            let mut fields = kind(24, 0);
            fields.resize(44, 0);
            fields.extend(u32::from_be_bytes(*marked).to_le_bytes());
            fields.resize(100, 0);
            fields.extend([128u32, profile.len() as u32].map(u32::to_le_bytes).concat());
            bmp(124, (1, 1), &fields, &[], &[&[60, 80, 200, 0][..], &profile].concat())
        };
        assert_eq!(pixels(&file(b"sRGB")), [200, 80, 60]);
        let shown = pixels(&file(b"MBED"));
        assert!(shown[0] > 210 && shown[1] < 80, "{shown:?}");
    }

    #[test]
    fn runs_beyond_the_row_are_not_painted() {
        let mut fields = kind(8, 1);
        fields.resize(28, 0);
        // A million runs of 255 pixels take as long as a million bytes.
        let data = [&[2, 1, 0, 0, 1, 1][..], &[255, 1].repeat(1 << 20), &[0, 1]].concat();
        let palette = [[0, 0, 0, 0], [0, 0, 255, 0]].concat();
        assert_eq!(pixels(&bmp(40, (2, 2), &fields, &palette, &data)).len(), 12);
    }

    #[test]
    fn alpha_counts_where_the_header_has_a_mask() {
        let with_alpha = |size: u32, alpha: &[u8]| {
            let mut fields = kind(32, 0);
            fields.resize(40, 0);
            fields.extend(0xFF00_0000u32.to_le_bytes());
            bmp(
                size,
                (2, 1),
                &fields[..(size as usize - 12).min(44)],
                &[],
                &[0, 0, 0, alpha[0], 0, 0, 255, alpha[1]],
            )
        };
        assert_eq!(pixels(&with_alpha(124, &[0, 255])), [WHITE, RED].concat());
        assert_eq!(pixels(&with_alpha(108, &[0, 255])), [WHITE, RED].concat());
        assert_eq!(pixels(&with_alpha(124, &[0, 0])), [BLACK, RED].concat(), "no alpha at all");
        assert_eq!(pixels(&with_alpha(40, &[0, 255])), [BLACK, RED].concat(), "no mask");
    }

    #[test]
    fn masks() {
        let rgb565 = [0xF800u32, 0x07E0, 0x001F].map(u32::to_le_bytes).concat();
        let data = [0x00, 0xF8, 0xFF, 0xFF];
        assert_eq!(pixels(&bmp(40, (2, 1), &kind(16, 3), &rgb565, &data)), [RED, WHITE].concat());
        assert_eq!(
            pixels(&bmp(40, (2, 1), &kind(16, 0), &[], &[0x00, 0x7C, 0xFF, 0x7F])),
            [RED, WHITE].concat()
        );
        let channel = Channel::new(0x3FF << 10);
        assert_eq!((channel.of(0x3FF << 10), channel.of(0x200 << 10)), (255, 128));
    }

    #[test]
    fn palettes() {
        let palette = [0, 0, 0, 0, 0, 0, 255, 0];
        let one = pixels(&bmp(40, (3, 1), &kind(1, 0), &palette, &[0b0100_0000, 0, 0, 0]));
        assert_eq!(one, [BLACK, RED, BLACK].concat());
        let four = pixels(&bmp(
            40,
            (3, 1),
            &[&kind(4, 0)[..], &[0; 12], &[2, 0, 0, 0]].concat(),
            &palette,
            &[0x01, 0x10, 0, 0],
        ));
        assert_eq!(four, [BLACK, RED, RED].concat());
        let core = [
            &b"BM\0\0\0\0\0\0\0\0\x20\0\0\0\x0C\0\0\0\x02\0\x01\0\x01\0\x01\0"[..],
            &[0, 0, 0, 0, 0, 255],
            &[0x40, 0, 0, 0],
        ];
        assert_eq!(pixels(&core.concat()), [BLACK, RED].concat());
    }

    #[test]
    fn runs_and_what_they_skip() {
        let palette = [&[0, 0, 0, 0, 0, 0, 255, 0][..], &[0; 4 * 254]].concat();
        // Two red; the next row: skip one, one black; end.
        let data = [2, 1, 0, 0, 0, 2, 1, 0, 1, 0, 0, 1];
        assert_eq!(pixels(&bmp(40, (2, 2), &kind(8, 1), &palette, &data)), [WHITE, BLACK, RED, RED].concat());
        let four = [&[0, 0, 0, 0, 0, 0, 255, 0][..], &[0; 4 * 14]].concat();
        let data = [3, 0x01, 0, 3, 0x10, 0x10, 0, 1];
        let expected = [BLACK, RED, BLACK, RED, BLACK, RED].concat();
        assert_eq!(pixels(&bmp(40, (6, 1), &kind(4, 2), &four, &data)), expected);
    }

    #[test]
    fn what_is_missing_is_white_and_said() {
        let file = bmp(40, (1, 2), &kind(24, 0), &[], &[0, 0, 255, 0]);
        let Decoded { picture, incomplete } = decode(&file, &Limits::default()).unwrap();
        assert!(incomplete);
        assert_eq!(picture.pixels(), [WHITE, RED].concat());
        let error = decode(&file[..54], &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "image-corrupt");
    }

    #[test]
    fn other_pictures_inside_are_named() {
        for (compression, name) in [(4, "JPEG"), (5, "PNG")] {
            let error =
                decode(&bmp(40, (1, 1), &kind(0, compression), &[], b"\xFF\xD8\xFF"), &Limits::default())
                    .unwrap_err();
            assert_eq!(error.code(), "image-unsupported");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
