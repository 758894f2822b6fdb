//! The programs that the tasks call, and how to come by them.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Artifact, Message, MetadataCommand, semver::Version};
use xshell::{Cmd, Shell, cmd};

/// The repository that cargo runs this program in; without cargo, the one that it was built in.
///
/// # Errors
/// When it is gone.
pub fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = Path::new(&package);
    let root = package.ancestors().nth(2).with_context(|| format!("{} lies too high", package.display()))?;
    root.canonicalize().with_context(|| format!("the repository {} is gone", root.display()))
}

/// A shell in the repository.
///
/// # Errors
/// When the repository is gone.
pub fn shell() -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root()?);
    Ok(shell)
}

/// Cargo's target folder.
///
/// # Errors
/// When cargo does not say where it is.
pub fn target_folder() -> Result<PathBuf> {
    let manifest = root()?.join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
    Ok(metadata.target_directory.into())
}

/// Cargo without the variables that `cargo run` set for this crate alone: what it builds is fresh for the user's cargo.
pub fn cargo(shell: &Shell) -> Cmd<'_> {
    let own = env::vars_os().map(|(key, _)| key).filter(|key| {
        let key = key.to_string_lossy();
        key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_")
    });
    own.fold(cmd!(shell, "cargo"), Cmd::env_remove)
}

/// Runs a cargo command that builds, with `flags` after its `--`, and returns what it built or found fresh.
///
/// # Errors
/// When it fails.
pub fn artifacts(command: Cmd<'_>, flags: &[&str]) -> Result<Vec<Artifact>> {
    let separator = (!flags.is_empty()).then_some("--");
    let command = command.args(["--message-format", "json-render-diagnostics"]).args(separator).args(flags);
    let output = command.read()?;
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(output.as_bytes()) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(artifact);
        }
    }
    Ok(artifacts)
}

/// Runs a cargo command that builds the program `name`, and returns where it is.
///
/// # Errors
/// When it does not build, or is no part of what was built.
pub fn program(command: Cmd<'_>, name: &str) -> Result<PathBuf> {
    let is_it = |artifact: &Artifact| artifact.target.name == name && artifact.target.is_bin();
    // Beside the program there are its unit tests, which have its name.
    let built =
        artifacts(command, &[])?.into_iter().filter(|artifact| is_it(artifact) && !artifact.profile.test);
    let program = built.rev().find_map(|artifact| artifact.executable);
    Ok(program.with_context(|| format!("cargo did not say where the program {name} is"))?.into())
}

/// Adds a compilation target to the toolchain unless it is there.
///
/// # Errors
/// When it is missing and rustup cannot add it.
pub fn require_target(shell: &Shell, target: &str) -> Result<()> {
    let library = cmd!(shell, "rustc --print target-libdir --target {target}").quiet().read()?;
    if Path::new(&library).is_dir() {
        return Ok(());
    }
    let added = cmd!(shell, "rustup target add {target}").run();
    added.with_context(|| format!("install the Rust target {target}"))
}

/// The oldest Node.js that will do; `engines` in the `package.json` files says the same.
const OLDEST_NODE: u64 = 20;

/// npm is a batch file on Windows, which is not found by its bare name.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// npm, which comes with Node.js; see [`require_node`].
pub fn npm(shell: &Shell) -> Cmd<'_> {
    cmd!(shell, "{NPM}")
}

/// Checks that Node.js and npm are here.
///
/// # Errors
/// When one is missing or Node.js is too old; says what to install.
pub fn require_node(shell: &Shell) -> Result<()> {
    let advice = || format!("install Node.js {OLDEST_NODE} or newer, which brings npm: https://nodejs.org");
    let version = cmd!(shell, "node --version").quiet().read().with_context(advice)?;
    ensure!(is_new_enough(&version), "{}; the one on the PATH is {version}", advice());
    npm(shell).arg("--version").quiet().read().with_context(advice)?;
    Ok(())
}

fn is_new_enough(version: &str) -> bool {
    version.strip_prefix('v').and_then(|v| Version::parse(v).ok()).is_some_and(|v| v.major >= OLDEST_NODE)
}

/// Installs the npm packages of the shell's folder unless they are there.
///
/// # Errors
/// When Node.js is missing or too old, or npm fails.
pub fn npm_ci(shell: &Shell) -> Result<()> {
    let lock = shell.read_file("package-lock.json")?;
    once(&shell.current_dir().join("node_modules/.installed"), &lock, &[], || {
        require_node(shell)?;
        let install = npm(shell).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        Ok(install.ignore_stdout().run()?)
    })
}

const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// A Python with the packages that the file `requirements` pins, in the virtual environment `folder`, which is made unless
/// it is there.
///
/// # Errors
/// When there is no Python that makes virtual environments and it cannot be installed, or a package cannot be fetched.
pub fn python(shell: &Shell, requirements: &Path, folder: &Path) -> Result<PathBuf> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    once(&folder.join("installed"), &shell.read_file(requirements)?, &[&python], || {
        // Debian's Python cannot make environments without its package `python3-venv`.
        if cmd!(shell, "{PYTHON} -c 'import ensurepip, venv'").quiet().ignore_stderr().run().is_err() {
            let advice = "Python 3.11 or newer with its module venv is needed: install it";
            apt_install(shell, "python3-venv", advice)?;
        }
        cmd!(shell, "{PYTHON} -m venv --clear {folder}").run()?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        Ok(cmd!(shell, "{python}").args(pip).arg(requirements).run()?)
    })?;
    Ok(python)
}

/// A browser to test or to measure in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
}

