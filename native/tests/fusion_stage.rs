//! The fusion stage on posts that no single modality can tell: the text says one thing, the colour of the picture another,
//! and the label follows from both.

mod common;

use std::{collections::HashMap, fs};

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use common::{
    run,
    world::{World, bmp},
};
use mixed_feelings::{inference::float::FloatModel, model::Architecture, testing::tiny_config};

const LABELS: [&str; 3] = ["negative", "neutral", "positive"];

/// Nine kinds of post, sixteen of each. Equal modalities give their label, a neutral one leaves it to the other,
/// opposed ones give none: either alone tells 5 of 7 labels, both tell all.
fn world() -> World {
    let world = World::new().with_checkpoint();
    for (i, [r, g, b]) in [[200, 40, 40], [110, 110, 110], [40, 190, 60]].into_iter().enumerate() {
        for shade in 0..4u8 {
            let light = |v: u8, x: u8, y: u8| v - 10 + 6 * shade + (x * 3 + y * 5) % 7;
            let file = bmp(24, 20, |x, y| [light(r, x, y), light(g, x, y), light(b, x, y)]);
            world.write(&format!("images/{i}{shade}.bmp"), file);
        }
    }
    let mut table =
        "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tdup_group\tsplit\n".to_owned();
    for row in 0..9 * 16 {
        let (text, image, filler, shade) = (row % 3, row / 3 % 3, row / 9 % 4, row / 36);
        let words = ["hate", "is", "love"][text];
        let filler_word = ["sun", "rain", "the", "a"][filler];
        let (label, relation) = match (text, image) {
            (a, b) if a == b => (LABELS[a], "agree"),
            (1, other) | (other, 1) => (LABELS[other], "one_neutral"),
            _ => ("conflict", "conflict"),
        };
        let split = if (filler + shade) % 4 == 0 { "val" } else { "train" };
        table += &format!(
            "p{row}\timages/{image}{shade}.bmp\t{words} {filler_word}\t{}\t{}\t{label}\t{relation}\tg{}\t{split}\n",
            LABELS[text],
            LABELS[image],
            row / 2,
        );
    }
    world.write("pairs.tsv", table);
    with_resnet(&world);
    world.write(
        "train.toml",
        "seed = 3\nout = 'run'\n[model]\nfrom = 'checkpoint'\nfusion = { width = 16, heads = 2 }\n\
         [fusion]\npairs = 'pairs.tsv'\nstandardise_image = true\n\
         [fusion.learning]\nepochs = 30\nbatch_size = 16\nlearning_rate = 1e-2\nema = 0.9\n",
    );
    world
}

/// Puts a ResNet-18 for small pictures into the checkpoint. Weights of He's size (He et al. 2015) keep what tells
/// colours apart through all layers.
fn with_resnet(world: &World) {
    let mut config = tiny_config();
    config.image.architecture = Architecture::Resnet18;
    config.preprocess.input_size = 32;
    let variables = VarMap::new();
    FloatModel::load(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu), &config)
        .expect("a model");
    let mut state = 1u32;
    for (_, variable) in sorted(&variables) {
        let inputs: usize = variable.dims().iter().skip(1).product();
        if variable.dims().len() < 2 {
            continue;
        }
        let scale = (6.0 / inputs as f32).sqrt();
        let values: Vec<f32> = (0..variable.elem_count())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
            })
            .collect();
        let tensor = Tensor::from_vec(values, variable.dims(), &Device::Cpu).expect("fits");
        variable.set(&tensor).expect("same shape");
    }
    world.write("checkpoint/config.json", serde_json::to_string(&config).expect("plain values"));
    variables.save(world.path("checkpoint/model.safetensors")).expect("written");
}

/// The variables by name, so that a seed always meets the same one.
fn sorted(variables: &VarMap) -> Vec<(String, candle_core::Var)> {
    let data = variables.data().lock().expect("one thread");
    let mut variables: Vec<_> = data.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    variables
}

fn train(world: &World, more: &[&str]) -> common::Run {
    let config = world.path("train.toml").display().to_string();
    run(["train", &config].into_iter().chain(more.iter().copied()))
}

fn json(world: &World, file: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(world.path(file)).expect(file)).expect("JSON")
}

/// The figures of the first of the best epochs, which is the one that is kept.
fn best(world: &World, folder: &str) -> HashMap<String, f64> {
    let lines = fs::read_to_string(world.path(&format!("{folder}/metrics.jsonl"))).expect("metrics.jsonl");
    let epochs = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let score = |epoch: &serde_json::Value| epoch["score"].as_f64().expect("a score");
    let best = epochs.rev().max_by(|a, b| score(a).total_cmp(&score(b))).expect("an epoch");
    serde_json::from_value(best["val"].clone()).expect("figures")
}

