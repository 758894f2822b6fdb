//! Many posts of one call: lists in, a JSON list out.

use serde::Serialize;
use wasm_bindgen::{convert::TryFromJsValue, prelude::*};

use super::{Clock, Picture, Timed};
use crate::{Analysis, Analyzer, Error, Post, inference::Immediate};

/// What became of a post.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Analysis(Box<Timed<'a>>),
    Error { error: String, code: &'static str },
}

/// Lists from JavaScript, in which each place is a post.
pub struct Posts {
    texts: Vec<Option<String>>,
    pictures: Vec<Option<Picture>>,
}

impl Posts {
    /// # Errors
    /// When the lists differ in length or hold something else.
    pub fn new(texts: Vec<JsValue>, pictures: Vec<JsValue>) -> Result<Posts, JsValue> {
        if texts.len() != pictures.len() {
            return Err(JsError::new("as many texts as pictures: undefined where a post has none").into());
        }
        let texts = texts.into_iter().map(text).collect::<Result<_, JsValue>>()?;
        let pictures = pictures.into_iter().map(picture).collect::<Result<_, JsValue>>()?;
        Ok(Posts { texts, pictures })
    }

    /// As the analyzer takes them.
    pub fn all(&self) -> Vec<Post<'_>> {
        let both = self.texts.iter().zip(&self.pictures);
        both.map(|(text, picture)| Post {
            text: text.as_deref(),
            image: picture.as_ref().map(Picture::input),
        })
        .collect()
    }
}

/// See [`Engine::analyze_many`](super::Engine::analyze_many).
pub fn analyze_many<M: Immediate>(analyzer: &mut Analyzer<M>, posts: &Posts) -> Result<String, JsValue> {
    let posts = posts.all();
    let mut clock = Clock::new(posts.len());
    let analyses = analyzer.analyze_many_observed(&posts, |stage, posts| clock.begins(stage, posts));
    outcomes(&analyses, clock)
}

/// What became of the posts, as a JSON list.
pub fn outcomes(analyses: &[Result<Analysis, Error>], clock: Clock) -> Result<String, JsValue> {
    let outcomes: Vec<Outcome<'_>> = analyses
        .iter()
        .zip(clock.end())
        .map(|(analysis, timings)| match analysis {
            Ok(analysis) => Outcome::Analysis(Box::new(Timed { analysis, timings })),
            Err(error) => Outcome::Error { error: error.to_string(), code: error.code() },
        })
        .collect();
    serde_json::to_string(&outcomes).map_err(|e| JsError::from(e).into())
}

fn text(value: JsValue) -> Result<Option<String>, JsValue> {
    if value.is_undefined() {
        return Ok(None);
    }
    match value.as_string() {
        Some(text) => Ok(Some(text)),
        None => Err(JsError::new("a text is a string or undefined").into()),
    }
}

fn picture(value: JsValue) -> Result<Option<Picture>, JsValue> {
    if value.is_undefined() {
        return Ok(None);
    }
    match Picture::try_from_js_value(value) {
        Ok(picture) => Ok(Some(picture)),
        Err(_) => Err(JsError::new("a picture is a Picture or undefined").into()),
    }
}
