//! Words that must not move the score: counterfactual sentences (Kaushik et al. 2020; the invariance tests of Ribeiro et
//! al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", 2020).

use anyhow::Result;
use mixed_feelings::Scores;
use serde::Serialize;

use crate::{
    engine::Engine,
    eval::{answers, cases::Case},
};

/// Stands in a template for the word that is swapped.
pub const SLOT: &str = "{}";

/// Sentences with a slot, and groups of words to fill it with.
#[derive(Clone, Debug, Default)]
pub(super) struct Swaps {
    pub templates: Vec<Template>,
    /// In the order of the file.
    pub groups: Vec<(String, Vec<String>)>,
}

/// A sentence with a slot.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// Where it is written, for messages.
    pub place: String,
    /// What it feels, whoever fills it.
    pub label: usize,
    /// Its text.
    pub text: String,
}

/// What swapped words do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SwapReport {
    /// Sentences with a slot.
    pub templates: usize,
    /// Group by group, in the order of the file.
    pub groups: Vec<GroupShift>,
}

/// What swapping the words of one group does. The *shift* of a sentence is its valence less the mean valence of the same
/// template over the group; the valence goes from -1 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupShift {
    /// Its name.
    pub group: String,
    /// Sentences: templates times words.
    pub sentences: usize,
    /// Share of them that are read as the template's label.
    pub accuracy: f64,
    /// Mean of the absolute shifts.
    pub mean_shift: f64,
    /// The largest absolute shift.
    pub largest_shift: f64,
    /// The sentence that it is the shift of.
    pub largest_sentence: String,
    /// Share of the sentences whose label is not the commonest one of their template.
    pub flips: f64,
    /// The words, the one with the largest mean shift first.
    pub words: Vec<WordShift>,
}

/// What one word does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordShift {
    /// The word.
    pub word: String,
    /// Its mean shift over all templates, with its sign: above 0 it makes sentences more positive.
    pub mean_shift: f64,
}

impl Swaps {
    /// The words of the group of this name, a new one if there is none.
    pub fn group(&mut self, name: &str) -> &mut Vec<String> {
        let at = self.groups.iter().position(|(group, _)| group == name).unwrap_or_else(|| {
            self.groups.push((name.to_owned(), Vec::new()));
            self.groups.len() - 1
        });
        &mut self.groups[at].1
    }

    /// Asks the model about every template with every word; `None` if there are none.
    ///
    /// # Errors
    /// When the model fails; the template is named.
    pub fn measure(&self, engine: &Engine) -> Result<Option<SwapReport>> {
        let mut groups = Vec::new();
        for (group, words) in &self.groups {
            let cases: Vec<Case> =
                self.templates.iter().flat_map(|t| words.iter().map(|w| t.fill(w))).collect();
            let read: Vec<Scores> =
                answers(engine, &cases, &format!("swaps: {group}"))?.into_iter().map(|a| a.post).collect();
            groups.push(self.shifts(group, words, &cases, &read));
        }
        Ok((!groups.is_empty()).then_some(SwapReport { templates: self.templates.len(), groups }))
    }

    /// `cases` and `read` hold, template by template, one entry a word.
    fn shifts(&self, group: &str, words: &[String], cases: &[Case], read: &[Scores]) -> GroupShift {
        let mut sums = vec![0.0; words.len()];
        let (mut absolute, mut right, mut flips) = (0.0, 0, 0);
        let mut largest = (0.0, "");
        let rows = cases.chunks(words.len()).zip(read.chunks(words.len()));
        for (template, (cases, read)) in self.templates.iter().zip(rows) {
            let valence = |scores: &Scores| f64::from(scores.valence());
            let mean = read.iter().map(valence).sum::<f64>() / words.len() as f64;
            let mut labels = vec![0; read.first().map_or(0, |scores| scores.labels().len())];
            for (i, (case, scores)) in cases.iter().zip(read).enumerate() {
                let shift = valence(scores) - mean;
                sums[i] += shift;
                absolute += shift.abs();
                if shift.abs() > largest.0 {
                    largest = (shift.abs(), &case.text);
                }
                labels[scores.class()] += 1;
            }
            right += labels[template.label];
            flips += words.len() - labels.into_iter().max().unwrap_or_default();
        }
        let mut words: Vec<WordShift> = words
            .iter()
            .zip(sums)
            .map(|(word, sum)| WordShift {
                word: word.clone(),
                mean_shift: sum / self.templates.len() as f64,
            })
            .collect();
        words.sort_by(|a, b| b.mean_shift.abs().total_cmp(&a.mean_shift.abs()));
        let sentences = cases.len();
        GroupShift {
            group: group.to_owned(),
            sentences,
            accuracy: right as f64 / sentences as f64,
            mean_shift: absolute / sentences as f64,
            largest_shift: largest.0,
            largest_sentence: largest.1.to_owned(),
            flips: flips as f64 / sentences as f64,
            words,
        }
    }
}

impl Template {
    /// The sentence with `word` in the slot, in upper case where the sentence begins with it.
    fn fill(&self, word: &str) -> Case {
        let mut letters = word.chars();
        let text = match (self.text.strip_prefix(SLOT), letters.next()) {
            (Some(rest), Some(first)) => format!("{}{}{rest}", first.to_uppercase(), letters.as_str()),
            _ => self.text.replacen(SLOT, word, 1),
        };
        Case { place: format!("{} with `{word}`", self.place), text, ..Case::default() }
    }
}

#[cfg(test)]
mod tests {
    use mixed_feelings::Labels;

    use super::*;

    #[test]
    fn a_slot_is_filled() {
        let template =
            |text: &str| Template { place: "swaps.tsv line 2".into(), label: 1, text: text.into() };
        assert_eq!(template("{} is in.").fill("a man").text, "A man is in.");
        assert_eq!(template("I met {}.").fill("a man").text, "I met a man.");
        assert_eq!(template("{} is in.").fill("Émile").place, "swaps.tsv line 2 with `Émile`");
    }

    #[test]
    fn shifts_are_measured_from_the_mean_of_the_template() {
        let template = |label| Template { place: String::new(), label, text: "{}".into() };
        let swaps = Swaps { templates: vec![template(2), template(1)], groups: Vec::new() };
        let words = ["a".to_owned(), "b".to_owned()];
        let cases: Vec<Case> =
            ["a1", "b1", "a2", "b2"].map(|text| Case { text: text.into(), ..Case::default() }).into();
        let scores = |valence: f32, neutral: f32| {
            let rest = 1.0 - neutral;
            let positive = f32::midpoint(rest, valence);
            Scores::from_probabilities(&Labels::sentiment(), vec![rest - positive, neutral, positive])
        };
        // Valences 0.8 and 0.4, then 0.1 and -0.1; the second word turns the first template's label.
        let read = [scores(0.8, 0.2), scores(0.4, 0.5), scores(0.1, 0.9), scores(-0.1, 0.9)];
        let shift = swaps.shifts("letters", &words, &cases, &read);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        assert_eq!((shift.sentences, shift.group.as_str()), (4, "letters"));
        close(shift.accuracy, 0.75);
        close(shift.flips, 0.25);
        close(shift.mean_shift, 0.15);
        close(shift.largest_shift, 0.2);
        assert!(shift.largest_sentence.ends_with('1'), "{}", shift.largest_sentence);
        let a = shift.words.iter().find(|w| w.word == "a").expect("the word a");
        close(a.mean_shift, 0.15);
        close(shift.words.iter().map(|w| w.mean_shift).sum(), 0.0);
    }
}
