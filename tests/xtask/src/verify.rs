//! `cargo verify`: every check of the project, one after the other, the cheap ones first, each after what it relies on.
//!
//! It stops at the first step that fails, with the command that runs this step alone, and ends with a line that counts
//! the steps. What a step needs and can be installed without asking (the wasm target, npm and Python packages, Chromium
//! and Python's venv when run as root) is installed; otherwise the error says what to install.

use std::{
    env,
    io::{self, Write},
    path::Path,
    time::Instant,
};

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use xshell::{Cmd, Shell, cmd};

use crate::{
    pack,
    tools::{self, cargo, npm, npm_ci, require_target},
    wasm,
};

/// Runs every check of the project: format, lints, the npm package, Rust tests, ONNX runtimes, a real browser.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Environment:
  CHROMIUM  the Chromium to test in; otherwise chromium, chromium-browser or google-chrome from PATH")]
pub struct Args {
    /// Run this step alone; may be given more than once.
    #[arg(long, value_name = "STEP", value_parser = names())]
    only: Vec<String>,
    /// Begin with this step.
    #[arg(long, value_name = "STEP", value_parser = names(), conflicts_with = "only")]
    from: Option<String>,
    /// Print the steps and stop.
    #[arg(long)]
    list: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

/// One check.
struct Step {
    /// What `--only` calls it.
    name: &'static str,
    /// What it checks, in a few words.
    about: &'static str,
    /// Runs it in the repository.
    run: fn(&Shell) -> Result<()>,
}

/// All crates with the code for GPUs. The steps that compile for this machine all choose these, because cargo compiles most
/// dependencies again for another choice of crates and features.
const EVERYTHING: [&str; 4] = ["--locked", "--workspace", "--features", "mixed-feelings-suite/webgpu"];

/// The target of the kernels for 64-bit Arm, which other machines emulate.
const ARM: &str = "aarch64-unknown-linux-gnu";

/// The library's unit tests that Miri runs: those of the bundle reader and of unsafe code that end in minutes there.
const MIRI_TESTS: [&str; 5] =
    ["bundle::", "cpu::depthwise", "cpu::lanes", "cpu::packed", "cpu::self_test::tests::every"];

/// The step that runs only when it is named: it takes longer than all others.
const ASKED_FOR: &str = "miri";

/// All checks; a later one may rely on what an earlier one built. The Rust tests come after the package because they
/// hold the native program to its wasm.
const STEPS: &[Step] = &[
    Step { name: "format", about: "rustfmt", run: format },
    Step { name: "lints", about: "clippy on every crate and test", run: lints },
    Step { name: "lints-wasm", about: "clippy on the browser build", run: lints_wasm },
    Step { name: "lints-arm", about: "clippy on the library for 64-bit Arm", run: lints_arm },
    Step { name: "docs", about: "the documentation of all crates, without a warning", run: docs },
    Step { name: "deny", about: "licences, sources and doubles of what is depended on", run: deny },
    Step { name: "pack", about: "build the npm package", run: package },
    Step { name: "rust", about: "Rust tests", run: rust },
    Step { name: "miri", about: "the bundle reader and unsafe code in Miri", run: miri },
    Step { name: "suite-wasm", about: "every operation on wasm's instruction sets", run: suite_wasm },
    Step { name: "suite-arm", about: "every operation on 64-bit Arm's, emulated", run: suite_arm },
    Step {
        name: "suite-gpu",
        about: "every operation on a GPU, or on Mesa's program in its place",
        run: suite_gpu,
    },
    Step { name: "onnx", about: "the ONNX files in onnxruntime and onnxruntime-web", run: onnx },
    Step { name: "types", about: "TypeScript types and the package's own tests", run: types },
    Step { name: "packages", about: "the packed package in Node.js, bundlers, TypeScript", run: packages },
    Step { name: "browser", about: "the demo page and the package in headless Chromium", run: browser },
];

/// Whether all that was asked for passed.
///
/// # Errors
/// When the repository is gone.
pub fn run(args: &Args) -> Result<bool> {
    let steps = chosen(args);
    if args.list {
        STEPS.iter().for_each(|step| println!("{:10} {}", step.name, step.about));
        return Ok(true);
    }
    Ok(run_steps(&steps, &tools::root()?))
}

fn chosen(args: &Args) -> Vec<&'static Step> {
    let named = |name: &String| STEPS.iter().find(|step| step.name == name);
    if !args.only.is_empty() {
        return args.only.iter().filter_map(named).collect();
    }
    let first = args.from.as_ref().and_then(|from| STEPS.iter().position(|step| step.name == from));
    STEPS.iter().skip(first.unwrap_or(0)).filter(|step| step.name != ASKED_FOR).collect()
}

