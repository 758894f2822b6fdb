//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// Most links that lead from one to the next, as in Linux.
const LINKS: usize = 40;

/// Writes `path` through a temporary file beside it that is synced and then renamed: whoever reads `path` sees the
/// old content or the new one, after a crash too. If `write` fails, `path` is left as it was.
///
/// A symbolic link stays, and the file that it leads to is replaced. A pipe or a device stays too: it is written to as it
/// is, and keeps what came before a failure.
///
/// # Errors
/// That of `write`, or of the file system, with the path named; when `path` is a folder.
pub fn write_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let named = || format!("writing {}", path.display());
    ensure!(!path.is_dir(), "{}: a folder; the name of a file is wanted", named());
    if is_stream(path) {
        return write_through(path, write).with_context(named);
    }
    let path = &linked(path).with_context(named)?;
    let fill = || {
        // Made by `create_new`, the file has the rights of any other; tempfile's own are for the owner alone.
        let mut file = tempfile::Builder::new().make_in(folder_of(path), |path| File::create_new(path))?;
        let mut buffer = BufWriter::new(&mut file);
        write(&mut buffer)?;
        buffer.into_inner().map_err(io::IntoInnerError::into_error)?.as_file().sync_all()?;
        file.persist(path).context("renaming the finished file")
    };
    fill().with_context(named)?;
    sync(folder_of(path));
    Ok(())
}

/// Whether `path` is there and neither a file nor a folder: a pipe, or a device.
pub fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|kind| !kind.is_file() && !kind.is_dir())
}

fn write_through(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut buffer = BufWriter::new(File::options().write(true).open(path)?);
    write(&mut buffer)?;
    Ok(buffer.flush()?)
}

/// The file that `path` leads to by symbolic links, the last of which may lead to one that is not there yet.
fn linked(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            // It is no link. Whatever else may be wrong with it, writing it tells.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its symbolic links lead in a circle"))
}

/// [`write_with`] of bytes that are there already.
///
/// # Errors
/// Those of the file system, with the path named.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| Ok(file.write_all(bytes)?))
}

/// Makes the folder `path` through a temporary one beside it, which `fill` fills and which then takes its place as a whole:
/// the files of two versions never lie side by side. If `fill` fails, `path` is left as it was. Files of an older folder
/// that the new one lacks stay; so does a symbolic link, and the folder that it leads to is replaced.
///
/// # Errors
/// That of `fill`, or of the file system, with the path named.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = &linked(path).with_context(|| format!("writing {}", path.display()))?;
    let (new, old) = (beside(path)?, beside(&path.with_added_extension("old"))?);
    let outcome = fs::create_dir_all(&new)
        .map_err(anyhow::Error::from)
        .and_then(|()| fill(&new))
        .and_then(|()| swap(path, &new, &old).context("putting the finished folder in place"))
        .with_context(|| format!("writing {}", path.display()));
    if outcome.is_err() {
        // It may never have come to be; the first error is the one to tell.
        let _ = fs::remove_dir_all(&new);
        return outcome;
    }
    sync(folder_of(path));
    Ok(())
}

/// Puts the folder `new` in the place of `path`, which is called `old` meanwhile.
fn swap(path: &Path, new: &Path, old: &Path) -> io::Result<()> {
    if !path.exists() {
        return fs::rename(new, path);
    }
    fs::rename(path, old)?;
    if let Err(error) = fs::rename(new, path) {
        fs::rename(old, path)?;
        return Err(error);
    }
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let kept = path.join(entry.file_name());
        if !kept.exists() {
            fs::rename(entry.path(), kept)?;
        }
    }
    fs::remove_dir_all(old)
}

/// `folder/.name.PID.tmp` for `folder/name`.
fn beside(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().with_context(|| format!("{} is not the name of a file", path.display()))?;
    let name = format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id());
    Ok(path.with_file_name(name))
}

/// The folder that `path` is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the rename itself durable. Not every platform lets a folder be opened, and the content is safe without.
fn sync(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scores.tsv");
        write(&path, b"old")?;
        let failed = write_with(&path, |file| {
            file.write_all(b"half of the n")?;
            anyhow::bail!("row 7 is unreadable")
        });
        let told = format!("{:#}", failed.expect_err("it failed"));
        assert!(told.contains("scores.tsv") && told.contains("row 7"), "{told}");
        assert_eq!(fs::read(&path)?, b"old");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        write(&path, b"new")?;
        assert_eq!(fs::read(&path)?, b"new");
        Ok(())
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole_or_not_at_all() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runs/model");
        let version = |name: &'static str| {
            move |folder: &Path| {
                write(&folder.join("config"), name.as_bytes())?;
                write(&folder.join("weights"), name.as_bytes())
            }
        };
        write_folder(&path, version("old"))?;
        write(&path.join("notes"), b"mine")?;
        let failed = write_folder(&path, |folder| {
            write(&folder.join("config"), b"new")?;
            anyhow::bail!("the disk is full")
        });
        let told = format!("{:#}", failed.expect_err("it failed"));
        assert!(told.contains("model") && told.contains("the disk is full"), "{told}");
        let content = |name: &str| fs::read_to_string(path.join(name));
        assert_eq!((content("config")?, content("weights")?), ("old".into(), "old".into()));
        write_folder(&path, version("new"))?;
        assert_eq!((content("config")?, content("weights")?), ("new".into(), "new".into()));
        assert_eq!(content("notes")?, "mine", "what others put there stays");
        assert_eq!(fs::read_dir(folder.path().join("runs"))?.count(), 1);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() -> Result<()> {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub"))?;
        write(&path("sub/file"), b"old")?;
        symlink("sub/second", path("first"))?;
        symlink("file", path("sub/second"))?;
        symlink("sub/new", path("dangling"))?;
        for (link, leads_to) in [("first", "sub/file"), ("dangling", "sub/new")] {
            write(&path(link), b"new")?;
            assert!(fs::symlink_metadata(path(link))?.is_symlink(), "{link} stays");
            assert_eq!(fs::read(path(leads_to))?, b"new");
        }
        assert_eq!(fs::read_dir(path("sub"))?.count(), 3, "no temporary file stays");
        symlink("sub", path("folder"))?;
        write_folder(&path("folder"), |folder| write(&folder.join("file"), b"newer"))?;
        assert!(fs::symlink_metadata(path("folder"))?.is_symlink() && !path("folder.old").exists());
        assert_eq!(
            (fs::read(path("sub/file"))?, fs::read(path("sub/new"))?),
            (b"newer".into(), b"new".into())
        );
        symlink("circle", path("circle"))?;
        assert!(write(&path("circle"), b"").is_err());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_stays_and_is_written_to() -> Result<()> {
        use std::os::unix::fs::FileTypeExt;

        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe)
        });
        write(&pipe, b"a profile")?;
        assert_eq!(reader.join().expect("it reads")?, b"a profile");
        assert!(fs::metadata(&pipe)?.file_type().is_fifo() && is_stream(&pipe));
        Ok(())
    }

    #[test]
    fn a_folder_is_told_to_be_one() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let told = format!("{:#}", write(folder.path(), b"").expect_err("a folder"));
        assert!(told.ends_with("a folder; the name of a file is wanted"), "{told}");
        Ok(())
    }

    #[test]
    fn a_missing_folder_is_named() {
        let told = format!("{:#}", write(Path::new("no/such/folder/x"), b"").expect_err("no folder"));
        assert!(told.contains("no/such/folder/x"), "{told}");
    }
}
