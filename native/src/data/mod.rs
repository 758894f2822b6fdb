//! `mixed-feelings data`.

mod pairs;
mod table;
mod texts;

use anyhow::{Result, bail};
pub use pairs::{PairRow, Relation, read_pairs};
pub use table::{Table, TableRow};
pub use texts::{TextRow, read_texts};

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
