//! Bindings for JavaScript, nothing else: types across the border, errors with their code, stages with their time.
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
use wasm_bindgen::prelude::*;

use crate::{
    Analysis, Analyzer, Error, Post,
    analyzer::{ImageInput, Stage},
    image::Picture as Square,
    inference::{Immediate, Inference},
    model::{Filter, Fit},
};

mod buffer;
#[cfg(feature = "webgpu")]
mod gpu;
mod learn;
mod many;
#[cfg(feature = "float")]
mod reference;
#[cfg(feature = "testing")]
mod suite;

pub use buffer::BundleBuffer;
#[cfg(feature = "webgpu")]
pub use gpu::GpuEngine;
pub use learn::Lessons;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds; windows, workers, Node, Deno and workerd all have it.
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Throws when this engine computes wrong numbers: then take another build.
#[wasm_bindgen(js_name = selfTest)]
pub fn self_test() -> Result<(), JsError> {
    crate::backend::cpu::self_test()?;
    Ok(())
}

/// A picture as the encoder sees it, made by the program that decodes.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Picture {
    pixels: Vec<u8>,
    incomplete: bool,
}

#[wasm_bindgen]
impl Picture {
    /// From RGB, as many rows and columns as [`Engine::preprocess`] says, and whether parts of the picture were missing.
    #[wasm_bindgen(constructor)]
    pub fn new(pixels: Vec<u8>, incomplete: bool) -> Picture {
        Picture { pixels, incomplete }
    }
}

impl Picture {
    fn input(&self) -> ImageInput<'_> {
        ImageInput::Prepared { pixels: &self.pixels, incomplete: self.incomplete }
    }
}

/// An [`Analyzer`] of the int8 model.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Engine(Analyzer);

#[wasm_bindgen]
impl Engine {
    /// From the bytes of a bundle, which it takes over.
    #[wasm_bindgen(constructor)]
    pub fn new(bundle: BundleBuffer) -> Result<Engine, JsValue> {
        Analyzer::from_bundle(bundle.into_bytes()).map(Engine).map_err(thrown)
    }

    /// The labels as JSON, in the order of the scores: a list of names and polarities.
    pub fn labels(&self) -> Result<String, JsValue> {
        labels(&self.0)
    }

    /// What the program that decodes has to make of a picture, as JSON: the numbers that it is called with.
    pub fn preprocess(&self) -> Result<String, JsValue> {
        preprocess(&self.0)
    }

    /// The analysis as JSON, with `timings`.
    pub fn analyze(&mut self, text: Option<String>, picture: Option<Picture>) -> Result<String, JsValue> {
        analyze(&mut self.0, text, picture)
    }

    /// Milliseconds that the encoders take for so many texts of so many tokens and so many pictures, which mean nothing.
    pub fn probe(&mut self, texts: usize, tokens: usize, pictures: usize) -> Result<f64, JsValue> {
        let began = now();
        crate::analyzer::run(probe(self.0.model_mut(), texts, tokens, pictures)).map_err(thrown)?;
        Ok(now() - began)
    }

    /// As many analyses as posts in a JSON list, in their order; `{ error, code }` for a post that cannot be read. A post is a
    /// text, or `undefined`, and the picture in the same place, or `undefined`. Texts are encoded in passes, so `timings`
    /// are the post's even share of what it passed through with others. Takes the pictures over.
    #[wasm_bindgen(js_name = analyzeMany)]
    pub fn analyze_many(&mut self, texts: Vec<JsValue>, pictures: Vec<JsValue>) -> Result<String, JsValue> {
        many::analyze_many(&mut self.0, &many::Posts::new(texts, pictures)?)
    }
}

/// Has the encoders read texts and pictures that mean nothing.
async fn probe<M: Inference>(
    model: &mut M,
    texts: usize,
    tokens: usize,
    pictures: usize,
) -> crate::Result<()> {
    let ids = vec![0; tokens];
    if texts > 0 {
        model.encode_texts(&vec![&ids[..]; texts]).await?;
    }
    let side = model.preprocess().input_size as u32;
    let square = Square::from_rgb(side, side, vec![127; 3 * (side * side) as usize])?;
    if pictures > 0 {
        model.encode_images(&vec![&square; pictures]).await?;
    }
    Ok(())
}

