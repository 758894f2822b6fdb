//! The TypeScript, and what else the package takes along.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{Project, node, run, stale::is_stale};

/// Installs the compiler once, compiles, and copies the licences.
pub fn build(project: &Project, force: bool) -> Result<()> {
    let pkg = project.pkg();
    if is_stale(&[pkg.join("package-lock.json")], &pkg.join("node_modules/.package-lock.json"))? {
        npm(&pkg, &["ci", "--no-audit", "--no-fund"])?;
    }
    let sources = ["src", "tsconfig.json", "package-lock.json"].map(|path| pkg.join(path));
    if force || is_stale(&sources, &project.dist().join("index.js"))? {
        npm(&pkg, &["run", "--silent", "build"])?;
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy_if_newer(&project.root.join(licence), &pkg.join(licence))?;
    }
    Ok(())
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<()> {
    node::ensure()?;
    run(Command::new(node::NPM).current_dir(folder).args(arguments))
}

fn copy_if_newer(from: &Path, to: &Path) -> Result<()> {
    if is_stale(&[from.to_owned()], to)? {
        fs::copy(from, to).with_context(|| from.display().to_string())?;
    }
    Ok(())
}
