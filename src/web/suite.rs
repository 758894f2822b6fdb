//! The backend suite, for a test that needs no bindings: it calls the export as it stands.

use wasm_bindgen::prelude::*;

use crate::{backend::cpu::InstructionSet, testing::suite};

/// Runs the suite on instruction set `index` of those that this engine runs: how many cases passed, 0 when there is no
/// such set, or -1 for the first number that is off.
#[wasm_bindgen(js_name = runSuite)]
pub fn run_suite(index: u32) -> i32 {
    match InstructionSet::available().get(index as usize) {
        None => 0,
        Some(&set) => suite::run_set(set).map_or(-1, |report| report.cases as i32),
    }
}
