//! Many posts of one call: lists in, a JSON list out.

use serde::Serialize;
use wasm_bindgen::{convert::TryFromJsValue, prelude::*};

use super::{Clock, Picture, Timed};
use crate::{Analyzer, Post, inference::Immediate};

/// What became of a post.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Analysis(Box<Timed<'a>>),
    Error { error: String, code: &'static str },
}

/// See [`Engine::analyze_many`](super::Engine::analyze_many).
pub fn analyze_many<M: Immediate>(
    analyzer: &mut Analyzer<M>,
    texts: Vec<JsValue>,
    pictures: Vec<JsValue>,
) -> Result<String, JsValue> {
    if texts.len() != pictures.len() {
        return Err(JsError::new("as many texts as pictures: undefined where a post has none").into());
    }
    let texts = texts.into_iter().map(text).collect::<Result<Vec<_>, JsValue>>()?;
    let pictures = pictures.into_iter().map(picture).collect::<Result<Vec<_>, JsValue>>()?;
    let posts: Vec<Post<'_>> = texts
        .iter()
        .zip(&pictures)
        .map(|(text, picture)| Post { text: text.as_deref(), image: picture.as_ref().map(Picture::input) })
        .collect();
    let mut clock = Clock::new(posts.len());
    let analyses = analyzer.analyze_many_observed(&posts, |stage, posts| clock.begins(stage, posts));
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
