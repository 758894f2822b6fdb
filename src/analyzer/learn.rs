//! Learning from a few labelled posts, on the device that they are on. See [`guides::teaching`](crate::guides::teaching).
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

use serde::Serialize;

use super::{Analyzer, Post, features, run};
use crate::{
    backend::Backend,
    error::{Error, LearnError, Result},
    fusion::{
        Head, Shifts,
        learn::{Lesson, learn},
        profile::{BundleSum, Profile},
    },
    inference::{Immediate, QuantizedModel},
};

/// The most examples of one call: the work grows with their cube.
pub const MOST_EXAMPLES: usize = 500;

/// Posts that were written for this project, of every feeling: what the text head says of them it is to go on saying.
const ANCHORS: &str = include_str!("anchors.txt");

/// A post, and what it ought to be called.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// Its text, its image, or both. It teaches the head that answers for such posts.
    pub post: Post<'a>,
    /// The name of one of the model's labels.
    pub label: &'a str,
}

/// What was learned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LearnReport {
    /// Examples that were learned from.
    pub examples: usize,
    /// How many of them the shipped model labels as they are.
    pub before: usize,
    /// How many are labelled as they are by a model that has learned from the others: what to expect of the next post.
    pub after: usize,
    /// The same for each head that an example was for.
    pub heads: Vec<HeadReport>,
}

/// What a head has learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadReport {
    /// `text`, `image` or `fused`.
    pub head: &'static str,
    /// Its examples.
    pub examples: usize,
    /// How many of them the shipped head labels as they are.
    pub before: usize,
    /// How many are so labelled by one that has learned from the others.
    pub after: usize,
    /// Whether it was moved. Where that would have been for the worse with the examples that were left out, it was not.
    pub moved: bool,
}

/// An example that a model has read: numbers that stand for it, from which the post cannot be read back.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadExample {
    head: Head,
    features: Vec<f32>,
    logits: Vec<f32>,
}

impl ReadExample {
    /// As plain numbers, to send them elsewhere.
    pub fn to_numbers(&self) -> Vec<f32> {
        let head = Head::ALL.iter().position(|head| *head == self.head).unwrap_or_default();
        [head as f32].iter().chain(&self.features).chain(&self.logits).copied().collect()
    }

    /// The class that a model with these shifts gives it; the first of the likeliest.
    pub fn class(&self, shifts: &Shifts) -> usize {
        let mut logits = self.logits.clone();
        if let Some(shift) = shifts.of(self.head) {
            let more = shift.forward(&self.features);
            logits.iter_mut().zip(more).for_each(|(logit, more)| *logit += more);
        }
        let logits = logits.into_iter().enumerate();
        logits.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(class, _)| class)
    }

    /// From [`to_numbers`](Self::to_numbers), for a model of so many labels; `None` if they are not numbers of an example.
    pub fn from_numbers(numbers: &[f32], labels: usize) -> Option<ReadExample> {
        let (first, rest) = numbers.split_first()?;
        let head = *Head::ALL.get(*first as usize)?;
        let (features, logits) = rest.split_at_checked(rest.len().checked_sub(labels)?)?;
        Some(ReadExample { head, features: features.to_vec(), logits: logits.to_vec() })
    }
}

