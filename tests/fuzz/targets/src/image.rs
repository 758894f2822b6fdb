//! A picture from anyone.

use mixed_feelings::image::{Limits, decode};

/// Decodes the bytes, within small limits so that a try is quick.
pub fn run(bytes: &[u8]) {
    let limits = Limits { max_bytes: 1 << 20, max_side: 1 << 14, max_pixels: 1 << 20 };
    match decode(bytes, &limits) {
        Ok(picture) => {
            let pixels = u64::from(picture.width()) * u64::from(picture.height());
            assert!((1..=limits.max_pixels).contains(&pixels), "{pixels} pixels");
            assert_eq!(picture.pixels().len() as u64, 3 * pixels);
            assert_eq!(decode(bytes, &limits).as_ref(), Ok(&picture), "the same file is the same picture");
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}
