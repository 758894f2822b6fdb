//! The TypeScript, and what else the package takes along.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{Project, node, run, stale::is_stale};

/// Installs the compiler once, compiles, makes what is new small, and copies the licences. `bindings` are JavaScript that
/// is new too.
pub fn build(project: &Project, force: bool, bindings: &[PathBuf]) -> Result<()> {
    let pkg = project.pkg();
    if is_stale(&[pkg.join("package-lock.json")], &pkg.join("node_modules/.package-lock.json"))? {
        npm(&pkg, &["ci", "--no-audit", "--no-fund"])?;
    }
    let sources = ["src", "tsconfig.json", "package-lock.json"].map(|path| pkg.join(path));
    if force || is_stale(&sources, &project.dist().join("index.js"))? {
        npm(&pkg, &["run", "--silent", "build"])?;
        remove_orphans(&project.dist(), &pkg.join("src"))?;
        minify(project, &scripts(&project.dist())?)?;
    }
    minify(project, bindings)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy_if_newer(&project.root.join(licence), &pkg.join(licence))?;
    }
    Ok(())
}

/// Removes what the compiler made of sources that went away: it would be published too.
fn remove_orphans(dist: &Path, sources: &Path) -> Result<()> {
    for entry in fs::read_dir(dist).with_context(|| dist.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let module = name.strip_suffix(".d.ts").or_else(|| name.strip_suffix(".js"));
        if module.is_some_and(|module| !sources.join(format!("{module}.ts")).exists()) {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// The compiler's output.
fn scripts(dist: &Path) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(dist).with_context(|| dist.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            scripts.push(path);
        }
    }
    Ok(scripts)
}

/// Takes comments, spaces and long names out of JavaScript; the declarations beside it keep theirs.
fn minify(project: &Project, scripts: &[PathBuf]) -> Result<()> {
    if scripts.is_empty() {
        return Ok(());
    }
    node::ensure()?;
    let pkg = project.pkg();
    // Relative names, because the output is laid out like the names of the input.
    let scripts = scripts.iter().map(|script| script.strip_prefix(&pkg).unwrap_or(script));
    run(Command::new(node::NPM).current_dir(&pkg).args(["run", "--silent", "minify", "--"]).args(scripts))
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
