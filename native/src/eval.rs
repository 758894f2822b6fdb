//! `mixed-feelings eval`.

use anyhow::{Result, bail};

/// Measures a model on labelled posts.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("eval: its room is still being built")
}
