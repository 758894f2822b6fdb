//! What is checked, in the order in which it is checked.

use std::path::Path;

use anyhow::Result;

use crate::tools::{self, cargo, node, npm};

/// One check.
pub struct Step {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it checks, in a few words.
    pub about: &'static str,
    /// Runs it in the repository.
    pub run: fn(&Path) -> Result<()>,
}

/// The target of the browser build.
const WASM: &str = "wasm32-unknown-unknown";

/// A target whose kernels this machine can only type-check.
const ARM: &str = "aarch64-unknown-linux-gnu";

/// All checks; a later one may rely on what an earlier one built. The Rust tests come after the package because they
/// hold the native program to its wasm.
pub const STEPS: &[Step] = &[
    Step { name: "format", about: "rustfmt", run: format },
    Step { name: "lints", about: "clippy on every crate and test", run: lints },
    Step { name: "lints-wasm", about: "clippy on the browser build", run: lints_wasm },
    Step { name: "lints-arm", about: "clippy on the library for 64-bit Arm", run: lints_arm },
    Step { name: "pack", about: "build the npm package", run: pack },
    Step { name: "rust", about: "Rust tests", run: rust },
    Step { name: "onnx", about: "the ONNX files in onnxruntime and onnxruntime-web", run: onnx },
    Step { name: "types", about: "TypeScript types and the package's own tests", run: types },
    Step { name: "browser", about: "the demo page and the package in headless Chromium", run: browser },
];

fn format(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"]).run()
}

fn lints(root: &Path) -> Result<()> {
    cargo(root, &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()
}

fn lints_wasm(root: &Path) -> Result<()> {
    // The flags of the faster of the two programs: it has the kernels of both.
    lints_of(root, WASM, "-Ctarget-feature=+simd128,+relaxed-simd")
}

/// No other step needs this target, so where it cannot be had (offline) the rest goes on, and says so.
fn lints_arm(root: &Path) -> Result<()> {
    if let Err(error) = tools::require_target(root, ARM) {
        println!("left out: {error:#}");
        return Ok(());
    }
    lints_of(root, ARM, "")
}

fn lints_of(root: &Path, target: &str, flags: &str) -> Result<()> {
    tools::require_target(root, target)?;
    let library = ["clippy", "--locked", "--package", "mixed-feelings", "--lib", "--no-default-features"];
    cargo(root, &library)
        .args(&["--target", target, "--", "-D", "warnings"])
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .run()
}

fn pack(root: &Path) -> Result<()> {
    tools::require_node()?;
    tools::require_target(root, WASM)?;
    // The browser tests hold the int8 path to the float model, which the package does not ship.
    cargo(root, &["pack", "--reference"]).run()
}

fn rust(root: &Path) -> Result<()> {
    cargo(root, &["test", "--locked", "--workspace"]).run()
}

fn onnx(root: &Path) -> Result<()> {
    tools::require_node()?;
    npm(&root.join("tests/onnx"), &["ci"]).run()?;
    let python =
        tools::require_python(root, "tests/onnx/requirements.txt", &root.join("target/onnx-python"))?;
    let tests = ["test", "--locked", "--package", "mixed-feelings-native", "--test", "onnx_runtimes"];
    cargo(root, &tests).args(&["--", "--ignored", "--nocapture"]).env("ONNX_PYTHON", python).run()
}

fn types(root: &Path) -> Result<()> {
    tools::require_node()?;
    let package = root.join("pkg");
    npm(&package, &["ci"]).run()?;
    npm(&package, &["exec", "--", "tsc", "--noEmit"]).run()?;
    npm(&package, &["test"]).run()
}

fn browser(root: &Path) -> Result<()> {
    tools::require_node()?;
    let chromium = tools::require_chromium()?;
    let tests = root.join("tests/browser");
    npm(&tests, &["ci"]).run()?;
    // The page is served, and the native side of the parity test is answered, by the program itself.
    let program = tools::build_program(root)?;
    // Without a folder: Node.js 22 takes a folder's name for a file's, and every version finds `test/` by itself.
    node(&tests, &["--test", "--test-concurrency=1"])
        .env("CHROMIUM", &chromium)
        .env("MIXED_FEELINGS", &program)
        .run()
}
