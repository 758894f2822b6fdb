//! The input of an analysis, in the forms that callers have it in.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::image::Picture;

/// A post: a text, a picture, or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Post<'a> {
    /// The text. A text of only white space counts as none.
    pub text: Option<&'a str>,
    /// The picture.
    pub image: Option<ImageInput<'a>>,
}

/// A picture in one of the forms that callers have it in.
#[derive(Clone, Copy, Debug)]
pub enum ImageInput<'a> {
    /// The bytes of a JPEG, PNG, WebP, GIF or BMP file.
    #[cfg(feature = "decoders")]
    Encoded(&'a [u8]),
    /// Pixels with straight alpha, `4 * width * height` bytes row by row.
    Rgba {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The bytes.
        pixels: &'a [u8],
    },
    /// A picture that is already decoded.
    Picture(&'a Picture),
    /// What the encoder sees, made by [`Preprocess::apply`](crate::model::Preprocess::apply) somewhere else: in the
    /// browser, by the program that decodes.
    Prepared {
        /// RGB, `input_size` rows of as many pixels.
        pixels: &'a [u8],
        /// As [`Analysis::incomplete`](super::Analysis::incomplete).
        incomplete: bool,
    },
}

impl ImageInput<'_> {
    /// Tells pictures apart without keeping their bytes.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            #[cfg(feature = "decoders")]
            ImageInput::Encoded(bytes) => (0, bytes).hash(&mut hasher),
            ImageInput::Rgba { width, height, pixels } => (1, width, height, pixels).hash(&mut hasher),
            ImageInput::Picture(picture) => {
                (2, picture.width(), picture.height(), picture.pixels()).hash(&mut hasher);
            }
            ImageInput::Prepared { pixels, incomplete } => (3, pixels, incomplete).hash(&mut hasher),
        }
        hasher.finish()
    }
}
