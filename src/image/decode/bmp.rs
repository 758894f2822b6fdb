//! BMP.

use std::io::Cursor;

use ::image::codecs::bmp::BmpDecoder;

use super::{Stored, codec};
use crate::image::{ImageError, Limits};

/// Reads a BMP.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Stored, ImageError> {
    codec::read("BMP", BmpDecoder::new(Cursor::new(bytes)), limits, |_| Ok(()))
}