impl<B: Backend> Analyzer<QuantizedModel<B>>
where
    Error: From<B::Error>,
{
    /// Says what bundle this is, so that a profile that belongs to another is refused. Without it only labels and sizes are
    /// compared.
    pub fn identify(&mut self, bundle: BundleSum) {
        self.bundle_sum = Some(bundle);
    }

    /// Reads an example, for a model that may wait for a device.
    ///
    /// # Errors
    /// As [`Analyzer::analyze`].
    pub async fn read_example_async(&mut self, post: Post<'_>) -> Result<ReadExample> {
        let has_text = self.encode(post, |_| {}).await?;
        let text = self.last_text.as_ref().filter(|_| has_text);
        let image = self.last_image.as_ref().filter(|_| post.image.is_some());
        let read = self.model.fusion().penultimate(features(text, image));
        let (head, features, logits) = read.ok_or(Error::EmptyPost)?;
        Ok(ReadExample { head, features, logits })
    }

    /// Learns from examples that were read, each with the class that it ought to have, in place of what was learned before. For
    /// a model that may wait for a device.
    ///
    /// # Errors
    /// [`Error::Learn`] when there are none, too many, or one is not of this model; what was learned before stays.
    pub async fn learn_from_async(&mut self, examples: &[(ReadExample, usize)]) -> Result<LearnReport> {
        check_count(examples.len())?;
        if self.anchors.is_empty() && examples.iter().any(|(example, _)| example.head == Head::Text) {
            for text in ANCHORS.lines() {
                let post = Post { text: Some(text), ..Post::default() };
                let anchor = self.read_example_async(post).await?;
                self.anchors.push(anchor);
            }
        }
        let (mut shifts, mut report) = (Shifts::default(), LearnReport::default());
        for (head, inputs) in Head::ALL.into_iter().zip(self.model.fusion().inputs()) {
            let of_head = examples.iter().filter(|(example, _)| example.head == head);
            let mut lessons: Vec<Lesson> =
                of_head.map(|(example, class)| self.lesson(example, Some(*class))).collect();
            if lessons.is_empty() {
                continue;
            }
            let examples = lessons.len();
            let anchors = self.anchors.iter().filter(|anchor| anchor.head == head);
            lessons.extend(anchors.map(|anchor| self.lesson(anchor, None)));
            if lessons.iter().any(|lesson| lesson.features.len() != inputs) {
                return Err(LearnError::Foreign.into());
            }
            let learned = learn(&lessons).ok_or(LearnError::Foreign)?;
            let (before, after, moved) = (learned.before, learned.after, learned.strength > 0.0);
            report.heads.push(HeadReport { head: head.name(), examples, before, after, moved });
            report.examples += examples;
            (report.before, report.after) = (report.before + before, report.after + after);
            if moved {
                *shifts.of_mut(head) = Some(learned.shift.times(self.temperature(head)));
            }
        }
        self.learned_from = report.examples as u32;
        self.model.fusion().learn(shifts);
        Ok(report)
    }

    /// What a head sees of an example, its logits in units of the temperature.
    fn lesson(&self, example: &ReadExample, class: Option<usize>) -> Lesson {
        let temperature = self.temperature(example.head);
        let logits = example.logits.iter().map(|z| z / temperature).collect();
        Lesson { features: example.features.clone(), logits, class }
    }

    fn temperature(&self, head: Head) -> f32 {
        let temperatures = self.readout().temperatures;
        match head {
            Head::Text => temperatures.text,
            Head::Image => temperatures.image,
            Head::Fused => temperatures.fused,
        }
    }

    /// What was learned, as it can be kept and taken elsewhere; `None` if nothing was.
    pub fn profile(&mut self) -> Option<Profile> {
        let shifts = self.model.fusion().shifts().clone();
        let (bundle, examples) = (self.bundle_sum, self.learned_from);
        (examples > 0).then_some(Profile { bundle, examples, shifts })
    }

    /// Goes on with what was learned before, in place of what was learned since.
    ///
    /// # Errors
    /// [`Error::Profile`] when it belongs to another bundle; then nothing is changed.
    pub fn set_profile(&mut self, profile: Profile) -> Result<()> {
        let labels = self.readout().labels.len();
        profile.check(self.bundle_sum, labels, self.model.fusion().inputs())?;
        self.learned_from = profile.examples.max(1);
        self.model.fusion().learn(profile.shifts);
        Ok(())
    }

    /// Answers as it was shipped again, to the last bit.
    pub fn forget(&mut self) {
        self.learned_from = 0;
        self.model.fusion().learn(Shifts::default());
    }

    /// The class of the label of the example at `index`.
    fn class(&self, index: usize, label: &str) -> Result<usize, LearnError> {
        let known = &self.readout().labels;
        known.class(label).ok_or_else(|| LearnError::UnknownLabel {
            index,
            label: label.chars().take(80).collect(),
            known: known.names().collect::<Vec<_>>().join(", "),
        })
    }
}

