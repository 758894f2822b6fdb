//! `train --quick`: a table of posts goes in, a bundle comes out.

mod common;

use std::{fs, path::Path};

use common::{run, world::World};
use mixed_feelings::{Analyzer, Bundle, Post, model::ModelConfig};

/// The shipped bundle, and posts that are in the repository.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pkg/mixed-feelings-small.safetensors");
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/held_out.tsv");

/// A tiny bundle in `tiny.safetensors`.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, bundle) = (path("checkpoint"), path("pairs.tsv"), path("tiny.safetensors"));
    run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &bundle]).ok();
    world
}

fn quick(world: &World, table: &str, more: &[&str]) -> common::Run {
    let path = |name: &str| world.path(name).display().to_string();
    let (table, from, out) = (path(table), path("tiny.safetensors"), path("out"));
    run(["train", "--quick", &table, "--from", &from, "--out", &out].iter().chain(more))
}

fn open(path: &Path) -> Analyzer {
    Analyzer::from_bundle(fs::read(path).expect("a bundle")).expect("sound")
}

fn scores(analyzer: &mut Analyzer, text: &str) -> Vec<f32> {
    let analysis = analyzer.analyze(Post { text: Some(text), ..Post::default() }).expect("an answer");
    analysis.scores.probabilities().to_vec()
}

/// So many rows whose label a word tells, with a picture where `image` says so.
fn table(labels: [&str; 2], rows: usize, image: impl Fn(usize) -> bool) -> String {
    let row = |i: usize| {
        let (label, word) = (labels[i % 2], ["love the sun", "hate the rain"][i % 2]);
        let image = if image(i) { format!("images/{}.bmp", i % 6) } else { String::new() };
        format!("{word} {i} {}\t{label}\t{image}\n", i * 7919)
    };
    "text\tlabel\timage\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

/// From the shipped model to one that knows more of the posts that it was given, with its labels.
#[test]
fn three_hundred_posts_of_the_corpus() {
    let world = World::new();
    let corpus = fs::read_to_string(CORPUS).expect("the corpus");
    let lines: Vec<&str> = corpus.lines().collect();
    // Every third row: all authors and categories.
    let some: Vec<&str> = lines.iter().skip(1).step_by(3).take(300).copied().collect();
    let posts = world.write("posts.tsv", format!("{}\n{}\n", lines[0], some.join("\n")));
    let (posts, out) = (posts.display().to_string(), world.path("mine").display().to_string());
    let told = run(["train", "--quick", &posts, "--from", SHIPPED, "--out", &out]).ok();
    for part in [
        "300 posts",
        "the model before",
        "adapted",
        "McNemar's p",
        "SHA-256",
        "predict --bundle",
        "createAnalyzer",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let accuracy = |row: &str| -> f64 {
        let line = told.lines().find(|line| line.starts_with(row)).expect("a row");
        let cell = line.split_whitespace().nth_back(1).expect("accuracy, then macro-F1");
        cell.parse().expect("a number")
    };
    assert!(accuracy("adapted") > accuracy("always `"), "{told}");
    let bundle = world.path("mine/bundle.safetensors");
    let (was, is) =
        (fs::metadata(SHIPPED).expect("there").len(), fs::metadata(&bundle).expect("written").len());
    assert!(was.abs_diff(is) < was / 100, "as many bits as before: {was} and {is} bytes");
    let sum = fs::read_to_string(world.path("mine/bundle.safetensors.sha256")).expect("written");
    assert!(told.contains(sum.split_whitespace().next().expect("a sum")), "{told}");
    // What it says of a post, through the program that reads posts.
    let bundle = bundle.display().to_string();
    let said = run(["predict", "--bundle", &bundle, "--text", "so good"]).ok();
    assert!(said.contains("positive"), "{said}");
}

/// Labels of its own, with pictures: the bundle has them, and what a label feels like comes from the command line.
#[test]
fn other_labels_with_pictures() {
    let world = world();
    world.write("posts.tsv", table(["thankful", "angry"], 200, |i| i % 4 < 2));
    let told = quick(&world, "posts.tsv", &["--polarity", "angry=-1", "--polarity", "thankful=0.5"]).ok();
    assert!(
        told.contains("with a picture: 100 of 200") && told.contains("angry 100, thankful 100"),
        "{told}"
    );
    assert!(!told.contains("the model before"), "it had other labels: {told}");
    let bytes = fs::read(world.path("out/bundle.safetensors")).expect("written");
    let bundle = Bundle::parse(bytes).expect("sound");
    let labels = ModelConfig::of_bundle(&bundle).expect("sound").labels;
    let found: Vec<_> = labels.iter().map(|label| (label.name.as_str(), label.polarity)).collect();
    assert_eq!(found, [("angry", -1.0), ("thankful", 0.5)]);
    assert!(bundle.metadata("trained_on").is_some_and(|of| of.contains("posts of posts.tsv")));
    let mut analyzer = open(&world.path("out/bundle.safetensors"));
    assert!(
        scores(&mut analyzer, "love the sun")[1] > 0.5 && scores(&mut analyzer, "hate the rain")[0] > 0.5
    );
    let image = world.path("images/1.bmp").display().to_string();
    let out = world.path("out/bundle.safetensors").display().to_string();
    let both = run(["predict", "--json", "--bundle", &out, "--text", "love the sun", "--image", &image]).ok();
    let both: serde_json::Value = serde_json::from_str(&both).expect("JSON");
    assert!(both["contradicts"].is_boolean() && both["image"]["scores"]["angry"].is_number(), "{both}");
}

/// Labels of its own without pictures: the text alone answers, and no picture contradicts it.
#[test]
fn other_labels_without_pictures() {
    let world = world();
    world.write("posts.tsv", table(["spam", "ham"], 40, |_| false));
    let told = quick(&world, "posts.tsv", &["--polarity", "spam=-1", "--polarity", "ham=1"]).ok();
    assert!(told.contains("with a picture: 0 of 40"), "{told}");
    let (image, out) = (world.path("images/1.bmp"), world.path("out/bundle.safetensors"));
    let (image, out) = (image.display().to_string(), out.display().to_string());
    let told = run(["predict", "--json", "--bundle", &out, "--text", "love the sun", "--image", &image]).ok();
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["label"], &told["contradicts"]), (&told["text"]["label"], &false.into()), "{told}");
    for label in ["spam", "ham"] {
        let [post, text] = [&told["scores"], &told["text"]["scores"]].map(|scores| scores[label].as_f64());
        assert!(post.zip(text).is_some_and(|(post, text)| (post - text).abs() < 1e-3), "{told}");
    }
}

