//! Many posts at once. Their texts are encoded in passes, which costs less than one by one, and each different text and
//! picture once. The answers are those of one by one, bit for bit.
//!
//! A pass ends with the answers to its posts, so no hidden states are kept: memory grows with the size of a pass
//! ([`Pass`]), not with the number of posts. A picture's grid is kept only until the last post with this picture is answered.

use std::collections::HashMap;

use super::{
    Analysis, Analyzer, Answer, EncodedImage, EncodedText, Post, Stage, analysis_of, answer_of, only, run,
};
use crate::{
    backend::Pass,
    error::Result,
    image::Picture,
    inference::{Immediate, Inference},
    text::Encoding,
};

/// A text, and the posts that have it.
struct Text<'a> {
    text: &'a str,
    encoding: Encoding,
    posts: Vec<usize>,
}

/// The pictures of the posts that are not answered yet.
struct Images {
    /// Which picture each post has.
    keys: Vec<Option<u64>>,
    /// How many posts have it.
    posts: HashMap<u64, usize>,
    /// Those that are encoded already and needed again.
    encoded: HashMap<u64, EncodedImage>,
}

impl<M: Immediate> Analyzer<M> {
    /// Analyzes posts, in less time than one by one if they are short: the answers come in the order of the posts, and are
    /// the same, bit for bit. A bad post costs only its own place; its error is that of [`analyze`](Self::analyze).
    pub fn analyze_many(&mut self, posts: &[Post<'_>]) -> Vec<Result<Analysis>> {
        self.analyze_many_observed(posts, |_, _| {})
    }

    /// As [`analyze_many`](Self::analyze_many), and calls `begins` whenever a stage begins, with the posts that it is for.
    pub fn analyze_many_observed(
        &mut self,
        posts: &[Post<'_>],
        begins: impl FnMut(Stage, &[usize]),
    ) -> Vec<Result<Analysis>> {
        run(self.analyze_many_async(posts, begins))
    }

    /// The answers without explanations, for evaluations.
    pub fn answers(&mut self, posts: &[Post<'_>]) -> Vec<Result<Answer>> {
        run(self.many(posts, |_, _| {}, answer_of))
    }
}

impl<M: Inference> Analyzer<M> {
    /// As [`analyze_many_observed`](Self::analyze_many_observed), for a model that may wait for a device.
    pub async fn analyze_many_async(
        &mut self,
        posts: &[Post<'_>],
        begins: impl FnMut(Stage, &[usize]),
    ) -> Vec<Result<Analysis>> {
        self.many(posts, begins, analysis_of).await
    }

    /// What `finish` makes of the encoded text and picture of each post.
    async fn many<T>(
        &mut self,
        posts: &[Post<'_>],
        mut begins: impl FnMut(Stage, &[usize]),
        finish: impl Fn(&mut M, Option<&EncodedText>, Option<&EncodedImage>) -> Result<T>,
    ) -> Vec<Result<T>> {
        let mut outcomes: Vec<Option<Result<T>>> = posts.iter().map(|_| None).collect();
        let texts = self.texts(posts, &mut outcomes, &mut begins);
        let mut images = Images::of(posts, &outcomes);
        let Pass { tokens, pictures } = self.model.pass();
        for pass in passes(&texts, tokens) {
            let of_pass: Vec<usize> = pass.iter().flat_map(|text| text.posts.iter().copied()).collect();
            begins(Stage::Text, &of_pass);
            let ids: Vec<&[u32]> = pass.iter().map(|text| &text.encoding.ids[..]).collect();
            let Ok(all_hidden) = self.model.encode_texts(&ids).await else {
                // An error is one post's, and what fails together need not fail alone.
                for post in of_pass {
                    let began = |stage| begins(stage, &[post]);
                    let encoded = self.encode(posts[post], began).await;
                    outcomes[post] = Some(encoded.and_then(|has_text| {
                        let text = self.last_text.as_ref().filter(|_| has_text);
                        let image = self.last_image.as_ref().filter(|_| posts[post].image.is_some());
                        finish(&mut self.model, text, image)
                    }));
                }
                continue;
            };
            let encoded = pass.iter().zip(all_hidden).map(|(text, hidden)| {
                let Text { text, encoding, posts } = text;
                (posts, EncodedText { text: (*text).into(), encoding: encoding.clone(), hidden })
            });
            let encoded: Vec<_> = encoded.collect();
            let of_pass: Vec<_> = encoded
                .iter()
                .flat_map(|(posts, text)| posts.iter().map(move |&post| (post, text)))
                .collect();
            for part in of_pass.chunks(pictures) {
                self.encode_ahead(posts, part.iter().map(|(post, _)| *post), &mut images, &mut begins).await;
                for &(post, text) in part {
                    let outcome =
                        self.finish(posts, post, Some(text), &mut images, &mut begins, &finish).await;
                    outcomes[post] = Some(outcome);
                }
            }
        }
        let open: Vec<usize> = (0..posts.len()).filter(|&post| outcomes[post].is_none()).collect();
        for part in open.chunks(pictures) {
            self.encode_ahead(posts, part.iter().copied(), &mut images, &mut begins).await;
            for &post in part {
                let outcome = self.finish(posts, post, None, &mut images, &mut begins, &finish).await;
                outcomes[post] = Some(outcome);
            }
        }
        outcomes.into_iter().flatten().collect()
    }

    /// The texts that differ and have anything to read, short ones first. A bad one is the outcome of its post.
    fn texts<'a, T>(
        &self,
        posts: &[Post<'a>],
        outcomes: &mut [Option<Result<T>>],
        begins: &mut impl FnMut(Stage, &[usize]),
    ) -> Vec<Text<'a>> {
        let mut texts: Vec<Text<'a>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (post, outcome) in outcomes.iter_mut().enumerate() {
            let Some(text) = posts[post].text else { continue };
            if let Some(&place) = places.get(text) {
                texts[place].posts.push(post);
                continue;
            }
            begins(Stage::Tokenize, &[post]);
            match self.tokenizer.encode(text) {
                Ok(encoding) if encoding.is_empty() => {}
                Ok(encoding) => {
                    places.insert(text, texts.len());
                    texts.push(Text { text, encoding, posts: vec![post] });
                }
                Err(error) => *outcome = Some(Err(error.into())),
            }
        }
        texts.sort_by_key(|text| text.encoding.ids.len());
        texts
    }

    /// Encodes the pictures of some posts in one pass, if the model takes several. What goes wrong here goes wrong again when
    /// that post is finished, and is told then.
    async fn encode_ahead(
        &mut self,
        posts: &[Post<'_>],
        part: impl Iterator<Item = usize>,
        images: &mut Images,
        begins: &mut impl FnMut(Stage, &[usize]),
    ) {
        if self.model.pass().pictures < 2 {
            return;
        }
        let (mut of_squares, mut squares) = (Vec::new(), Vec::new());
        let mut encoded: Vec<(u64, bool)> = Vec::new();
        for post in part {
            let (Some(input), Some(key)) = (posts[post].image, images.keys[post]) else { continue };
            if images.encoded.contains_key(&key) || encoded.iter().any(|&(known, _)| known == key) {
                continue;
            }
            begins(Stage::Decode, &[post]);
            if let Ok((square, incomplete)) = self.prepare(input) {
                of_squares.push(post);
                squares.push(square);
                encoded.push((key, incomplete));
            }
        }
        if squares.is_empty() {
            return;
        }
        begins(Stage::Image, &of_squares);
        let squares: Vec<&Picture> = squares.iter().collect();
        let Ok(cells) = self.model.encode_images(&squares).await else { return };
        for ((key, incomplete), cells) in encoded.into_iter().zip(cells) {
            images.encoded.insert(key, EncodedImage { key, cells, incomplete });
        }
    }

    /// Encodes the picture of a post unless that is done, and finishes the post.
    async fn finish<T>(
        &mut self,
        posts: &[Post<'_>],
        post: usize,
        text: Option<&EncodedText>,
        images: &mut Images,
        begins: &mut impl FnMut(Stage, &[usize]),
        finish: &impl Fn(&mut M, Option<&EncodedText>, Option<&EncodedImage>) -> Result<T>,
    ) -> Result<T> {
        let (Some(input), Some(key)) = (posts[post].image, images.keys[post]) else {
            begins(Stage::Fusion, &[post]);
            return finish(&mut self.model, text, None);
        };
        let image = match images.encoded.remove(&key) {
            Some(image) => image,
            None => {
                begins(Stage::Decode, &[post]);
                let (square, incomplete) = self.prepare(input)?;
                begins(Stage::Image, &[post]);
                let cells = only(self.model.encode_images(&[&square]).await?);
                EncodedImage { key, cells, incomplete }
            }
        };
        begins(Stage::Fusion, &[post]);
        let outcome = finish(&mut self.model, text, Some(&image));
        images.keep(image);
        outcome
    }
}

impl Images {
    /// Those of the posts that have no outcome yet.
    fn of<T>(posts: &[Post<'_>], outcomes: &[Option<T>]) -> Images {
        let open = posts.iter().zip(outcomes);
        let key = |(post, outcome): (&Post<'_>, &Option<T>)| {
            post.image.filter(|_| outcome.is_none()).map(|image| image.key())
        };
        let keys: Vec<Option<u64>> = open.map(key).collect();
        let mut posts = HashMap::new();
        for &key in keys.iter().flatten() {
            *posts.entry(key).or_insert(0) += 1;
        }
        Images { keys, posts, encoded: HashMap::new() }
    }

    /// Keeps the picture of an answered post if another one has it.
    fn keep(&mut self, image: EncodedImage) {
        let left = self.posts.entry(image.key).or_insert(1);
        *left = left.saturating_sub(1);
        if *left > 0 {
            self.encoded.insert(image.key, image);
        }
    }
}

/// The texts in parts of at most so many tokens, unless a part is a single text.
fn passes<'t, 'a>(texts: &'t [Text<'a>], most: usize) -> Vec<&'t [Text<'a>]> {
    let mut passes = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let mut tokens = 0;
        let fits = |text: &&Text<'_>| {
            tokens += text.encoding.ids.len();
            tokens <= most
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (pass, others) = rest.split_at(count);
        passes.push(pass);
        rest = others;
    }
    passes
}
