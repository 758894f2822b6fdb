//! The answer: what a post feels, and why.

use serde::{Deserialize, Serialize};

/// The three classes, in the order of every logits vector of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sentiment {
    /// Class 0.
    Negative,
    /// Class 1.
    Neutral,
    /// Class 2.
    Positive,
}

impl Sentiment {
    /// All classes, in the order of the logits.
    pub const ALL: [Sentiment; 3] = [Sentiment::Negative, Sentiment::Neutral, Sentiment::Positive];

    /// The lower-case English name: `negative`, `neutral`, `positive`.
    pub fn name(self) -> &'static str {
        ["negative", "neutral", "positive"][self as usize]
    }

    /// The class with this [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Probabilities of the three classes; they sum to one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Probability of [`Sentiment::Negative`].
    pub negative: f32,
    /// Probability of [`Sentiment::Neutral`].
    pub neutral: f32,
    /// Probability of [`Sentiment::Positive`].
    pub positive: f32,
}

impl Scores {
    /// The softmax of three logits, in the order of [`Sentiment::ALL`].
    pub fn from_logits(logits: [f32; 3]) -> Self {
        Scores::at_temperature(logits, 1.0)
    }

    /// The softmax of three logits that are divided by `temperature` first, a positive number: above 1 the scores come
    /// closer together, below 1 they part. The label stays the same.
    pub fn at_temperature(logits: [f32; 3], temperature: f32) -> Self {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let [a, b, c] = logits.map(|x| crate::kernels::math::exp((x - max) / temperature));
        let sum = a + b + c;
        Scores { negative: a / sum, neutral: b / sum, positive: c / sum }
    }

    /// The probabilities in the order of [`Sentiment::ALL`].
    pub fn to_array(self) -> [f32; 3] {
        [self.negative, self.neutral, self.positive]
    }

    /// The most probable class; the earlier one of [`Sentiment::ALL`] on a tie.
    pub fn label(self) -> Sentiment {
        let p = self.to_array();
        let mut best = 0;
        for i in 1..3 {
            if p[i] > p[best] {
                best = i;
            }
        }
        Sentiment::ALL[best]
    }

    /// How pleasant, from -1 to 1: positive minus negative probability.
    pub fn valence(self) -> f32 {
        self.positive - self.negative
    }
}

/// What one head read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The most probable class.
    pub label: Sentiment,
    /// Probabilities of the classes.
    pub scores: Scores,
    /// From -1 (unpleasant) to 1 (pleasant).
    pub valence: f32,
}

impl From<Scores> for Reading {
    fn from(scores: Scores) -> Self {
        Reading { label: scores.label(), scores, valence: scores.valence() }
    }
}

/// A word of the post and how much it spoke for the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordWeight {
    /// The word as it stands in the post.
    pub text: String,
    /// Where it starts in the post, in UTF-16 code units (what JavaScript counts).
    pub start: usize,
    /// Where it ends, exclusive, in UTF-16 code units.
    pub end: usize,
    /// From -1 (spoke against the label) to 1 (spoke for it); the largest magnitude of a post is 1.
    pub weight: f32,
}

/// How much each cell of the picture spoke for the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionWeights {
    /// Cells a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// `rows * columns` weights from -1 to 1, row by row from the top left; the largest magnitude is 1.
    pub weights: Vec<f32>,
}

/// What weighed most. Exact for heads that are linear over an average: the class logit is the sum of these (before
/// they are scaled to a largest magnitude of 1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The words of the text, in their order; absent without a text.
    pub words: Option<Vec<WordWeight>>,
    /// The cells of the picture; absent without one.
    pub regions: Option<RegionWeights>,
}

/// What a post feels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The most probable class of the post as a whole.
    pub label: Sentiment,
    /// Probabilities of the post as a whole.
    pub scores: Scores,
    /// From -1 to 1, of the post as a whole.
    pub valence: f32,
    /// The text alone, if there is one.
    pub text: Option<Reading>,
    /// The picture alone, if there is one.
    pub image: Option<Reading>,
    /// The calibrated probability that text and picture point opposite ways, if both are there.
    pub contradiction: Option<f32>,
    /// What weighed most.
    pub explanation: Explanation,
    /// Whether the text was longer than the model reads, so that its end was not read.
    pub truncated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_softens_or_sharpens_and_keeps_the_label() {
        let logits = [0.3, -1.2, 0.9];
        let plain = Scores::from_logits(logits);
        assert_eq!(plain, Scores::at_temperature(logits, 1.0));
        let doubled = Scores::from_logits(logits.map(|logit| 2.0 * logit));
        for (soft, sharp) in
            Scores::at_temperature(logits, 0.5).to_array().into_iter().zip(doubled.to_array())
        {
            assert!((soft - sharp).abs() < 1e-6);
        }
        let mut largest = 1.0;
        for temperature in [0.01, 0.5, 1.0, 3.0, 100.0] {
            let scores = Scores::at_temperature(logits, temperature);
            assert_eq!(scores.label(), Sentiment::Positive);
            assert!(scores.positive <= largest && scores.to_array().iter().all(|p| p.is_finite()));
            largest = scores.positive;
        }
        assert!(
            Scores::at_temperature([f32::MAX, f32::MIN, 0.0], 0.01).to_array().iter().all(|p| p.is_finite())
        );
    }
}