/// Runs the steps up to the first that fails and prints the closing line; whether all passed.
fn run_steps(steps: &[&Step], root: &Path) -> bool {
    let began = Instant::now();
    let mut passed = 0;
    for (number, step) in steps.iter().enumerate() {
        println!("\n=== [{}/{}] {}: {} ===", number + 1, steps.len(), step.name, step.about);
        // The children write to the same stdout; the heading must come before them.
        let _ = io::stdout().flush();
        let step_began = Instant::now();
        let shell = Shell::new().inspect(|shell| shell.change_dir(root));
        let outcome = shell.map_err(Into::into).and_then(|shell| (step.run)(&shell));
        let took = step_began.elapsed().as_secs_f64();
        if let Err(error) = outcome {
            eprintln!("\nFAILED {} after {took:.1} s: {error:#}", step.name);
            eprintln!("Run it alone: cargo verify --only {}", step.name);
            let skipped = steps.len() - number - 1;
            if skipped > 0 {
                eprintln!("Not run: {skipped} later steps; cargo verify --from {} goes on here", step.name);
            }
            println!("{passed} passed, 1 failed");
            return false;
        }
        passed += 1;
        println!("{} passed in {took:.1} s", step.name);
    }
    println!("\nAll of it in {:.1} s.", began.elapsed().as_secs_f64());
    println!("{passed} passed, 0 failed");
    true
}

fn format(sh: &Shell) -> Result<()> {
    Ok(cargo(sh).args(["fmt", "--all", "--check"]).run()?)
}

fn lints(sh: &Shell) -> Result<()> {
    let native = ["--features", "mixed-feelings-native/webgpu"];
    let clippy = cargo(sh).arg("clippy").args(EVERYTHING).args(native);
    Ok(clippy.args(["--all-targets", "--", "-D", "warnings"]).run()?)
}

fn lints_wasm(sh: &Shell) -> Result<()> {
    // The flags of the faster of the two programs: it has the kernels of both.
    let flags = "-Ctarget-feature=+simd128,+relaxed-simd";
    lints_of(sh, wasm::TARGET, "decoders,float,web", flags)?;
    lints_of(sh, wasm::TARGET, "web,webgpu", flags)
}

/// No other step needs this target, so where it cannot be had (offline) the rest goes on, and says so.
fn lints_arm(sh: &Shell) -> Result<()> {
    if let Err(error) = require_target(sh, ARM) {
        println!("left out: {error:#}");
        return Ok(());
    }
    lints_of(sh, ARM, "decoders", "")
}

fn lints_of(sh: &Shell, target: &str, features: &str, flags: &str) -> Result<()> {
    require_target(sh, target)?;
    let library = [
        "clippy",
        "--locked",
        "--package",
        "mixed-feelings",
        "--lib",
        "--no-default-features",
        "--features",
        features,
    ];
    let clippy = cargo(sh).args(library).args(["--target", target, "--", "-D", "warnings"]);
    Ok(clippy.env("CARGO_ENCODED_RUSTFLAGS", flags).run()?)
}

fn docs(sh: &Shell) -> Result<()> {
    let doc = cargo(sh).arg("doc").args(EVERYTHING).args(["--no-deps", "--lib"]);
    Ok(doc.env("RUSTDOCFLAGS", "-D warnings").run()?)
}

