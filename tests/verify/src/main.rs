//! `cargo verify`: every check of the project, one after the other, the cheap ones first, each after what it relies on.
//!
//! It stops at the first step that fails, with the command that runs this step alone, and ends with a line that counts
//! the steps. What a step needs and can be installed without asking (the wasm target, npm and Python packages, Chromium
//! and Python's venv when run as root) is installed; otherwise the error says what to install.

mod steps;
mod tools;

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use steps::{STEPS, Step};

const HELP: &str = "\
Runs every check of the project: format, lints, the npm package, Rust tests, ONNX runtimes, a real browser.

Usage: cargo verify [--only STEP]... [--list]

Options:
      --only STEP  Run this step alone; may be given more than once
      --list       Print the steps and stop
  -h, --help       Print this help

Environment:
  CHROMIUM         The Chromium to test in; otherwise chromium, chromium-browser or google-chrome from PATH
";

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
enum Request {
    Help,
    List,
    Run(Vec<&'static Step>),
}

/// Whether all that was asked for passed.
fn run(arguments: impl Iterator<Item = String>) -> Result<bool> {
    match parse(arguments)? {
        Request::Help => print!("{HELP}"),
        Request::List => STEPS.iter().for_each(|step| println!("{:10} {}", step.name, step.about)),
        Request::Run(steps) => return Ok(run_steps(&steps, &repository()?)),
    }
    Ok(true)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request> {
    let mut only = Vec::new();
    while let Some(argument) = arguments.next() {
        let name = match argument.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--list" => return Ok(Request::List),
            "--only" => arguments.next().context("--only needs the name of a step; --list prints them")?,
            other => match other.strip_prefix("--only=") {
                Some(name) => name.to_string(),
                None => bail!("unknown argument `{other}`; --help prints what there is"),
            },
        };
        let step = STEPS.iter().find(|step| step.name == name);
        only.push(step.with_context(|| format!("no step is called `{name}`; --list prints them"))?);
    }
    Ok(Request::Run(if only.is_empty() { STEPS.iter().collect() } else { only }))
}

/// The folder with the workspace's `Cargo.toml`: two above this package's, which cargo names.
fn repository() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo verify`")?;
    let root = Path::new(&package).ancestors().nth(2).context("the package lies too high")?;
    Ok(root.to_path_buf())
}

/// Runs the steps up to the first that fails and prints the closing line; whether all passed.
fn run_steps(steps: &[&Step], root: &Path) -> bool {
    let began = Instant::now();
    let mut passed = 0;
    for (number, step) in steps.iter().enumerate() {
        heading(&format!("[{}/{}] {}: {}", number + 1, steps.len(), step.name, step.about));
        let step_began = Instant::now();
        let outcome = (step.run)(root);
        let took = seconds(step_began.elapsed());
        if let Err(error) = outcome {
            eprintln!("\nFAILED {} after {took}: {error:#}", step.name);
            eprintln!("Run it alone: cargo verify --only {}", step.name);
            let skipped = steps.len() - number - 1;
            if skipped > 0 {
                eprintln!("Not run: {skipped} later steps");
            }
            println!("{passed} passed, 1 failed");
            return false;
        }
        passed += 1;
        println!("{} passed in {took}", step.name);
    }
    println!("\nAll of it in {}.", seconds(began.elapsed()));
    println!("{passed} passed, 0 failed");
    true
}

fn heading(text: &str) {
    println!("\n=== {text} ===");
    // The children write to the same stdout; the heading must come before them.
    let _ = io::stdout().flush();
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Request> {
        parse(arguments.iter().map(|a| a.to_string()))
    }

    #[test]
    fn all_steps_by_default_and_in_order() {
        let Ok(Request::Run(steps)) = parsed(&[]) else { panic!("expected a run") };
        assert_eq!(steps.len(), STEPS.len());
        assert_eq!(steps[0].name, "format");
    }

    #[test]
    fn the_package_comes_before_what_is_tested_on_it() {
        let place = |name| STEPS.iter().position(|step| step.name == name).unwrap();
        assert!(["rust", "types", "browser"].iter().all(|name| place("pack") < place(name)));
    }

    #[test]
    fn only_chooses_steps() {
        let Ok(Request::Run(steps)) = parsed(&["--only", "types", "--only=format"]) else {
            panic!("expected a run")
        };
        assert_eq!(steps.iter().map(|s| s.name).collect::<Vec<_>>(), ["types", "format"]);
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        assert!(parsed(&["--only"]).is_err());
        assert!(parsed(&["--only", "nonsense"]).is_err());
        assert!(parsed(&["--quick"]).is_err());
    }

    #[test]
    fn a_failed_step_fails_the_run() {
        fn fine(_: &Path) -> Result<()> {
            Ok(())
        }
        fn broken(_: &Path) -> Result<()> {
            bail!("on purpose")
        }
        let fine = Step { name: "fine", about: "passes", run: fine };
        let broken = Step { name: "broken", about: "fails", run: broken };
        assert!(run_steps(&[&fine], Path::new(".")));
        assert!(!run_steps(&[&fine, &broken, &fine], Path::new(".")));
    }

    #[test]
    fn step_names_are_distinct() {
        for (i, step) in STEPS.iter().enumerate() {
            assert!(STEPS[..i].iter().all(|other| other.name != step.name), "{} comes twice", step.name);
        }
    }
}
