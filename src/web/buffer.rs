//! The place that a bundle arrives in: its bytes go from the network's chunks straight into the memory that the engine
//! reads them in.

use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use super::thrown;
use crate::bundle::BundleError;

#[wasm_bindgen]
extern "C" {
    /// The browser's own SHA-256. It gets a view of this program's memory and copies it while it is called.
    ///
    /// It is the faster one: 45 to 75 ms for 29 MB in another thread, against 90 to 165 ms in this one for the `sha2`
    /// crate compiled to wasm. Its copy is the browser's, outside of both heaps, and gone before the engine is made.
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"])]
    fn digest(algorithm: &str, data: &[u8]) -> Result<Promise<ArrayBuffer>, JsValue>;
}

/// A bundle on its way in. An engine takes it over without a copy.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BundleBuffer(Vec<u8>);

#[wasm_bindgen]
impl BundleBuffer {
    /// With memory for this many bytes, reserved at once; 0 where the length is not known.
    ///
    /// # Errors
    /// `bundle-memory` when there is not so much memory.
    #[wasm_bindgen(constructor)]
    pub fn new(capacity: f64) -> Result<BundleBuffer, JsValue> {
        // A number of JavaScript's, which may be any; the conversion stays within what can be asked for.
        let bytes = capacity as usize;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(bytes).map_err(|_| no_memory(capacity as u64))?;
        Ok(BundleBuffer(buffer))
    }

    /// Adds what came next; grows when it is more than was said.
    ///
    /// # Errors
    /// `bundle-memory` when there is no memory for it; what came before stays.
    pub fn append(&mut self, chunk: &Uint8Array) -> Result<(), JsValue> {
        let filled = self.0.len();
        let bytes = filled.saturating_add(chunk.length() as usize);
        self.0.try_reserve(bytes - filled).map_err(|_| no_memory(bytes as u64))?;
        self.0.resize(bytes, 0);
        if let Some(free) = self.0.get_mut(filled..) {
            chunk.copy_to(free);
        }
        Ok(())
    }

    /// The SHA-256 of what is here now.
    ///
    /// # Errors
    /// The browser's own, outside of secure contexts.
    pub fn sha256(&self) -> Result<Promise<ArrayBuffer>, JsValue> {
        digest("SHA-256", &self.0)
    }
}

impl BundleBuffer {
    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn no_memory(bytes: u64) -> JsValue {
    thrown(BundleError::Memory { bytes }.into())
}
