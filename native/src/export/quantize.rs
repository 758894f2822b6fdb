//! From a checkpoint and real pictures to the bytes of a bundle.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    bundle::{self, Calibration},
    image::{Picture, Preprocess, cnn::Cnn},
};

use super::sample::Sample;
use crate::{checkpoint::Checkpoint, progress};

/// Pictures that go through the float CNN at once.
const BATCH: usize = 8;

/// Measures the CNN's activations on the sample, quantises, and adds the `notes` to the metadata.
///
/// # Errors
/// When a picture of the sample is unreadable or the checkpoint lacks a tensor.
pub fn quantize(checkpoint: &Checkpoint, sample: &Sample<'_>, notes: &[(String, String)]) -> Result<Vec<u8>> {
    let Checkpoint { config, tokenizer, tensors } = checkpoint;
    let vb = checkpoint.var_builder(&Device::Cpu);
    let cnn = Cnn::load(vb.pp("image"), config.image.architecture).context("model.safetensors")?;
    let mut calibration = Calibration::new();
    let bar = progress::bar(sample.len(), "calibrating");
    for squares in sample.batches(BATCH, &config.preprocess) {
        let squares = squares?;
        calibration.observe(&cnn, &stack(&squares, &config.preprocess)?)?;
        bar.inc(squares.len() as u64);
    }
    bar.finish_and_clear();
    let mut writer = bundle::quantize(tensors, config, tokenizer, &calibration)?;
    for (key, value) in notes {
        writer.metadata(key, value).with_context(|| format!("--note {key}={value}"))?;
    }
    if !notes.iter().any(|(key, _)| key == "created_by") {
        writer.metadata("created_by", concat!("mixed-feelings ", env!("CARGO_PKG_VERSION")))?;
    }
    Ok(writer.finish()?)
}

/// Squares as the CNN reads them, `[batch, 3, side, side]`.
fn stack(squares: &[Picture], preprocess: &Preprocess) -> candle_core::Result<Tensor> {
    let side = preprocess.input_size;
    let pixels: Vec<f32> = squares.iter().flat_map(|square| preprocess.to_chw(square)).collect();
    Tensor::from_vec(pixels, (squares.len(), 3, side, side), &Device::Cpu)
}
