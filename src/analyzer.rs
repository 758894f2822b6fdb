//! The whole journey: text and/or picture in, [`Analysis`] out.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    Error, Result,
    analysis::{Analysis, Explanation, Reading, RegionWeights, Scores, Sentiment, WordWeight},
    bundle::Bundle,
    fusion::Temperatures,
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

/// What the journey asks of a model: of the int8 [`Plan`], or of the float model that the plan is held to.
pub trait Inference {
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

    /// What the heads say of the sides that are there, from the items that were encoded.
    ///
    /// # Errors
    /// Those of the model.
    fn judge(&mut self, text: Option<&[f32]>, image: Option<&[f32]>) -> Result<Verdict>;

    /// What the logits of each head are divided by for the scores.
    fn temperatures(&self) -> Temperatures;

    /// How much each item of a side spoke for a class in its head; see [`Explanation`].
    fn contributions(&self, side: Side, items: &[f32], class: usize) -> Vec<f32>;
}

/// What the heads say; each head only of what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Logits of the text head.
    pub text: Option<[f32; 3]>,
    /// Logits of the image head.
    pub image: Option<[f32; 3]>,
    /// Logits of the joint head, if both sides are there.
    pub fused: Option<[f32; 3]>,
    /// The calibrated probability that the sides contradict each other, if both are there.
    pub contradiction: Option<f32>,
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
        let mut bundle = Bundle::parse(bytes.into())?;
        Analyzer::new(Plan::load(&mut bundle)?, &bundle)
    }
}

impl<M: Inference> Analyzer<M> {
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

