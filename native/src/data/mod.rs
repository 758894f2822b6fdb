//! `mixed-feelings data`.

mod table;

use anyhow::{Result, bail};
pub use table::{Table, TableRow};

/// Checks and describes a data folder.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(_: Args) -> Result<()> {
    bail!("data: its room is still being built")
}
