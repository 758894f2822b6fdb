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

/// The answer of one head: from the text, from the picture, or from both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The most probable label.
    pub label: String,
    /// The probability of each label.
    pub scores: Scores,
    /// From -1 (unpleasant) to 1 (pleasant): the sum of each label's polarity times its probability.
    pub valence: f32,
}

impl From<Scores> for Reading {
    fn from(scores: Scores) -> Self {
        Reading { label: scores.label().into(), valence: scores.valence(), scores }
    }
}

/// A word of the text and its share of the label's logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordWeight {
    /// The word as it stands in the text: in JavaScript, `text.slice(start, end)`.
    pub text: String,
    /// Where it starts in the text, in UTF-16 code units (what JavaScript counts).
    pub start: usize,
    /// Where it ends, exclusive, in UTF-16 code units.
    pub end: usize,
    /// Its share, in logit units: above 0 it spoke for the label, below 0 against it. See [`Explanation`].
    pub weight: f32,
}

/// A grid over the picture and each cell's share of the label's logit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionWeights {
    /// Cells a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// `rows * columns` shares, row by row from the top left, in logit units: above 0 the cell spoke for the label, below 0
    /// against it. See [`Explanation`].
    pub weights: Vec<f32>,
}

/// How the words and the regions of the picture add up to the answer:
///
/// `base` + sum of word weights + sum of region weights = `logit` (to 0.001)
///
/// All weights are on one scale, that of the logit. To show them as colours, divide by the largest magnitude among words
/// and regions together.
//
// `fusion::explain` says how shares are computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The logit of `label`, before its temperature, from the head that answered: the text head for a text alone, the image
    /// head for a picture alone, the fused head, through its attention, for both.
    pub logit: f32,
    /// What remains of the logit without words and regions: biases, the tokens `[CLS]` and `[SEP]` that frame every text, and
    /// the learned stand-in for a text or picture that is missing.
    pub base: f32,
    /// The words in their order; none without a text.
    pub words: Option<Vec<WordWeight>>,
    /// The regions of the picture; none without one.
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

/// What a post feels, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The most probable label of the post.
    pub label: String,
    /// The probability of each label.
    pub scores: Scores,
    /// From -1 (unpleasant) to 1 (pleasant): the sum of each label's polarity times its probability.
    pub valence: f32,
    /// The probability of `label`. Scores are calibrated: of answers with a confidence of 0.8 about 80 % are right.
    pub confidence: f32,
    /// Whether the confidence reaches the bundle's threshold. Where it does not, rather do without the label.
    pub sure: bool,
    /// The text alone; none without a text.
    pub text: Option<Reading>,
    /// The picture alone; none without a picture.
    pub image: Option<Reading>,
    /// The calibrated probability that text and picture point opposite ways; none unless both are there.
    pub contradiction: Option<f32>,
    /// Whether that reaches the bundle's threshold, which 5 % of the pairs that are not opposed reach; none unless both are
    /// there.
    pub contradicts: Option<bool>,
    /// How words and regions add up to the answer.
    pub explanation: Explanation,
    /// Whether the text was longer than the model reads, so that its end was not read.
    pub truncated: bool,
    /// Whether parts of the picture were missing, so that only what was there was read.
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
