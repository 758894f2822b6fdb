//! From where on an answer says yes: to a contradiction, and to being sure of itself (selective prediction, Geifman and
//! El-Yaniv 2017). Chosen on rows that the model was not trained on.

use serde::Serialize;

/// Probabilities from which on something is said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// The least contradiction of a post whose text and picture contradict each other.
    pub contradiction: f32,
    /// The least confidence of an answer that is sure.
    pub confidence: f32,
}

impl Default for Thresholds {
    /// One half, and none.
    fn default() -> Self {
        Thresholds { contradiction: 0.5, confidence: 0.0 }
    }
}

impl Thresholds {
    /// The names of the tensors.
    pub const NAMES: [&str; 2] = ["threshold.contradiction", "threshold.confidence"];

    /// Whether `threshold` is a probability.
    pub fn is_sound(threshold: f32) -> bool {
        (0.0..=1.0).contains(&threshold)
    }

    /// From what `read` returns for each of the [`NAMES`](Self::NAMES): `None` for a threshold that was never chosen.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn each<E>(read: impl Fn(&str) -> Result<Option<f32>, E>) -> Result<Self, E> {
        let [contradiction, confidence] = Self::NAMES.map(read);
        let default = Thresholds::default();
        Ok(Thresholds {
            contradiction: contradiction?.unwrap_or(default.contradiction),
            confidence: confidence?.unwrap_or(default.confidence),
        })
    }
}
