//! `mixed-feelings predict`.

use anyhow::{Result, bail};

/// Reads one post, or a file of posts.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("predict: its room is still being built")
}
