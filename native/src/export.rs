//! `mixed-feelings export`.

use anyhow::{Result, bail};

/// Quantizes a checkpoint to the bundle that the browser loads.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("export: its room is still being built")
}
