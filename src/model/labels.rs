//! The classes of a model, as its bundle lists them.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// One of the answers that a bundle knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// From -1 (unpleasant) to 1 (pleasant).
    pub polarity: f32,
}

/// The classes in the order of every logits vector: two or more, each with its own name. Clones share them.
///
/// In JSON a list of `{"name": ..., "polarity": ...}`. The default set, [`Labels::sentiment`], is the list of its names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<Entry>")]
pub struct Labels(Arc<[Label]>);

/// A label in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Name(String),
    Label(Label),
}

/// The default set: names and polarities.
const SENTIMENT: [(&str, f32); 3] = [("negative", -1.0), ("neutral", 0.0), ("positive", 1.0)];

/// More than any published set; keeps sizes from overflowing.
const MOST: usize = 1000;

impl Labels {
    /// `negative`, `neutral` and `positive` with the polarities -1, 0 and 1.
    pub fn sentiment() -> Self {
        static SHARED: LazyLock<Labels> = LazyLock::new(|| {
            Labels(
                SENTIMENT.into_iter().map(|(name, polarity)| Label { name: name.into(), polarity }).collect(),
            )
        });
        SHARED.clone()
    }

    /// From a list.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when there are fewer than two, a name is empty or given twice, or a polarity is not within
    /// -1..=1.
    pub fn new(labels: Vec<Label>) -> Result<Self, ConfigError> {
        let count = labels.len();
        require((2..=MOST).contains(&count), "labels", count, "must be 2 to 1000 of them")?;
        for (i, Label { name, polarity }) in labels.iter().enumerate() {
            require(!name.trim().is_empty(), "labels", i, "has no name")?;
            let new = labels.iter().take(i).all(|label| label.name != *name);
            require(new, "labels", name, "is there twice")?;
            let sound = (-1.0..=1.0).contains(polarity);
            require(sound, "labels", format!("{name} {polarity}"), "the polarity must be within -1..=1")?;
        }
        Ok(Labels(labels.into()))
    }

    /// Reads the JSON that [`Labels`] describes.
    ///
    /// # Errors
    /// [`ConfigError`] when it is malformed, or as [`Labels::new`].
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        serde_json::from_str(json)
            .map_err(|e| ConfigError::Syntax { what: "labels".into(), reason: e.to_string() })
    }

    /// Whether this is the default set.
    pub fn is_sentiment(&self) -> bool {
        *self == Labels::sentiment()
    }

    /// How many there are: the length of a logits vector.
    #[allow(clippy::len_without_is_empty, reason = "there are always two or more")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The labels in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Label> + Clone {
        self.0.iter()
    }

    /// The names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter().map(|label| label.name.as_str())
    }

    /// The name of a class; empty when there is no such class.
    pub fn name(&self, class: usize) -> &str {
        self.0.get(class).map_or("", |label| label.name.as_str())
    }

    /// The class of a name.
    pub fn class(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|label| label.name == name)
    }

    /// The class whose polarity is nearest to `polarity`, the first of several.
    pub fn nearest(&self, polarity: f32) -> usize {
        let apart = self.0.iter().map(|label| (label.polarity - polarity).abs()).enumerate();
        apart.reduce(|best, next| if next.1 < best.1 { next } else { best }).map_or(0, |(class, _)| class)
    }

    /// How pleasant, from -1 to 1: `sum of polarity x probability`. For the default set, positive minus negative.
    pub fn valence(&self, probabilities: &[f32]) -> f32 {
        let terms = self.0.iter().zip(probabilities).filter(|(label, _)| label.polarity != 0.0);
        terms.fold(0.0, |sum, (label, p)| sum + label.polarity * p)
    }

    /// How probable it is that two readings point opposite ways: the sum of `a_i b_j |p_i p_j|` over the pairs of labels
    /// whose polarities `p` have opposite signs. For the default set `a(negative) b(positive) + a(positive) b(negative)`.
    pub fn opposition(&self, a: &[f32], b: &[f32]) -> f32 {
        let of = |scores: &[f32], class: usize| scores.get(class).copied().unwrap_or(0.0);
        self.opposed().fold(0.0, |sum, (i, j, weight)| sum + of(a, i) * of(b, j) * weight)
    }

    /// The pairs of classes with polarities of opposite signs, and the product of their magnitudes.
    pub fn opposed(&self) -> impl Iterator<Item = (usize, usize, f32)> + '_ {
        let pairs = self.0.iter().enumerate();
        pairs
            .flat_map(|(i, a)| self.0.iter().enumerate().map(move |(j, b)| (i, j, -a.polarity * b.polarity)))
            .filter(|&(.., weight)| weight > 0.0)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Labels::sentiment()
    }
}

