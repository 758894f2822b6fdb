//! WebP.

use std::io::Cursor;

use ::image::codecs::webp::WebPDecoder;

use super::{Stored, codec};
use crate::image::{ImageError, Limits};

/// Reads a WebP.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    codec::read("WebP", WebPDecoder::new(Cursor::new(bytes)), limits, |_| check(bytes, limits))
}

/// Refuses a WebP with a chunk that is longer than the file, or a lossy frame beyond `limits`: the decoder would
/// allocate what such a chunk claims.
fn check(bytes: &[u8], limits: &Limits) -> Result<(), ImageError> {
    check_chunks(bytes.get(12..).unwrap_or_default(), limits)
}

fn check_chunks(mut rest: &[u8], limits: &Limits) -> Result<(), ImageError> {
    while let Some((name, after_name)) = rest.split_first_chunk::<4>() {
        let Some((length, body)) = after_name.split_first_chunk() else { break };
        let length = u32::from_le_bytes(*length) as usize;
        let chunk = body.get(..length).ok_or_else(|| ImageError::Corrupt {
            format: "WebP",
            reason: format!("it ends inside its {} chunk", name.escape_ascii()),
        })?;
        match name {
            b"VP8 " => {
                if let Some(&[0x9D, 0x01, 0x2A, w0, w1, h0, h1]) = chunk.get(3..10) {
                    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
                    limits.check(side([w0, w1]), side([h0, h1]))?;
                }
            }
            b"ANMF" => check_chunks(chunk.get(16..).unwrap_or_default(), limits)?,
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = body.get(length + length % 2..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webp_chunk_beyond_the_file() {
        let file = |length: u32| [b"RIFF\xFF\0\0\0WEBPEXIF", &length.to_le_bytes()[..], b"1234"].concat();
        assert!(check(&file(4), &Limits::default()).is_ok());
        let error = check(&file(0xFFFF_FFFF), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("EXIF"), "{error}");
    }

    #[test]
    fn webp_lossy_frame_beyond_the_limits() {
        let file = b"RIFF\xFF\0\0\0WEBPVP8 \x0A\0\0\0\0\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F";
        assert_eq!(check(file, &Limits::default()).unwrap_err().code(), "image-too-large");
    }
}
