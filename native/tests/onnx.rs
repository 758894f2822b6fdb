//! The ONNX files that the program writes give in another runtime what this project's models give.

mod common;

use std::{fs, path::Path};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use common::{
    posts::{Answers, Batch, dequantized, pictures, quantized},
    run,
    world::World,
};
use mixed_feelings::{
    Bundle, Labels,
    inference::float::FloatModel,
    model::{Architecture, FusionKind, HiddenActivation, ModelConfig, Preprocess},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
};
use rten_tensor::{NdTensor, prelude::*};

/// What rten gives, of the inputs that the file has.
fn ask_rten(batch: &Batch, preprocess: &Preprocess, file: &rten::Model, output: &str) -> Vec<f32> {
    let (shape, ids, mask) = batch.ids_and_mask();
    let (pixels_shape, pixels) = batch.pixels(preprocess);
    let [has_text, has_image] = batch.has();
    let integers = |values: Vec<u32>| {
        NdTensor::from_data(shape, values.into_iter().map(|v| v as i32).collect::<Vec<_>>())
    };
    let posts = [batch.posts.len()];
    let all: [(&str, rten::Value); 5] = [
        ("input_ids", integers(ids).into_dyn().into()),
        ("attention_mask", integers(mask).into_dyn().into()),
        ("pixel_values", NdTensor::from_data(pixels_shape, pixels).into_dyn().into()),
        ("has_text", NdTensor::from_data(posts, has_text).into_dyn().into()),
        ("has_image", NdTensor::from_data(posts, has_image).into_dyn().into()),
    ];
    let inputs =
        all.into_iter().filter_map(|(name, value)| Some((file.find_node(name)?, value.into()))).collect();
    let node = file.node_id(output).expect("an output");
    let [said] = file.run_n(inputs, [node], None).expect("it runs");
    said.into_tensor::<f32>().expect("floats").to_vec()
}

/// Holds rten's outputs to `expected` ones.
fn assert_agrees(batch: &Batch, expected: &Answers, config: &ModelConfig, file: &rten::Model, bound: f32) {
    for (&output, expected) in expected {
        let said = ask_rten(batch, &config.preprocess, file, output);
        assert_eq!(expected.len(), said.len(), "{output} of {}", batch.what);
        for (a, b) in expected.iter().zip(said) {
            let Some(a) = *a else { continue };
            let what = format!("{output} of {}, {:?}", batch.what, config.fusion.kind);
            assert!((a - b).abs() < bound * a.abs().max(1.0), "{what}: expected {a}, rten {b}");
        }
    }
}

fn batches(config: &ModelConfig) -> Vec<Batch> {
    Batch::all([&[2, 5, 7, 3], &[2, 9, 3]], pictures(config))
}

fn load_checkpoint(world: &World, config: &ModelConfig) -> FloatModel {
    let tensors = candle_core::safetensors::load(world.path("checkpoint/model.safetensors"), &Device::Cpu);
    let builder = VarBuilder::from_tensors(tensors.expect("weights"), DType::F32, &Device::Cpu);
    FloatModel::load(builder, config).expect("a model")
}

fn config(kind: FusionKind, architecture: Architecture, activation: HiddenActivation) -> ModelConfig {
    let mut config = tiny_config();
    config.fusion.kind = kind;
    config.image.architecture = architecture;
    config.text.hidden_act = activation;
    config
}

/// Exports a part of the world's `checkpoint` or `bundle`.
fn export(world: &World, source: &str, part: &str, more: &[&str]) -> rten::Model {
    let (path, out) = (world.path(source), world.path(&format!("{part}.onnx")));
    let arguments = ["export-onnx".into(), format!("--{source}").into(), path.into_os_string()];
    let rest = ["--part".into(), part.into(), "--out".into(), out.clone().into_os_string()];
    let more = more.iter().map(|&more| more.into());
    let told = run(arguments.into_iter().chain(rest).chain(more)).ok();
    assert!(told.contains("opset 17"), "{told}");
    rten::Model::load(fs::read(out).expect("written")).expect("an ONNX file")
}

/// Labels other than the default ones, with more than one pair that is opposed.
fn moods() -> Labels {
    let labels = [("anger", -1.0), ("sadness", -0.5), ("calm", 0.25), ("surprise", 0.0), ("joy", 1.0)];
    let labels = labels.map(|(name, polarity)| serde_json::json!({"name": name, "polarity": polarity}));
    Labels::from_json(&serde_json::json!(labels).to_string()).expect("labels")
}

