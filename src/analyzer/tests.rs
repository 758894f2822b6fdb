//! What the journey does with posts, good and bad.

use super::*;
use crate::backend::{Pass, cpu::InstructionSet};
use crate::testing::{random_bundle, tiny_config, tiny_tokenizer};

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
fn each_modality_alone_and_both() {
    let mut analyzer = analyzer();
    let picture = picture(1);
    let image = Some(ImageInput::Picture(&picture));
    let words = analyzer.analyze(text("I love the sun")).unwrap();
    let seen = analyzer.analyze(Post { text: None, image }).unwrap();
    let both = analyzer.analyze(Post { text: Some("I love the sun"), image }).unwrap();

    assert!(words.image.is_none() && words.contradiction.is_none() && words.explanation.regions.is_none());
    assert!(seen.text.is_none() && seen.contradiction.is_none() && seen.explanation.words.is_none());
    assert_eq!(
        words.text.as_ref().map(|reading| &reading.scores),
        Some(&words.scores),
        "the text head speaks"
    );
    assert_eq!(
        seen.image.as_ref().map(|reading| &reading.scores),
        Some(&seen.scores),
        "the image head speaks"
    );
    assert_eq!((&both.text, &both.image), (&words.text, &seen.image), "a modality says the same in company");
    assert_ne!(both.scores, words.scores);
    assert!((0.0..=1.0).contains(&both.contradiction.unwrap()));
    for analysis in [&words, &seen, &both] {
        assert!((analysis.scores.probabilities().iter().sum::<f32>() - 1.0).abs() < 1e-5);
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
    let features = Features { text: hidden.as_deref(), image: cells.as_deref() };
    let logits = analyzer.model.logits(features).unwrap();
    let Readout { labels, temperatures: t, .. } = analyzer.readout();
    assert!([t.text, t.image, t.fused].iter().all(|&t| t != 1.0), "random, so not all the same: {t:?}");
    let scores = |logits: Option<Vec<f32>>, t| Scores::at_temperature(labels, &logits.unwrap(), t);
    assert_eq!(analysis.scores, scores(logits.fused, t.fused));
    assert_eq!(analysis.text.unwrap().scores, scores(logits.text, t.text));
    assert_eq!(analysis.image.unwrap().scores, scores(logits.image, t.image));
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
    let picture = picture(2);
    let post = Post { text: None, image: Some(ImageInput::Picture(&picture)) };
    let regions = analyzer().analyze(post).unwrap().explanation.regions.unwrap();
    assert_eq!((regions.columns, regions.rows, regions.weights.len()), (2, 2, 4));
}

#[test]
fn words_and_regions_add_up_to_the_logit_less_the_base() {
    let mut analyzer = analyzer();
    let picture = picture(9);
    let image = Some(ImageInput::Picture(&picture));
    for (text, image) in [(Some("I love rain"), None), (None, image), (Some("sad, sad sun"), image)] {
        let Explanation { logit, base, words, regions } =
            analyzer.analyze(Post { text, image }).unwrap().explanation;
        let words = words.into_iter().flatten().map(|word| word.weight);
        let shares: f32 = words.chain(regions.into_iter().flat_map(|regions| regions.weights)).sum();
        assert!((base + shares - logit).abs() < 1e-4, "{base} + {shares} for {logit}");
        assert!(shares != 0.0);
    }
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

/// Posts of every kind: equal texts and pictures, lengths from one word to too many, empty ones and bad ones.
fn many_posts<'a>(texts: &'a [String], pictures: &'a [Picture], seed: u64) -> Vec<Post<'a>> {
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let bad = [
        ImageInput::Rgba { width: 2, height: 2, pixels: &[0; 15] },
        ImageInput::Rgba { width: 60_000, height: 60_000, pixels: b"" },
    ];
    let count = random(40);
    let post = |_| {
        let text = (random(8) > 0).then(|| texts[random(texts.len())].as_str());
        let image = match random(12) {
            0 => Some(bad[random(bad.len())]),
            1..4 => Some(ImageInput::Picture(&pictures[random(pictures.len())])),
            _ => None,
        };
        Post { text, image }
    };
    (0..count).map(post).collect()
}

/// What was said of a post, or the code and the message of its error.
fn told(outcome: Result<Analysis>) -> Result<Analysis, (&'static str, String)> {
    outcome.map_err(|error| (error.code(), error.to_string()))
}

#[test]
fn many_posts_are_answered_as_one_by_one_to_the_bit_on_every_instruction_set() {
    let words = ["sun", "rain", "I", "love", "sad,", "perfect", "\u{1f600}", "solitude!", "happy"];
    let mut texts: Vec<String> = (0..40usize)
        .map(|i| (0..=i * i % 23).map(|j| words[(i + j * 5) % words.len()]).collect::<Vec<_>>().join(" "))
        .collect();
    texts.extend(["", " \n\u{200b}"].map(String::from));
    texts.push("so ".repeat(4_000_000));
    let pictures = [picture(11), picture(12), picture(11), picture(13)];
    let (mut good, mut refused) = (0, 0);
    for set in InstructionSet::available() {
        let mut bundle = Bundle::parse(bytes()).unwrap();
        let model = QuantizedModel::load(Cpu::with(set).unwrap(), &mut bundle, &tiny_config()).unwrap();
        let mut one = Analyzer::new(model, &tiny_config(), &tiny_tokenizer()).unwrap();
        let mut all = one.clone();
        for seed in 0..12 {
            let posts = many_posts(&texts, &pictures, seed);
            let together: Vec<_> = all.analyze_many(&posts).into_iter().map(told).collect();
            assert_eq!(together.len(), posts.len());
            let answers = all.answers(&posts);
            for ((post, together), answer) in posts.iter().zip(together).zip(answers) {
                let alone = told(one.analyze(*post));
                assert_eq!(together, alone, "{}: {post:?}", set.name());
                assert_eq!(answer.map_err(|e| e.code()).ok(), one.answer(*post).ok());
                *if alone.is_ok() { &mut good } else { &mut refused } += 1;
            }
        }
    }
    assert!(good > 100 && refused > 10, "{good} good ones, {refused} refused");
}

#[test]
fn each_text_and_picture_of_many_posts_is_encoded_once() {
    let mut analyzer = analyzer();
    let (picture, other) = (picture(5), picture(6));
    let image = |picture| Some(ImageInput::Picture(picture));
    let posts = [
        Post { text: Some("sun"), image: image(&picture) },
        Post { text: Some("I love the rain"), image: image(&other) },
        text("sun"),
        Post { text: None, image: image(&picture) },
        Post { text: Some("I love the rain"), image: image(&picture) },
        text(" "),
    ];
    let mut stages = Vec::new();
    let outcomes =
        analyzer.analyze_many_observed(&posts, |stage, posts| stages.push((stage, posts.to_vec())));
    let codes: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().map(|_| ()).map_err(Error::code)).collect();
    assert_eq!(codes, [Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Err("empty-post")]);
    let of = |wanted| stages.iter().filter(move |(stage, _)| *stage == wanted).map(|(_, posts)| &posts[..]);
    assert_eq!(of(Stage::Tokenize).collect::<Vec<_>>(), [[0], [1], [5]]);
    assert_eq!(of(Stage::Text).collect::<Vec<_>>(), [[0, 2, 1, 4]], "one pass, the short text first");
    assert_eq!(of(Stage::Image).count(), 2);
    assert_eq!(of(Stage::Fusion).count(), 6);
}

/// The model as a device has it that takes several pictures a pass, or says that it does and fails.
struct Wide {
    model: QuantizedModel,
    fails: bool,
    /// How many pictures each pass had.
    passes: Vec<usize>,
}

impl Immediate for Wide {}

impl Inference for Wide {
    async fn encode_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        self.model.encode_texts(texts).await
    }

    fn pass(&self) -> Pass {
        Pass { tokens: 40, pictures: 5 }
    }

    fn preprocess(&self) -> &Preprocess {
        self.model.preprocess()
    }

    async fn encode_images(&mut self, squares: &[&Picture]) -> Result<Vec<Vec<f32>>> {
        self.passes.push(squares.len());
        if self.fails && squares.len() > 1 {
            return Err(Error::EmptyPost);
        }
        self.model.encode_images(squares).await
    }

    fn grid_side(&self) -> usize {
        self.model.grid_side()
    }

    fn logits(&mut self, features: Features<'_>) -> Result<HeadLogits> {
        self.model.logits(features)
    }

    fn explain(&mut self, features: Features<'_>, class: usize) -> Result<Shares> {
        self.model.explain(features, class)
    }

    fn readout(&self) -> &Readout {
        self.model.readout()
    }
}

#[test]
fn several_pictures_in_one_pass_are_answered_as_one_by_one() {
    let texts: Vec<String> = (1..9).map(|count| "I love sun ".repeat(count)).collect();
    let pictures: Vec<Picture> = (0..6).map(|seed| picture(seed + 20)).collect();
    let mut one = analyzer();
    for fails in [false, true] {
        let mut bundle = Bundle::parse(bytes()).unwrap();
        let model = QuantizedModel::load(Cpu::default(), &mut bundle, &tiny_config()).unwrap();
        let model = Wide { model, fails, passes: Vec::new() };
        let mut all = Analyzer::new(model, &tiny_config(), &tiny_tokenizer()).unwrap();
        for seed in 0..12 {
            let posts = many_posts(&texts, &pictures, seed);
            let together = all.analyze_many(&posts).into_iter().map(told);
            for (post, together) in posts.iter().zip(together) {
                assert_eq!(together, told(one.analyze(*post)), "{post:?}");
            }
        }
        let passes = &all.model().passes;
        assert!(
            passes.contains(&3) && passes.iter().all(|&pictures| (1..=5).contains(&pictures)),
            "{passes:?}"
        );
    }
}
