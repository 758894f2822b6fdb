//! What the decoders leave unchecked: sizes written in a file that go beyond the file.

use super::{ImageError, Limits};

/// The sides in a PNG's header chunk, which its decoder reads only while it allocates.
pub(super) fn png_sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.get(16..)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// Refuses a JPEG without its end-of-image marker: the decoder would fill what is missing with gray.
///
/// The marker cannot occur inside entropy-coded data, where 0xFF is always followed by 0 or a restart marker; a
/// thumbnail's own marker stands in a segment before the scan and is not looked at.
pub(super) fn check_jpeg(bytes: &[u8]) -> Result<(), ImageError> {
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

/// Refuses a WebP with a chunk that is longer than the file, or a lossy frame beyond `limits`: the decoder would
/// allocate what such a chunk claims.
pub(super) fn check_webp(bytes: &[u8], limits: &Limits) -> Result<(), ImageError> {
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
    fn jpeg_end_marker() {
        let thumbnail =
            [0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9, 0xFF, 0xDA, 0, 2, 7, 0xFF, 0, 7];
        assert!(check_jpeg(&thumbnail).is_err(), "only the thumbnail in a segment has an end");
        assert!(check_jpeg(&[&thumbnail[..], &[0xFF, 0xFF, 0xD9]].concat()).is_ok());
        for length in 0..thumbnail.len() {
            assert!(check_jpeg(&thumbnail[..length]).is_err());
        }
    }

    #[test]
    fn webp_chunk_beyond_the_file() {
        let file = |length: u32| [b"RIFF\xFF\0\0\0WEBPEXIF", &length.to_le_bytes()[..], b"1234"].concat();
        assert!(check_webp(&file(4), &Limits::default()).is_ok());
        let error = check_webp(&file(0xFFFF_FFFF), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("EXIF"), "{error}");
    }

    #[test]
    fn webp_lossy_frame_beyond_the_limits() {
        let file = b"RIFF\xFF\0\0\0WEBPVP8 \x0A\0\0\0\0\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F";
        assert_eq!(check_webp(file, &Limits::default()).unwrap_err().code(), "image-too-large");
    }
}
