//! Whether something has to be built again, by the times of the files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result};

/// Whether `product` is missing or older than any file in or below `sources`.
pub fn is_stale(sources: &[PathBuf], product: &Path) -> Result<bool> {
    let built = match fs::metadata(product).and_then(|metadata| metadata.modified()) {
        Ok(time) => time,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error).with_context(|| product.display().to_string()),
    };
    for source in sources {
        if newest(source).with_context(|| source.display().to_string())? > built {
            return Ok(true);
        }
    }
    Ok(false)
}

/// When anything in or below `path` changed last; a folder's own time tells of files that went away.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut time = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            time = time.max(newest(&entry?.path())?);
        }
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stale_means_missing_or_older_than_any_source() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("mixed-feelings-stale-{}", std::process::id()));
        fs::create_dir_all(folder.join("src/inner"))?;
        let (source, product) = (folder.join("src/inner/a.rs"), folder.join("product"));
        let sources = [folder.join("src")];
        fs::write(&source, "")?;
        assert!(is_stale(&sources, &product)?, "missing");
        fs::write(&product, "")?;
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::File::options().write(true).open(&product)?.set_modified(later)?;
        assert!(!is_stale(&sources, &product)?, "newer than its source");
        fs::File::options().write(true).open(&source)?.set_modified(later + Duration::from_secs(1))?;
        assert!(is_stale(&sources, &product)?, "older than a file deep below");
        assert!(is_stale(&[folder.join("gone")], &product).is_err(), "a source that is not there");
        fs::remove_dir_all(folder)?;
        Ok(())
    }
}
