//! Bindings of what learns from examples.

use wasm_bindgen::prelude::*;

use super::{Engine, Picture, thrown};
use crate::{
    Error, LearnError, Post,
    analyzer::ReadExample,
    fusion::profile::{BundleSum, Profile},
};

/// Examples that were read, each with its class.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Lessons(Vec<(Vec<f32>, usize)>);

#[wasm_bindgen]
impl Lessons {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Lessons {
        Lessons::default()
    }

    /// Adds what [`Engine::read_example`] gave, and the place of its label among the bundle's.
    pub fn add(&mut self, numbers: Vec<f32>, class: usize) {
        self.0.push((numbers, class));
    }
}

#[wasm_bindgen]
impl Engine {
    /// Says what the bundle's SHA-256 is, in hexadecimal digits: profiles of others are refused from then on.
    pub fn identify(&mut self, sha256: &str) {
        if let Some(sum) = sum_of(sha256) {
            self.0.identify(sum);
        }
    }

    /// The numbers that stand for an example.
    #[wasm_bindgen(js_name = readExample)]
    pub fn read_example(
        &mut self,
        text: Option<String>,
        picture: Option<Picture>,
    ) -> Result<Vec<f32>, JsValue> {
        let post = Post { text: text.as_deref(), image: picture.as_ref().map(Picture::input) };
        self.0.read_example(post).map(|example| example.to_numbers()).map_err(thrown)
    }

    /// Learns, in place of what was learned before. The report as JSON.
    pub fn learn(&mut self, lessons: Lessons) -> Result<String, JsValue> {
        let labels = self.0.readout().labels.len();
        let example = |(numbers, class): (Vec<f32>, usize)| {
            ReadExample::from_numbers(&numbers, labels).map(|example| (example, class))
        };
        let examples: Option<Vec<_>> = lessons.0.into_iter().map(example).collect();
        let examples = examples.ok_or(LearnError::Foreign).map_err(Error::from).map_err(thrown)?;
        let report = self.0.learn_from(&examples).map_err(thrown)?;
        serde_json::to_string(&report).map_err(|e| JsError::from(e).into())
    }

    /// The profile as a file, if there is one.
    pub fn profile(&mut self) -> Option<Vec<u8>> {
        self.0.profile().map(|profile| profile.to_bytes())
    }

    /// Goes on with a profile, and returns how many examples it was learned from.
    #[wasm_bindgen(js_name = setProfile)]
    pub fn set_profile(&mut self, bytes: &[u8]) -> Result<u32, JsValue> {
        let profile = Profile::from_bytes(bytes).map_err(Error::from).map_err(thrown)?;
        let examples = profile.examples;
        self.0.set_profile(profile).map_err(thrown)?;
        Ok(examples)
    }

    /// Answers as it was shipped again.
    pub fn forget(&mut self) {
        self.0.forget();
    }
}

fn sum_of(digits: &str) -> Option<BundleSum> {
    let mut sum = BundleSum::default();
    let bytes = digits.as_bytes();
    if bytes.len() != 2 * sum.len() {
        return None;
    }
    for (byte, digits) in sum.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(sum)
}
