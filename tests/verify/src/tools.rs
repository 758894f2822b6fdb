//! The programs that the checks call, and how to come by them.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// A program to run in a folder; its output goes where ours goes.
pub struct Tool {
    command: Command,
    shown: String,
}

impl Tool {
    fn new(program: impl AsRef<OsStr>, folder: &Path, arguments: &[&str]) -> Self {
        let program = program.as_ref();
        let name = Path::new(program).file_stem().unwrap_or(program).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command.current_dir(folder);
        Tool { command, shown: name }.args(arguments)
    }

    /// More arguments.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        for argument in arguments {
            self.shown = format!("{} {argument}", self.shown);
        }
        self
    }

    /// An environment variable.
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run(mut self) -> Result<()> {
        println!("> {}", self.shown);
        let status = self.command.status().with_context(|| format!("`{}` did not start", self.shown))?;
        ensure!(status.success(), "`{}` failed ({status})", self.shown);
        Ok(())
    }

    /// Runs it to its end and returns its standard output.
    fn output(mut self) -> Result<String> {
        let out = self.command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let out = out.with_context(|| format!("`{}` did not start", self.shown))?;
        ensure!(out.status.success(), "`{}` failed ({})", self.shown, out.status);
        String::from_utf8(out.stdout).with_context(|| format!("`{}` printed no UTF-8", self.shown))
    }
}

/// The cargo that runs us, without the variables that it set for this crate alone.
pub fn cargo(root: &Path, arguments: &[&str]) -> Tool {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut tool = Tool::new(program, root, arguments);
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            tool.command.env_remove(&key);
        }
    }
    tool
}

/// The oldest Node.js that will do; `engines` in the `package.json` files says the same.
const OLDEST_NODE: u32 = 20;

/// Node.js; see [`require_node`].
pub fn node(folder: &Path, arguments: &[&str]) -> Tool {
    Tool::new("node", folder, arguments)
}

/// npm, which comes with Node.js.
pub fn npm(folder: &Path, arguments: &[&str]) -> Tool {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    Tool::new(program, folder, arguments).env("npm_config_fund", "false").env("npm_config_audit", "false")
}

/// Adds a compilation target to the toolchain unless it is there.
///
/// # Errors
/// When it is missing and rustup cannot add it.
pub fn require_target(root: &Path, target: &str) -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let library = Tool::new(rustc, root, &["--print", "target-libdir", "--target", target]).output()?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    Tool::new("rustup", root, &["target", "add", target])
        .run()
        .with_context(|| format!("install the Rust target {target}"))
}

/// Checks that Node.js and npm are here.
///
/// # Errors
/// When one is missing or Node.js is too old; says what to install.
pub fn require_node() -> Result<()> {
    let here = Path::new(".");
    let advice = || format!("install Node.js {OLDEST_NODE} or newer, which brings npm: https://nodejs.org");
    let version = node(here, &["--version"]).output().with_context(advice)?;
    let version = version.trim();
    let enough = major(version).is_some_and(|major| major >= OLDEST_NODE);
    ensure!(enough, "{}; the one on the PATH is {version}", advice());
    npm(here, &["--version"]).output().with_context(advice)?;
    Ok(())
}

/// The 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Where Chromium is: `CHROMIUM`, or one on the `PATH`, or one that apt installs now.
///
/// # Errors
/// When there is none and it cannot be installed; says how to.
pub fn require_chromium() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("CHROMIUM") {
        let path = PathBuf::from(chosen);
        ensure!(path.is_file(), "CHROMIUM is {}, which is no file", path.display());
        return Ok(path);
    }
    if let Some(path) = find_chromium() {
        return Ok(path);
    }
    if !can_install() {
        bail!("Chromium is needed: install it (on Debian: apt-get install chromium) or set CHROMIUM to one");
    }
    apt_install("chromium")?;
    find_chromium().context("apt installed Chromium, yet it is not on the PATH")
}

fn find_chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name))
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Whether apt is here and we are root.
fn can_install() -> bool {
    let id = Command::new("id").arg("-u").output();
    on_path("apt-get").is_some() && id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

fn apt_install(package: &str) -> Result<()> {
    let here = Path::new(".");
    Tool::new("apt-get", here, &["update"]).run()?;
    Tool::new("apt-get", here, &["install", "-y", package]).env("DEBIAN_FRONTEND", "noninteractive").run()
}

/// A Python with the packages that the file `requirements` pins, in the virtual environment `folder`, which is made unless
/// it is there.
///
/// # Errors
/// When there is no Python that makes virtual environments and it cannot be installed, or a package cannot be fetched.
pub fn require_python(root: &Path, requirements: &str, folder: &Path) -> Result<PathBuf> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // The last thing that comes into a virtual environment is pip: without it, the environment was not finished.
    if !python.with_file_name(if cfg!(windows) { "pip.exe" } else { "pip" }).is_file() {
        if !makes_environments() {
            if !can_install() {
                bail!(
                    "Python 3 with its module venv is needed: install it (on Debian: apt-get install python3-venv)"
                );
            }
            apt_install("python3-venv")?;
        }
        let folder = folder.to_str().context("the path of the repository is not UTF-8")?;
        Tool::new(PYTHON, root, &["-m", "venv", "--clear", folder]).run()?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    Tool::new(&python, root, &install).args(&[requirements]).run()?;
    Ok(python)
}

const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Whether there is a Python that makes virtual environments: Debian's cannot without its package `python3-venv`.
fn makes_environments() -> bool {
    let out = Command::new(PYTHON).args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    out.is_ok_and(|status| status.success())
}

/// Builds the native program as the Rust tests did and returns where it is.
///
/// # Errors
/// When it does not build, or cargo does not say where it put it.
pub fn build_program(root: &Path) -> Result<PathBuf> {
    let build = ["build", "--locked", "--package", "mixed-feelings-native", "--bin", "mixed-feelings"];
    let messages = cargo(root, &build).args(&["--message-format", "json-render-diagnostics"]).output()?;
    executable_in(&messages).context("cargo built the program and did not say where it is")
}

/// The last executable in cargo's JSON messages. The one field is cut out by hand: it saves a JSON parser, and paths
/// with a quote or a backslash are unescaped below.
fn executable_in(messages: &str) -> Option<PathBuf> {
    let line = messages.lines().rev().find(|line| line.contains("\"executable\":\""))?;
    let (_, rest) = line.split_once("\"executable\":\"")?;
    let mut path = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(PathBuf::from(path)),
            '\\' => path.push(characters.next()?),
            other => path.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"executable\":\"C:\\\\a b\\\\x.exe\",\"fresh\":true}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable_in(messages), Some(PathBuf::from("C:\\a b\\x.exe")));
        assert_eq!(executable_in("{\"executable\":null}"), None);
        assert_eq!(executable_in("{\"executable\":\"cut"), None);
    }

    #[test]
    fn nodes_major_version_is_read() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("v23.0.0-nightly2024"), Some(23));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_tool_is_an_error_that_names_it() {
        assert!(Tool::new("true", Path::new("."), &[]).run().is_ok());
        let error = Tool::new("false", Path::new("."), &["--now"]).run().unwrap_err();
        assert!(format!("{error:#}").contains("false --now"));
        assert!(Tool::new("no-such-program-anywhere", Path::new("."), &[]).run().is_err());
    }
}