/// The model's own labels, pictures throughout: what text and picture say alone stays, to the last bit.
#[test]
fn known_labels_with_pictures_teach_the_fused_head_alone() {
    let world = world();
    let rows = table(["positive", "negative"], 30, |_| true);
    let neutral: String =
        (0..10).map(|i| format!("a is the {i} {}\tneutral\timages/3.bmp\n", i * 31)).collect();
    world.write("posts.tsv", rows + &neutral);
    let told = quick(&world, "posts.tsv", &[]).ok();
    assert!(told.contains("the model before"), "{told}");
    let said = |bundle: &str| -> serde_json::Value {
        let (bundle, image) = (world.path(bundle), world.path("images/1.bmp"));
        let (bundle, image) = (bundle.display().to_string(), image.display().to_string());
        let told =
            run(["predict", "--json", "--bundle", &bundle, "--text", "love the sun", "--image", &image]);
        serde_json::from_str(&told.ok()).expect("JSON")
    };
    let (before, after) = (said("tiny.safetensors"), said("out/bundle.safetensors"));
    for part in ["text", "image", "contradiction"] {
        assert_eq!(before[part], after[part], "{part}");
    }
    assert_ne!(before["scores"], after["scores"]);
}

/// Whatever is wrong is told before anything is written.
#[test]
fn a_table_that_cannot_be_learned_from() {
    let world = world();
    world.write("csv.tsv", "text,label\nso good,positive\n");
    world.write("one.tsv", table(["positive", "positive"], 30, |_| false));
    world.write("few.tsv", table(["positive", "negative"], 12, |_| false));
    world.write("lost.tsv", table(["positive", "negative"], 30, |_| false).replace("\t\n", "\tlost.jpg\n"));
    world.write("broken.jpg", "hello");
    world.write(
        "broken.tsv",
        table(["positive", "negative"], 30, |_| false).replacen("\t\n", "\tbroken.jpg\n", 1),
    );
    let before = world.listing();
    for (table, reason) in [
        ("csv.tsv", "separated by tabs"),
        ("one.tsv", "every row has the same label (positive 30)"),
        ("few.tsv", "`negative` stands on 6 rows (the first is line 3), and needs 10"),
        ("lost.tsv", "line 2: image"),
        ("broken.tsv", "broken.jpg"),
        ("none.tsv", "there is no such file"),
    ] {
        let told = quick(&world, table, &[]);
        assert!(told.code == Some(1) && told.err.contains(reason), "{table}: {told:?}");
    }
    let wrong = quick(&world, "few.tsv", &["--set", "seed=1"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("--quick"), "{wrong:?}");
    assert_eq!(world.listing(), before, "something was written");
}
