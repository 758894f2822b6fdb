//! Trainings that cannot be: encoders that are not what their config says, inputs that are missing or broken, states of
//! another training. The right message, exit code 1, and as little as can be left behind.

mod common;

use std::{collections::HashMap, fs};

use candle_core::{Device, Tensor};
use common::{Run, run, world::World};

/// A world with two base encoders and a short training of the text and the fusion stage.
fn world() -> World {
    let world = World::new().with_checkpoint().with_tables().with_base_encoders(32);
    let learning = "epochs = 1\nbatch_size = 2\nlearning_rate = 1e-3\n";
    let config = format!(
        "out = 'run'\n[model]\ntext = 'base/text'\nimage = 'base/image'\nmax_tokens = 16\n\
         [text]\ntrain = [{{ file = 'texts.tsv' }}]\n\
         val = {{ file = 'pairs.tsv', label = 'text_label', split = 'val' }}\n[text.learning]\n{learning}\
         [fusion]\npairs = 'pairs.tsv'\n[fusion.learning]\n{learning}"
    );
    let from = config.replace("text = 'base/text'\nimage = 'base/image'", "from = 'checkpoint'");
    world.write("from.toml", from);
    world.write("train.toml", config);
    world
}

fn train(world: &World, more: &[&str]) -> Run {
    let config = world.path("train.toml").display().to_string();
    run(["train", &config].into_iter().chain(more.iter().copied()))
}

fn load(world: &World, file: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(world.path(file), &Device::Cpu).expect(file)
}

/// Changes the file, expects the training to be refused before it makes anything, and puts the file back.
fn with_file(world: &World, file: &str, content: &[u8], check: impl Fn(Run)) {
    let whole = fs::read(world.path(file)).expect(file);
    world.write(file, content);
    let before = world.listing();
    check(train(world, &[]));
    assert_eq!(world.listing(), before, "nothing is left behind");
    world.write(file, whole);
}

fn with_text(world: &World, file: &str, change: impl Fn(String) -> String, words: &[&str]) {
    let whole = fs::read_to_string(world.path(file)).expect(file);
    let changed = change(whole.clone());
    assert_ne!(changed, whole);
    with_file(world, file, changed.as_bytes(), |run| run.refused(words));
}

fn with_tensors(world: &World, file: &str, change: impl Fn(&mut HashMap<String, Tensor>), words: &[&str]) {
    let mut tensors = load(world, file);
    change(&mut tensors);
    let changed = safetensors::serialize(&tensors, None).expect("bytes");
    with_file(world, file, &changed, |run| run.refused(words));
}

#[test]
fn an_encoder_is_exactly_what_its_config_says() {
    let world = world();
    let (config, weights) = ("base/text/config.json", "base/text/model.safetensors");
    let layers = |count: usize| {
        move |config: String| {
            config.replace("\"num_hidden_layers\":2", &format!("\"num_hidden_layers\":{count}"))
        }
    };
    with_text(&world, config, layers(3), &[weights, "encoder.layer.2."]);
    with_text(&world, config, layers(1), &[weights, "no place for encoder.layer.1."]);
    let narrow = |config: String| config.replace("\"intermediate_size\":32", "\"intermediate_size\":16");
    with_text(&world, config, narrow, &[weights, "shape mismatch", "intermediate"]);
    let roberta = |config: String| config.replacen('{', "{\"model_type\":\"roberta\",", 1);
    with_text(&world, config, roberta, &[config, "model_type = roberta"]);
    let relative = |config: String| config.replacen('{', "{\"position_embedding_type\":\"relative_key\",", 1);
    with_text(&world, config, relative, &[config, "position_embedding_type = relative_key"]);
    let gone = "encoder.layer.0.output.dense.bias";
    with_tensors(&world, weights, |tensors| drop(tensors.remove(gone)), &[weights, gone]);
    let prefixed = |tensors: &mut HashMap<String, Tensor>| {
        *tensors = tensors.drain().map(|(name, tensor)| (format!("roberta.{name}"), tensor)).collect();
    };
    with_tensors(&world, weights, prefixed, &[weights, "cannot find tensor embeddings."]);
    let fewer = |config: String| config.replace("\"vocab_size\":", "\"vocab_size\":5, \"vocab_size_was\":");
    with_text(&world, config, fewer, &[weights, "word_embeddings"]);

    let larger = |tokenizer: String| tokenizer.replacen("\"love\":", "\"love\":1000,\"lov\":", 1);
    with_text(&world, "base/text/tokenizer.json", larger, &["tokenizer.json", "token 1000 has no embedding"]);

    let (config, weights) = ("base/image/config.json", "base/image/model.safetensors");
    let larger = |config: String| config.replace("efficientnet_lite0", "efficientnet_lite1");
    with_text(&world, config, larger, &[weights, "blocks."]);
    let gone = "blocks.3.0.bn1.running_mean";
    with_tensors(&world, weights, |tensors| drop(tensors.remove(gone)), &[weights, gone]);
    let more = |tensors: &mut HashMap<String, Tensor>| {
        let weight = tensors["conv_head.weight"].clone();
        tensors.insert("conv_more.weight".into(), weight.clone());
        // A classifier is no part of the encoder.
        tensors.insert("classifier.weight".into(), weight);
    };
    with_tensors(&world, weights, more, &[weights, "no place for conv_more.weight:"]);
}

