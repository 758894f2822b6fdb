//! rten, another inference library in Rust, on the same ONNX files.

use rten::{Model, ValueOrView};
use rten_tensor::{NdTensor, prelude::*};
use wasm_bindgen::prelude::*;

/// A model that rten has loaded.
#[wasm_bindgen]
pub struct OtherModel {
    model: Model,
}

#[wasm_bindgen]
impl OtherModel {
    /// From the bytes of an ONNX file.
    #[wasm_bindgen(constructor)]
    pub fn new(onnx: Vec<u8>) -> Result<OtherModel, JsError> {
        Ok(OtherModel { model: Model::load(onnx)? })
    }

    /// The logits `output` for one text (no ids: there is none) and one square of normalised pixels `[3, side, side]` (no
    /// pixels: there is none).
    pub fn run(&self, ids: Vec<i32>, pixels: Vec<f32>, output: &str) -> Result<Vec<f32>, JsError> {
        let side = (pixels.len() / 3).isqrt();
        let tokens = ids.len();
        let mut inputs: Vec<(rten::NodeId, ValueOrView<'_>)> = Vec::new();
        let mut give = |name: &str, value: rten::Value| {
            if let Some(node) = self.model.find_node(name) {
                inputs.push((node, value.into()));
            }
        };
        if tokens > 0 {
            give("input_ids", NdTensor::from_data([1, tokens], ids).into_dyn().into());
            give("attention_mask", NdTensor::from_data([1, tokens], vec![1i32; tokens]).into_dyn().into());
        }
        if side > 0 {
            give("pixel_values", NdTensor::from_data([1, 3, side, side], pixels).into_dyn().into());
        }
        for name in ["has_text", "has_image"] {
            give(name, NdTensor::from_data([1], vec![1f32]).into_dyn().into());
        }
        let node = self.model.node_id(output)?;
        let [said] = self.model.run_n(inputs, [node], None)?;
        let said = said.into_tensor::<f32>().ok_or_else(|| JsError::new("the output holds no floats"))?;
        Ok(said.to_vec())
    }
}
