//! From a float checkpoint to a bundle to answers, with the real program.

mod common;

use std::fs;

use common::{
    run,
    world::{World, bmp},
};
use serde_json::Value;

const LABELS: [&str; 3] = ["negative", "neutral", "positive"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The rows of a table of predictions below its header.
fn predictions(text: &str) -> Vec<Vec<&str>> {
    let mut rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.remove(0), ["id", "label", "negative", "neutral", "positive"]);
    for row in &rows {
        let scores: Vec<f64> = row[2..].iter().map(|score| score.parse().expect("a number")).collect();
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{row:?}");
        let most = scores.iter().fold(0.0, |most: f64, &score| most.max(score));
        let label = LABELS.iter().position(|label| *label == row[1]).expect("a label");
        assert_eq!(scores[label], most, "{row:?}");
    }
    rows
}

/// Asserts that the print has the confusion matrix and the classes' scores of these predictions, counted anew.
fn assert_printed(told: &str, labels: &[&str], predictions: &[Vec<&str>]) {
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    let count = |label: &str, predicted: &str| {
        let both = labels.iter().zip(predictions).filter(|(l, row)| **l == label && row[1] == predicted);
        both.count()
    };
    for class in LABELS {
        let row = LABELS.map(|predicted| count(class, predicted));
        let column = LABELS.map(|label| count(label, class));
        let right = count(class, class) as f64;
        let [support, said] = [row, column].map(|counts| counts.iter().sum::<usize>());
        let share = |of: usize| if of > 0 { right / of as f64 } else { 0.0 };
        let (precision, recall) = (share(said), share(support));
        let f1 = if right > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        let scores = [precision, recall, f1].map(|score| format!("{score:.3}"));
        let of_class = [&[class.to_owned()], &scores[..], &[support.to_string()]].concat();
        let confused = [&[class.to_owned()], &row.map(|n| n.to_string())[..]].concat();
        for line in [of_class, confused] {
            assert!(lines.iter().any(|words| *words == line), "no line {line:?} in {told}");
        }
    }
}

