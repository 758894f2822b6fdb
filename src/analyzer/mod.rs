//! The whole journey: text and/or picture in, [`Analysis`] out.

mod analysis;
mod learn;
mod many;
#[cfg(feature = "float")]
mod padded;
mod post;

pub use analysis::{Analysis, Answer, Explanation, Reading, RegionWeights, Scores, WordWeight};
pub use learn::{Example, HeadReport, LearnReport, MOST_EXAMPLES, ReadExample};
#[cfg(feature = "float")]
pub use padded::Prepared;
pub use post::{ImageInput, Post};

use std::{future::Future, pin::pin, task};

use crate::{
    backend::{Backend, Cpu},
    bundle::{Bundle, BundleError},
    error::{Error, Result},
    fusion::{Features, HeadLogits, Readout, explain::Shares, profile::BundleSum},
    image::{Limits, Picture},
    inference::{Immediate, Inference, QuantizedModel},
    model::{ModelConfig, Preprocess, tokenizer_json},
    text::{Encoding, Tokenizer},
};

/// The stages of an analysis, for callers that measure time: this crate reads no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Clean-up and tokenizer.
    Tokenize,
    /// The text encoder.
    Text,
    /// From a file's bytes, or from pixels, to what the image encoder sees.
    Decode,
    /// The image encoder.
    Image,
    /// Fusion, heads and explanation.
    Fusion,
}

/// Analyzes posts with one model. An error leaves it as it was, so the next call works.
///
/// ```no_run
/// use mixed_feelings::{Analyzer, Post};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut analyzer = Analyzer::from_bundle(std::fs::read("mixed-feelings-small.safetensors")?)?;
/// let analysis = analyzer.analyze(Post { text: Some("Perfect solitude"), ..Post::default() })?;
/// println!("{} {:+.2}", analysis.label, analysis.valence);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Analyzer<M = QuantizedModel> {
    model: M,
    tokenizer: Tokenizer,
    limits: Limits,
    /// The last text and the last picture, encoded: a page asks again when only one of them has changed.
    last_text: Option<EncodedText>,
    last_image: Option<EncodedImage>,
    /// What bundle the model comes from, where that was said.
    bundle_sum: Option<BundleSum>,
    /// How many examples the model has learned from.
    learned_from: u32,
    /// What the text head must not forget, once it was read.
    anchors: Vec<ReadExample>,
}

#[derive(Clone, Debug)]
struct EncodedText {
    text: String,
    encoding: Encoding,
    hidden: Vec<f32>,
}

#[derive(Clone, Debug)]
struct EncodedImage {
    key: u64,
    cells: Vec<f32>,
    incomplete: bool,
}

impl Analyzer {
    /// Loads the quantized model and the tokenizer of a bundle.
    ///
    /// # Errors
    /// [`Error::Bundle`], [`Error::Config`] and [`Error::Text`] when the bundle, its config or its tokenizer is not sound;
    /// see [`Bundle::parse`].
    pub fn from_bundle(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        Analyzer::on(Cpu::default(), bytes)
    }
}

impl<B: Backend<Source = Bundle, Error: From<BundleError>>> Analyzer<QuantizedModel<B>>
where
    Error: From<B::Error>,
{
    /// As [`from_bundle`](Analyzer::from_bundle), with the encoders on a backend of choice.
    ///
    /// # Errors
    /// As [`from_bundle`](Analyzer::from_bundle), and those of the backend.
    pub fn on(backend: B, bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let mut bundle = Bundle::parse(bytes.into())?;
        let config = ModelConfig::of_bundle(&bundle)?;
        let model = QuantizedModel::load(backend, &mut bundle, &config)?;
        Analyzer::new(model, &config, tokenizer_json(&bundle)?)
    }
}

impl<M: Inference> Analyzer<M> {
    /// From a model and its tokenizer.
    ///
    /// # Errors
    /// [`Error::Text`] when the tokenizer is not sound or has tokens that the text encoder has no embedding for.
    pub fn new(model: M, config: &ModelConfig, tokenizer_json: &str) -> Result<Self> {
        let tokenizer = Tokenizer::from_json(tokenizer_json, config.max_tokens, config.text_preparation)?;
        tokenizer.check_vocab(config.text.vocab_size)?;
        Ok(Analyzer {
            model,
            tokenizer,
            limits: Limits::default(),
            last_text: None,
            last_image: None,
            bundle_sum: None,
            learned_from: 0,
            anchors: Vec::new(),
        })
    }

