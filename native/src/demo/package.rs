//! Brings the npm package up to date.

use std::{env, ffi::OsString, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Builds what is stale of the package of the repository in `root`; `cargo pack` knows what that is.
///
/// # Errors
/// When the build does not start or fails.
pub fn build(root: &Path) -> Result<()> {
    println!("Bringing the package up to date (the first time takes minutes) ...");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo).arg("pack").current_dir(root).status();
    let status = status.context("`cargo pack` did not start (--no-build serves the package as it is)")?;
    ensure!(status.success(), "`cargo pack` failed ({status}); its messages stand above");
    Ok(())
}
