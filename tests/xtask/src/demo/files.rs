//! Which file an address of the demo names: the page from `www/`, the built package from `pkg/`, nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;

/// The folders that are served.
pub struct Site {
    page: PathBuf,
    package: PathBuf,
}

impl Site {
    /// The site of the repository in `root`.
    ///
    /// # Errors
    /// When its page or its package is not there.
    pub fn new(root: &Path) -> Result<Self> {
        let folder = |name: &str| {
            let path = root.join(name);
            fs::canonicalize(&path).with_context(|| format!("cannot serve {}", path.display()))
        };
        Ok(Site { page: folder("www")?, package: folder("pkg")? })
    }

    /// The file that the target of a request (`/a/b.js?query`) names, if it is one that may be served.
    pub fn find(&self, target: &str) -> Option<PathBuf> {
        let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let path = if path.is_empty() || path.ends_with('/') { path + "index.html" } else { path };
        let parts: Vec<&str> = path.split('/').collect();
        if !parts.iter().all(|part| is_plain_name(part)) {
            return None;
        }
        let (folder, parts) = match parts.as_slice() {
            ["pkg", rest @ ..] if is_published(rest) => (&self.package, rest),
            ["pkg", ..] => return None,
            parts => (&self.page, parts),
        };
        let file = fs::canonicalize(folder.join(parts.iter().collect::<PathBuf>())).ok()?;
        // A link inside the folder may still lead out of it.
        (file.starts_with(folder) && file.is_file()).then_some(file)
    }
}

/// Of the package's folder only what npm would ship: what was built, and the bundle.
fn is_published(parts: &[&str]) -> bool {
    match parts {
        ["dist", _, ..] => true,
        [file] => file.contains(".safetensors"),
        _ => false,
    }
}

/// No hidden file, no `.` or `..`, nothing that another system could take for a separator, a drive or a stream.
fn is_plain_name(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0', '/'])
}

/// The MIME type of a file, by its extension.
pub fn mime_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "md" | "txt" | "sha256" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A repository with a page, a package and a secret.
    pub fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("www/index.html", "<p>page</p>"),
            ("www/many/index.html", "<p>many</p>"),
            ("www/photos/a b.jpg", "jpeg"),
            ("www/.hidden", "hidden"),
            ("pkg/dist/index.js", "export {}"),
            ("pkg/small.safetensors", "weights"),
            ("pkg/small.safetensors.sha256", "digest"),
            ("pkg/package.json", "{}"),
            ("pkg/node_modules/x.js", "x"),
            ("secret.txt", "secret"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_page_and_the_package_are_found() {
        let folder = repository();
        let site = Site::new(folder.path()).unwrap();
        for (target, text) in [
            ("/", "<p>page</p>"),
            ("/index.html?x=/../y#z", "<p>page</p>"),
            ("/many/", "<p>many</p>"),
            ("/photos/a%20b.jpg", "jpeg"),
            ("/pkg/dist/index.js", "export {}"),
            ("/pkg/small.safetensors", "weights"),
            ("/pkg/small.safetensors.sha256", "digest"),
        ] {
            let file = site.find(target).unwrap_or_else(|| panic!("{target} was not found"));
            assert_eq!(fs::read_to_string(file).unwrap(), text);
        }
    }

    #[test]
    fn nothing_else_is_served() {
        let folder = repository();
        let site = Site::new(folder.path()).unwrap();
        for target in [
            "",
            "index.html",
            "//index.html",
            "/missing.js",
            "/photos",
            "/photos/",
            "/../secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e/secret.txt",
            "/photos/../../secret.txt",
            "/..\\secret.txt",
            "/C:/secret.txt",
            "/.hidden",
            "/%zz",
            "/%f",
            "/%ff",
            "/a%00b",
            "/pkg/package.json",
            "/pkg/node_modules/x.js",
            "/pkg/dist",
            "/pkg/dist/../package.json",
            "/pkg/",
        ] {
            assert_eq!(site.find(target), None, "{target} was served");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let folder = repository();
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), folder.path().join("www/link.txt"))
            .unwrap();
        assert_eq!(Site::new(folder.path()).unwrap().find("/link.txt"), None);
    }

    #[test]
    fn wasm_has_its_type() {
        assert_eq!(mime_type(Path::new("a/b.wasm")), "application/wasm");
        assert_eq!(mime_type(Path::new("b.safetensors")), "application/octet-stream");
    }
}
