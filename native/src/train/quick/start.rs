//! The model that `--quick` starts from: a bundle's own weights, and heads for the labels of the table.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use mixed_feelings::{
    Bundle, Labels,
    model::{
        FusionKind, FusionParameters, LinearParameter, ModelConfig, Parameters, Temperatures, Thresholds,
        VectorParameter,
    },
    quantize::dequantize,
};

/// The configuration of the model of `bundle` when it tells apart `labels`, and its weights in float.
///
/// The heads of labels that the bundle knows start as they are there, those of others at zero. With new labels and no pictures to
/// learn them from (`without_pictures`), the text alone answers.
///
/// # Errors
/// When the bundle lacks a tensor.
pub fn start(
    bundle: &Bundle,
    config: &ModelConfig,
    labels: &Labels,
    without_pictures: bool,
) -> Result<(ModelConfig, HashMap<String, Tensor>)> {
    let mut tensors = dequantize(bundle, config)?;
    // The image encoder is copied from bundle to bundle, never turned into floats.
    tensors.retain(|name, _| !name.starts_with("image."));
    let mut config = config.clone();
    if *labels == config.labels {
        return Ok((config, tensors));
    }
    let was = Parameters::new(&config);
    let old = config.labels.clone();
    config.labels = labels.clone();
    let rows: Vec<Option<usize>> = labels.names().map(|name| old.class(name)).collect();
    if without_pictures {
        config.fusion.kind = FusionKind::Late;
        tensors.retain(|name, _| !name.starts_with("fusion."));
    }
    let is = Parameters::new(&config);
    for head in [&was.heads.text, &was.heads.image].into_iter().chain(classifier(&was.fusion)) {
        let [weight, bias] = head.float_names();
        for name in [weight, bias] {
            if let Some(tensor) = tensors.remove(&name) {
                tensors.insert(name, rows_of(&tensor, &rows)?);
            }
        }
    }
    if without_pictures {
        for name in is.heads.image.float_names() {
            let head = tensors.get(&name).context("no image head")?.zeros_like()?;
            tensors.insert(name, head);
        }
        // No picture was seen, so nothing can contradict it.
        tensors.insert("contradiction.scale".into(), Tensor::zeros(1, DType::F32, &Device::Cpu)?);
        tensors.insert("contradiction.bias".into(), Tensor::new(&[-20f32], &Device::Cpu)?);
    }
    if let FusionParameters::Late { weights, bias } = &is.fusion {
        let VectorParameter { name, shape } = weights;
        let classes = labels.len();
        let text_alone = [vec![1f32; classes], vec![0.0; classes]].concat();
        tensors.insert(name.clone(), Tensor::from_vec(text_alone, shape.as_slice(), &Device::Cpu)?);
        tensors.insert(bias.name.clone(), Tensor::zeros(bias.shape.as_slice(), DType::F32, &Device::Cpu)?);
    }
    // What was calibrated was another model.
    let calibrated = ["text", "image", "fused"].map(|head| format!("temperature.{head}"));
    for name in calibrated {
        tensors.insert(name, Tensor::new(&[Temperatures::default().text], &Device::Cpu)?);
    }
    let [contradiction, _] = Thresholds::NAMES;
    let threshold = Thresholds::default().contradiction;
    tensors.insert(contradiction.to_owned(), Tensor::new(&[threshold], &Device::Cpu)?);
    Ok((config, tensors))
}

/// The linear layer that gives the fused logits, where there is one.
fn classifier(fusion: &FusionParameters) -> Option<&LinearParameter> {
    match fusion {
        FusionParameters::Late { .. } => None,
        FusionParameters::Concat { classifier, .. } | FusionParameters::Attention { classifier, .. } => {
            Some(classifier)
        }
    }
}

/// These rows of the first axis, zeros where there is none.
fn rows_of(tensor: &Tensor, rows: &[Option<usize>]) -> candle_core::Result<Tensor> {
    let none = tensor.get(0)?.zeros_like()?;
    let rows = rows.iter().map(|row| row.map_or_else(|| Ok(none.clone()), |row| tensor.get(row)));
    Tensor::stack(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)
}
