//! What the benchmark runs in a browser beside the package: the bare register tile, and rten.

mod other;

use mixed_feelings::backend::cpu::{self, InstructionSet};
use wasm_bindgen::prelude::*;

pub use other::OtherModel;

/// Runs the tile of this build's instruction set; returns how many products were summed up. See
/// [`mixed_feelings::backend::cpu::peak`].
#[wasm_bindgen]
pub fn peak(repetitions: u32) -> f64 {
    let peak = cpu::peak(InstructionSet::best(), repetitions);
    std::hint::black_box(peak.checksum);
    peak.macs as f64
}

/// The name of this build's instruction set.
#[wasm_bindgen(js_name = instructionSet)]
pub fn instruction_set() -> String {
    InstructionSet::best().name().into()
}