#[test]
fn every_kind_of_model_gives_the_same_in_another_runtime() {
    let kinds = [
        config(FusionKind::Pooled, Architecture::EfficientnetLite0, HiddenActivation::Gelu),
        config(FusionKind::Tokens, Architecture::Resnet18, HiddenActivation::GeluNew),
        config(FusionKind::Concat, Architecture::Resnet50, HiddenActivation::Relu),
        config(FusionKind::Late, Architecture::EfficientnetLite0, HiddenActivation::Gelu),
        config(FusionKind::Pooled, Architecture::MobilenetV3Small, HiddenActivation::Gelu),
    ];
    for mut config in kinds {
        if config.fusion.kind == FusionKind::Tokens {
            config.labels = moods();
        }
        let world = World::new().with_checkpoint_of(&config);
        let model = load_checkpoint(&world, &config);
        let file = export(&world, "checkpoint", "model", &[]);
        for batch in batches(&config) {
            let expected = batch.ask_float(&model, &config.preprocess).expect("candle runs");
            assert_agrees(&batch, &expected, &config, &file, 1e-4);
        }
    }
}

#[test]
fn each_encoder_can_be_had_alone() {
    let config = config(FusionKind::Pooled, Architecture::EfficientnetLite0, HiddenActivation::Gelu);
    let world = World::new().with_checkpoint_of(&config);
    let model = load_checkpoint(&world, &config);
    let batch = &batches(&config)[1];
    let expected = batch.ask_float(&model, &config.preprocess).expect("candle runs");
    for part in ["text", "image"] {
        let output = format!("{part}_logits");
        let expected = expected.clone().into_iter().filter(|(name, _)| *name == output).collect();
        assert_agrees(batch, &expected, &config, &export(&world, "checkpoint", part, &[]), 1e-4);
    }
}

#[test]
fn a_bundle_is_written_as_its_dequantized_weights() {
    let config = config(FusionKind::Pooled, Architecture::Resnet18, HiddenActivation::Gelu);
    let world = World::new();
    let bundle = world.write("bundle", random_bundle(&config, &tiny_tokenizer(), 5).expect("a bundle"));
    let model = dequantized(&parse(&bundle)).expect("a model");
    let file = export(&world, "bundle", "model", &[]);
    for batch in batches(&config) {
        let expected = batch.ask_float(&model, &config.preprocess).expect("candle runs");
        assert_agrees(&batch, &expected, &config, &file, 1e-4);
    }
}

/// Of the integers, rten knows those of the text. A picture's run in other runtimes, in
/// `onnx_runtimes.rs`.
#[test]
fn a_texts_integers_give_what_the_quantized_model_gives() {
    for (activation, seed) in
        [(HiddenActivation::Gelu, 5), (HiddenActivation::GeluNew, 6), (HiddenActivation::Relu, 7)]
    {
        let config = config(FusionKind::Late, Architecture::EfficientnetLite0, activation);
        let world = World::new();
        let bundle = random_bundle(&config, &tiny_tokenizer(), seed).expect("a bundle");
        let bundle = world.write("bundle", bundle);
        let batch = &batches(&config)[1];
        let expected =
            batch.ask_quantized(&mut quantized(parse(&bundle)).expect("a model")).expect("it runs");
        let expected = expected.into_iter().filter(|(name, _)| *name == "text_logits").collect();
        assert_agrees(batch, &expected, &config, &export(&world, "bundle", "text", &["--int8"]), 1e-4);
    }
}

fn parse(bundle: &Path) -> Bundle {
    Bundle::parse(fs::read(bundle).expect("written")).expect("a bundle")
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let world = World::new();
    let path = world.path("nowhere");
    run(["export-onnx".as_ref(), "--checkpoint".as_ref(), path.as_os_str()])
        .refused(&["nowhere", "no such folder"]);
    assert!(world.listing().is_empty());
}

#[test]
fn a_source_is_named_once_and_integers_need_a_bundle() {
    for (arguments, word) in [
        (&["--checkpoint", "a", "--bundle", "b"][..], "cannot be used with"),
        (&["--checkpoint", "a", "--int8"], "cannot be used with"),
        (&["--int8"], "<--checkpoint <DIR>|--bundle <FILE>>"),
        (&[], "<--checkpoint <DIR>|--bundle <FILE>>"),
    ] {
        let run = run(["export-onnx"].iter().chain(arguments));
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.err.contains(word), "{run:?}");
    }
}

#[test]
fn a_broken_bundle_is_refused() {
    let world = World::new();
    let whole = random_bundle(&tiny_config(), &tiny_tokenizer(), 5).expect("a bundle");
    world.write("cut.safetensors", &whole[..whole.len() - 1]);
    world.write("other.safetensors", b"no bundle at all");
    let before = world.listing();
    for (name, words) in [
        ("cut.safetensors", &["cut.safetensors", "cut off"]),
        ("other.safetensors", &["other.safetensors", "not a mixed-feelings bundle"]),
        ("none.safetensors", &["none.safetensors", "no such file"]),
    ] {
        let path = world.path(name);
        run(["export-onnx".as_ref(), "--bundle".as_ref(), path.as_os_str()]).refused(words);
    }
    assert_eq!(world.listing(), before);
}
