//! Help, usage errors and exit codes, on the real program.

mod common;

use common::run;

const SUBCOMMANDS: [&str; 7] = ["data", "train", "eval", "export", "export-onnx", "predict", "learn"];

#[test]
fn every_subcommand_is_listed_and_helps_with_examples() {
    let help = run(["--help"]).ok();
    for subcommand in SUBCOMMANDS {
        assert!(help.contains(&format!("\n  {subcommand} ")), "{subcommand} is not in:\n{help}");
        let own = run([subcommand, "--help"]).ok();
        assert!(own.contains(&format!("Usage: mixed-feelings {subcommand}")), "{own}");
        assert!(own.contains("Example") && own.contains(&format!("  mixed-feelings {subcommand}")), "{own}");
    }
}

#[test]
fn wrong_usage_exits_with_two() {
    let wrong: [&[&str]; 21] = [
        &[],
        &["foretell"],
        &["predict"],
        &["predict", "--text", "a", "--text-file", "b"],
        &["predict", "--posts", "posts.jsonl"],
        &["eval"],
        &["eval", "--texts", "a.tsv", "--pairs", "b.tsv"],
        &["eval", "--challenge", "a", "--texts", "b.tsv"],
        &["eval", "--challenge", "a", "--predictions", "b.tsv"],
        &["eval", "--texts", "a.tsv", "--bundle", "b", "--checkpoint", "c"],
        &["eval", "--texts", "a.tsv", "--checkpoint", "c", "--device", "tpu"],
        &["export"],
        &["learn", "a.tsv"],
        &["learn", "a.tsv", "--out", "b", "--simulate", "5"],
        &["learn", "a.tsv", "--simulate", "0"],
        &["learn", "a.tsv", "--simulate", "1", "--draws", "0"],
        &["learn", "a.tsv", "--simulate", "1", "--most", "0"],
        &["learn", "a.tsv", "--out", "b", "--home", "c.tsv"],
        &["learn", "a.tsv", "--out", "b", "--draws", "3"],
        &["learn", "a.tsv", "--out", "b", "--most", "3"],
        &["learn", "a.tsv", "--out", "b", "--seed", "3"],
    ];
    for args in wrong {
        let run = run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(run.out.is_empty() && run.err.contains("--help"), "{run:?}");
    }
}

#[test]
fn the_version_is_printed() {
    assert_eq!(run(["--version"]).ok(), format!("mixed-feelings {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn missing_files_are_named() {
    run(["predict", "--image", "no/such.jpg"]).refused(&["image no/such.jpg", "No such file"]);
    run(["predict", "--text-file", "no/such.txt"]).refused(&["text no/such.txt"]);
    run(["predict", "--text", "hi", "--bundle", "no/such.safetensors"])
        .refused(&["no/such.safetensors", "no such file"]);
    run(["eval", "--texts", "no/such.tsv"]).refused(&["no/such.tsv", "no such file"]);
    run(["eval", "--pairs", "no/such.tsv", "--split", "val"]).refused(&["no/such.tsv", "no such file"]);
}
