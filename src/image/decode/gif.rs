//! GIF: the first frame on its screen, as browsers show it before anything moves.
//!
//! The container is read here and only the packed indices are left to `weezl`, because what browsers make of files that bend the
//! rules is decided by the container: a screen of no size or smaller than its frame, missing palettes, a missing end.

use ::image::metadata::Orientation;
use weezl::{BitOrder, LzwStatus, decode::Configuration};

use super::{
    Stored,
    canvas::{Canvas, filled},
};
use crate::image::{ImageError, Limits};

/// The sides of the screen, as the header says; the first frame may need more.
pub(super) fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let &[w0, w1, h0, h1] = bytes.get(6..)?.first_chunk()?;
    Some((u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into()))
}

fn corrupt(reason: &str) -> ImageError {
    ImageError::Corrupt { format: "GIF", reason: reason.into() }
}

/// The first frame, with the blocks before it read.
struct Frame<'a> {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    interlaced: bool,
    palette: &'a [[u8; 3]],
    transparent: Option<u8>,
    /// From the byte that says how many bits an index has.
    data: &'a [u8],
}

/// Reads a GIF.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    let (width, height) = sides(bytes).ok_or_else(|| corrupt("it ends inside its header"))?;
    limits.check(width, height)?;
    let frame = first_frame(bytes)?;
    // Of a screen that is too small for its first frame, browsers make one that is large enough.
    let (width, height) = (width.max(frame.left + frame.width), height.max(frame.top + frame.height));
    limits.check(width, height)?;
    if frame.width == 0 || frame.height == 0 {
        return Err(corrupt("its first frame has no pixels"));
    }
    let indices = unpack(frame.data, frame.width as usize * frame.height as usize)?;
    if indices.is_empty() {
        return Err(corrupt("nothing of its first frame can be read"));
    }
    let incomplete = indices.len() < frame.width as usize * frame.height as usize;
    let mut canvas = Canvas::white(width, height)?;
    let rows = rows(frame.height, frame.interlaced);
    for ((row, copies), indices) in rows.zip(indices.chunks(frame.width as usize)) {
        // A row of an early pass stands for those that later ones bring, which shows where they are missing.
        for row in row..frame.height.min(row + if incomplete { copies } else { 1 }) {
            let pixels = canvas.row(frame.top + row, frame.left, frame.width);
            for (pixel, &index) in pixels.iter_mut().zip(indices) {
                if Some(index) != frame.transparent {
                    *pixel = frame.colour(index);
                }
            }
        }
    }
    Ok(Stored::whole(canvas.into_picture(), Orientation::NoTransforms, incomplete))
}

impl Frame<'_> {
    /// An index beyond the palette is black, as in Chromium.
    fn colour(&self, index: u8) -> [u8; 3] {
        self.palette.get(usize::from(index)).copied().unwrap_or_default()
    }
}

fn first_frame(bytes: &[u8]) -> Result<Frame<'_>, ImageError> {
    let ends = || corrupt("it ends before its first frame");
    let flags = *bytes.get(10).ok_or_else(ends)?;
    let mut rest = bytes.get(13..).ok_or_else(ends)?;
    let mut global: &[[u8; 3]] = &[];
    if flags & 0x80 != 0 {
        (global, rest) = palette(rest, flags).ok_or_else(ends)?;
    }
    let mut transparent = None;
    loop {
        let (&kind, tail) = rest.split_first().ok_or_else(ends)?;
        match kind {
            b'!' => {
                let (&label, blocks) = tail.split_first().ok_or_else(ends)?;
                if label == 0xF9
                    && let Some(&[4..=255, flags, _, _, index]) = blocks.first_chunk()
                {
                    transparent = (flags & 1 != 0).then_some(index);
                }
                rest = behind_blocks(blocks).ok_or_else(ends)?;
            }
            b',' => {
                let (&[l0, l1, t0, t1, w0, w1, h0, h1, flags], tail) =
                    tail.split_first_chunk().ok_or_else(ends)?;
                let (own, data) =
                    if flags & 0x80 != 0 { palette(tail, flags).ok_or_else(ends)? } else { (global, tail) };
                let number = |bytes| u32::from(u16::from_le_bytes(bytes));
                return Ok(Frame {
                    left: number([l0, l1]),
                    top: number([t0, t1]),
                    width: number([w0, w1]),
                    height: number([h0, h1]),
                    interlaced: flags & 0x40 != 0,
                    palette: own,
                    transparent,
                    data,
                });
            }
            b';' => return Err(corrupt("it has no frame")),
            // Stray bytes between blocks.
            0 => rest = tail,
            _ => return Err(corrupt("a block of unknown kind stands before its first frame")),
        }
    }
}

/// The palette whose size is in `flags`, and what follows it.
fn palette(bytes: &[u8], flags: u8) -> Option<(&[[u8; 3]], &[u8])> {
    let (palette, rest) = bytes.split_at_checked(3 << ((flags & 7) + 1))?;
    Some((palette.as_chunks().0, rest))
}

/// What follows a chain of blocks, each with its length in front.
fn behind_blocks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        if length == 0 {
            return Some(rest);
        }
        bytes = rest.get(usize::from(length)..)?;
    }
}