#[test]
fn a_checkpoint_to_start_from_is_whole() {
    let world = world();
    let path = |name: &str| world.path(name).display().to_string();
    let refused = |change: &dyn Fn(&mut HashMap<String, Tensor>), words: &[&str]| {
        let whole = fs::read(world.path("checkpoint/model.safetensors")).expect("the weights");
        let mut tensors = load(&world, "checkpoint/model.safetensors");
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, world.path("checkpoint/model.safetensors"))
            .expect("written");
        let before = world.listing();
        let mut all = vec!["checkpoint", "model.safetensors"];
        all.extend(words);
        run(["train", &path("from.toml")]).refused(&all);
        assert_eq!(world.listing(), before);
        // Nor may it teach or be measured.
        let teachers = format!("fusion.distillation.teachers=['{}']", path("checkpoint"));
        train(&world, &["--set", &teachers]).refused(&all);
        run(["eval", "--texts", &path("texts.tsv"), "--checkpoint", &path("checkpoint")]).refused(&all);
        world.write("checkpoint/model.safetensors", whole);
    };
    let gone = "text.encoder.layer.1.output.dense.weight";
    refused(&|tensors| drop(tensors.remove(gone)), &[gone]);
    refused(
        &|tensors| {
            let more = tensors["heads.text.bias"].clone();
            tensors.insert("text.encoder.layer.2.output.dense.bias".into(), more);
        },
        &["no place for text.encoder.layer.2."],
    );
    run(["train", &path("from.toml")]).ok();
}

#[test]
fn what_is_missing_is_told_before_anything_is_made() {
    let world = world();
    let removed = |file: &str, words: &[&str]| {
        let whole = fs::read(world.path(file)).expect(file);
        fs::remove_file(world.path(file)).expect("removed");
        let before = world.listing();
        train(&world, &[]).refused(words);
        assert_eq!(world.listing(), before, "nothing is left behind");
        world.write(file, whole);
    };
    removed("images/3.bmp", &["pairs.tsv line 5", "images/3.bmp", "no such file"]);
    removed("texts.tsv", &["texts.tsv", "no such file"]);
    removed("pairs.tsv", &["pairs.tsv", "no such file"]);
    let long = "so good ".repeat(25_000);
    let row = |table: String| format!("{table}positive\t{long}\n");
    with_text(&world, "texts.tsv", row, &["texts.tsv line 5", "200000 bytes", "100000"]);
    let row =
        |table: String| format!("{table}p6\timages/0.bmp\t{long}\tneutral\tneutral\tneutral\tagree\ttrain\n");
    with_text(&world, "pairs.tsv", row, &["pairs.tsv line 8", "200000 bytes", "100000"]);
    let glad = |table: String| table.replace("positive\tso good", "glad\tso good");
    with_text(&world, "texts.tsv", glad, &["texts.tsv line 2", "`glad`"]);
    train(&world, &[]).ok();
}

#[test]
fn a_broken_picture_is_named_and_can_be_mended() {
    let world = world();
    let whole = fs::read(world.path("images/4.bmp")).expect("a picture");
    world.write("images/4.bmp", &whole[..whole.len() / 2]);
    train(&world, &[]).refused(&["images/4.bmp", "damaged"]);
    assert!(!world.path("run/checkpoint").exists());
    world.write("images/4.bmp", whole);
    train(&world, &["--resume"]).ok();
    assert!(world.path("run/checkpoint/model.safetensors").exists());
}

#[test]
fn a_state_is_resumed_by_its_own_config_alone() {
    let world = world();
    train(&world, &[]).ok();
    let weights = || fs::read(world.path("run/checkpoint/model.safetensors")).expect("weights");
    let before = weights();
    let refused = |setting: &str, stage: &str| {
        let words = [&format!("{stage}.state.safetensors"), "another config", "leave out --resume"];
        train(&world, &["--resume", "--set", setting]).refused(&words);
        assert!(weights() == before, "{setting}");
    };
    refused("fusion.learning.epochs=2", "fusion");
    refused("fusion.text_loss=0.1", "fusion");
    refused("text.learning.learning_rate=1e-4", "text");
    refused("model.fusion.width=32", "text");
    refused("seed=9", "text");
    train(&world, &["--resume"]).ok();
    assert!(weights() == before, "a finished training has nothing left to do");

    for file in ["run/text.state.safetensors", "run/fusion.best.safetensors"] {
        let whole = fs::read(world.path(file)).expect("a state");
        for content in [&whole[..whole.len() - 1], &whole[..20], b""] {
            world.write(file, content);
            train(&world, &["--resume"]).refused(&[file, "leave out --resume to start anew"]);
        }
        fs::remove_file(world.path(file)).expect("removed");
        if file.contains("best") {
            train(&world, &["--resume"]).refused(&[file, "leave out --resume to start anew"]);
        }
        world.write(file, whole);
    }
    world.write("run/text.state.safetensors", "damaged");
    train(&world, &[]).ok();
    assert!(weights() == before, "the same from the start");
}