/// Left out where cargo-deny is not installed; known weaknesses are asked for where their list can be fetched.
fn deny(sh: &Shell) -> Result<()> {
    if cmd!(sh, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        println!("left out: cargo-deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    for manifest in ["Cargo.toml", "tests/fuzz/Cargo.toml", "tests/bench/wasm/Cargo.toml"] {
        let check = |what: &[&str]| {
            let options = ["--manifest-path", manifest, "--locked", "--config", ".cargo/deny.toml", "check"];
            cargo(sh).arg("deny").args(options).args(what)
        };
        check(&["bans", "licenses", "sources"]).run()?;
        let fetched = cargo(sh).args([
            "deny",
            "--manifest-path",
            manifest,
            "--config",
            ".cargo/deny.toml",
            "fetch",
            "db",
        ]);
        match fetched.quiet().ignore_stderr().run() {
            Ok(()) => check(&["advisories"]).run()?,
            Err(_) => println!("left out: the list of known weaknesses cannot be fetched"),
        }
    }
    Ok(())
}

fn package(_: &Shell) -> Result<()> {
    pack::build(&pack::Args::default())?;
    Ok(())
}

/// The tests of [`EVERYTHING`].
fn tests<'a>(sh: &'a Shell, arguments: &[&str]) -> Cmd<'a> {
    cargo(sh).arg("test").args(EVERYTHING).args(arguments)
}

/// With no GPU to be found, which must be told; [`suite_gpu`] is with one.
fn rust(sh: &Shell) -> Result<()> {
    let without = tests(sh, &[]).env("MIXED_FEELINGS_NO_GPU", "1");
    Ok(without.env("VK_DRIVER_FILES", "/nowhere").env("VK_ICD_FILENAMES", "/nowhere").run()?)
}

/// Left out where there is no nightly toolchain with Miri. AVX2 is compiled in, because Miri knows no processor to ask: both
/// the scalar kernels and those of AVX2 run.
fn miri(sh: &Shell) -> Result<()> {
    if cmd!(sh, "cargo +nightly miri --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        println!("left out: Miri is not installed (rustup component add --toolchain nightly miri rust-src)");
        return Ok(());
    }
    let folder = tools::target_folder()?.join("miri");
    let flags = if cfg!(target_arch = "x86_64") { "-Ctarget-feature=+avx2" } else { "" };
    let test = |arguments: &[&str]| {
        let miri = cargo(sh).args(["+nightly", "miri", "test", "--locked"]).args(arguments);
        let miri = miri.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", flags);
        miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").run()
    };
    let library =
        ["--package", "mixed-feelings", "--lib", "--no-default-features", "--features", "testing", "--"];
    test(&[library.as_slice(), MIRI_TESTS.as_slice()].concat())?;
    Ok(test(&["--package", "mixed-feelings-decoder"])?)
}

/// The library's own tests run the suite on the instruction sets of this machine.
fn suite_wasm(sh: &Shell) -> Result<()> {
    tools::require_node(sh)?;
    require_target(sh, wasm::TARGET)?;
    for (feature, sets) in [("+simd128", 2), ("+relaxed-simd", 4)] {
        let library = ["rustc", "--locked", "--lib", "--package", "mixed-feelings", "--release"];
        let features = ["--target", wasm::TARGET, "--no-default-features", "--features", "testing,web"];
        let build = cargo(sh)
            .args(library)
            .args(features)
            .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");
        let file = wasm::built(build, &[&format!("-Ctarget-feature={feature}")])?;
        let sets = sets.to_string();
        cmd!(sh, "node tests/suite/wasm.mjs {file} {sets}").run()?;
    }
    Ok(())
}

/// Left out where neither this machine is an Arm nor one can be emulated.
fn suite_arm(sh: &Shell) -> Result<()> {
    if let Err(error) = tools::require_arm(sh).and_then(|()| require_target(sh, ARM)) {
        println!("left out: {error:#}");
        return Ok(());
    }
    let suite = ["run", "--locked", "--release", "--package", "mixed-feelings-suite", "--target", ARM];
    let mut run = cargo(sh).args(suite).args(["--", "neon", "neon-dot"]);
    if !cfg!(target_arch = "aarch64") {
        run = run.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc").env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu",
        );
    }
    Ok(run.run()?)
}

/// On a GPU, which Mesa's program on the CPU can be.
fn suite_gpu(sh: &Shell) -> Result<()> {
    if let Err(error) = tools::require_vulkan(sh) {
        println!("left out: {error:#}");
        return Ok(());
    }
    // Cargo builds a package's program with its tests.
    let suite = tools::program(tests(sh, &["--test", "gpu", "--no-run"]), "mixed-feelings-suite")?;
    cmd!(sh, "{suite} gpu").run()?;
    Ok(tests(sh, &["--test", "gpu"]).run()?)
}

