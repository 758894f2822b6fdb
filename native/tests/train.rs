//! `mixed-feelings train` on a tiny world: it learns, it resumes exactly, it says what is wrong.

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use candle_core::{Device, Tensor};
use common::{run, world::World};

/// A world with two base encoders, cut out of its checkpoint, and a training config over them.
fn world(epochs: usize) -> World {
    let world = World::new().with_checkpoint().with_tables().with_base_encoders(32);
    let learning = |rate: f64| {
        format!(
            "epochs = {epochs}\nbatch_size = 2\nlearning_rate = {rate}\ncheckpoint_every = 1\nema = 0.9\n"
        )
    };
    world.write(
        "train.toml",
        format!(
            "seed = 3\nout = 'run'\n[model]\ntext = 'base/text'\nimage = 'base/image'\nmax_tokens = 16\n\
             fusion = {{ kind = 'tokens', width = 8, heads = 2 }}\n\
             [text]\ntrain = [{{ file = 'texts.tsv' }}, {{ file = 'pairs.tsv', label = 'text_label', split = 'train' }}, \
             {{ file = 'texts.tsv', task = 'mood', weight = 0.5 }}]\n\
             val = {{ file = 'pairs.tsv', label = 'text_label', split = 'val' }}\n[text.learning]\n{}\
             [image]\npairs = 'pairs.tsv'\naugment = true\n[image.learning]\n{}\
             freeze = ['image.conv_stem.*', 'image.bn1.*', 'image.blocks.0.*', 'image.blocks.1.*']\n\
             [fusion]\npairs = 'pairs.tsv'\nmodality_dropout = 0.2\nstandardise_image = true\n[fusion.learning]\n{}r_drop = 0.5\nogm_ge = 0.5\ngce = 0.7\n",
            learning(1e-2),
            learning(1e-3),
            learning(1e-2),
        ),
    );
    world
}

/// The lines of `metrics.jsonl` without time and memory, which no seed fixes.
fn metrics(world: &World) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(world.path("run/metrics.jsonl")).expect("metrics.jsonl");
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["seconds"] = 0.into();
        line["peak_bytes"] = 0.into();
        line
    };
    text.lines().map(line).collect()
}

fn train(world: &World, more: &[&str]) -> common::Run {
    let config = world.path("train.toml").display().to_string();
    run(["train", &config].into_iter().chain(more.iter().copied()))
}

