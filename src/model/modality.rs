//! The two modalities of a post.

use serde::{Deserialize, Serialize};

/// A kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Its items are the tokens, `[CLS]` and `[SEP]` included.
    Text,
    /// Its items are the cells of the CNN's last grid, row by row.
    Image,
}

impl Modality {
    /// Both, in the order in which fusion concatenates them.
    pub const ALL: [Modality; 2] = [Modality::Text, Modality::Image];

    /// Its name in tensor names and tables: `text` or `image`.
    pub fn name(self) -> &'static str {
        match self {
            Modality::Text => "text",
            Modality::Image => "image",
        }
    }
}

/// One value for each modality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerModality<T> {
    /// Of the text.
    pub text: T,
    /// Of the image.
    pub image: T,
}

impl<T> PerModality<T> {
    /// From a function of the modality.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_new<E>(mut make: impl FnMut(Modality) -> Result<T, E>) -> Result<Self, E> {
        Ok(PerModality { text: make(Modality::Text)?, image: make(Modality::Image)? })
    }

    /// The one of `modality`.
    pub fn get(&self, modality: Modality) -> &T {
        match modality {
            Modality::Text => &self.text,
            Modality::Image => &self.image,
        }
    }

    /// Each with its modality, in the order of [`Modality::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Modality, &T)> {
        Modality::ALL.into_iter().map(|modality| (modality, self.get(modality)))
    }
}
