//! The programs that the benchmark calls, and how to come by them.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// The oldest Node.js that will do; `engines` in the `package.json` files says the same.
const OLDEST_NODE: u32 = 20;

/// Runs a program to its end, its output on our standard error: standard output is the table's.
pub fn run(command: &mut Command) -> Result<()> {
    let name = shown(command);
    let status = command
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .with_context(|| format!("{name} cannot be started: is it installed?"))?;
    ensure!(status.success(), "{name} failed: {status}");
    Ok(())
}

/// Runs a program to its end and returns what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let name = shown(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{name} cannot be started: is it installed?"))?;
    ensure!(output.status.success(), "{name} failed: {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed something that is no text"))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args()).take(4);
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The cargo that runs us, in `folder`, without the variables that it set for this crate alone.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
    command
}

/// Installs the npm packages of `folder` unless they are there.
///
/// # Errors
/// When Node.js is missing or too old, or npm fails.
pub fn install_npm(folder: &Path) -> Result<()> {
    let advice = || format!("install Node.js {OLDEST_NODE} or newer, which brings npm: https://nodejs.org");
    let version = output(Command::new("node").arg("--version")).with_context(advice)?;
    let major = version.trim().strip_prefix('v').and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    ensure!(
        major.is_some_and(|major| major >= OLDEST_NODE),
        "{}; the one on the PATH is {}",
        advice(),
        version.trim()
    );
    let lock = fs::read_to_string(folder.join("package-lock.json"))?;
    once(&folder.join("node_modules/.bench"), &lock, || {
        eprintln!("installing npm packages ...");
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        run(Command::new(npm).current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))
    })
}

/// A Python with the packages of `requirements`, in a virtual environment in `folder`, made unless it is there.
///
/// # Errors
/// When Python or its `venv` is missing, or pip fails.
pub fn python(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let program = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = fs::read_to_string(requirements)?;
    once(&folder.join("installed"), &wanted, || {
        eprintln!("installing onnxruntime for Python ...");
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("install Python 3.11 or newer with venv (on Debian: apt-get install python3-venv)")?;
        run(Command::new(&program)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements))
    })?;
    Ok(program)
}

/// Does `work` unless the file `marker` says that it was done for the same `input`.
pub fn once(marker: &Path, input: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if fs::read_to_string(marker).is_ok_and(|done| done == input) {
        return Ok(());
    }
    work()?;
    fs::write(marker, input).with_context(|| marker.display().to_string())
}

/// A browser: the program that `variable` names, or the first of `names` on the `PATH`.
///
/// # Errors
/// When the variable names no file.
pub fn browser(variable: &str, names: &[&str]) -> Result<Option<PathBuf>> {
    if let Some(chosen) = env::var_os(variable) {
        let path = PathBuf::from(chosen);
        if !path.is_file() {
            bail!("{variable} is {}, which is no file", path.display());
        }
        return Ok(Some(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    Ok(candidates.into_iter().find(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_for_an_input() -> Result<()> {
        let marker = env::temp_dir().join(format!("mixed-feelings-bench-{}", std::process::id()));
        let mut count = 0;
        for input in ["a", "a", "b"] {
            once(&marker, input, || {
                count += 1;
                Ok(())
            })?;
        }
        fs::remove_file(&marker)?;
        assert_eq!(count, 2);
        assert!(once(&marker, "a", || bail!("on purpose")).is_err());
        assert!(!marker.exists(), "what failed is not done");
        Ok(())
    }
}
