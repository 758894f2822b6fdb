//! `cargo demo --out DIR`: the demo page as a folder of files that any host can serve, below any path.
//!
//! The page names its files relative to where it is, so nothing in it depends on the path. The one exception is the page for
//! addresses that are not there, which a host shows at any depth.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// The page that hosts show for what they do not have; its addresses begin at the root.
const NOT_FOUND: &str = "404.html";
/// The picture of the README, which no page shows.
const SCREENSHOT: &str = "screenshot.jpg";

/// Writes the site of the repository in `root` to `out`, to be served at `base`. Returns how many files and bytes that are.
///
/// # Errors
/// When `out` has something in it, `base` is no path, or a file cannot be copied.
pub fn write(root: &Path, out: &Path, base: &str) -> Result<(usize, u64)> {
    check_base(base)?;
    let used = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!used, "{} is not empty: name a folder that is empty or not there yet", out.display());
    let mut files = Vec::new();
    collect(&root.join("www"), Path::new(""), &|path| path != Path::new(SCREENSHOT), &mut files)?;
    collect(&root.join("pkg"), Path::new("pkg"), &is_shipped, &mut files)?;
    ensure!(
        files.iter().any(|(_, to)| to.ends_with("pkg/dist/index.js")),
        "{} has no built package: leave out --no-build",
        root.join("pkg/dist").display()
    );
    let mut bytes = 0;
    for (from, to) in &files {
        let to = out.join(to);
        let copy = || -> std::io::Result<u64> {
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(from, &to)
        };
        bytes += copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    let page = out.join(NOT_FOUND);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let moved =
        text.replace("href=\"/", &format!("href=\"{base}")).replace("src=\"/", &format!("src=\"{base}"));
    fs::write(&page, moved).with_context(|| format!("cannot write {}", page.display()))?;
    Ok((files.len(), bytes))
}

/// A path of plain names between slashes, such as `/` or `/demos/feelings/`.
fn check_base(base: &str) -> Result<()> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    let inside = base.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    ensure!(
        base == "/" || inside.is_some_and(|inside| inside.split('/').all(plain)),
        "--base {base:?} is not a path that begins and ends with a slash, such as /feelings/"
    );
    Ok(())
}

/// Of the package what its users get, and of that what a browser loads.
fn is_shipped(path: &Path) -> bool {
    let name = path.to_string_lossy();
    match path.strip_prefix("dist") {
        Ok(inside) => {
            // Scripts in folders are what those of the package were made of, or for tests.
            let is_part = name.ends_with(".js") && inside.components().count() > 1;
            let is_for_others = inside.starts_with("reference") || name.ends_with(".d.ts");
            !is_part && !is_for_others
        }
        Err(_) => path.components().count() == 1 && name.contains(".safetensors"),
    }
}

/// Adds the files below `folder` that `keep` by their path in it, as pairs of where they are and where they go, below `into`.
/// What is hidden stays behind.
fn collect(
    folder: &Path,
    into: &Path,
    keep: &dyn Fn(&Path) -> bool,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        let place = folder.join(&inside);
        for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            let kind = entry.file_type()?;
            if entry.file_name().to_string_lossy().starts_with('.') || entry.file_name() == "node_modules" {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && keep(&path) {
                files.push((entry.path(), into.join(path)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::files::tests::repository;

    #[test]
    fn what_a_browser_needs_is_written_and_nothing_else() {
        let folder = repository();
        for (path, text) in [
            (
                "www/404.html",
                "<a href=\"/\">home</a> <link href=\"/style.css\" /> <script src=\"/theme.js\">",
            ),
            ("www/screenshot.jpg", "jpeg"),
            ("pkg/dist/index.d.ts", "types"),
            ("pkg/dist/modules/index.js", "made into another"),
            ("pkg/dist/reference/engine.js", "float"),
            ("pkg/dist/reference/engine_bg.wasm", "float"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let out = folder.path().join("out/site");
        let (files, bytes) = write(folder.path(), &out, "/feelings/").unwrap();
        let there = [
            "index.html",
            "404.html",
            "many/index.html",
            "photos/a b.jpg",
            "pkg/dist/index.js",
            "pkg/small.safetensors",
            "pkg/small.safetensors.sha256",
        ];
        for name in there {
            assert!(out.join(name).is_file(), "{name} is not there");
        }
        assert_eq!(files, there.len());
        assert!(bytes > 0);
        let page = fs::read_to_string(out.join(NOT_FOUND)).unwrap();
        assert_eq!(
            page,
            "<a href=\"/feelings/\">home</a> <link href=\"/feelings/style.css\" /> <script src=\"/feelings/theme.js\">"
        );
        let again = write(folder.path(), &out, "/").unwrap_err().to_string();
        assert!(again.contains("not empty"), "{again}");
    }

    #[test]
    fn a_base_is_a_path_of_plain_names() {
        for right in ["/", "/a/", "/a-b/c.d/"] {
            check_base(right).unwrap();
        }
        for wrong in ["", "a/", "/a", "//", "/a//b/", "/../", "/a b/", "/\"/", "https://a/"] {
            assert!(check_base(wrong).is_err(), "{wrong}");
        }
    }
}
