//! The float model in the browser, which is measured beside the int8 one.

use candle_core::Device;
use wasm_bindgen::prelude::*;

use super::{BundleBuffer, Picture, analyze, labels, preprocess, thrown};
use crate::{
    Analyzer, Bundle, Result,
    inference::Reference,
    model::{ModelConfig, tokenizer_json},
};

/// An [`Analyzer`] of the float model with a bundle's dequantized weights. Answers as [`Engine`](super::Engine) does.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ReferenceEngine(Analyzer<Reference>);

#[wasm_bindgen]
impl ReferenceEngine {
    /// From the bytes of a bundle, which it takes over.
    #[wasm_bindgen(constructor)]
    pub fn new(bundle: BundleBuffer) -> Result<ReferenceEngine, JsValue> {
        let load = || -> Result<_> {
            let bundle = Bundle::parse(bundle.into_bytes())?;
            let config = ModelConfig::of_bundle(&bundle)?;
            let reference = Reference::of_bundle(&bundle, &config, &Device::Cpu)?;
            Analyzer::new(reference, &config, tokenizer_json(&bundle)?)
        };
        load().map(ReferenceEngine).map_err(thrown)
    }

    /// As [`Engine::labels`](super::Engine::labels).
    pub fn labels(&self) -> Result<String, JsValue> {
        labels(&self.0)
    }

    /// As [`Engine::preprocess`](super::Engine::preprocess).
    pub fn preprocess(&self) -> Result<String, JsValue> {
        preprocess(&self.0)
    }

    /// The analysis as JSON, with `timings`.
    pub fn analyze(&mut self, text: Option<String>, picture: Option<Picture>) -> Result<String, JsValue> {
        analyze(&mut self.0, text, picture)
    }
}