/// The first `count` indices of a frame, or as many as there are.
fn unpack(data: &[u8], count: usize) -> Result<Vec<u8>, ImageError> {
    let (&bits, mut blocks) = data.split_first().ok_or_else(|| corrupt("it ends before its first frame"))?;
    if bits > 8 {
        return Err(corrupt("its indices have more than 8 bits"));
    }
    let mut packed = Vec::new();
    while let Some((&length @ 1.., rest)) = blocks.split_first() {
        let (block, after) = rest.split_at(usize::from(length).min(rest.len()));
        packed.extend_from_slice(block);
        blocks = after;
    }
    let mut indices = filled(count as u64, 0u8)?;
    let mut decoder = Configuration::new(BitOrder::Lsb, bits.max(1)).with_yield_on_full_buffer(true).build();
    let (mut read, mut written) = (0, 0);
    while written < count {
        let Some(room) = indices.get_mut(written..) else { break };
        let result = decoder.decode_bytes(packed.get(read..).unwrap_or_default(), room);
        read += result.consumed_in;
        written += result.consumed_out;
        match result.status {
            Ok(LzwStatus::Ok) => {}
            // The end, too few bytes, or a code that cannot be: what came before it stays.
            Ok(LzwStatus::Done | LzwStatus::NoProgress) | Err(_) => break,
        }
    }
    indices.truncate(written);
    Ok(indices)
}

/// Where each stored row belongs, and how many rows it stands for until later passes come.
fn rows(height: u32, interlaced: bool) -> Box<dyn Iterator<Item = (u32, u32)>> {
    if !interlaced {
        return Box::new((0..height).map(|row| (row, 1)));
    }
    let passes = [(0, 8, 8), (4, 8, 4), (2, 4, 2), (1, 2, 1)];
    let pass = move |(first, step, copies)| (first..height).step_by(step).map(move |row| (row, copies));
    Box::new(passes.into_iter().flat_map(pass))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Decoded, decode};

    /// `screen` and `frame` (left, top, width, height) of one-colour indices 1, in the palette black and red.
    fn gif(screen: [u8; 2], [left, top, width, height]: [u8; 4], more: &[u8]) -> Vec<u8> {
        let head =
            [&b"GIF89a"[..], &[screen[0], 0, screen[1], 0, 0x80, 0, 0], &[0, 0, 0, 255, 0, 0], more].concat();
        let frame = [b',', left, 0, top, 0, width, 0, height, 0, 0];
        let mut encoder = weezl::encode::Encoder::new(BitOrder::Lsb, 2);
        let data = encoder.encode(&vec![1; usize::from(width) * usize::from(height)]).unwrap();
        [&head[..], &frame, &[2, data.len() as u8], &data, b"\0;"].concat()
    }

    fn decoded(bytes: &[u8]) -> Decoded {
        decode(bytes, &Limits::default()).unwrap()
    }

    #[test]
    fn the_screen_grows_to_its_first_frame() {
        for screen in [[0, 0], [1, 9], [2, 2]] {
            let Decoded { picture, incomplete } = decoded(&gif(screen, [0, 0, 4, 3], b""));
            assert_eq!((picture.width(), picture.height()), (4, u32::from(screen[1].max(3))));
            assert_eq!(picture.pixels()[..36], [255, 0, 0].repeat(12));
            assert!(!incomplete);
        }
        let picture = decoded(&gif([3, 3], [2, 1, 2, 1], b"")).picture;
        assert_eq!((picture.width(), picture.height()), (4, 3));
    }

    #[test]
    fn around_the_frame_is_white() {
        let picture = decoded(&gif([3, 3], [1, 1, 1, 1], b"")).picture;
        let mut expected = vec![255; 27];
        expected[12..15].copy_from_slice(&[255, 0, 0]);
        assert_eq!(picture.pixels(), expected);
    }

    #[test]
    fn transparent_is_white() {
        let picture = decoded(&gif([2, 2], [0, 0, 2, 2], b"!\xF9\x04\x01\0\0\x01\0")).picture;
        assert_eq!(picture.pixels(), [255; 12]);
    }

    #[test]
    fn a_part_is_incomplete_and_nothing_is_corrupt() {
        let whole = gif([9, 9], [0, 0, 9, 9], b"");
        let ends = whole.len() - 2;
        assert!(!decoded(&whole[..ends]).incomplete, "without its end");
        let cut = decoded(&whole[..ends - 4]);
        assert!(cut.incomplete);
        assert_eq!((&cut.picture.pixels()[..3], cut.picture.pixels().last()), (&[255, 0, 0][..], Some(&255)));
        for length in 6..30 {
            let error = decode(&whole[..length], &Limits::default()).unwrap_err();
            assert_eq!(error.code(), "image-corrupt", "{length}");
        }
    }

    #[test]
    fn interlaced_rows_find_their_places() {
        let places: Vec<u32> = rows(10, true).map(|(row, _)| row).collect();
        assert_eq!(places, [0, 8, 4, 2, 6, 1, 3, 5, 7, 9]);
    }

    #[test]
    fn an_index_beyond_the_palette_is_black() {
        let file = gif([2, 1], [0, 0, 2, 1], b"");
        let packed = weezl::encode::Encoder::new(BitOrder::Lsb, 2).encode(&[3, 1]).unwrap();
        let head = file.iter().position(|&byte| byte == b',').unwrap() + 10;
        let file = [&file[..head], &[2, packed.len() as u8], &packed, b"\0;"].concat();
        assert_eq!(decoded(&file).picture.pixels(), [0, 0, 0, 255, 0, 0]);
    }
}