#[test]
fn a_training_leaves_a_model_that_can_be_used() {
    let world = world(2);
    train(&world, &[]).ok();
    let metrics = metrics(&world);
    let stages: Vec<&str> = metrics.iter().filter_map(|line| line["stage"].as_str()).collect();
    assert_eq!(stages, ["text", "text", "image", "image", "fusion", "fusion"]);
    let (checkpoint, pairs) = (world.path("run/checkpoint"), world.path("pairs.tsv"));
    let tensors = candle_core::safetensors::load(checkpoint.join("model.safetensors"), &Device::Cpu);
    let tensors = tensors.expect("the trained weights");
    for head in ["text", "image", "fused"] {
        let temperature = tensors[&format!("temperature.{head}")].to_vec1::<f32>().expect("one number")[0];
        assert!((0.05..=20.0).contains(&temperature) && temperature != 1.0, "{head}: {temperature}");
    }
    let (checkpoint, pairs) = (checkpoint.display().to_string(), pairs.display().to_string());
    let out = run(["eval", "--checkpoint", &checkpoint, "--pairs", &pairs, "--split", "val"]).ok();
    assert!(out.contains("accuracy"), "{out}");

    let tensors = world.path("run/checkpoint/model.safetensors");
    let tensors = candle_core::safetensors::load(tensors, &Device::Cpu).expect("the checkpoint");
    assert!(tensors.contains_key("heads.text.weight"));
    assert!(!tensors.keys().any(|name| name.contains("mood")), "a task's head serves the training alone");
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns() {
    let world = world(1);
    train(&world, &["--set", "text.learning.freeze=['text.embeddings.*', 'heads.text.bias']"]).ok();
    let load = |file: &str| candle_core::safetensors::load(world.path(file), &Device::Cpu).expect(file);
    let learned = load("run/checkpoint/model.safetensors");
    let values =
        |tensor: &Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("floats");
    let stays = ["text.embeddings.", "image.conv_stem.", "image.bn1.", "image.blocks.0.", "image.blocks.1."];
    let is_frozen = |name: &str| stays.iter().any(|start| name.starts_with(start));
    let (mut frozen, mut changed) = (0, 0);
    for side in ["text", "image"] {
        for (name, before) in load(&format!("base/{side}/model.safetensors")) {
            let name = format!("{side}.{name}");
            let same = values(&before) == values(&learned[&name]);
            assert_eq!(same, is_frozen(&name), "{name}: bit for bit as before is {same}");
            *if same { &mut frozen } else { &mut changed } += 1;
        }
    }
    assert!(frozen > 20 && changed > 20, "{frozen} frozen, {changed} changed");
}

#[test]
fn logits_are_adjusted_by_the_shares_of_val() {
    let world = world(1);
    let bias = |strength: &str| {
        let [adjustment, freeze] =
            [format!("text.logit_adjustment={strength}"), "fusion.learning.freeze=['heads.text.*']".into()];
        train(&world, &["--set", &adjustment, "--set", &freeze]).ok();
        let learned =
            candle_core::safetensors::load(world.path("run/checkpoint/model.safetensors"), &Device::Cpu);
        learned.expect("the trained weights")["heads.text.bias"].to_vec1::<f32>().expect("floats")
    };
    let (plain, adjusted) = (bias("0"), bias("0.5"));
    let table = fs::read_to_string(world.path("pairs.tsv")).expect("the pairs");
    let mut rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let names = rows.next().expect("a header");
    let column = |name: &str| names.iter().position(|said| *said == name).expect(name);
    let (split, label) = (column("split"), column("text_label"));
    let val: Vec<_> = rows.filter(|row| row[split] == "val").map(|row| row[label].to_owned()).collect();
    for (class, name) in ["negative", "neutral", "positive"].into_iter().enumerate() {
        let count = val.iter().filter(|said| *said == name).count().max(1);
        let gain = -0.5 * (count as f32 / val.len() as f32).ln();
        let got = adjusted[class] - plain[class];
        assert!((got - gain).abs() < 1e-5, "{name}, {count} of {}: {got} is not {gain}", val.len());
    }
    train(&world, &["--set", "text.logit_adjustment=2"]).refused(&["logit_adjustment = 2"]);
}

#[test]
fn contrastive_loss_and_hard_examples_change_what_is_learned() {
    let world = world(1);
    let loss = |settings: &[&str]| {
        let common = ["--set", "text.learning.batch_size=8", "--threads", "1"];
        train(&world, &[&common[..], settings].concat()).ok();
        metrics(&world)[0]["loss"].as_f64().expect("the loss of the text stage")
    };
    let plain = loss(&[]);
    let contrastive = loss(&["--set", "text.contrastive=0.5"]);
    let hardest = loss(&["--set", "text.learning.hardest=0.5"]);
    assert!(contrastive > plain, "{contrastive}, without {plain}");
    assert!(hardest > plain, "{hardest} of the harder half, {plain} of all");
}

#[test]
fn a_stage_stops_when_val_no_longer_gets_better() {
    let world = world(8);
    // So small a rate changes no answer: the first epoch stays the best.
    let still = |stage: &str| {
        [format!("{stage}.learning.learning_rate=1e-12"), format!("{stage}.learning.patience=2")]
    };
    let settings: Vec<String> = ["text", "fusion"].into_iter().flat_map(still).collect();
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    train(&world, &settings).ok();
    let told = metrics(&world);
    let epochs = |stage: &str| -> Vec<u64> {
        told.iter()
            .filter(|line| line["stage"] == stage)
            .map(|line| line["epoch"].as_u64().expect("a number"))
            .collect()
    };
    assert_eq!((epochs("text"), epochs("fusion")), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(epochs("image").len(), 8, "without patience all epochs are run");
    let best = fs::read(world.path("run/text.best.safetensors")).expect("the best epoch");
    train(&world, &[&settings[..], &["--resume"]].concat()).ok();
    assert_eq!(metrics(&world), told, "what has stopped does not go on");
    assert!(fs::read(world.path("run/text.best.safetensors")).expect("the best epoch") == best);
}

#[test]
fn a_training_that_was_killed_goes_on_exactly() {
    let whole = world(40);
    train(&whole, &[]).ok();

    let broken = world(40);
    for stage in ["text", "image", "fusion"] {
        kill_once_there(&broken, &broken.path(&format!("run/{stage}.state.safetensors")));
    }
    let finished = broken.path("run/checkpoint/model.safetensors").exists();
    assert!(!finished, "it was killed too late to prove a thing");
    train(&broken, &["--resume"]).ok();

    assert_eq!(metrics(&whole), metrics(&broken));
    let weights = |world: &World| fs::read(world.path("run/checkpoint/model.safetensors")).expect("weights");
    assert!(weights(&whole) == weights(&broken), "the weights differ");
}

/// Starts or resumes a training and kills it as soon as `file` is there.
fn kill_once_there(world: &World, file: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mixed-feelings"))
        .args(["train".as_ref(), world.path("train.toml").as_os_str(), "--resume".as_ref()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    while !file.exists() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(file.exists(), "{} never came to be", file.display());
}

#[test]
fn what_is_wrong_is_said() {
    let world = world(1);
    let config = fs::read_to_string(world.path("train.toml")).expect("the config");
    let refused = |name: &str, content: String, words: &[&str]| {
        let path = world.write(name, content).display().to_string();
        let before = world.listing();
        run(["train", &path]).refused(words);
        assert_eq!(world.listing(), before, "nothing is left behind");
    };
    refused("unknown.toml", config.replace("checkpoint_every", "checkpoint_evry"), &["checkpoint_evry"]);
    refused("rate.toml", config.replace("learning_rate = 0.01", "learning_rate = -1"), &["learning_rate"]);
    refused("weight.toml", config.replace("weight = 0.5", "weight = 0"), &["weight", "mood"]);
    for (setting, words) in [
        ("text.contrastive=-1", ["contrastive", "-1"]),
        ("text.learning.hardest=0", ["hardest", "0"]),
        ("text.learning.hardest=1.5", ["hardest", "1.5"]),
    ] {
        train(&world, &["--set", setting]).refused(&words);
    }
    let texts_as_labels = config.replace("'texts.tsv' }", "'texts.tsv', label = 'text' }");
    refused("classes.toml", texts_as_labels, &["texts.tsv", "so good", "positive"]);
    refused("folder.toml", config.replace("base/text", "base/none"), &["base/none"]);
    refused("column.toml", config.replace("'text_label'", "'mood'"), &["no column `mood`", "pairs.tsv"]);
    let missing = world.path("none.toml").display().to_string();
    run(["train", &missing]).refused(&["none.toml"]);
    train(&world, &["--set", "text.learning.freeze=['text.embedings.*']"]).refused(&["text.embedings.*"]);
}
