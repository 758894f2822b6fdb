//! The clean-up before the tokenizer, the same in training and in inference: the version that a bundle names.

use super::{Cleaned, TextError, first, second};

/// A version of the text preparation. A model reads texts as they were prepared when it learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// That of the models of release 0.1.
    First,
    /// The newest: what [`TEXT_PREPARATION`](crate::model::TEXT_PREPARATION) names.
    Second,
}

impl Preparation {
    /// The preparation of a version's number.
    ///
    /// # Errors
    /// [`TextError::Preparation`] when this release does not know it.
    pub fn of(version: u32) -> Result<Self, TextError> {
        match version {
            1 => Ok(Preparation::First),
            2 => Ok(Preparation::Second),
            version => Err(TextError::Preparation { version }),
        }
    }

    /// Prepares a text for the tokenizer. `rank` tells a word's place in the vocabulary, which lists frequent words first;
    /// the second preparation splits hashtags with it.
    pub fn clean(self, text: &str, rank: &dyn Fn(&str) -> Option<u32>) -> Cleaned {
        match self {
            Preparation::First => first::clean(text),
            Preparation::Second => second::clean(text, rank),
        }
    }
}
