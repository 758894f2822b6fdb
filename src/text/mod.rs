//! The text room: clean-up, tokenizer, BERT encoder (float in `bert`, int8 in `int8`).

mod aligned;
#[cfg(feature = "float")]
pub mod bert;
mod clean;
mod config;
mod emoji;
pub mod int8;
mod tokenizer;

pub use aligned::Cleaned;
pub use clean::clean;
pub use config::{Activation, BertConfig};
pub use tokenizer::{Encoding, MAX_TEXT_BYTES, Tokenizer, Word};

/// Why a text was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Longer than this crate is willing to look at.
    #[error("the text has {bytes} bytes; at most {limit} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Token ids that the encoder has no embedding for: tokenizer and encoder do not belong together.
    #[error("token ids: {reason}")]
    TokenIds {
        /// Which, and what would fit.
        reason: String,
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
            TextError::Tokenizer(_) => "bad-tokenizer",
        }
    }
}