#[test]
fn a_checkpoint_is_exported_measured_and_asked() {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();

    // Export: bundle, checksum, comparison.
    let told = run([
        "export",
        "--checkpoint",
        &path("checkpoint"),
        "--calibration",
        &path("pairs.tsv"),
        "--split",
        "train",
        "--check",
        &path("pairs.tsv"),
        "--check-split",
        "val",
        "--check-texts",
        &path("texts.tsv"),
        "--note",
        "licence=MIT",
        "--out",
        &path("tiny.safetensors"),
        "--json",
        &path("export.json"),
    ])
    .ok();
    assert!(told.contains("4 pairs") && told.contains("3 texts") && told.contains("SHA-256"), "{told}");
    let exported = json(&fs::read_to_string(world.path("export.json")).expect("written"));
    let bundle = fs::read(world.path("tiny.safetensors")).expect("written");
    assert_eq!(exported["bytes"], bundle.len());
    let sum = fs::read_to_string(world.path("tiny.safetensors.sha256")).expect("written");
    assert_eq!(sum, format!("{}  tiny.safetensors\n", exported["sha256"].as_str().expect("hex")));
    for kept in exported["pairs"]["readings"].as_array().expect("readings") {
        let difference = kept["largest_difference"].as_f64().expect("a number");
        assert!(difference < 0.05, "int8 is far from float: {kept}");
    }

    // Export again: the same bytes.
    let again = ["export", "--checkpoint", &path("checkpoint"), "--calibration", &path("pairs.tsv")];
    let again = again.iter().chain(&["--split", "train", "--note", "licence=MIT"]);
    run(again).ok();
    assert!(fs::read(world.path("checkpoint/bundle.safetensors")).expect("written") == bundle);

    // Eval, of both forms.
    let mut reports = Vec::new();
    for (flag, model) in [("--bundle", "tiny.safetensors"), ("--checkpoint", "checkpoint")] {
        let told = run([
            "eval",
            "--pairs",
            &path("pairs.tsv"),
            flag,
            &path(model),
            "--json",
            &path("report.json"),
            "--predictions",
            &path("predictions.tsv"),
        ])
        .ok();
        for part in ["macro-F1", "relation conflict (1 rows)", "contradiction: AUC", "Shapley"] {
            assert!(told.contains(part), "no `{part}` in {told}");
        }
        let report = json(&fs::read_to_string(world.path("report.json")).expect("written"));
        assert_eq!(
            (&report["rows"], &report["whole"]["rows"], &report["text_on_text_label"]["rows"]),
            (&6.into(), &5.into(), &6.into())
        );
        let written = fs::read_to_string(world.path("predictions.tsv")).expect("written");
        let mut rows = predictions(&written);
        assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["p0", "p1", "p2", "p3", "p4", "p5"]);
        // The conflict has no label to be held to.
        rows.remove(2);
        assert_printed(&told, &["positive", "negative", "positive", "negative", "neutral"], &rows);
        reports.push(report);
    }
    assert!(reports.iter().all(|report| report["contradiction"]["auc"].is_number()), "{reports:?}");

    let (texts, bundle, out) = (path("texts.tsv"), path("tiny.safetensors"), path("texts-predictions.tsv"));
    let told = run(["eval", "--texts", &texts, "--bundle", &bundle, "--predictions", &out]).ok();
    assert!(told.contains("text against text_label: 3 of 3 rows"), "{told}");
    let written = fs::read_to_string(&out).expect("written");
    let rows = predictions(&written);
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_printed(&told, &["positive", "negative", "neutral"], &rows);

    // Predict: text, image, both.
    let predict = |args: &[&str]| {
        let bundle = path("tiny.safetensors");
        run(["predict", "--json", "--bundle", &bundle].iter().chain(args)).ok()
    };
    let image = path("images/1.bmp");
    let text_only = json(&predict(&["--text", "so good"]));
    assert!(text_only["image"].is_null() && text_only["contradiction"].is_null(), "{text_only}");
    assert_eq!(text_only["scores"], text_only["text"]["scores"]);
    assert_eq!(text_only["label"], rows[0][1], "the same post in the table of texts");
    let image_only = json(&predict(&["--image", &image]));
    assert!(image_only["text"].is_null(), "{image_only}");
    assert_eq!(image_only["scores"], image_only["image"]["scores"]);
    let both = json(&predict(&["--text", "so good", "--image", &image]));
    assert_eq!((&both["text"], &both["image"]), (&text_only["text"], &image_only["image"]));
    assert!(both["contradiction"].is_number());
    let shown =
        run(["predict", "--text", "so good", "--image", &image, "--bundle", &path("tiny.safetensors")]).ok();
    for part in ["valence", "text alone", "image alone", "contradiction", "words that weighed most"] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }

    // A file of posts: one line each, the bad ones too.
    world.write("one.bmp", bmp(33, 44, |x, y| [x, y, x ^ y]));
    world.write("not-an-image.jpg", "hello");
    let posts = world.write(
        "posts.jsonl",
        "{\"text\": \"so good\", \"image\": \"images/1.bmp\"}\n\
         {\"text\": \" \", \"image\": null}\n\
         {\"text\": null, \"image\": \"one.bmp\"}\n\
         {\"image\": \"not-an-image.jpg\"}\n\
         {\"image\": \"missing.jpg\"}\n\
         so good\n\
         {\"text\": \"so good\"}\n",
    );
    let posts = posts.display().to_string();
    let told = run(["predict", "--json", "--bundle", &path("tiny.safetensors"), "--posts", &posts]);
    assert!(told.code == Some(1) && told.err.contains("4 of 7 posts"), "{told:?}");
    let lines: Vec<Value> = told.out.lines().map(json).collect();
    assert_eq!(lines.len(), 7);
    assert_eq!((&lines[0], &lines[6]), (&both, &text_only), "a bad post leaves no trace in the next");
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str()).collect();
    assert_eq!(codes[..3], [None, Some("empty-post"), None]);
    assert_eq!(codes[3..], [Some("not-an-image"), Some("unreadable"), Some("bad-post"), None]);
    assert!(
        lines[4]["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("line 5") && m.contains("missing.jpg"))
    );
}

/// Lines as other programs write them: each is read, or is its own line's error, and the batch goes on.
#[test]
fn a_line_that_is_no_post_costs_no_other() {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    let posts = world.write(
        "posts.jsonl",
        b"\xef\xbb\xbf{\"text\": \"so good\", \"id\": 7, \"label\": \"gold\", \"user\": [1]}\r\n\
          {\"text\": \"caf\xe9\"}\r\n\
          \r\n\
          {\"text\": \"\\ud800\"}\n\
          {\"id\": \"x\", \"text\": \" \"}\n\
          {\"text\": 5}\n\
          \0\n\
          {\"text\": \"so\\u0000 good\", \"id\": null}",
    );
    let posts = posts.display().to_string();
    let told = run(["predict", "--json", "--bundle", &bundle, "--posts", &posts]);
    assert!(told.code == Some(1) && told.err.contains("5 of 7 posts"), "{told:?}");
    let lines: Vec<Value> = told.out.lines().map(json).collect();
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str()).collect();
    let (bad, empty) = (Some("bad-post"), Some("empty-post"));
    assert_eq!(codes, [None, bad, empty, empty, bad, bad, None]);
    assert_eq!((&lines[0]["id"], &lines[3]["id"]), (&Value::from(7), &Value::from("x")));
    assert_eq!(lines[0]["post"], serde_json::json!({"label": "gold", "user": [1]}));
    assert_ne!(lines[0]["label"], "gold");
    let message = lines[1]["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("line 2") && message.contains("not UTF-8 at byte 13"), "{message}");
    assert!(lines[4]["error"]["message"].as_str().is_some_and(|m| m.contains("line 6")), "{told:?}");
}