impl<B: Backend> Analyzer<QuantizedModel<B>>
where
    Error: From<B::Error>,
    QuantizedModel<B>: Immediate,
{
    /// Reads an example.
    ///
    /// # Errors
    /// As [`Analyzer::analyze`].
    pub fn read_example(&mut self, post: Post<'_>) -> Result<ReadExample> {
        run(self.read_example_async(post))
    }

    /// As [`learn_from_async`](Self::learn_from_async).
    ///
    /// # Errors
    /// As there.
    pub fn learn_from(&mut self, examples: &[(ReadExample, usize)]) -> Result<LearnReport> {
        run(self.learn_from_async(examples))
    }

    /// Learns from labelled posts, 5 to 50 as a rule, in place of what was learned before: the encoders stay as they are, the
    /// last layers of the heads move a little towards the examples. The same examples always teach the same.
    ///
    /// # Errors
    /// [`Error::Learn`] with the index of the example that is wrong; then nothing is changed.
    pub fn learn(&mut self, examples: &[Example<'_>]) -> Result<LearnReport> {
        check_count(examples.len())?;
        let classes: Result<Vec<usize>, _> =
            examples.iter().enumerate().map(|(index, example)| self.class(index, example.label)).collect();
        let mut read = Vec::with_capacity(examples.len());
        for (index, (example, class)) in examples.iter().zip(classes?).enumerate() {
            let numbers = self.read_example(example.post);
            let wrong = |error| LearnError::Example { index, error: Box::new(error) };
            read.push((numbers.map_err(wrong)?, class));
        }
        self.learn_from(&read)
    }
}

fn check_count(examples: usize) -> Result<()> {
    match examples {
        0 => Err(LearnError::NoExamples.into()),
        1..=MOST_EXAMPLES => Ok(()),
        _ => Err(LearnError::TooManyExamples(examples).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Analysis,
        analyzer::ImageInput,
        image::Picture,
        model::FusionKind,
        testing::{random_bundle, tiny_config, tiny_tokenizer},
    };

    const KINDS: [FusionKind; 4] =
        [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late];

    fn analyzer(kind: FusionKind, seed: u64) -> Analyzer {
        let mut config = tiny_config();
        config.fusion.kind = kind;
        Analyzer::from_bundle(random_bundle(&config, &tiny_tokenizer(), seed).unwrap()).unwrap()
    }

    fn picture(seed: u8) -> Picture {
        let pixels = (0..3 * 24 * 20u32).map(|i| (i.wrapping_mul(u32::from(seed) + 7) >> 2) as u8).collect();
        Picture::from_rgb(24, 20, pixels).unwrap()
    }

    /// A text, a picture, and both.
    fn posts(picture: &Picture) -> [Post<'_>; 3] {
        let (text, image) = (Some("I love the sun"), Some(ImageInput::Picture(picture)));
        [Post { text, image: None }, Post { text: None, image }, Post { text, image }]
    }

    fn answers(analyzer: &mut Analyzer, picture: &Picture) -> Vec<Analysis> {
        posts(picture).into_iter().map(|post| analyzer.analyze(post).unwrap()).collect()
    }

    /// Texts of two kinds, one picture and the pairs of both, called as a random model would not.
    fn teach(analyzer: &mut Analyzer, picture: &Picture) -> LearnReport {
        let image = Some(ImageInput::Picture(picture));
        let texts = ["sad rain", "the sad rain", "is hate sad", "happy sun", "love happy", "a happy love"];
        let examples: Vec<Example<'_>> = texts
            .iter()
            .enumerate()
            .flat_map(|(i, &text)| {
                let label = if i < 3 { "negative" } else { "positive" };
                [None, image].map(|image| Example { post: Post { text: Some(text), image }, label })
            })
            .chain((0..4).map(|_| Example { post: Post { text: None, image }, label: "neutral" }))
            .collect();
        analyzer.learn(&examples).unwrap()
    }

    #[test]
    fn what_was_learned_is_forgotten_to_the_last_bit() {
        let picture = picture(1);
        for kind in KINDS {
            let mut analyzer = analyzer(kind, 7);
            let shipped = answers(&mut analyzer, &picture);
            assert_eq!(analyzer.profile(), None);
            let report = teach(&mut analyzer, &picture);
            assert_eq!((report.examples, report.heads.len()), (16, 3), "{report:?}");
            let taught = answers(&mut analyzer, &picture);
            assert_ne!(taught, shipped, "{kind:?}");
            assert_eq!(teach(&mut analyzer, &picture), report, "it starts from the shipped model again");
            assert_eq!(answers(&mut analyzer, &picture), taught);

            let file = analyzer.profile().unwrap().to_bytes();
            analyzer.forget();
            assert_eq!(answers(&mut analyzer, &picture), shipped, "{kind:?}");
            assert_eq!(analyzer.profile(), None);
            analyzer.set_profile(Profile::from_bytes(&file).unwrap()).unwrap();
            assert_eq!(answers(&mut analyzer, &picture), taught, "{kind:?}");
        }
    }

    #[test]
    fn shares_and_base_still_add_up_to_the_logit() {
        let picture = picture(2);
        for kind in KINDS {
            let mut analyzer = analyzer(kind, 8);
            teach(&mut analyzer, &picture);
            for answer in answers(&mut analyzer, &picture) {
                let why = &answer.explanation;
                let words: f32 = why.words.iter().flatten().map(|word| word.weight).sum();
                let regions: f32 = why.regions.iter().flat_map(|regions| &regions.weights).sum();
                assert!((why.base + words + regions - why.logit).abs() < 1e-3, "{kind:?}: {why:?}");
            }
        }
    }

    #[test]
    fn examples_that_are_wrong_are_told_and_change_nothing() {
        let picture = picture(3);
        let mut analyzer = analyzer(FusionKind::Pooled, 9);
        teach(&mut analyzer, &picture);
        let taught = answers(&mut analyzer, &picture);
        let good = Example { post: posts(&picture)[0], label: "neutral" };
        let bad_label = Example { label: "furious", ..good };
        let empty = Example { post: Post::default(), ..good };
        for (examples, code, told) in [
            (vec![], "no-examples", "no examples"),
            (vec![good; 501], "too-many-examples", "501"),
            (
                vec![good, bad_label],
                "unknown-label",
                "example 1: the label `furious` is none of negative, neutral",
            ),
            (vec![good, empty], "empty-post", "example 1: the post is empty"),
        ] {
            let error = analyzer.learn(&examples).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(answers(&mut analyzer, &picture), taught);
        }
    }

    #[test]
    fn a_profile_of_another_bundle_is_refused_and_changes_nothing() {
        let picture = picture(4);
        let mut first = analyzer(FusionKind::Pooled, 7);
        first.identify([1; 32]);
        teach(&mut first, &picture);
        let profile = first.profile().unwrap();
        let mut second = analyzer(FusionKind::Pooled, 8);
        second.identify([2; 32]);
        let shipped = answers(&mut second, &picture);
        assert_eq!(second.set_profile(profile.clone()).unwrap_err().code(), "profile-bundle");
        // One of other sizes, where nobody said what bundles they are.
        let unsaid = Profile { bundle: None, ..profile };
        let error = analyzer(FusionKind::Late, 7).set_profile(unsaid).unwrap_err();
        assert_eq!(error.code(), "profile-bundle", "{error}");
        assert_eq!(answers(&mut second, &picture), shipped);
    }

    #[test]
    fn examples_survive_as_numbers() {
        let picture = picture(5);
        let mut analyzer = analyzer(FusionKind::Pooled, 7);
        for post in posts(&picture) {
            let example = analyzer.read_example(post).unwrap();
            assert_eq!(ReadExample::from_numbers(&example.to_numbers(), 3).as_ref(), Some(&example));
            assert!(analyzer.learn_from(&[(example.clone(), 2)]).is_ok());
            // Of another model, or no numbers of an example at all.
            let mut shorter = example.clone();
            shorter.features.pop();
            assert_eq!(analyzer.learn_from(&[(shorter, 2)]).unwrap_err().code(), "bad-input");
            let not_numbers = ReadExample { logits: vec![f32::NAN; 3], ..example.clone() };
            assert!(analyzer.learn_from(&[(not_numbers, 2)]).is_err());
            assert!(analyzer.learn_from(&[(example, 3)]).is_err());
        }
        for numbers in [&[][..], &[3.0, 0.0, 0.0, 0.0], &[f32::NAN], &[0.0, 1.0]] {
            assert_eq!(ReadExample::from_numbers(numbers, 3), None);
        }
    }
}