#[test]
fn fusion_beats_both_of_its_modalities_where_both_are_needed() {
    let world = world();
    train(&world, &[]).ok();
    let figures = best(&world, "run");
    let (both, text, image) = (figures["accuracy"], figures["text_accuracy"], figures["image_accuracy"]);
    assert!(both > 0.9, "{figures:?}");
    assert!(both > text + 0.15 && both > image + 0.15, "{figures:?}");
    assert!(figures["text_share"] > 0.05 && figures["image_share"] > 0.05, "{figures:?}");

    // The checkpoint reads plain features: what it was standardised by is in its weights.
    let path = |name: &str| world.path(name).display().to_string();
    let (checkpoint, pairs, out) = (path("run/checkpoint"), path("pairs.tsv"), path("report.json"));
    run(["eval", "--checkpoint", &checkpoint, "--pairs", &pairs, "--split", "val", "--json", &out]).ok();
    let report = json(&world, "report.json");
    for (reading, accuracy) in [("whole", both), ("text", text), ("image", image)] {
        let measured = report[reading]["accuracy"].as_f64().expect("an accuracy");
        assert!((measured - accuracy).abs() < 0.03, "{reading}: {measured} against {accuracy}");
    }
}

#[test]
fn seeds_and_folds_tell_mean_and_spread() {
    let world = world();
    let few = ["--set", "fusion.learning.epochs=2", "--features"];
    let kept = world.path("kept").display().to_string();
    let args =
        |more: &[&str]| [&few[..], &[kept.as_str()], more].concat().iter().map(|s| s.to_string()).collect();
    let repeat = |more: &[&str]| {
        let args: Vec<String> = args(more);
        train(&world, &args.iter().map(String::as_str).collect::<Vec<_>>()).ok()
    };
    let printed = repeat(&["--folds", "3", "--seeds", "2"]);
    assert!(printed.contains("of 6 runs") && printed.contains("macro_f1"), "{printed}");
    assert!(!world.path("run/checkpoint").exists(), "a study keeps no model");
    let summary = json(&world, "run/folds.json");
    let runs = summary["runs"].as_array().expect("runs");
    let held: u64 = runs.iter().take(3).map(|run| run["rows"].as_u64().expect("rows")).sum();
    assert_eq!((runs.len(), held), (6, 144));
    let mean: f64 =
        runs.iter().map(|run| run["figures"]["accuracy"].as_f64().expect("a figure")).sum::<f64>() / 6.0;
    assert!((summary["spread"]["accuracy"]["mean"].as_f64().expect("a mean") - mean).abs() < 1e-9);
    let lines = fs::read_to_string(world.path("run/metrics.jsonl")).expect("metrics.jsonl");
    assert_eq!(lines.lines().filter(|line| line.contains("\"fold\":2")).count(), 4);

    // The same seeds again, from the kept features: the same figures.
    let files = || fs::read_dir(world.path("kept")).expect("a folder").count();
    let before = files();
    repeat(&["--folds", "3", "--seeds", "2"]);
    assert_eq!((json(&world, "run/folds.json"), files()), (summary, before));
    repeat(&["--seeds", "2", "--out", &world.path("other").display().to_string()]);
    assert_eq!(json(&world, "other/folds.json")["runs"].as_array().map(Vec::len), Some(2));
    train(&world, &["--folds", "90"]).refused(&["--folds 90"]);
}

#[test]
fn every_option_changes_what_is_learned() {
    let world = world();
    let out = |name: &str| world.path(name).display().to_string();
    let kept = out("kept");
    let weights = |name: &str, more: &[&str]| {
        let base = ["--set", "fusion.learning.epochs=1", "--features", &kept, "--out", &out(name)]
            .map(str::to_owned);
        let args: Vec<&str> = base.iter().map(String::as_str).chain(more.iter().copied()).collect();
        train(&world, &args).ok();
        fs::read(world.path(&format!("{name}/checkpoint/model.safetensors"))).expect("weights")
    };
    let plain = weights("plain", &[]);
    assert!(plain == weights("again", &[]), "a seed fixes the result");
    let teachers = format!("fusion.distillation.teachers=['{}']", out("plain/checkpoint"));
    let options = [
        "fusion.learning.ema=0.0",
        "fusion.learning.gce=0.7",
        "fusion.learning.label_smoothing=0.2",
        "fusion.learning.r_drop=1.0",
        "fusion.learning.ogm_ge=0.5",
        "fusion.learning.class_balance=1.0",
        "fusion.modality_dropout=0.3",
        "fusion.pair_loss=0.5",
        "fusion.views=3",
        "fusion.standardise_image=false",
        "fusion.text_loss=0.0",
        "fusion.image_loss=0.0",
        "fusion.fine_tune_text=true",
        "fusion.fine_tune_image=true fusion.standardise_image=false",
        "fusion.fine_tune_image=true fusion.standardise_image=false fusion.augment=true",
        "model.fusion.kind=concat",
        &teachers,
    ];
    let mut seen = vec![plain];
    for (i, option) in options.into_iter().enumerate() {
        let set: Vec<&str> = option.split(' ').flat_map(|setting| ["--set", setting]).collect();
        let changed = weights(&format!("option{i}"), &set);
        assert!(!seen.contains(&changed), "{option} changes nothing");
        seen.push(changed);
    }
    train(&world, &["--set", "fusion.learning.epoks=1"]).refused(&["epoks", "--set"]);
    train(&world, &["--set", "fusion.distillation.teachers=['nowhere']"]).refused(&["nowhere"]);
}
