//! Finding and opening the bundle: the int8 model that predicts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mixed_feelings::Analyzer;

use crate::checkpoint::read;

/// The bundle that the project ships, from the project's folder.
pub const DEFAULT: &str = "pkg/mixed-feelings-small.safetensors";

/// Opens `bundle`, or the default one.
///
/// # Errors
/// When there is no such file, or it is no bundle; the message names it.
pub fn open(bundle: Option<&Path>) -> Result<Analyzer> {
    let path = path(bundle)?;
    let bytes = read(&path)?;
    tracing::debug!("bundle {} ({} bytes)", path.display(), bytes.len());
    Analyzer::from_bundle(bytes).with_context(|| format!("bundle {}", path.display()))
}

/// Where `bundle`, or the default one, lies.
///
/// # Errors
/// When there is no default one.
pub fn path(bundle: Option<&Path>) -> Result<PathBuf> {
    match bundle {
        Some(path) => Ok(path.to_owned()),
        None => find_default(),
    }
}

/// The default bundle, looked for in the current folder and in the program's, and in all folders above them.
fn find_default() -> Result<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let starts = [here, program];
    let folders = starts.iter().flatten().flat_map(|start| start.ancestors());
    match folders.map(|folder| folder.join(DEFAULT)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("no {DEFAULT} here or beside the program: name a bundle with --bundle FILE"),
    }
}