impl Browser {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Browser::Chromium => "chromium",
            Browser::Firefox => "firefox",
        }
    }

    /// Where it is, if it is there: the program that `CHROMIUM` or `FIREFOX` names, or one on the `PATH`.
    ///
    /// # Errors
    /// When the variable names no file.
    pub fn find(self) -> Result<Option<PathBuf>> {
        let (variable, names): (_, &[&str]) = match self {
            Browser::Chromium => ("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]),
            Browser::Firefox => ("FIREFOX", &["firefox-esr", "firefox"]),
        };
        if let Some(chosen) = env::var_os(variable) {
            let path = PathBuf::from(chosen);
            ensure!(path.is_file(), "{variable} is {}, which is no file", path.display());
            return Ok(Some(path));
        }
        Ok(names.iter().find_map(|name| which::which(name).ok()))
    }
}

/// Where Chromium is; apt installs it where it is missing and may be installed.
///
/// # Errors
/// When there is none and it cannot be installed; says how to.
pub fn require_chromium(shell: &Shell) -> Result<PathBuf> {
    if let Some(path) = Browser::Chromium.find()? {
        return Ok(path);
    }
    apt_install(shell, "chromium", "Chromium is needed: set CHROMIUM to one, or install it")?;
    Browser::Chromium.find()?.context("apt installed Chromium, yet it is not on the PATH")
}

/// What runs programs for 64-bit Arm on another Linux: an emulator, a linker, and the C library.
///
/// # Errors
/// When it is missing and cannot be installed; says how to.
pub fn require_arm(shell: &Shell) -> Result<()> {
    if cfg!(target_arch = "aarch64") {
        return Ok(());
    }
    let advice = "qemu and a linker for 64-bit Arm are needed: install them";
    for (program, packages) in
        [("qemu-aarch64", "qemu-user"), ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")]
    {
        if which::which(program).is_err() {
            apt_install(shell, packages, advice)?;
        }
    }
    if !Path::new("/usr/aarch64-linux-gnu/lib/libc.so.6").exists() {
        apt_install(shell, "libc6-dev-arm64-cross", advice)?;
    }
    Ok(())
}

/// A driver for Vulkan; apt installs Mesa's where there is none and may be installed. Other systems come with their own.
///
/// # Errors
/// When there is none, with what to install.
pub fn require_vulkan(shell: &Shell) -> Result<()> {
    let has_driver = || {
        ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
            .iter()
            .any(|folder| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
    };
    if !cfg!(target_os = "linux") || has_driver() {
        return Ok(());
    }
    apt_install(shell, "mesa-vulkan-drivers", "a driver for Vulkan is needed: install the GPU's, or Mesa's")
}

/// Installs a package where apt is here and we are root.
fn apt_install(shell: &Shell, package: &str, advice: &str) -> Result<()> {
    let is_root = || cmd!(shell, "id -u").quiet().read().is_ok_and(|id| id == "0");
    if which::which("apt-get").is_err() || !is_root() {
        bail!("{advice} (on Debian: apt-get install {package})");
    }
    cmd!(shell, "apt-get update").run()?;
    Ok(cmd!(shell, "apt-get install -y {package}").env("DEBIAN_FRONTEND", "noninteractive").run()?)
}

/// Does `work` unless the file `marker` says that it was done for the same `input` and the `products` are still there.
///
/// # Errors
/// Those of `work`, and when the marker cannot be written.
pub fn once(marker: &Path, input: &str, products: &[&Path], work: impl FnOnce() -> Result<()>) -> Result<()> {
    if fs::read_to_string(marker).is_ok_and(|done| done == input) && products.iter().all(|path| path.exists())
    {
        return Ok(());
    }
    // What fails half-way is not done for the former input either.
    if marker.exists() {
        fs::remove_file(marker).with_context(|| marker.display().to_string())?;
    }
    work()?;
    if let Some(folder) = marker.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(marker, input).with_context(|| marker.display().to_string())
}

/// A number that changes with its parts, for [`once`].
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The files in a folder, in a fixed order.
///
/// # Errors
/// When it cannot be read.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_for_an_input_while_its_product_is_there() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let [marker, product] = ["made/marker", "product"].map(|name| folder.path().join(name));
        let mut count = 0;
        for (input, remove, expected) in [("a", false, 1), ("a", false, 1), ("b", false, 2), ("b", true, 3)] {
            if remove {
                fs::remove_file(&product)?;
            }
            once(&marker, input, &[&product], || {
                count += 1;
                Ok(fs::write(&product, input)?)
            })?;
            assert_eq!(count, expected, "{input}");
        }
        assert!(once(&marker, "c", &[], || bail!("on purpose")).is_err());
        assert!(!marker.exists(), "what failed is not done, nor is what was there before");
        Ok(())
    }

    #[test]
    fn a_fingerprint_changes_with_each_part() {
        assert_eq!(fingerprint(&[b"a", b"bc"]), fingerprint(&[b"a", b"bc"]));
        assert_ne!(fingerprint(&[b"a", b"bc"]), fingerprint(&[b"ab", b"c"]));
        assert_ne!(fingerprint(&[b"a"]), fingerprint(&[b"a", b""]));
    }

    #[test]
    fn old_node_is_refused() {
        assert!(is_new_enough("v20.11.1") && is_new_enough("v23.0.0-nightly2024"));
        assert!(!is_new_enough("v18.20.0") && !is_new_enough("20.11.1") && !is_new_enough(""));
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_program_is_an_error_that_names_it() -> Result<()> {
        let shell = shell()?;
        let error = cmd!(shell, "false --now").run().unwrap_err();
        assert!(error.to_string().contains("false --now"), "{error}");
        assert!(artifacts(cargo(&shell).arg("no-such-command"), &[]).is_err());
        Ok(())
    }
}
