//! `mixed-feelings train`.

use anyhow::{Result, bail};

/// Trains a model as a TOML file says.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("train: its room is still being built")
}
