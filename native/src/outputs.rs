//! What a subcommand is to write, checked before it works: whatever would be lost, or could not be written, is refused at once.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::{atomic, post};

/// Checks files that are to be written, each with its option, against the files that are read.
///
/// # Errors
/// When one of them is `-`, a folder, what another option writes, or what is read.
pub fn check(outputs: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<()> {
    let outputs: Vec<(&str, &Path)> =
        outputs.iter().filter_map(|(option, path)| Some((*option, (*path)?))).collect();
    for (i, (option, path)) in outputs.iter().enumerate() {
        let said = format!("{option} {}", path.display());
        refuse_dash(option, path)?;
        ensure!(!path.is_dir(), "{said}: a folder; the name of a file is wanted");
        if let Some(input) = inputs.iter().find(|input| is_same(path, input)) {
            bail!("{said}: it would overwrite {}, which is read: name another file", input.display());
        }
        if let Some((other, written)) = outputs.iter().take(i).find(|(_, written)| is_same(path, written)) {
            bail!("{said}: {other} {} writes the same file: name another one", written.display());
        }
    }
    Ok(())
}

/// Checks a folder that is to be written.
///
/// # Errors
/// When it is `-`, or a file.
pub fn check_folder(option: &str, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    refuse_dash(option, path)?;
    let is_free = path.is_dir() || !path.exists();
    ensure!(is_free, "{option} {}: a file; the name of a folder is wanted", path.display());
    Ok(())
}

fn refuse_dash(option: &str, path: &Path) -> Result<()> {
    ensure!(
        !post::is_dash(path),
        "{option} -: nothing is written to standard output by this name; name a file, or say ./- for one that is called so"
    );
    Ok(())
}

/// Whether two paths lead to one file. What is a pipe or a device loses nothing by being written.
fn is_same(a: &Path, b: &Path) -> bool {
    !atomic::is_stream(a) && place(a) == place(b)
}

/// Where a path leads, if only its folder is there too.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let folder = atomic::folder_of(path).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_would_be_lost_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub"))?;
        fs::write(path("a.tsv"), "label\ttext\n")?;
        let (table, roundabout) = (path("a.tsv"), path("sub/../a.tsv"));
        let said = |outputs: &[(&str, Option<&Path>)]| match check(outputs, &[&table]) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        let lost = said(&[("--out", None), ("--json", Some(&roundabout))]);
        assert!(
            lost.contains("--json") && lost.contains(&format!("overwrite {}", table.display())),
            "{lost}"
        );
        assert!(said(&[("--out", Some(&path("sub")))]).contains("sub: a folder; the name of a file"));
        assert!(said(&[("--out", Some(Path::new("-")))]).contains("--out -: nothing is written"));
        let twice = said(&[("--json", Some(&path("new"))), ("--predictions", Some(&path("sub/../new")))]);
        assert!(twice.contains("--predictions") && twice.contains("--json"), "{twice}");
        assert_eq!(said(&[("--json", Some(&path("new"))), ("--predictions", Some(&path("other")))]), "");

        let wanted = |path: &Path| check_folder("--out", Some(path)).map_err(|error| error.to_string());
        assert!(wanted(&table).is_err_and(|e| e.contains("a.tsv: a file; the name of a folder")));
        assert!(wanted(Path::new("-")).is_err());
        assert_eq!((wanted(&path("sub")), wanted(&path("new/folder"))), (Ok(()), Ok(())));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_its_file() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (table, link) = (folder.path().join("a.tsv"), folder.path().join("link"));
        fs::write(&table, "label\ttext\n")?;
        std::os::unix::fs::symlink("a.tsv", &link)?;
        assert!(check(&[("--out", Some(&link))], &[&table]).is_err());
        Ok(())
    }
}
