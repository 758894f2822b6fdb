//! Five labels all the way: train, eval, export, predict. No code knows their names.

mod common;

use std::{fs, path::Path};

use common::{run, world::World};
use mixed_feelings::{Bundle, Labels};
use serde_json::Value;

const NAMES: [&str; 5] = ["anger", "sadness", "calm", "surprise", "joy"];
const POLARITIES: [f32; 5] = [-1.0, -0.6, 0.2, 0.0, 1.0];

/// Base encoders, tables that name the five labels, and a training over them.
fn world() -> World {
    let world = World::new().with_checkpoint().with_tables().with_base_encoders(32);
    let (mut pairs, mut texts) = (
        "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tsplit\n".to_owned(),
        "label\ttext\n".to_owned(),
    );
    for row in 0..20 {
        let (text, image, split) = (row % 5, (row + row / 10) % 5, ["train", "val"][row / 5 % 2]);
        let opposed = POLARITIES[text] * POLARITIES[image] < 0.0;
        let (label, relation) = match (opposed, text == image) {
            (true, _) => ("conflict", "conflict"),
            (_, true) => (NAMES[text], "agree"),
            _ => (NAMES[image], "one_neutral"),
        };
        let (said, seen) = (NAMES[text], NAMES[image]);
        let file = format!("images/{}.bmp", row % 6);
        pairs += &format!("p{row}\t{file}\t{said} is a day\t{said}\t{seen}\t{label}\t{relation}\t{split}\n");
        texts += &format!("{said}\tso {said} the sun {row}\n");
    }
    world.write("pairs.tsv", pairs);
    world.write("texts.tsv", texts);
    let labels: Vec<String> =
        NAMES.iter().zip(POLARITIES).map(|(n, p)| format!("{{ name = '{n}', polarity = {p:?} }}")).collect();
    let learning = "epochs = 2\nbatch_size = 4\nlearning_rate = 1e-2\nclass_balance = 0.5\n";
    world.write(
        "train.toml",
        format!(
            "seed = 3\nout = 'run'\n[model]\ntext = 'base/text'\nimage = 'base/image'\nmax_tokens = 16\n\
             labels = [{}]\nfusion = {{ width = 8, heads = 2 }}\n\
             [text]\ntrain = [{{ file = 'texts.tsv' }}]\n\
             val = {{ file = 'pairs.tsv', label = 'text_label', split = 'val' }}\n[text.learning]\n{learning}\
             [image]\npairs = 'pairs.tsv'\n[image.learning]\n{learning}freeze = ['image.*']\n\
             [fusion]\npairs = 'pairs.tsv'\npair_loss = 0.5\n[fusion.learning]\n{learning}",
            labels.join(", ")
        ),
    );
    world
}

/// Trains the five labels and exports them to `bundle`.
fn export(world: &World, bundle: &Path) {
    let path = |name: &str| world.path(name).display().to_string();
    run(["train", &path("train.toml")]).ok();
    let (checkpoint, pairs, bundle) =
        (path("run/checkpoint"), path("pairs.tsv"), bundle.display().to_string());
    let told = run([
        "export",
        "--checkpoint",
        &checkpoint,
        "--calibration",
        &pairs,
        "--out",
        &bundle,
        "--check",
        &pairs,
    ])
    .ok();
    assert!(told.contains("contradiction: AUC"), "{told}");
}

