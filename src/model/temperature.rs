//! Temperature scaling (Guo et al. 2017): each head's logits are divided by one number, fitted on rows that the model
//! was not trained on, before the softmax. The label stays the same; the scores become as confident as the head is accurate.

use serde::Serialize;

/// What each head's logits are divided by: `softmax(logits / temperature)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Temperatures {
    /// Of the text head.
    pub text: f32,
    /// Of the image head.
    pub image: f32,
    /// Of the fused head.
    pub fused: f32,
}

impl Default for Temperatures {
    /// 1 for every head: the scores are the softmax of the logits.
    fn default() -> Self {
        Temperatures { text: 1.0, image: 1.0, fused: 1.0 }
    }
}

impl Temperatures {
    /// The smallest and the largest temperature that is accepted.
    pub const BOUNDS: (f32, f32) = (0.01, 100.0);

    /// The three heads. The temperature of each is called `temperature.{head}`.
    pub const HEADS: [&str; 3] = ["text", "image", "fused"];

    /// Whether `temperature` lies within [`BOUNDS`](Self::BOUNDS).
    pub fn is_sound(temperature: f32) -> bool {
        (Self::BOUNDS.0..=Self::BOUNDS.1).contains(&temperature)
    }

    /// From what `read` returns for each name `temperature.{head}`.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn each<E>(read: impl Fn(&str) -> Result<f32, E>) -> Result<Self, E> {
        let [text, image, fused] = Self::HEADS.map(|head| read(&format!("temperature.{head}")));
        Ok(Temperatures { text: text?, image: image?, fused: fused? })
    }
}