/// Many posts are read by all threads, and answered in their order, as each alone; of a pipe too, which can be read once.
#[cfg(unix)]
#[test]
fn many_posts_are_answered_in_their_order() {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    let line = |id: usize| match id % 50 {
        49 => format!("{{\"id\": {id}, \"text\": 5}}\n"),
        words => format!("{{\"id\": {id}, \"text\": \"{}\"}}\n", "so good ".repeat(1 + words % 7)),
    };
    let posts: String = (0..300).map(line).collect();
    let file = world.write("posts.jsonl", &posts).display().to_string();
    let pipe = path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let writer = std::thread::spawn({
        let (pipe, posts) = (pipe.clone(), posts.clone());
        move || std::fs::write(pipe, posts)
    });
    let predict = |posts: &str| {
        let told = run(["predict", "--json", "--bundle", &bundle, "--posts", posts]);
        assert!(told.code == Some(1) && told.err.contains("6 of 300 posts"), "{}", told.err);
        told.out.lines().map(json).collect::<Vec<Value>>()
    };
    let (of_file, of_pipe) = (predict(&file), predict(&pipe));
    assert!(writer.join().is_ok_and(|written| written.is_ok()));
    assert_eq!(of_file.len(), 300);
    for (id, (line, piped)) in of_file.iter().zip(&of_pipe).enumerate() {
        assert_eq!(line["error"]["code"], piped["error"]["code"], "post {id}");
        let Some(valence) = line["valence"].as_f64() else { continue };
        assert_eq!(
            (line["id"].as_u64(), Some(valence)),
            (Some(id as u64), piped["valence"].as_f64()),
            "post {id}"
        );
        let text = "so good ".repeat(1 + id % 50 % 7);
        if id % 100 < 7 {
            let alone = run(["predict", "--json", "--bundle", &bundle, "--text", &text]).ok();
            assert_eq!(json(&alone)["valence"].as_f64(), Some(valence), "post {id} alone");
        }
    }
}

/// What never ends, or is waited for, costs its own line: a pipe that nobody writes to, a device, a line without an end.
#[cfg(unix)]
#[test]
fn a_pipe_or_an_endless_line_holds_nothing_up() {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    let made = std::process::Command::new("mkfifo").arg(world.path("pipe.jpg")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let long = format!("{{\"text\": \"{}\"}}", "so good ".repeat(2_100_000));
    let posts = format!(
        "{{\"image\": \"pipe.jpg\"}}\n{{\"image\": \"/dev/zero\"}}\n{{\"image\": \".\"}}\n{long}\n[5]\n{{\"text\": \"so good\"}}\n{long}"
    );
    let posts = world.write("posts.jsonl", posts).display().to_string();
    let told = run(["predict", "--json", "--bundle", &bundle, "--posts", &posts]);
    assert!(told.code == Some(1) && told.err.contains("6 of 7 posts"), "{}", told.err);
    let lines: Vec<Value> = told.out.lines().map(json).collect();
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str()).collect();
    let (no_file, bad) = (Some("unreadable"), Some("bad-post"));
    assert_eq!(codes, [no_file, no_file, no_file, bad, bad, None, bad]);
    let message = |i: usize| lines[i]["error"]["message"].as_str().unwrap_or_default();
    assert!(message(0).contains("a device or a pipe") && message(3).contains("more than 16000000 bytes"));
    assert!(told.out.len() < 10_000, "no line is repeated");
}

/// A text that begins with a dash is a text.
#[test]
fn a_text_may_begin_with_a_dash() {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    for text in ["-_- this", "--- no", "-5 degrees"] {
        let told = json(&run(["predict", "--json", "--bundle", &bundle, "--text", text]).ok());
        assert!(told["text"].is_object(), "{text}");
    }
}