    /// The model, to run its encoders alone.
    pub fn model_mut(&mut self) -> &mut M {
        &mut self.model
    }

    /// What turns the model's logits into an answer: labels, temperatures, and the calibration of the contradiction.
    pub fn readout(&self) -> &Readout {
        self.model.readout()
    }

    /// The model itself.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// How pictures are prepared for the image encoder.
    pub fn preprocess(&self) -> &Preprocess {
        self.model.preprocess()
    }

    /// As [`analyze`](Self::analyze), for a model that may wait for a device.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub async fn analyze_async(&mut self, post: Post<'_>, begins: impl FnMut(Stage)) -> Result<Analysis> {
        let has_text = self.encode(post, begins).await?;
        let text = self.last_text.as_ref().filter(|_| has_text);
        let image = self.last_image.as_ref().filter(|_| post.image.is_some());
        analysis_of(&mut self.model, text, image)
    }

    /// Makes text and picture of the post the last ones. Returns whether the text has anything to read.
    async fn encode(&mut self, post: Post<'_>, mut begins: impl FnMut(Stage)) -> Result<bool> {
        let has_text = match post.text {
            Some(text) => self.encode_text(text, &mut begins).await?,
            None => false,
        };
        if let Some(image) = post.image {
            self.encode_image(image, &mut begins).await?;
        }
        begins(Stage::Fusion);
        Ok(has_text)
    }

    /// Makes `text` the last text, unless it has nothing to read.
    async fn encode_text(&mut self, text: &str, begins: &mut impl FnMut(Stage)) -> Result<bool> {
        if self.last_text.as_ref().is_some_and(|last| last.text == text) {
            return Ok(true);
        }
        begins(Stage::Tokenize);
        let encoding = self.tokenizer.encode(text)?;
        if encoding.is_empty() {
            return Ok(false);
        }
        begins(Stage::Text);
        let hidden = only(self.model.encode_texts(&[&encoding.ids]).await?);
        self.last_text = Some(EncodedText { text: text.into(), encoding, hidden });
        Ok(true)
    }

    /// Makes `image` the last picture.
    async fn encode_image(&mut self, image: ImageInput<'_>, begins: &mut impl FnMut(Stage)) -> Result<()> {
        let key = image.key();
        if self.last_image.as_ref().is_some_and(|last| last.key == key) {
            return Ok(());
        }
        begins(Stage::Decode);
        let (square, incomplete) = self.prepare(image)?;
        begins(Stage::Image);
        let cells = only(self.model.encode_images(&[&square]).await?);
        self.last_image = Some(EncodedImage { key, cells, incomplete });
        Ok(())
    }

    /// What the encoder is to see of `image`, and whether parts of it were missing.
    fn prepare(&self, image: ImageInput<'_>) -> Result<(Picture, bool)> {
        let preprocess = self.model.preprocess();
        match image {
            ImageInput::Picture(picture) => Ok((preprocess.apply(picture), false)),
            #[cfg(feature = "decoders")]
            ImageInput::Encoded(bytes) => {
                let decoded = crate::image::decode_for(bytes, &self.limits, preprocess)?;
                Ok((decoded.picture, decoded.incomplete))
            }
            ImageInput::Rgba { width, height, pixels } => {
                self.limits.check(width, height)?;
                Ok((preprocess.apply(&Picture::from_rgba(width, height, pixels)?), false))
            }
            ImageInput::Prepared { pixels, incomplete } => {
                let side = preprocess.input_size as u32;
                Ok((Picture::from_rgb(side, side, pixels.to_vec())?, incomplete))
            }
        }
    }
}

impl<M: Immediate> Analyzer<M> {
    /// Analyzes a post.
    ///
    /// # Errors
    /// [`Error::EmptyPost`], [`Error::Text`], [`Error::Image`], each saying what is wrong with the input.
    pub fn analyze(&mut self, post: Post<'_>) -> Result<Analysis> {
        self.analyze_observed(post, |_| {})
    }