fn onnx(sh: &Shell) -> Result<()> {
    let folder = tools::target_folder()?.join("onnx-python");
    let python = tools::python(sh, Path::new("tests/onnx/requirements.txt"), &folder)?;
    npm_packages(sh, "tests/onnx")?;
    let runtimes = tests(sh, &["--test", "onnx_runtimes", "--", "--ignored", "--nocapture"]);
    Ok(runtimes.env("ONNX_PYTHON", python).run()?)
}

fn types(sh: &Shell) -> Result<()> {
    npm_packages(sh, "pkg")?;
    let _in_pkg = sh.push_dir("pkg");
    npm(sh).args(["exec", "--", "tsc", "--noEmit"]).run()?;
    Ok(npm(sh).arg("test").run()?)
}

/// The rows of the table in `tests/packages/README.md` that are over soon.
fn packages(sh: &Shell) -> Result<()> {
    let chromium = tools::require_chromium(sh)?;
    // The browser's launcher is in there.
    npm_packages(sh, "tests/browser")?;
    Ok(cmd!(sh, "node tests/packages/run.js --fast").env("CHROMIUM", chromium).run()?)
}

fn browser(sh: &Shell) -> Result<()> {
    let chromium = tools::require_chromium(sh)?;
    npm_packages(sh, "tests/browser")?;
    // Cargo builds a package's program with its tests.
    let native = tools::program(tests(sh, &["--test", "five_labels", "--no-run"]), "mixed-feelings")?;
    // A model of other labels than the shipped one, trained in a minute.
    let five_labels = tools::target_folder()?.join("five-labels.safetensors");
    let train = tests(sh, &["--test", "five_labels", "--", "--ignored"]);
    train.env("FIVE_LABELS_BUNDLE", &five_labels).run()?;
    let _in_tests = sh.push_dir("tests/browser");
    // Without a folder: Node.js 22 takes a folder's name for a file's, and every version finds `test/` by itself.
    let in_browser = cmd!(sh, "node --test --test-concurrency=1").env("CHROMIUM", chromium);
    // The page is served by this very program, the native side of the parity test answered by the other.
    Ok(in_browser
        .env("XTASK", env::current_exe()?)
        .env("MIXED_FEELINGS", native)
        .env("FIVE_LABELS_BUNDLE", five_labels)
        .run()?)
}

fn npm_packages(sh: &Shell, folder: &str) -> Result<()> {
    let _inside = sh.push_dir(folder);
    npm_ci(sh)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn names_of(words: &[&str]) -> Option<Vec<&'static str>> {
        let line = Line::try_parse_from(["verify"].iter().chain(words)).ok()?;
        Some(chosen(&line.args).iter().map(|step| step.name).collect())
    }

    #[test]
    fn all_steps_by_default_and_the_package_before_what_is_tested_on_it() {
        let all = names_of(&[]).unwrap();
        assert_eq!((all.len(), all[0]), (STEPS.len() - 1, "format"));
        assert!(!all.contains(&ASKED_FOR) && names_of(&["--only", ASKED_FOR]).is_some());
        let place = |name| all.iter().position(|&step| step == name).unwrap();
        assert!(["rust", "types", "browser"].iter().all(|name| place("pack") < place(name)));
    }

    #[test]
    fn steps_are_chosen() {
        assert_eq!(names_of(&["--only", "types", "--only=format"]).unwrap(), ["types", "format"]);
        assert_eq!(names_of(&["--from", "types"]).unwrap(), ["types", "packages", "browser"]);
        for wrong in [&["--only"][..], &["--only", "nonsense"], &["--quick"], &["--from", "x"]] {
            assert_eq!(names_of(wrong), None, "{wrong:?}");
        }
        assert_eq!(names_of(&["--only", "format", "--from", "types"]), None);
    }

    #[test]
    fn a_failed_step_fails_the_run() {
        let fine = Step { name: "fine", about: "passes", run: |_| Ok(()) };
        let broken = Step { name: "broken", about: "fails", run: |_| bail!("on purpose") };
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
