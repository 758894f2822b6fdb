//! The `mixed-feelings` program: train a model, measure it, pack it, try it. `main.rs` only calls [`main`]; what reads files from
//! outside is public, so that it can be fuzzed (`tests/fuzz`).
//!
//! One module a subcommand, each with its `Args` and a `run`; `run` returns what to tell the user as an error. Exit
//! codes: 0 all is well, 1 the input was bad or a check failed, 2 the command line was wrong.
// These panic when standard output is closed or full: `stdout` is what to write to.
#![cfg_attr(not(test), deny(clippy::print_stdout))]

mod atomic;
mod average;
mod bundle;
mod checkpoint;
pub mod data;
mod device;
mod digest;
mod engine;
mod eval;
mod export;
mod gpu;
mod hub;
mod inventory;
mod learn;
mod metrics;
mod onnx;
mod outputs;
mod parts;
mod plot;
mod post;
pub mod predict;
mod progress;
mod stats;
mod stdout;
mod train;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgAction, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What a post feels, text and picture together: train, measure, pack and try models.
#[derive(Debug, Parser)]
#[command(name = "mixed-feelings", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    /// Tell more on standard error (twice: everything); RUST_LOG has the last word.
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 the input was bad or a check failed, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    Data(data::Args),
    Train(train::Args),
    Eval(eval::Args),
    Average(average::Args),
    Export(export::Args),
    ExportOnnx(onnx::Args),
    Predict(predict::Args),
    Learn(learn::Args),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    one_thread_an_operation();
    keep_freed_memory();
    log_to_stderr(cli.verbose);
    let outcome = match cli.command {
        Command::Data(args) => data::run(args),
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Average(args) => average::run(args),
        Command::Export(args) => export::run(args),
        Command::ExportOnnx(args) => onnx::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Learn(args) => learn::run(args),
    };
    match outcome.and_then(|()| Ok(stdout::stdout().flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output went away, as `| head` does: nothing is wrong.
        Err(error) if stdout::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed too, the exit code alone can tell.
            let _ = writeln!(io::stderr(), "error: {}", advised(one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, `what: why: why`. A cause that its parent already quotes is not said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// The error, and what helps against it where that is known.
fn advised(error: String) -> String {
    match device::advice(&error) {
        Some(advice) => format!("{error}: {advice}"),
        None => error,
    }
}

/// A batch is computed in parts, one a core. candle's own threads within each operation would then only wait for each
/// other, spinning, on cores that are taken: a step of the text stage took 1.6 times as long with them.
#[expect(unsafe_code, reason = "candle reads the number of its threads from the environment alone")]
fn one_thread_an_operation() {
    const THREADS: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(THREADS).is_none() {
        // SAFETY: no other thread has been started that could read the environment meanwhile.
        unsafe { std::env::set_var(THREADS, "1") };
    }
}

/// Memory that is given back to the system comes back as pages that must be cleared first. A training step frees and takes
/// the same hundreds of large tensors as the one before: a fifth of its time went into that.
#[expect(unsafe_code, reason = "the allocator has no other way to set an option")]
fn keep_freed_memory() {
    /// `mi_option_purge_delay`; -1: never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets a number in the allocator; any number is allowed.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    }
}

fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "warn,mixed_feelings=info",
        1 => "info,mixed_feelings=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(verbose > 0)
        .with_writer(progress::stderr_above_bars)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no such file").context("a.tsv").context("reading a.tsv: no such file");
        assert_eq!(one_line(&error), "reading a.tsv: no such file");
        let error = anyhow::anyhow!("no such file").context("reading a.tsv");
        assert_eq!(one_line(&error), "reading a.tsv: no such file");
    }

    #[test]
    fn a_full_gpu_says_what_helps() {
        let error =
            anyhow::anyhow!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").context("epoch 1");
        let told = advised(one_line(&error));
        assert!(told.starts_with("epoch 1: DriverError") && told.ends_with("needs less"), "{told}");
        assert_eq!(advised("no such file".into()), "no such file");
    }
}