fn labels<M: Inference>(analyzer: &Analyzer<M>) -> Result<String, JsValue> {
    let labels: Vec<_> = analyzer.readout().labels.iter().collect();
    serde_json::to_string(&labels).map_err(|e| JsError::from(e).into())
}

/// What `decode` of `pkg/decoder` takes.
#[derive(Serialize)]
struct Prepare {
    size: usize,
    fit: u32,
    filter: u32,
}

fn preprocess<M: Inference>(analyzer: &Analyzer<M>) -> Result<String, JsValue> {
    let preprocess = analyzer.preprocess();
    let fit = match preprocess.fit {
        Fit::Stretch => 0,
        Fit::Crop => 1,
    };
    let filter = match preprocess.filter {
        Filter::Bilinear => 0,
        Filter::Bicubic => 1,
    };
    let prepare = Prepare { size: preprocess.input_size, fit, filter };
    serde_json::to_string(&prepare).map_err(|e| JsError::from(e).into())
}

fn analyze<M: Immediate>(
    analyzer: &mut Analyzer<M>,
    text: Option<String>,
    picture: Option<Picture>,
) -> Result<String, JsValue> {
    let mut clock = Clock::new(1);
    let post = Post { text: text.as_deref(), image: picture.as_ref().map(Picture::input) };
    let began = |stage| clock.begins(stage, &[0]);
    let analysis = analyzer.analyze_observed(post, began).map_err(thrown)?;
    let timings = clock.end().pop().unwrap_or_default();
    let timed = Timed { analysis: &analysis, timings };
    serde_json::to_string(&timed).map_err(|e| JsError::from(e).into())
}

/// An analysis as JavaScript sees it.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    analysis: &'a Analysis,
    timings: StageTimings,
}

/// Milliseconds of each stage. A stage that was not needed took 0.
#[derive(Clone, Default, Serialize)]
struct StageTimings {
    /// Cleaning the text and splitting it into word pieces.
    tokenize: f64,
    /// The text encoder.
    text: f64,
    /// From a file's bytes, or a bitmap, to pixels.
    decode: f64,
    /// Scaling the picture to the encoder's size, and the image encoder.
    image: f64,
    /// Fusion, heads and explanation.
    fusion: f64,
}

/// The times of some posts.
struct Clock {
    timings: Vec<StageTimings>,
    /// With the posts that it is for, and when it began.
    running: Option<(Stage, Vec<usize>, f64)>,
}

impl Clock {
    fn new(posts: usize) -> Clock {
        Clock { timings: vec![StageTimings::default(); posts], running: None }
    }

    /// Ends the running stage and begins another.
    fn begins(&mut self, stage: Stage, posts: &[usize]) {
        let now = now();
        self.ends(now);
        self.running = Some((stage, posts.to_vec(), now));
    }

    /// The time of the running stage goes to its posts in even shares.
    fn ends(&mut self, now: f64) {
        let Some((stage, posts, began)) = self.running.take() else { return };
        let share = (now - began) / posts.len().max(1) as f64;
        for post in posts {
            let Some(timings) = self.timings.get_mut(post) else { continue };
            *match stage {
                Stage::Tokenize => &mut timings.tokenize,
                Stage::Text => &mut timings.text,
                Stage::Decode => &mut timings.decode,
                Stage::Image => &mut timings.image,
                Stage::Fusion => &mut timings.fusion,
            } += share;
        }
    }

    /// Ends the last stage.
    fn end(mut self) -> Vec<StageTimings> {
        self.ends(now());
        self.timings
    }
}

/// An `Error` with a `code`.
fn thrown(error: Error) -> JsValue {
    let thrown = js_sys::Error::new(&error.to_string());
    // Cannot fail: a new Error object is extensible.
    let _ = js_sys::Reflect::set(&thrown, &"code".into(), &error.code().into());
    thrown.into()
}
