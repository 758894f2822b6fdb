//! The float model in the browser, for the tests that hold the int8 plan to it.

use wasm_bindgen::prelude::*;

use super::{BundleBuffer, Picture, analyze, thrown};
use crate::{Analyzer, Bundle, Result, reference::Reference};

/// An [`Analyzer`] of the float model with a bundle's dequantised weights. Answers as [`Engine`](super::Engine) does.
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
            Analyzer::new(Reference::load(&bundle)?, &bundle)
        };
        load().map(ReferenceEngine).map_err(thrown)
    }

    /// The analysis as JSON, with `timings`.
    pub fn analyze(&mut self, text: Option<String>, picture: Option<Picture>) -> Result<String, JsValue> {
        analyze(&mut self.0, text, picture)
    }
}
