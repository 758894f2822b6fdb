//! Why an image was refused.

/// Why an image was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No bytes at all.
    #[error("the image is empty: it has no bytes")]
    Empty,
    /// The bytes do not begin like any known image format.
    #[error("not an image: {what}; give a JPEG, PNG, WebP, GIF or BMP")]
    NotAnImage {
        /// What it is instead, or how it begins.
        what: String,
    },
    /// An image of a format, or with a feature, that is not supported.
    #[error("{format} image cannot be read: {reason}; give a JPEG, PNG, WebP, GIF or BMP")]
    Unsupported {
        /// The format's name.
        format: String,
        /// What is not read.
        reason: String,
    },
    /// More bytes than [`Limits::max_bytes`](super::Limits::max_bytes).
    #[error("the image has {bytes} bytes; at most {limit} are read")]
    TooManyBytes {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More pixels than the [`Limits`](super::Limits) allow; found in the header, nothing was decoded.
    #[error("image of {width}x{height} pixels is too large: at most {max_pixels} pixels are read")]
    TooLarge {
        /// Columns that the header claims.
        width: u32,
        /// Rows that the header claims.
        height: u32,
        /// Most pixels allowed.
        max_pixels: u64,
    },
    /// Truncated or damaged.
    #[error("{format} image is damaged: {reason}")]
    Corrupt {
        /// The format's name.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The number of bytes does not fit width and height, or one of them is zero.
    #[error("image of {width}x{height} pixels cannot have {bytes} bytes of {channels} channels")]
    Shape {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes given.
        bytes: usize,
        /// Channels a pixel.
        channels: usize,
    },
    /// There is no memory for this many bytes.
    #[error("no memory for an image of {bytes} bytes")]
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
}

impl ImageError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            ImageError::Empty => "image-empty",
            ImageError::NotAnImage { .. } => "not-an-image",
            ImageError::Unsupported { .. } => "image-unsupported",
            ImageError::TooManyBytes { .. } | ImageError::TooLarge { .. } => "image-too-large",
            ImageError::Corrupt { .. } => "image-corrupt",
            ImageError::Shape { .. } => "image-shape",
            ImageError::Memory { .. } => "image-memory",
        }
    }
}
