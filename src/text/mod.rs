//! Text: clean-up, tokenizer, the BERT encoder (float in `bert`, with int8 weights in `quantized`).

mod aligned;
#[cfg(feature = "float")]
pub mod bert;
mod first;
mod preparation;
pub mod quantized;
mod second;
mod tokenizer;
mod vocabulary;

pub use aligned::Cleaned;
pub use preparation::Preparation;
pub use tokenizer::{Encoding, MAX_TEXT_BYTES, Tokenizer, Word};
pub use vocabulary::{prune, shorten};

/// Why a text was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Longer than [`MAX_TEXT_BYTES`].
    #[error("the text has {bytes} bytes; at most {limit} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Token ids that the encoder has no embedding for: tokenizer and encoder do not match.
    #[error("token ids: {reason}")]
    TokenIds {
        /// Which, and what would fit.
        reason: String,
    },
    /// A version of the text preparation that this release does not know.
    #[error("text preparation {version} is not known to this release: use a newer one")]
    Preparation {
        /// The version.
        version: u32,
    },
    /// `tokenizer.json` is not a tokenizer that this crate can use.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
}

impl TextError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            TextError::TooLong { .. } => "text-too-long",
            TextError::TokenIds { .. } => "token-ids",
            TextError::Preparation { .. } => "bad-config",
            TextError::Tokenizer(_) => "bad-tokenizer",
        }
    }
}
