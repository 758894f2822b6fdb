//! Standard input and output, and files that are named twice: nothing is lost, and nobody has to read what is printed.

mod common;

use std::{fs, path::Path};

use common::{Run, run, run_unread, run_with_input, world::World};
use serde_json::Value;

const LEARNED: &str = "label\ttext\nnegative\tsad rain\nnegative\ti hate rain\npositive\thappy sun\npositive\tlove the sun\n\
                       neutral\ta b c\nneutral\td e f\n";

/// The tables, a checkpoint and its bundle.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    world.write("learned.tsv", LEARNED);
    world
}

/// Runs a line of words; those with a `%` before them are files of the world.
fn words(world: &World, line: &str) -> Vec<String> {
    let path = |word: &str| match word.strip_prefix('%') {
        Some(name) => world.path(name).display().to_string(),
        None => word.to_owned(),
    };
    line.split_whitespace().map(path).collect()
}

#[test]
fn what_nobody_reads_costs_no_file() {
    let world = world();
    let row = |i: usize| format!("{}\tlove the sun {i} {}\n", ["ham", "spam"][i % 2], i * 7919);
    world.write("quick.tsv", "label\ttext\n".to_owned() + &(0..30).map(row).collect::<String>());
    world.write("posts.jsonl", "{\"text\": \"so good\"}\n".repeat(3));
    for (line, written) in [
        ("learn %learned.tsv --bundle %tiny.safetensors --out %z.prof", "z.prof"),
        ("learn %learned.tsv --bundle %tiny.safetensors --simulate 1 --draws 2", ""),
        ("data %texts.tsv", ""),
        ("data %texts.tsv --json", ""),
        ("eval --texts %texts.tsv --bundle %tiny.safetensors --json %e.json", "e.json"),
        ("eval --texts %texts.tsv --bundle %tiny.safetensors --predictions %p.tsv", "p.tsv"),
        (
            "export --checkpoint %checkpoint --calibration %pairs.tsv --out %x.safetensors --json %x.json",
            "x.json",
        ),
        ("export-onnx --bundle %tiny.safetensors --out %o.onnx", "o.onnx"),
        ("average %checkpoint %checkpoint --out %mean", "mean/config.json"),
        ("train --quick %quick.tsv --from %tiny.safetensors --out %mine", "mine/bundle.safetensors"),
        ("predict --text good --bundle %tiny.safetensors", ""),
        ("predict --text good --json --bundle %tiny.safetensors", ""),
        ("predict --posts %posts.jsonl --json --bundle %tiny.safetensors", ""),
    ] {
        let told = run_unread(words(&world, line));
        assert_eq!(told.code, Some(0), "{line}: {told:?}");
        assert!(!told.err.contains("error") && !told.err.contains("panicked"), "{line}: {told:?}");
        assert!(world.path(written).exists(), "{line}: no {written}");
    }
}

#[test]
fn what_is_read_is_not_written_over() {
    let world = world();
    world.write("challenge/texts.tsv", "id\tcategory\tlabel\ttext\n1\ta\tpositive\tgood\n");
    let before = world.listing();
    let content =
        || ["learned.tsv", "texts.tsv", "pairs.tsv"].map(|name| fs::read(world.path(name)).expect("there"));
    let kept = content();
    for (line, option, input) in [
        ("learn %learned.tsv --out %learned.tsv", "--out", "learned.tsv"),
        ("learn %learned.tsv --out %images/../learned.tsv", "--out", "learned.tsv"),
        (
            "learn %learned.tsv --bundle %tiny.safetensors --out %tiny.safetensors",
            "--out",
            "tiny.safetensors",
        ),
        ("eval --texts %texts.tsv --predictions %texts.tsv", "--predictions", "texts.tsv"),
        ("eval --texts %texts.tsv --json %texts.tsv", "--json", "texts.tsv"),
        ("eval --pairs %pairs.tsv --json %pairs.tsv", "--json", "pairs.tsv"),
        ("eval --challenge %challenge --json %challenge/texts.tsv", "--json", "texts.tsv"),
        (
            "eval --texts %texts.tsv --checkpoint %checkpoint --json %checkpoint/config.json",
            "--json",
            "config.json",
        ),
        ("export --checkpoint %checkpoint --calibration %pairs.tsv --json %pairs.tsv", "--json", "pairs.tsv"),
        (
            "export --checkpoint %checkpoint --calibration %pairs.tsv --check-texts %texts.tsv --out %texts.tsv",
            "--out",
            "texts.tsv",
        ),
        ("export-onnx --bundle %tiny.safetensors --out %tiny.safetensors", "--out", "tiny.safetensors"),
        ("export-onnx --checkpoint %checkpoint --out %checkpoint/config.json", "--out", "config.json"),
    ] {
        run(words(&world, line)).refused(&[option, "it would overwrite", input]);
    }
    let twice = "eval --texts %texts.tsv --json %new --predictions %new";
    run(words(&world, twice)).refused(&["--predictions", "--json", "the same file"]);
    assert_eq!((world.listing(), content()), (before, kept));
}

