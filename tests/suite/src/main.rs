//! Runs the backend suite on every instruction set of this machine. A program and not a test of the library, so that an
//! emulated machine needs nothing built that the suite does not use.
//!
//! The arguments are the names of instruction sets that must be among them. `gpu` alone runs it on the GPU instead, if the
//! feature `webgpu` is there.

use std::{env, process::ExitCode};

use mixed_feelings::testing::suite;

fn main() -> ExitCode {
    #[cfg(feature = "webgpu")]
    if env::args().nth(1).is_some_and(|first| first == "gpu") {
        return match suite::at_once(suite::run_gpu(None)) {
            Ok((name, report)) => {
                println!("{name}: {} cases, {} numbers", report.cases, report.numbers);
                ExitCode::SUCCESS
            }
            Err(mismatch) => {
                eprintln!("error: {mismatch}");
                ExitCode::FAILURE
            }
        };
    }
    let reports = match suite::run_cpu() {
        Ok(reports) => reports,
        Err((set, mismatch)) => {
            eprintln!("error: {}: {mismatch}", set.name());
            return ExitCode::FAILURE;
        }
    };
    for (set, report) in &reports {
        println!("{}: {} cases, {} numbers", set.name(), report.cases, report.numbers);
    }
    match env::args().skip(1).find(|wanted| reports.iter().all(|(set, _)| set.name() != wanted)) {
        Some(missing) => {
            eprintln!("error: {missing} does not run here");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
