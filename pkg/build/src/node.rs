//! Node.js and npm, which compile the TypeScript.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::output;

/// npm is a batch file on Windows, which is not found by its bare name.
pub const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// The oldest that will do; `engines` in `pkg/package.json` says the same.
const OLDEST: u32 = 20;

/// Checks that both are here, so that nobody waits minutes for the wasm to learn that they are not.
pub fn ensure() -> Result<()> {
    let advice = || format!("install Node.js {OLDEST} or newer, which brings npm: https://nodejs.org");
    let version = output(Command::new("node").arg("--version")).with_context(advice)?;
    let version = version.trim();
    let enough = major(version).is_some_and(|major| major >= OLDEST);
    ensure!(enough, "{}; the one on the PATH is {version}", advice());
    output(Command::new(NPM).arg("--version")).with_context(advice)?;
    Ok(())
}

/// The 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major(""), None);
    }
}
