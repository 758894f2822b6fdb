//! The ONNX files that the program writes say in another runtime what candle says.

mod common;

use std::{collections::HashMap, fs};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use common::{run, world::World};
use mixed_feelings::{
    Bundle,
    bundle::{dequantize, random_bundle, tiny_config, tiny_tokenizer},
    config::ModelConfig,
    fusion::{FusionKind, float::Outputs},
    image::Architecture,
    layers::Mode,
    model::Model,
    text::Activation,
};
use rten_tensor::{NdTensor, prelude::*};

/// Two posts: the second lacks its last token and, by turns, one of its sides.
struct Posts {
    ids: [[u32; 4]; 2],
    mask: [[f32; 4]; 2],
    pixels: Tensor,
    has_text: [f32; 2],
    has_image: [f32; 2],
}

impl Posts {
    fn new(side: usize, has_text: [f32; 2], has_image: [f32; 2]) -> Self {
        let values: Vec<f32> =
            (0..2 * 3 * side * side).map(|i| ((i * 37 % 101) as f32 - 50.0) / 40.0).collect();
        Posts {
            ids: [[2, 5, 7, 3], [2, 9, 3, 0]],
            mask: [[1.0; 4], [1.0, 1.0, 1.0, 0.0]],
            pixels: Tensor::from_vec(values, (2, 3, side, side), &Device::Cpu).expect("fits"),
            has_text,
            has_image,
        }
    }

    /// What candle says.
    fn ask_candle(&self, model: &Model) -> candle_core::Result<Outputs> {
        let here = |values: &[f32; 2]| Tensor::new(values, &Device::Cpu);
        let (ids, mask) = (Tensor::new(&self.ids, &Device::Cpu)?, Tensor::new(&self.mask, &Device::Cpu)?);
        let text = model.text_features(&ids, &mask, Mode::Infer)?;
        let image = model.image_features(&self.pixels, Mode::Infer)?;
        let (has_text, has_image) = (here(&self.has_text)?, here(&self.has_image)?);
        model.fusion.forward(Some(&text), Some(&image), &has_text, &has_image, Mode::Infer)
    }

    /// What rten says of the inputs that the file has.
    fn ask_rten(&self, file: &rten::Model, output: &str) -> Vec<f32> {
        let side = self.pixels.dims()[2];
        let integers = |values: [[i32; 4]; 2]| NdTensor::from_data([2, 4], values.concat()).into_dyn();
        let pixels: Vec<f32> = self.pixels.flatten_all().and_then(|p| p.to_vec1()).expect("floats");
        let all: [(&str, rten::Value); 5] = [
            ("input_ids", integers(self.ids.map(|row| row.map(|id| id as i32))).into()),
            ("attention_mask", integers(self.mask.map(|row| row.map(|m| m as i32))).into()),
            ("pixel_values", NdTensor::from_data([2, 3, side, side], pixels).into_dyn().into()),
            ("has_text", NdTensor::from_data([2], self.has_text.to_vec()).into_dyn().into()),
            ("has_image", NdTensor::from_data([2], self.has_image.to_vec()).into_dyn().into()),
        ];
        let inputs =
            all.into_iter().filter_map(|(name, value)| Some((file.find_node(name)?, value.into()))).collect();
        let node = file.node_id(output).expect("an output");
        let [said] = file.run_n(inputs, [node], None).expect("it runs");
        said.into_tensor::<f32>().expect("floats").to_vec()
    }
}

fn config(kind: FusionKind, architecture: Architecture, activation: Activation) -> ModelConfig {
    let mut config = tiny_config();
    config.fusion.kind = kind;
    config.image.architecture = architecture;
    config.text.hidden_act = activation;
    config
}

fn assert_close(candle: &Tensor, rten: &[f32], what: &str) {
    let candle: Vec<f32> = candle.flatten_all().and_then(|t| t.to_vec1()).expect("floats");
    assert_eq!(candle.len(), rten.len(), "{what}");
    for (a, b) in candle.iter().zip(rten) {
        assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{what}: candle {a}, rten {b}");
    }
}