#[test]
fn a_folder_is_no_file_and_a_file_no_folder() {
    let world = world();
    let before = world.listing();
    for line in [
        "learn %learned.tsv --out %images",
        "eval --texts %texts.tsv --json %images",
        "export --checkpoint %checkpoint --calibration %pairs.tsv --out %images",
        "export-onnx --bundle %tiny.safetensors --out %images",
    ] {
        run(words(&world, line)).refused(&["images: a folder; the name of a file is wanted"]);
    }
    for line in [
        "average %checkpoint %checkpoint --out %texts.tsv",
        "train --quick %texts.tsv --out %texts.tsv",
        "eval --texts %texts.tsv --report %texts.tsv",
    ] {
        run(words(&world, line)).refused(&["texts.tsv: a file; the name of a folder is wanted"]);
    }
    assert_eq!(world.listing(), before);
}

/// `-` is standard input where a post or a file of posts is read; elsewhere it is refused, and no file is called so.
#[test]
fn a_dash_is_standard_input_or_refused() {
    let world = world();
    let posts = "{\"text\": \"so good\", \"id\": 1}\n{\"image\": \"no/such.jpg\"}\n".repeat(40);
    world.write("posts.jsonl", &posts);
    let read = run(words(&world, "predict --posts %posts.jsonl --json --bundle %tiny.safetensors"));
    let piped = run_with_input(
        words(&world, "predict --posts - --json --bundle %tiny.safetensors"),
        posts.as_bytes(),
    );
    let answers = |told: &Run| -> Vec<Value> {
        assert!(told.code == Some(1) && told.err.contains("40 of 80 posts"), "{told:?}");
        told.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let (of_file, of_pipe) = (answers(&read), answers(&piped));
    assert_eq!(of_file.len(), 80);
    for (file, pipe) in of_file.iter().zip(&of_pipe) {
        assert_eq!((&file["valence"], &file["id"]), (&pipe["valence"], &pipe["id"]));
    }
    assert!(piped.err.contains("standard input: 40 of 80"), "{}", piped.err);
    let message = of_pipe[1]["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("standard input line 2: image no/such.jpg"), "{message}");

    for line in [
        "learn - --out %z.prof --bundle %tiny.safetensors",
        "data -",
        "eval --texts - --bundle %tiny.safetensors",
    ] {
        run_with_input(words(&world, line), LEARNED.as_bytes()).refused(&["-: a table", "/dev/stdin"]);
    }
    for line in [
        "learn %learned.tsv --out -",
        "eval --texts %texts.tsv --json -",
        "eval --texts %texts.tsv --predictions -",
        "eval --texts %texts.tsv --report -",
        "export --checkpoint %checkpoint --calibration %pairs.tsv --out -",
        "export-onnx --bundle %tiny.safetensors --out -",
        "average %checkpoint %checkpoint --out -",
        "train --quick %learned.tsv --out -",
    ] {
        run(words(&world, line)).refused(&["-: nothing is written to standard output by this name"]);
    }
    assert!(!Path::new("-").exists());
}

#[test]
fn a_bad_line_comes_back_with_what_it_is_known_by() {
    let world = world();
    let big = "12345678901234567890123";
    let posts = format!(
        "{{\"text\":5,\"id\":2,\"k\":1}}\n\
         {{\"text\":\"so \\ud83d good\",\"id\":{big},\"k\":{{\"n\":{big}}}}}\n\
         {{\"text\":\"so \u{fffd} good\"}}\n\
         {{\"text\":\"a\",\"image\":\"\",\"id\":\"x\"}}\n"
    );
    world.write("posts.jsonl", posts);
    let told = run(words(&world, "predict --posts %posts.jsonl --json --bundle %tiny.safetensors"));
    assert!(told.code == Some(1) && told.err.contains("2 of 4 posts"), "{told:?}");
    let lines: Vec<&str> = told.out.lines().collect();
    let answers: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&answers[0]["id"], &answers[0]["post"]["k"]), (&2.into(), &1.into()));
    assert_eq!(answers[0]["error"]["code"], "bad-post");
    assert!(answers[0]["error"]["message"].as_str().is_some_and(|m| m.ends_with("`text` is a number")));
    assert!(lines[1].starts_with(&format!("{{\"id\":{big},")), "{}", lines[1]);
    assert!(lines[1].ends_with(&format!("\"post\":{{\"k\":{{\"n\":{big}}}}}}}")), "{}", lines[1]);
    assert!(answers[1]["valence"].is_number());
    assert_eq!(answers[1]["scores"], answers[2]["scores"], "half a surrogate pair is U+FFFD");
    assert_eq!((&answers[3]["id"], &answers[3]["error"]["code"]), (&"x".into(), &"bad-post".into()));
    assert!(answers[3]["error"]["message"].as_str().is_some_and(|m| m.contains("image: the name is empty")));
}
