//! GIF.

use std::io::Cursor;

use ::image::codecs::gif::GifDecoder;

use super::{Stored, codec};
use crate::image::{ImageError, Limits};

/// Reads a GIF.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    codec::read("GIF", GifDecoder::new(Cursor::new(bytes)), limits, |_| Ok(()))
}
