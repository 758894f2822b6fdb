//! `mixed-feelings demo`.

use anyhow::{Result, bail};

/// Serves the demo page on this machine.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("demo: its room is still being built")
}