    /// What the logits of the three heads are divided by for the scores: an evaluation takes that back to show what it
    /// is good for.
    pub fn temperatures(&self) -> Temperatures {
        self.model.temperatures()
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

/// From the encoded sides to the answer: of the post as a whole the joint head speaks, of one side its own.
fn judge<M: Inference>(
    model: &mut M,
    text: Option<&EncodedText>,
    image: Option<&EncodedImage>,
) -> Result<Analysis> {
    let hidden = text.map(|text| text.hidden.as_slice());
    let verdict = model.judge(hidden, image.map(|image| image.cells.as_slice()))?;
    let temperatures = model.temperatures();
    let read = |logits: Option<_>, temperature| {
        logits.map(|logits| Reading::from(Scores::at_temperature(logits, temperature)))
    };
    let (said, seen) = (read(verdict.text, temperatures.text), read(verdict.image, temperatures.image));
    let whole = read(verdict.fused, temperatures.fused).or(said).or(seen).ok_or(Error::EmptyPost)?;
    let Reading { label, scores, valence } = whole;
    Ok(Analysis {
        label,
        scores,
        valence,
        text: said,
        image: seen,
        contradiction: verdict.contradiction,
        explanation: Explanation {
            words: text.map(|text| word_weights(model, text, label)),
            regions: image.map(|image| region_weights(model, image, label)),
        },
        truncated: text.is_some_and(|text| text.encoding.truncated),
    })
}

/// A word's share is the sum of its tokens'.
fn word_weights<M: Inference>(model: &M, text: &EncodedText, label: Sentiment) -> Vec<WordWeight> {
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

fn region_weights<M: Inference>(model: &M, image: &EncodedImage, label: Sentiment) -> RegionWeights {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{random_bundle, tiny_config, tiny_tokenizer};

    fn bytes() -> Vec<u8> {
        random_bundle(&tiny_config(), &tiny_tokenizer(), 7).unwrap()
    }

    fn analyzer() -> Analyzer {
        Analyzer::from_bundle(bytes()).unwrap()
    }

    fn picture(seed: u8) -> Picture {
        let pixels = (0..3 * 40 * 30u32).map(|i| (i.wrapping_mul(u32::from(seed) + 7) >> 3) as u8).collect();
        Picture::from_rgb(40, 30, pixels).unwrap()
    }

    fn text(text: &str) -> Post<'_> {
        Post { text: Some(text), image: None }
    }

    #[test]
    fn each_side_alone_and_both() {
        let mut analyzer = analyzer();
        let picture = picture(1);
        let image = Some(ImageInput::Picture(&picture));
        let words = analyzer.analyze(text("I love the sun")).unwrap();
        let seen = analyzer.analyze(Post { text: None, image }).unwrap();
        let both = analyzer.analyze(Post { text: Some("I love the sun"), image }).unwrap();

        assert!(
            words.image.is_none() && words.contradiction.is_none() && words.explanation.regions.is_none()
        );
        assert!(seen.text.is_none() && seen.contradiction.is_none() && seen.explanation.words.is_none());
        assert_eq!(words.text.map(|reading| reading.scores), Some(words.scores), "the text head speaks");
        assert_eq!(seen.image.map(|reading| reading.scores), Some(seen.scores), "the image head speaks");
        assert_eq!((both.text, both.image), (words.text, seen.image), "a side says the same in company");
        assert_ne!(both.scores, words.scores);
        assert!((0.0..=1.0).contains(&both.contradiction.unwrap()));
        for analysis in [&words, &seen, &both] {
            assert!((analysis.scores.to_array().iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert_eq!(analysis.label, analysis.scores.label());
        }
    }

    #[test]
    fn scores_are_the_softmax_at_the_heads_temperatures() {
        let mut analyzer = analyzer();
        let picture = picture(8);
        let post = Post { text: Some("I love rain"), image: Some(ImageInput::Picture(&picture)) };
        let analysis = analyzer.analyze(post).unwrap();
        let hidden = analyzer.last_text.as_ref().map(|text| text.hidden.clone());
        let cells = analyzer.last_image.as_ref().map(|image| image.cells.clone());
        let verdict = analyzer.model.judge(hidden.as_deref(), cells.as_deref()).unwrap();
        let t = analyzer.temperatures();
        assert!([t.text, t.image, t.fused].iter().all(|&t| t != 1.0), "random, so not all the same: {t:?}");
        let scores = |logits: Option<_>, t| Scores::at_temperature(logits.unwrap(), t);
        assert_eq!(analysis.scores, scores(verdict.fused, t.fused));
        assert_eq!(analysis.text.unwrap().scores, scores(verdict.text, t.text));
        assert_eq!(analysis.image.unwrap().scores, scores(verdict.image, t.image));
    }

    #[test]
    fn the_explanation_points_into_the_post() {
        let post = "I \u{1f600} love it!";
        let analysis = analyzer().analyze(text(post)).unwrap();
        let utf16: Vec<u16> = post.encode_utf16().collect();
        let words = analysis.explanation.words.unwrap();
        assert!(words.len() >= 4);
        for word in &words {
            assert_eq!(String::from_utf16(&utf16[word.start..word.end]).unwrap(), word.text);
        }
        let largest = words.iter().map(|word| word.weight.abs()).fold(0.0, f32::max);
        assert_eq!(largest, 1.0);

        let picture = picture(2);
        let post = Post { text: None, image: Some(ImageInput::Picture(&picture)) };
        let regions = analyzer().analyze(post).unwrap().explanation.regions.unwrap();
        assert_eq!((regions.columns, regions.rows, regions.weights.len()), (2, 2, 4));
        assert_eq!(regions.weights.iter().map(|weight| weight.abs()).fold(0.0, f32::max), 1.0);
    }

    #[test]
    fn the_answer_does_not_depend_on_what_was_asked_before() {
        let (first, second) = (picture(3), picture(4));
        let posts = [
            Post { text: Some("sad rain"), image: Some(ImageInput::Picture(&first)) },
            Post { text: Some("sad rain"), image: Some(ImageInput::Picture(&second)) },
            Post { text: Some("perfect"), image: Some(ImageInput::Picture(&second)) },
            text("sad rain"),
            Post { text: None, image: Some(ImageInput::Picture(&first)) },
            Post { text: Some(" "), image: Some(ImageInput::Picture(&first)) },
        ];
        let mut warm = analyzer();
        for post in posts.iter().chain(posts.iter().rev()) {
            assert_eq!(warm.analyze(*post).unwrap(), analyzer().analyze(*post).unwrap(), "{post:?}");
        }
    }

    #[test]
    fn what_is_encoded_already_is_not_encoded_again() {
        let mut analyzer = analyzer();
        let (picture, other) = (picture(5), picture(6));
        let mut stages = |text, picture| {
            let mut stages = Vec::new();
            let post = Post { text: Some(text), image: Some(ImageInput::Picture(picture)) };
            analyzer.analyze_observed(post, |stage| stages.push(stage)).unwrap();
            stages
        };
        use Stage::*;
        assert_eq!(stages("sun", &picture), [Tokenize, Text, Decode, Image, Fusion]);
        assert_eq!(stages("sun", &picture), [Fusion]);
        assert_eq!(stages("rain", &picture), [Tokenize, Text, Fusion]);
        assert_eq!(stages("rain", &other), [Decode, Image, Fusion]);
    }

    #[test]
    fn a_bad_input_is_an_error_with_a_code_and_the_next_call_works() {
        let mut analyzer = analyzer();
        let good = analyzer.analyze(text("happy")).unwrap();
        let long = "so ".repeat(4_000_000);
        let image = |input| Post { text: Some("happy"), image: Some(input) };
        let bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0";
        for (post, code) in [
            (Post::default(), "empty-post"),
            (text(""), "empty-post"),
            (text(" \n\u{200b}"), "empty-post"),
            (text(&long), "text-too-long"),
            (image(ImageInput::Encoded(b"")), "image-empty"),
            (image(ImageInput::Encoded(b"an image, honestly")), "not-an-image"),
            (image(ImageInput::Encoded(bomb)), "image-too-large"),
            (image(ImageInput::Rgba { width: 60_000, height: 60_000, pixels: b"" }), "image-too-large"),
            (image(ImageInput::Rgba { width: 2, height: 2, pixels: &[0; 15] }), "image-shape"),
            (image(ImageInput::Rgba { width: 0, height: 2, pixels: b"" }), "image-shape"),
        ] {
            let error = analyzer.analyze(post).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert_eq!(analyzer.analyze(text("happy")).unwrap(), good);
        }
    }

    #[test]
    fn a_text_that_is_too_long_for_the_model_is_cut_off_and_says_so() {
        let mut analyzer = analyzer();
        assert!(!analyzer.analyze(text("sun")).unwrap().truncated);
        assert!(analyzer.analyze(text(&"sun ".repeat(40))).unwrap().truncated);
    }

    #[test]
    fn a_bundle_that_is_not_what_its_config_says_is_refused() {
        let code = |config, tokenizer: &str| {
            let bytes = random_bundle(&config, tokenizer, 7).unwrap();
            Analyzer::from_bundle(bytes).map(|_| ()).map_err(|e| e.code())
        };
        assert_eq!(code(tiny_config(), "{}"), Err("bad-tokenizer"));
        let mut small = tiny_config();
        small.text.vocab_size = 50;
        assert_eq!(code(small, &tiny_tokenizer()), Err("bad-tokenizer"));

        // Two layers of weights under a config that says one, and three.
        let json = |layers| {
            let mut config = tiny_config();
            config.text.num_hidden_layers = layers;
            serde_json::to_string(&config).unwrap().replace('"', "\\\"")
        };
        for layers in [1, 3] {
            let mut bytes = bytes();
            let (right, wrong) = (json(2), json(layers));
            assert_eq!(right.len(), wrong.len(), "so that the header keeps its length");
            let at = bytes.windows(right.len()).position(|window| window == right.as_bytes()).unwrap();
            bytes[at..at + right.len()].copy_from_slice(wrong.as_bytes());
            let error = Analyzer::from_bundle(bytes).unwrap_err();
            assert_eq!(error.code(), "bundle-tensor", "{error}");
        }
    }
}
