//! From `src/` to wasm, by cargo.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{Project, output, run};

const TARGET: &str = "wasm32-unknown-unknown";

/// One way to compile the library.
#[derive(Clone, Copy)]
pub struct Build {
    /// The folder of its files in `pkg/dist/`.
    pub name: &'static str,
    target_features: &'static str,
    features: &'static str,
}

/// What the package contains: the faster one needs an engine with relaxed SIMD.
pub const SHIPPED: [Build; 2] = [
    Build { name: "simd128", target_features: "+simd128", features: "" },
    Build { name: "relaxed-simd", target_features: "+simd128,+relaxed-simd", features: "" },
];

/// The float model, for tests.
pub const REFERENCE: Build = Build { name: "reference", target_features: "+simd128", features: "float" };

/// Adds the compilation target where rustup has not done so by itself.
pub fn ensure_target() -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

/// Compiles the library and returns where the wasm is. Each build has a target folder of its own: the flags apply to
/// the dependencies too, and in a common one the builds would push each other out.
pub fn compile(project: &Project, build: Build) -> Result<PathBuf> {
    let target = project.target().join(format!("wasm-{}", build.name));
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&project.root)
        .args(["build", "--lib", "--package", "mixed-feelings", "--profile", "wasm", "--target", TARGET])
        .args(["--no-default-features", "--features", build.features])
        .arg("--target-dir")
        .arg(&target)
        // Takes precedence over the RUSTFLAGS of whoever runs this.
        .env("CARGO_ENCODED_RUSTFLAGS", format!("-Ctarget-feature={}", build.target_features));
    run(&mut cargo)?;
    Ok(target.join(TARGET).join("wasm/mixed_feelings.wasm"))
}