    /// Analyzes a post, and calls `begins` whenever a stage begins. Stages that are not needed are left out.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub fn analyze_observed(&mut self, post: Post<'_>, begins: impl FnMut(Stage)) -> Result<Analysis> {
        run(self.analyze_async(post, begins))
    }

    /// The answer without an explanation, for evaluations.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub fn answer(&mut self, post: Post<'_>) -> Result<Answer> {
        let has_text = run(self.encode(post, |_| {}))?;
        let text = self.last_text.as_ref().filter(|_| has_text);
        let image = self.last_image.as_ref().filter(|_| post.image.is_some());
        answer_of(&mut self.model, text, image)
    }
}

/// The output of a future that does not wait: of an [`Immediate`] model, or of a GPU outside of a page.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = task::Context::from_waker(task::Waker::noop());
    loop {
        if let task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::hint::spin_loop();
    }
}

/// The encoding of a pass of one.
fn only(mut encoded: Vec<Vec<f32>>) -> Vec<f32> {
    encoded.pop().unwrap_or_default()
}

fn features<'a>(text: Option<&'a EncodedText>, image: Option<&'a EncodedImage>) -> Features<'a> {
    Features { text: text.map(|text| &text.hidden[..]), image: image.map(|image| &image.cells[..]) }
}

/// What of a post was not read.
#[derive(Clone, Copy, Debug)]
struct Marks {
    truncated: bool,
    incomplete: bool,
}

impl Marks {
    fn of(text: Option<&EncodedText>, image: Option<&EncodedImage>) -> Marks {
        let truncated = text.is_some_and(|text| text.encoding.truncated);
        Marks { truncated, incomplete: image.is_some_and(|image| image.incomplete) }
    }
}

/// The answer with its explanation.
fn analysis_of<M: Inference>(
    model: &mut M,
    text: Option<&EncodedText>,
    image: Option<&EncodedImage>,
) -> Result<Analysis> {
    let answer = answer_of(model, text, image)?;
    let shares = model.explain(features(text, image), answer.post.class())?;
    let explanation = explanation(shares, text, model.grid_side());
    Ok(Analysis::new(answer, explanation, model.readout().thresholds))
}

/// From the encoded modalities to the answer: with both, the fused head answers, else the head of the one.
fn answer_of<M: Inference>(
    model: &mut M,
    text: Option<&EncodedText>,
    image: Option<&EncodedImage>,
) -> Result<Answer> {
    let logits = model.logits(features(text, image))?;
    read(model.readout(), &logits, Marks::of(text, image))
}

/// What the heads say, as probabilities.
fn read(readout: &Readout, logits: &HeadLogits, marks: Marks) -> Result<Answer> {
    let Readout { labels, temperatures, .. } = readout;
    let read = |logits: &Option<Vec<f32>>, temperature| {
        logits.as_ref().map(|logits| Scores::at_temperature(labels, logits, temperature))
    };
    let (text, image) = (read(&logits.text, temperatures.text), read(&logits.image, temperatures.image));
    let fused = read(&logits.fused, temperatures.fused);
    let post = fused.or_else(|| text.clone()).or_else(|| image.clone()).ok_or(Error::EmptyPost)?;
    let contradiction = readout.contradiction(logits);
    let Marks { truncated, incomplete } = marks;
    Ok(Answer { post, text, image, contradiction, truncated, incomplete })
}

/// A word's share is the sum of its tokens' shares; the shares of other tokens are part of the base value.
fn explanation(shares: Shares, text: Option<&EncodedText>, grid_side: usize) -> Explanation {
    let mut base = shares.base;
    let words = shares.text.zip(text).map(|(tokens, text)| {
        let words = text.encoding.words_of(&text.text);
        let weights: Vec<f32> = words
            .iter()
            .map(|word| tokens.get(word.tokens.clone()).unwrap_or_default().iter().sum())
            .collect();
        base += tokens.iter().sum::<f32>() - weights.iter().sum::<f32>();
        words
            .into_iter()
            .zip(weights)
            .map(|(word, weight)| WordWeight {
                text: text.text.get(word.bytes).unwrap_or_default().into(),
                start: word.start,
                end: word.end,
                weight,
            })
            .collect()
    });
    let regions = shares.image.map(|weights| RegionWeights { columns: grid_side, rows: grid_side, weights });
    Explanation { logit: shares.logit, base, words, regions }
}

#[cfg(test)]
mod tests;
