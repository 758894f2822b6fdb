//! `cargo pack`, `cargo demo`, `cargo verify`: see `.cargo/config.toml`.
//!
//! Exit codes: 0 all is well, 1 something failed, 2 the command line was wrong.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{demo, pack, verify};

/// Builds, shows and checks mixed-feelings.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pack(pack::Args),
    Demo(demo::Args),
    Verify(verify::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Pack(args) => pack::run(&args).map(|()| true),
        Command::Demo(args) => demo::run(&args).map(|()| true),
        Command::Verify(args) => verify::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