impl TryFrom<Vec<Entry>> for Labels {
    type Error = ConfigError;

    fn try_from(entries: Vec<Entry>) -> Result<Self, ConfigError> {
        let label = |entry| -> Result<Label, ConfigError> {
            match entry {
                Entry::Label(label) => Ok(label),
                Entry::Name(name) => {
                    let known = SENTIMENT.iter().find(|(known, _)| *known == name);
                    let reason = r#"has no polarity: write {"name": ..., "polarity": ...}"#;
                    require(known.is_some(), "labels", &name, reason)?;
                    Ok(Label { polarity: known.map_or(0.0, |known| known.1), name })
                }
            }
        };
        Labels::new(entries.into_iter().map(label).collect::<Result<_, _>>()?)
    }
}

impl Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.is_sentiment();
        serializer.collect_seq(self.iter().map(|label| match named {
            true => Entry::Name(label.name.clone()),
            false => Entry::Label(label.clone()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moods() -> Labels {
        let label = |(name, polarity): (&str, f32)| Label { name: name.into(), polarity };
        let all = [("anger", -1.0), ("sadness", -0.5), ("calm", 0.25), ("joy", 1.0)];
        Labels::new(all.map(label).to_vec()).unwrap()
    }

    #[test]
    fn json_keeps_them() {
        for (labels, json) in [
            (Labels::sentiment(), r#"["negative","neutral","positive"]"#),
            (moods(), r#"[{"name":"anger","polarity":-1.0},{"name":"sadness","polarity":-0.5},"#),
        ] {
            let written = serde_json::to_string(&labels).unwrap();
            assert!(written.starts_with(json), "{written}");
            assert_eq!(Labels::from_json(&written).unwrap(), labels);
        }
    }

    #[test]
    fn what_makes_no_set_is_refused() {
        for json in [
            "{}",
            "[]",
            r#"["negative"]"#,
            r#"["negative", "negative"]"#,
            r#"["negative", "joy"]"#,
            r#"[{"name": "a", "polarity": 2}, "neutral"]"#,
            r#"[{"name": " ", "polarity": 0}, "neutral"]"#,
            r#"[{"name": "a", "polarity": 0, "colour": 1}, "neutral"]"#,
        ] {
            assert!(Labels::from_json(json).is_err(), "{json}");
        }
    }

    #[test]
    fn polarity_gives_valence_and_opposition() {
        let sentiment = Labels::sentiment();
        let (a, b) = ([0.1, 0.2, 0.7], [0.5, 0.3, 0.2]);
        assert_eq!(sentiment.valence(&a), 0.7 - 0.1);
        assert_eq!(sentiment.opposition(&a, &b), 0.7 * 0.5 + 0.1 * 0.2);
        assert_eq!(moods().valence(&[0.0, 1.0, 0.0, 0.0]), -0.5);
        assert_eq!(moods().opposition(&[1.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 1.0, 0.0]), 0.25);
        assert_eq!(moods().opposition(&[0.0, 0.0, 0.0, 1.0], &[0.0, 0.0, 1.0, 0.0]), 0.0);
        assert_eq!((moods().nearest(0.0), moods().nearest(1.0), sentiment.nearest(0.0)), (2, 3, 1));
    }
}