#[test]
fn five_labels_go_all_the_way() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let (bundle, pairs, texts) = (path("five.safetensors"), path("pairs.tsv"), path("texts.tsv"));
    export(&world, &world.path("five.safetensors"));

    // The checkpoint and the bundle say what they are.
    let written = Bundle::parse(fs::read(&bundle).expect("exported")).expect("a bundle");
    let labels = Labels::from_json(written.metadata("labels").expect("labels")).expect("sound ones");
    assert_eq!(labels.names().collect::<Vec<_>>(), NAMES);
    assert_eq!(labels.iter().map(|label| label.polarity).collect::<Vec<_>>(), POLARITIES);
    let config = fs::read_to_string(world.path("run/checkpoint/config.json")).expect("a config");
    let config: Value = serde_json::from_str(&config).expect("JSON");
    assert_eq!(Labels::from_json(&config["labels"].to_string()).expect("sound ones"), labels);

    // The report has a row and a column for each.
    let (checkpoint, report, rows) = (path("run/checkpoint"), path("report"), path("predictions.tsv"));
    let told = run([
        "eval",
        "--pairs",
        &pairs,
        "--texts",
        &texts,
        "--bundle",
        &bundle,
        "--checkpoint",
        &checkpoint,
        "--report",
        &report,
        "--resamples",
        "20",
        "--predictions",
        &rows,
    ])
    .ok();
    let page = fs::read_to_string(world.path("report/report.html")).expect("a page");
    let metrics = fs::read_to_string(world.path("report/metrics.json")).expect("figures");
    let metrics: Value = serde_json::from_str(&metrics).expect("JSON");
    for found in [&metrics["pairs"]["whole"], &metrics["texts"]["text_on_text_label"]] {
        let classes = found["classes"].as_array().expect("classes");
        assert_eq!(classes.iter().map(|c| c["class"].as_str().expect("a name")).collect::<Vec<_>>(), NAMES);
        let confusion = found["confusion"].as_array().expect("a table");
        assert!(confusion.len() == 5 && confusion.iter().all(|row| row.as_array().map(Vec::len) == Some(5)));
    }
    assert!(metrics["pairs"]["contradiction"]["auc"].is_number(), "{}", metrics["pairs"]);
    let intensities = metrics["pairs"]["by_intensity"]["labels"].as_array().expect("groups");
    let named: Vec<_> = intensities.iter().map(|group| group["name"].as_str().expect("a name")).collect();
    assert_eq!(named, ["strong", "mild", "neutral", "conflict"], "surprise is what has no polarity");
    for (name, colour) in NAMES.iter().zip(["negative", "negative", "positive", "neutral", "positive"]) {
        assert!(
            page.contains(&format!("<span class=\"tag c-{colour}\">{name}</span>")),
            "no {name} in the page"
        );
        assert!(told.lines().any(|line| line.starts_with(name) && line.split_whitespace().count() == 6));
    }
    let predictions = fs::read_to_string(&rows).expect("predictions");
    assert!(predictions.starts_with("id\tlabel\tanger\tsadness\tcalm\tsurprise\tjoy\n"), "{predictions}");

    // A post has five scores.
    let post = ["predict", "--bundle", &bundle, "--text", "anger is a day", "--image", &path("images/1.bmp")];
    let answer: Value = serde_json::from_str(&run(post.iter().chain(&["--json"])).ok()).expect("JSON");
    let scores = answer["scores"].as_object().expect("scores");
    assert!(scores.len() == 5 && NAMES.iter().all(|name| scores[*name].is_number()), "{answer}");
    let sum: f64 = scores.values().filter_map(Value::as_f64).sum();
    assert!(
        (sum - 1.0).abs() < 1e-5 && NAMES.contains(&answer["label"].as_str().expect("a label")),
        "{answer}"
    );
    let shown = run(post).ok();
    assert!(NAMES.iter().all(|name| shown.contains(&format!("\n  {name} "))), "{shown}");

    // The default labels are strangers here, and the five are in a model of those.
    world.write("other.tsv", "label\ttext\nneutral\ta day\n");
    let known = ["other.tsv line 2", "`neutral` is none of anger, sadness, calm, surprise, joy"];
    run(["eval", "--texts", &path("other.tsv"), "--bundle", &bundle]).refused(&known);
    run(["eval", "--texts", &texts, "--checkpoint", &path("checkpoint")])
        .refused(&["`anger` is none of negative, neutral, positive"]);
    let train =
        |setting: &str| run(["train", &path("train.toml"), "--out", &path("other"), "--set", setting]);
    train("model.labels=['anger', 'joy']").refused(&["anger", "polarity"]);
    train(&format!("fusion.distillation.teachers=['{}']", path("checkpoint")))
        .refused(&["teacher", "other labels"]);
    let told = run(["data", &texts, "--labels", &NAMES.join(",")]).ok();
    assert!(told.contains("texts with a label: 20 rows"), "{told}");

    // Another training goes on from them; repeats know them too.
    let from = format!("model.from='{}'", path("run/checkpoint"));
    let plain = "out = 'next'\n[model]\nfusion = { width = 8, heads = 2 }\n[fusion]\npairs = 'pairs.tsv'\n\
                 [fusion.learning]\nepochs = 1\nbatch_size = 4\nlearning_rate = 1e-3\n";
    world.write("next.toml", plain);
    let summary = run(["train", &path("next.toml"), "--set", &from, "--folds", "2"]).ok();
    assert!(summary.contains("of 2 runs"), "{summary}");
}

/// For the tests of the page: the bundle of five labels, at the path in `FIVE_LABELS_BUNDLE`.
#[test]
#[ignore = "FIVE_LABELS_BUNDLE=FILE cargo test --release -p mixed-feelings-native --test five_labels -- --ignored"]
fn write_the_bundle() {
    let file = std::env::var_os("FIVE_LABELS_BUNDLE").expect("where to write it");
    let file = std::path::absolute(file).expect("a path");
    export(&world(), &file);
}
