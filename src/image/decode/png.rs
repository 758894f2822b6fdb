//! PNG.

use std::io::Cursor;

use ::image::codecs::png::PngDecoder;

use super::{Stored, codec};
use crate::image::{ImageError, Limits};

/// Reads a PNG.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    if let Some((width, height)) = sides(bytes) {
        limits.check(width, height)?;
    }
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), codec::limits_of_decoder(limits));
    codec::read("PNG", decoder, limits, |_| Ok(()))
}

/// The sides in a PNG's header chunk, which its decoder reads only while it allocates.
fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.get(16..)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}
