//! The whole journey: text and/or picture in, [`Analysis`] out.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    Error, Result,
    analysis::{Analysis, Explanation, Reading, RegionWeights, Scores, Sentiment, WordWeight},
    bundle::Bundle,
    image::{Limits, Picture, decode},
    plan::Plan,
    text::{Encoding, Tokenizer},
};

/// What is to be read: a text, a picture, or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Post<'a> {
    /// The text. One of only white space counts as none.
    pub text: Option<&'a str>,
    /// The picture.
    pub image: Option<ImageInput<'a>>,
}

/// A picture in one of the forms that callers have it in.
#[derive(Clone, Copy, Debug)]
pub enum ImageInput<'a> {
    /// The bytes of a JPEG, PNG, WebP, GIF or BMP file.
    Encoded(&'a [u8]),
    /// Pixels with straight alpha, `4 * width * height` bytes row by row.
    Rgba {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The bytes.
        pixels: &'a [u8],
    },
    /// Decoded already.
    Picture(&'a Picture),
}

/// One of the two sides of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its items are the tokens, `[CLS]` and `[SEP]` included.
    Text,
    /// Its items are the cells of the CNN's last grid, row by row.
    Image,
}

/// What the journey passes through, for callers with a clock: this crate has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Clean-up and tokenizer.
    Tokenize,
    /// The text encoder.
    Text,
    /// From a file's bytes to pixels.
    Decode,
    /// Resizing and the image encoder.
    Image,
    /// Fusion, heads and explanation.
    Fusion,
}

/// The model behind an [`Analyzer`]: the int8 [`Plan`], or the float model that it is held to.
pub trait Model {
    /// The hidden states `[ids, hidden_size]` of a text.
    ///
    /// # Errors
    /// When an id is not in the vocabulary or there are too many.
    fn encode_text(&mut self, ids: &[u32]) -> Result<Vec<f32>>;

    /// The last grid `[cells, channels]` of a picture of any size.
    ///
    /// # Errors
    /// Those of the model.
    fn encode_image(&mut self, picture: &Picture) -> Result<Vec<f32>>;

    /// Rows of the grid, and as many columns.
    fn grid_side(&self) -> usize;

    /// What the head of one side says of its items.
    ///
    /// # Errors
    /// Those of the model.
    fn logits(&mut self, side: Side, items: &[f32]) -> Result<[f32; 3]>;

    /// What the joint head says of both sides' items.
    ///
    /// # Errors
    /// Those of the model.
    fn fused_logits(&mut self, text: &[f32], image: &[f32]) -> Result<[f32; 3]>;

    /// The calibrated probability that the sides contradict each other, from the probabilities that their heads give.
    fn contradiction(&self, text: [f32; 3], image: [f32; 3]) -> f32;

    /// How much each item spoke for a class in its side's head; see [`Explanation`].
    fn contributions(&self, side: Side, items: &[f32], class: usize) -> Vec<f32>;
}

/// Reads posts. Holds one model; an error leaves it as it was, so the next call works.
///
/// ```no_run
/// use mixed_feelings::{Analyzer, Post};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut analyzer = Analyzer::from_bundle(std::fs::read("mixed-feelings-small.safetensors")?)?;
/// let analysis = analyzer.analyze(Post { text: Some("Perfect solitude"), ..Post::default() })?;
/// println!("{} {:+.2}", analysis.label.name(), analysis.valence);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Analyzer<M = Plan> {
    model: M,
    tokenizer: Tokenizer,
    limits: Limits,
    /// The last text and the last picture, encoded: a page asks again when only the other side has changed.
    last_text: Option<EncodedText>,
    last_image: Option<EncodedImage>,
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
}

impl Analyzer<Plan> {
    /// Loads the int8 model and the tokenizer of a bundle.
    ///
    /// # Errors
    /// [`Error::Bundle`] and [`Error::Text`] when the bundle or its tokenizer is not sound; see [`Bundle::parse`].
    pub fn from_bundle(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bundle = Bundle::parse(bytes.into())?;
        Analyzer::new(Plan::load(&bundle)?, &bundle)
    }
}

impl<M: Model> Analyzer<M> {
    /// Joins a model and the tokenizer of the bundle that it was loaded from.
    ///
    /// # Errors
    /// [`Error::Text`] when the tokenizer is not sound or has tokens that the text encoder has no embedding for.
    pub fn new(model: M, bundle: &Bundle) -> Result<Self> {
        let config = bundle.config();
        let tokenizer = Tokenizer::from_json(bundle.tokenizer_json(), config.max_tokens)?;
        tokenizer.check_vocab(config.text.vocab_size)?;
        Ok(Analyzer { model, tokenizer, limits: Limits::default(), last_text: None, last_image: None })
    }

    /// Reads a post.
    ///
    /// # Errors
    /// [`Error::EmptyPost`], [`Error::Text`], [`Error::Image`], each saying what is wrong with the input.
    pub fn analyze(&mut self, post: Post<'_>) -> Result<Analysis> {
        self.analyze_observed(post, |_| {})
    }

