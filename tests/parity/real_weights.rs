//! Pretrained weights, where they are: `../shared/weights`, a folder beside this repository.

use std::{collections::HashMap, path::PathBuf};

use candle_core::{DType, Device, Result, Tensor, safetensors};
use candle_nn::VarBuilder;
use mixed_feelings::{
    image::cnn::{Cnn, average_pool},
    layers::Mode,
    model::{Architecture, BertConfig},
    text::bert::{Bert, normalise_checkpoint},
};

use crate::expected::assert_output;

/// The folder of one pretrained encoder, or `None` said aloud.
fn folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/weights").join(name);
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: needs ../shared/weights/{name}");
    None
}

/// A synthetic photo of waves, exact in integers, normalised: `[1, 3, side, side]`.
fn photo(side: usize, mean: f32, std: f32) -> Result<Tensor> {
    let mut values = Vec::new();
    for c in 0..3 {
        for y in 0..side {
            for x in 0..side {
                let wave = ((x * (2 + c) + y * (5 - c) + x * y / 64) % 510).abs_diff(255);
                values.push((wave as f32 / 255.0 - mean) / std);
            }
        }
    }
    Tensor::from_vec(values, (1, 3, side, side), &Device::Cpu)
}

fn image_is_expected(
    name: &str,
    architecture: Architecture,
    side: usize,
    (mean, std): (f32, f32),
) -> Result<()> {
    let Some(folder) = folder(name) else { return Ok(()) };
    let tensors: HashMap<_, _> = safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)))
        .collect::<Result<_>>()?;
    let cnn = Cnn::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), architecture)?;
    let grid = cnn.forward(&photo(side, mean, std)?, Mode::Infer)?;
    assert_output(&format!("real/{name}/grid"), &grid)?;
    assert_output(&format!("real/{name}/pooled"), &average_pool(&grid)?)
}

/// The pixels that EfficientNet-Lite was trained on: mean 127, standard deviation 128.
const LITE: (f32, f32) = (127.0 / 255.0, 128.0 / 255.0);

#[test]
fn efficientnet_lite0() -> Result<()> {
    image_is_expected("efficientnet-lite0", Architecture::EfficientnetLite0, 224, LITE)
}

#[test]
fn efficientnet_lite2() -> Result<()> {
    image_is_expected("efficientnet-lite2", Architecture::EfficientnetLite2, 260, LITE)
}

/// Stored as float16.
#[test]
fn resnet50() -> Result<()> {
    image_is_expected("resnet50-research", Architecture::Resnet50, 224, (0.0, 1.0))
}

/// Stored as float16, beside `position_ids` of int64.
#[test]
fn minilm() -> Result<()> {
    let Some(folder) = folder("all-minilm-l6-v2") else { return Ok(()) };
    let json = std::fs::read_to_string(folder.join("config.json"))?;
    let config = BertConfig::from_json(&json).expect("a valid config");
    let tensors = normalise_checkpoint(safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?)?;
    let bert = Bert::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &config)?;
    let ids = Tensor::new(
        &[[101u32, 1045, 2293, 2023, 1010, 2025, 999, 102], [101, 6659, 4633, 102, 0, 0, 0, 0]],
        &Device::Cpu,
    )?;
    let mask = ids.ne(0u32)?.to_dtype(DType::F32)?;
    assert_output("real/minilm/hidden", &bert.forward(&ids, &mask, Mode::Infer)?)
}