/// Exports a part of the world's `checkpoint` or `bundle`.
fn export(world: &World, source: &str, part: &str) -> rten::Model {
    let (path, out) = (world.path(source), world.path(&format!("{part}.onnx")));
    let arguments = ["export-onnx".into(), format!("--{source}").into(), path.into_os_string()];
    let rest = ["--part".into(), part.into(), "--out".into(), out.clone().into_os_string()];
    let told = run(arguments.into_iter().chain(rest)).ok();
    assert!(told.contains("opset 17"), "{told}");
    rten::Model::load(fs::read(out).expect("written")).expect("an ONNX file")
}

#[test]
fn every_kind_of_model_says_the_same_in_another_runtime() {
    let kinds = [
        config(FusionKind::Pooled, Architecture::EfficientnetLite0, Activation::Gelu),
        config(FusionKind::Tokens, Architecture::Resnet18, Activation::GeluNew),
        config(FusionKind::Concat, Architecture::Resnet50, Activation::Relu),
        config(FusionKind::Late, Architecture::EfficientnetLite0, Activation::Gelu),
    ];
    for config in kinds {
        let world = World::new().with_checkpoint_of(&config);
        let weights = world.path("checkpoint/model.safetensors");
        let tensors: HashMap<_, _> = candle_core::safetensors::load(weights, &Device::Cpu).expect("weights");
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let model = Model::load(builder, &config).expect("a model");
        let file = export(&world, "checkpoint", "model");
        for (has_text, has_image) in
            [([1.0, 1.0], [1.0, 1.0]), ([1.0, 0.0], [1.0, 1.0]), ([1.0; 2], [0.0, 1.0])]
        {
            let posts = Posts::new(config.preprocess.input_size, has_text, has_image);
            let said = posts.ask_candle(&model).expect("candle runs");
            let what =
                |output: &str| format!("{output} of {:?}, {has_text:?} {has_image:?}", config.fusion.kind);
            for (output, candle) in [
                ("text_logits", said.text.as_ref()),
                ("image_logits", said.image.as_ref()),
                ("fused_logits", Some(&said.fused)),
                ("contradiction_logit", said.contradiction.as_ref()),
            ] {
                assert_close(candle.expect("both sides"), &posts.ask_rten(&file, output), &what(output));
            }
        }
    }
}

#[test]
fn each_encoder_can_be_had_alone() {
    let config = config(FusionKind::Pooled, Architecture::EfficientnetLite0, Activation::Gelu);
    let world = World::new().with_checkpoint_of(&config);
    let tensors = candle_core::safetensors::load(world.path("checkpoint/model.safetensors"), &Device::Cpu);
    let builder = VarBuilder::from_tensors(tensors.expect("weights"), DType::F32, &Device::Cpu);
    let model = Model::load(builder, &config).expect("a model");
    let posts = Posts::new(config.preprocess.input_size, [1.0; 2], [1.0; 2]);
    let said = posts.ask_candle(&model).expect("candle runs");
    for (part, logits) in [("text", said.text), ("image", said.image)] {
        let output = format!("{part}_logits");
        let rten = posts.ask_rten(&export(&world, "checkpoint", part), &output);
        assert_close(&logits.expect("both sides"), &rten, &output);
    }
}

#[test]
fn a_bundle_is_written_as_the_floats_it_stands_for() {
    let config = config(FusionKind::Pooled, Architecture::Resnet18, Activation::Gelu);
    let world = World::new();
    let bytes = random_bundle(&config, &tiny_tokenizer(), 5).expect("a bundle");
    world.write("bundle", &bytes);
    let tensors = Bundle::parse(bytes).map_err(mixed_feelings::Error::from).and_then(|b| dequantize(&b));
    let builder = VarBuilder::from_tensors(tensors.expect("weights"), DType::F32, &Device::Cpu);
    let model = Model::load(builder, &config).expect("a model");
    let posts = Posts::new(config.preprocess.input_size, [1.0, 0.0], [1.0; 2]);
    let said = posts.ask_candle(&model).expect("candle runs");
    let file = export(&world, "bundle", "model");
    assert_close(&said.fused, &posts.ask_rten(&file, "fused_logits"), "fused_logits");
    assert_close(&said.image.expect("both"), &posts.ask_rten(&file, "image_logits"), "image_logits");
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
fn a_source_is_named_once() {
    for (arguments, word) in [
        (&["--checkpoint", "a", "--bundle", "b"][..], "cannot be used with"),
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