    /// Reads a post, and calls `begins` whenever a stage begins. Stages that are not needed are left out.
    ///
    /// # Errors
    /// As [`analyze`](Self::analyze).
    pub fn analyze_observed(&mut self, post: Post<'_>, mut begins: impl FnMut(Stage)) -> Result<Analysis> {
        let has_text = match post.text {
            Some(text) => self.encode_text(text, &mut begins)?,
            None => false,
        };
        if let Some(image) = post.image {
            self.encode_image(image, &mut begins)?;
        }
        begins(Stage::Fusion);
        let text = self.last_text.as_ref().filter(|_| has_text);
        let image = self.last_image.as_ref().filter(|_| post.image.is_some());
        judge(&mut self.model, text, image)
    }

    /// Makes `text` the last text, unless it has nothing to read.
    fn encode_text(&mut self, text: &str, begins: &mut impl FnMut(Stage)) -> Result<bool> {
        if self.last_text.as_ref().is_some_and(|last| last.text == text) {
            return Ok(true);
        }
        begins(Stage::Tokenize);
        let encoding = self.tokenizer.encode(text)?;
        if encoding.is_empty() {
            return Ok(false);
        }
        begins(Stage::Text);
        let hidden = self.model.encode_text(&encoding.ids)?;
        self.last_text = Some(EncodedText { text: text.into(), encoding, hidden });
        Ok(true)
    }

    /// Makes `image` the last picture.
    fn encode_image(&mut self, image: ImageInput<'_>, begins: &mut impl FnMut(Stage)) -> Result<()> {
        let key = image.key();
        if self.last_image.as_ref().is_some_and(|last| last.key == key) {
            return Ok(());
        }
        begins(Stage::Decode);
        let decoded;
        let picture = match image {
            ImageInput::Picture(picture) => picture,
            ImageInput::Encoded(bytes) => {
                decoded = decode(bytes, &self.limits)?;
                &decoded
            }
            ImageInput::Rgba { width, height, pixels } => {
                self.limits.check(width, height)?;
                decoded = Picture::from_rgba(width, height, pixels)?;
                &decoded
            }
        };
        begins(Stage::Image);
        let cells = self.model.encode_image(picture)?;
        self.last_image = Some(EncodedImage { key, cells });
        Ok(())
    }
}

impl ImageInput<'_> {
    /// Tells pictures apart without keeping their bytes.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            ImageInput::Encoded(bytes) => (0, bytes).hash(&mut hasher),
            ImageInput::Rgba { width, height, pixels } => (1, width, height, pixels).hash(&mut hasher),
            ImageInput::Picture(picture) => {
                (2, picture.width(), picture.height(), picture.pixels()).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// From the encoded sides to the answer.
fn judge<M: Model>(
    model: &mut M,
    text: Option<&EncodedText>,
    image: Option<&EncodedImage>,
) -> Result<Analysis> {
    let text_scores = match text {
        Some(text) => Some(Scores::from_logits(model.logits(Side::Text, &text.hidden)?)),
        None => None,
    };
    let image_scores = match image {
        Some(image) => Some(Scores::from_logits(model.logits(Side::Image, &image.cells)?)),
        None => None,
    };
    let scores = match (text, image, text_scores, image_scores) {
        (Some(text), Some(image), ..) => Scores::from_logits(model.fused_logits(&text.hidden, &image.cells)?),
        (_, _, Some(scores), _) | (_, _, _, Some(scores)) => scores,
        _ => return Err(Error::EmptyPost),
    };
    let contradiction = match (text_scores, image_scores) {
        (Some(text), Some(image)) => Some(model.contradiction(text.to_array(), image.to_array())),
        _ => None,
    };
    let label = scores.label();
    Ok(Analysis {
        label,
        scores,
        valence: scores.valence(),
        text: text_scores.map(Reading::from),
        image: image_scores.map(Reading::from),
        contradiction,
        explanation: Explanation {
            words: text.map(|text| word_weights(model, text, label)),
            regions: image.map(|image| region_weights(model, image, label)),
        },
        truncated: text.is_some_and(|text| text.encoding.truncated),
    })
}

/// A word's share is the sum of its tokens'.
fn word_weights<M: Model>(model: &M, text: &EncodedText, label: Sentiment) -> Vec<WordWeight> {
    let tokens = model.contributions(Side::Text, &text.hidden, label as usize);
    let words = text.encoding.words_of(&text.text);
    let mut weights: Vec<f32> =
        words.iter().map(|word| tokens.get(word.tokens.clone()).unwrap_or_default().iter().sum()).collect();
    scale_to_one(&mut weights);
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
}

fn region_weights<M: Model>(model: &M, image: &EncodedImage, label: Sentiment) -> RegionWeights {
    let mut weights = model.contributions(Side::Image, &image.cells, label as usize);
    scale_to_one(&mut weights);
    RegionWeights { columns: model.grid_side(), rows: model.grid_side(), weights }
}

/// Divides by the largest magnitude, if there is one.
fn scale_to_one(weights: &mut [f32]) {
    let largest = weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
    if largest > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= largest);
    }
}
