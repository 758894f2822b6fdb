//! The answer to a post: labels, scores, contradiction, and the explanation.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    backend::cpu::math::softmax,
    model::{Labels, Thresholds},
};

/// Probabilities of the classes; they sum to one. In JSON a map from the labels' names, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    labels: Labels,
    probabilities: Vec<f32>,
}

impl Scores {
    /// The softmax of logits, in the order of `labels`, that are divided by `temperature` first, a positive number: above 1
    /// the scores come closer together, below 1 they move apart. The label stays the same.
    pub fn at_temperature(labels: &Labels, logits: &[f32], temperature: f32) -> Self {
        Scores { labels: labels.clone(), probabilities: softmax(logits, temperature) }
    }

    /// From probabilities in the order of `labels`.
    pub fn from_probabilities(labels: &Labels, probabilities: Vec<f32>) -> Self {
        Scores { labels: labels.clone(), probabilities }
    }

    /// The probabilities in the order of the labels.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The probability of a label; `None` when there is no such label.
    pub fn get(&self, name: &str) -> Option<f32> {
        self.probabilities.get(self.labels.class(name)?).copied()
    }

    /// The most probable class; the earlier one on a tie.
    pub fn class(&self) -> usize {
        let p = self.probabilities.iter().enumerate();
        p.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(class, _)| class)
    }

    /// The name of the most probable class.
    pub fn label(&self) -> &str {
        self.labels.name(self.class())
    }

    /// The probability of the most probable class.
    pub fn confidence(&self) -> f32 {
        self.probabilities.get(self.class()).copied().unwrap_or_default()
    }

    /// How pleasant, from -1 to 1; see [`Labels::valence`].
    pub fn valence(&self) -> f32 {
        self.labels.valence(&self.probabilities)
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.probabilities.len()))?;
        for (name, p) in self.labels.names().zip(&self.probabilities) {
            map.serialize_entry(name, p)?;
        }
        map.end()
    }
}

/// The answer of one head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The most probable label.
    pub label: String,
    /// Probabilities of the labels.
    pub scores: Scores,
    /// From -1 (unpleasant) to 1 (pleasant).
    pub valence: f32,
}

impl From<Scores> for Reading {
    fn from(scores: Scores) -> Self {
        Reading { label: scores.label().into(), valence: scores.valence(), scores }
    }
}

/// A word of the post and its share in the label's logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordWeight {
    /// The word as it is written in the post.
    pub text: String,
    /// Where it starts in the post, in UTF-16 code units (what JavaScript counts).
    pub start: usize,
    /// Where it ends, exclusive, in UTF-16 code units.
    pub end: usize,
    /// Its share: above 0 it speaks for the label, below 0 against it.
    pub weight: f32,
}

/// The share of each cell of the picture in the label's logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionWeights {
    /// Cells a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// `rows * columns` shares, row by row from the top left.
    pub weights: Vec<f32>,
}

/// Where the logit of the label came from: `base + sum of all weights = logit`, words and regions on one scale.
/// [`crate::fusion::explain`] says how shares are computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The label's logit, before the temperature, of the head that answered: the fused head of a post with both
    /// modalities, else the head of the one that is present.
    pub logit: f32,
    /// The base value, which comes from no word and no region but from biases and the tokens `[CLS]` and `[SEP]`.
    pub base: f32,
    /// The words of the text, in their order; absent without a text.
    pub words: Option<Vec<WordWeight>>,
    /// The cells of the picture; absent without one.
    pub regions: Option<RegionWeights>,
}

/// The answer to a post, without an explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The post: with both modalities the fused head answers, else the head of the one.
    pub post: Scores,
    /// The text alone, if there is one.
    pub text: Option<Scores>,
    /// The picture alone, if there is one.
    pub image: Option<Scores>,
    /// The calibrated probability that text and picture point opposite ways, if both are present.
    pub contradiction: Option<f32>,
    /// Whether the text was longer than the model reads, so that its end was not read.
    pub truncated: bool,
    /// Whether a part of the picture's file was missing or damaged, so that it was read as viewers show it.
    pub incomplete: bool,
}

/// The answer to a post, with its explanation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The most probable label of the post.
    pub label: String,
    /// Probabilities of the post.
    pub scores: Scores,
    /// From -1 to 1, of the post.
    pub valence: f32,
    /// The probability of the label. The scores are calibrated, so that of answers with a confidence of .8 about 80 % are right.
    pub confidence: f32,
    /// Whether the confidence is at least the bundle's threshold. Where it is not, rather do without the label.
    pub sure: bool,
    /// The text alone, if there is one.
    pub text: Option<Reading>,
    /// The picture alone, if there is one.
    pub image: Option<Reading>,
    /// The calibrated probability that text and picture point opposite ways, if both are present.
    pub contradiction: Option<f32>,
    /// Whether that is at least the bundle's threshold.
    pub contradicts: Option<bool>,
    /// Where the logit of the label came from.
    pub explanation: Explanation,
    /// Whether the text was longer than the model reads, so that its end was not read.
    pub truncated: bool,
    /// Whether a part of the picture's file was missing or damaged, so that it was read as viewers show it.
    pub incomplete: bool,
}

impl Analysis {
    /// An answer with its explanation, and what it says at these thresholds.
    pub fn new(answer: Answer, explanation: Explanation, thresholds: Thresholds) -> Self {
        let confidence = answer.post.confidence();
        let Reading { label, scores, valence } = Reading::from(answer.post);
        Analysis {
            label,
            scores,
            valence,
            confidence,
            sure: confidence >= thresholds.confidence,
            contradicts: answer.contradiction.map(|p| p >= thresholds.contradiction),
            text: answer.text.map(Reading::from),
            image: answer.image.map(Reading::from),
            contradiction: answer.contradiction,
            explanation,
            truncated: answer.truncated,
            incomplete: answer.incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_softens_or_sharpens_and_keeps_the_label() {
        let labels = Labels::sentiment();
        let logits = [0.3, -1.2, 0.9];
        let at = |logits: &[f32], temperature| Scores::at_temperature(&labels, logits, temperature);
        let doubled = at(&logits.map(|logit| 2.0 * logit), 1.0);
        for (soft, sharp) in at(&logits, 0.5).probabilities().iter().zip(doubled.probabilities()) {
            assert!((soft - sharp).abs() < 1e-6);
        }
        let mut largest = 1.0;
        for temperature in [0.01, 0.5, 1.0, 3.0, 100.0] {
            let scores = at(&logits, temperature);
            assert_eq!(scores.label(), "positive");
            let positive = scores.get("positive").unwrap();
            assert!(positive <= largest && scores.probabilities().iter().all(|p| p.is_finite()));
            largest = positive;
        }
        assert!(at(&[f32::MAX, f32::MIN, 0.0], 0.01).probabilities().iter().all(|p| p.is_finite()));
    }

    #[test]
    fn json_has_the_labels_in_their_order() {
        let scores = Scores::from_probabilities(&Labels::sentiment(), vec![0.25, 0.5, 0.25]);
        let json = serde_json::to_string(&scores).unwrap();
        assert_eq!(json, r#"{"negative":0.25,"neutral":0.5,"positive":0.25}"#);
    }
}
