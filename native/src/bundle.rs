//! Finding and opening the bundle: the int8 model that predicts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::Analyzer;

use crate::{
    atomic,
    checkpoint::{self, read_text},
    digest,
};

/// The bundle that the project ships, from the project's folder.
pub const DEFAULT: &str = "pkg/mixed-feelings-small.safetensors";

/// Opens `bundle`, or the default one, so that profiles of other bundles are refused.
///
/// # Errors
/// When it cannot be read or is not sound; the message names it.
pub fn open(bundle: Option<&Path>) -> Result<Analyzer> {
    let (path, bytes) = read(bundle)?;
    let sum = digest::sha256_bytes(&bytes);
    let mut analyzer = Analyzer::from_bundle(bytes).with_context(|| format!("bundle {}", path.display()))?;
    analyzer.identify(sum);
    Ok(analyzer)
}

/// Where `bundle`, or the default one, lies, and its bytes: those that `FILE.sha256` beside it promises, if there is one.
///
/// # Errors
/// When there is no such file, or its checksum is another; the message names it.
pub fn read(bundle: Option<&Path>) -> Result<(PathBuf, Vec<u8>)> {
    let path = match bundle {
        Some(path) => path.to_owned(),
        None => find_default()?,
    };
    let bytes = checkpoint::read(&path)?;
    check_sum(&path, &bytes)?;
    Ok((path, bytes))
}

/// The file beside the bundle at `path` that holds its checksum, as `sha256sum` writes it.
pub fn sum_beside(path: &Path) -> PathBuf {
    path.with_added_extension("sha256")
}

/// Writes a bundle, and beside it `NAME.sha256` as `sha256sum --check` reads it. A pipe or a device has nothing beside it.
///
/// # Errors
/// Those of the file system; the file is named.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().with_context(|| format!("{} is not the name of a file", path.display()))?;
    let sum = format!("{}  {}\n", digest::sha256(bytes), name.to_string_lossy());
    atomic::write(path, bytes)?;
    if atomic::is_stream(path) {
        return Ok(());
    }
    atomic::write(&sum_beside(path), sum.as_bytes())
}

fn check_sum(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = sum_beside(path);
    if !beside.exists() {
        return Ok(());
    }
    let promised = read_text(&beside)?;
    let promised = promised.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let is_sum = promised.len() == 64 && promised.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_sum, "{}: holds no SHA-256; remove it, or export the bundle again", beside.display());
    let found = digest::sha256(bytes);
    ensure!(
        found == promised,
        "bundle {}: its SHA-256 is {found}, but {} says {promised}: one of them is damaged or older; fetch or export \
         both again",
        path.display(),
        beside.display()
    );
    Ok(())
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_has_no_checksum_beside_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("pipe");
        ensure!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success(), "mkfifo");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe)
        });
        write(&pipe, b"a bundle")?;
        assert_eq!(reader.join().expect("it reads")?, b"a bundle");
        assert!(!sum_beside(&pipe).exists());
        Ok(())
    }
}
