//! JPEG.

use std::io::Cursor;

use ::image::codecs::jpeg::JpegDecoder;

use super::{Stored, codec};
use crate::image::{ImageError, Limits};

/// Reads a JPEG.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    codec::read("JPEG", JpegDecoder::new(Cursor::new(bytes)), limits, |_| check(bytes))
}

/// Refuses a JPEG without its end-of-image marker: the decoder would fill what is missing with gray.
///
/// The marker cannot occur inside entropy-coded data, where 0xFF is always followed by 0 or a restart marker; a
/// thumbnail's own marker stands in a segment before the scan and is not looked at.
fn check(bytes: &[u8]) -> Result<(), ImageError> {
    let cut_short = || ImageError::Corrupt { format: "JPEG", reason: "it ends before its end marker".into() };
    let mut rest = bytes.get(2..).ok_or_else(cut_short)?;
    loop {
        let from_marker = rest.iter().position(|&byte| byte == 0xFF).ok_or_else(cut_short)?;
        rest = rest.get(from_marker + 1..).ok_or_else(cut_short)?;
        let Some((marker, tail)) = rest.split_first() else { return Err(cut_short()) };
        match marker {
            0xD9 => return Ok(()),
            // Fill bytes, stuffed zeros, restart markers and a nested start have no length.
            0xFF => {}
            0x00 | 0x01 | 0xD0..=0xD8 => rest = tail,
            _ => {
                let length = tail.first_chunk().map(|&length| usize::from(u16::from_be_bytes(length)));
                rest = length.and_then(|length| tail.get(length..)).ok_or_else(cut_short)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpeg_end_marker() {
        let thumbnail =
            [0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9, 0xFF, 0xDA, 0, 2, 7, 0xFF, 0, 7];
        assert!(check(&thumbnail).is_err(), "only the thumbnail in a segment has an end");
        assert!(check(&[&thumbnail[..], &[0xFF, 0xFF, 0xD9]].concat()).is_ok());
        for length in 0..thumbnail.len() {
            assert!(check(&thumbnail[..length]).is_err());
        }
    }
}
