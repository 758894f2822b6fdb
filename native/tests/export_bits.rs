//! Bundles of few bits and with a pruned vocabulary: smaller, read by everything that reads a bundle, and the same answers where no
//! word was left out.

mod common;

use std::fs;

use common::{run, world::World};
use mixed_feelings::{Bundle, model::ModelConfig, testing::tiny_config};
use serde_json::Value;

/// A model wide enough to be packed, and texts to count words in.
fn world() -> World {
    let mut config = tiny_config();
    (config.text.hidden_size, config.text.intermediate_size, config.fusion.width) = (32, 64, 32);
    let world = World::new().with_tables().with_checkpoint_of(&config);
    world.write(
        "words.tsv",
        "label\ttext\npositive\ti love the sun\nnegative\ti hate the rain\nneutral\train, sun\n",
    );
    world
}

/// Exports with these options more; what was printed, and the bundle's bytes.
fn export(world: &World, name: &str, options: &[&str]) -> (String, Vec<u8>) {
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, out) = (path("checkpoint"), path("pairs.tsv"), path(name));
    let args = ["export", "--checkpoint", &checkpoint, "--calibration", &pairs, "--out", &out];
    let told = run(args.iter().chain(options)).ok();
    (told, fs::read(out).expect("exported"))
}

fn predict(world: &World, bundle: &str, text: &str) -> Value {
    let (bundle, image) = (world.path(bundle).display().to_string(), world.path("images/1.bmp"));
    let image = image.display().to_string();
    let told = run(["predict", "--bundle", &bundle, "--text", text, "--image", &image, "--json"]).ok();
    serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"))
}

#[test]
fn fewer_bits_and_words_make_smaller_bundles() {
    let world = world();
    let words = world.path("words.tsv").display().to_string();
    let json = world.path("told.json").display().to_string();
    let prune = ["--bits", "4", "--prune-vocabulary", "2", "--vocabulary-texts", &words, "--json", &json];
    let exports = [
        export(&world, "8.safetensors", &[]),
        export(&world, "4.safetensors", &["--bits", "4"]),
        export(
            &world,
            "mixed.safetensors",
            &["--bits", "4", "--embedding-bits", "2", "--convolution-bits", "3"],
        ),
        export(&world, "pruned.safetensors", &prune),
    ];
    let sizes = exports.each_ref().map(|(_, bytes)| bytes.len());
    assert!(sizes[1] * 3 < sizes[0] * 2 && sizes[2] < sizes[1] && sizes[3] < sizes[1], "{sizes:?}");
    for (told, bytes) in &exports {
        // The table of the parts adds up to the file.
        let parts = [
            "embeddings",
            "text encoder",
            "image encoder",
            "fusion and heads",
            "tokenizer",
            "rest of the header",
        ];
        let bytes_of = |part: &str| -> usize {
            let line = told
                .lines()
                .find_map(|line| line.strip_prefix(part))
                .unwrap_or_else(|| panic!("{part}: {told}"));
            line.split_whitespace().next().expect("a number").parse().expect("a number")
        };
        assert_eq!(parts.map(bytes_of).iter().sum::<usize>(), bytes.len(), "{told}");
    }

    // What was left out, and what it says of itself.
    let vocabulary = |bytes: &[u8]| {
        let bundle = Bundle::parse(bytes.to_vec()).expect("a bundle");
        ModelConfig::of_bundle(&bundle).expect("a config").text.vocab_size
    };
    let [before, after] = [&exports[1].1, &exports[3].1].map(|bytes| vocabulary(bytes));
    assert!(after < before, "{before} -> {after}");
    let told = format!("vocabulary: {before} -> {after} word pieces");
    assert!(exports[3].0.contains(&told), "{}", exports[3].0);
    let json: Value = serde_json::from_str(&fs::read_to_string(json).expect("written")).expect("JSON");
    assert_eq!((&json["pruned"]["before"], &json["pruned"]["after"]), (&before.into(), &after.into()));
    assert_eq!(json["parts"][0]["name"], "embeddings");

    // Each answers; with the same words and bits the answer is the same.
    let answers = |text: &str| {
        ["8", "4", "mixed", "pruned"].map(|name| {
            let mut answer = predict(&world, &format!("{name}.safetensors"), text);
            answer.as_object_mut().expect("an answer").remove("timings");
            answer
        })
    };
    let [whole, four, mixed, pruned] = answers("i, the sun! the rain");
    assert_eq!(four, pruned);
    assert!(whole != four && four != mixed, "bits that change nothing");
    let [_, four, _, pruned] = answers("perfect solitude");
    assert_ne!(four["scores"], pruned["scores"], "these words were left out");
}

#[test]
fn what_cannot_be_is_refused() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, missing) = (path("checkpoint"), path("pairs.tsv"), path("missing.tsv"));
    let export = |options: &[&str]| {
        run(["export", "--checkpoint", &checkpoint, "--calibration", &pairs].iter().chain(options))
    };
    for options in [
        &["--bits", "7"][..],
        &["--bits", "1"],
        &["--embedding-bits", "16"],
        &["--convolution-bits", "many"],
        &["--prune-vocabulary", "5"],
        &["--prune-vocabulary", "0", "--vocabulary-texts", &pairs],
        &["--vocabulary-texts", &pairs],
    ] {
        let told = export(options);
        assert_eq!(told.code, Some(2), "{options:?}: {told:?}");
    }
    export(&["--prune-vocabulary", "5", "--vocabulary-texts", &missing]).refused(&["missing.tsv"]);
    assert!(!world.path("checkpoint/bundle.safetensors").exists());
}
