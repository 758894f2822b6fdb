//! `cargo pack`: builds the npm package in `pkg/` from the sources beside it. What is up to date is left alone.

mod bindings;
mod node;
mod npm;
mod sizes;
mod stale;
mod wasm;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
Builds the npm package in pkg/: two wasm programs, their bindings, the TypeScript.

Usage: cargo pack [--reference] [--force]

  --reference  also build the float model, which the browser tests compare with, into pkg/dist/reference/
  --force      build even what is up to date
  --help       this text";

fn main() -> Result<()> {
    let mut builds = wasm::SHIPPED.to_vec();
    let mut force = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--reference" => builds.push(wasm::REFERENCE),
            "--force" => force = true,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            other => bail!("unknown argument {other}\n\n{HELP}"),
        }
    }
    let project = Project::find()?;
    let mut built = Vec::new();
    for build in builds {
        let folder = project.dist().join(build.name);
        if force || stale::is_stale(&project.rust_sources(), &folder.join(bindings::WASM))? {
            node::ensure()?;
            wasm::ensure_target()?;
            eprintln!("building {} ...", build.name);
            bindings::generate(&wasm::compile(&project, build)?, &folder)?;
            built.push(folder.join(bindings::WASM));
        }
    }
    let bindings: Vec<PathBuf> = built.iter().map(|wasm| wasm.with_file_name(bindings::SCRIPT)).collect();
    npm::build(&project, force, &bindings)?;
    if !built.is_empty() {
        sizes::print(&project, &built)?;
    }
    Ok(())
}

/// Where things are.
struct Project {
    root: PathBuf,
}

impl Project {
    /// The project that cargo runs this program in; without cargo, the one that it was built in.
    fn find() -> Result<Self> {
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).join("../..");
        let root = root.canonicalize().with_context(|| format!("{} is gone", root.display()))?;
        Ok(Project { root })
    }

    fn pkg(&self) -> PathBuf {
        self.root.join("pkg")
    }

    fn dist(&self) -> PathBuf {
        self.pkg().join("dist")
    }

    /// Everything that the wasm depends on.
    fn rust_sources(&self) -> Vec<PathBuf> {
        ["src", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].map(|path| self.root.join(path)).to_vec()
    }

    /// Cargo's target folder.
    fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }
}

/// Runs a program to its end, with its output shown.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started: is it installed?"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

/// Runs a program to its end and returns what it printed.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} cannot be started: is it installed?"))?;
    if !output.status.success() {
        bail!("{name} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed something that is no text"))
}
