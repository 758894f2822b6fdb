//! From wasm to wasm with JavaScript bindings, by wasm-bindgen as a library: nobody has to install its program.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// The JavaScript that [`generate`] writes.
pub const SCRIPT: &str = "engine.js";

/// The file that [`generate`] writes last.
pub const WASM: &str = "engine_bg.wasm";

/// Writes `engine.js` and `engine_bg.wasm` into `folder`. The `web` target loads everywhere: browsers, Node, Deno, Bun,
/// workerd.
pub fn generate(wasm: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.input_path(wasm).out_name("engine").typescript(false).remove_producers_section(true);
    bindgen.generate(folder).with_context(|| format!("bindings of {}", wasm.display()))
}
