//! From a checkpoint and real pictures to the bytes of a bundle.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Bundle,
    backend::Cpu,
    image::{Picture, cnn::Cnn},
    inference::QuantizedModel,
    layers::Mode,
    model::Preprocess,
    quantize::{self, Calibration, Precision},
    text::{Tokenizer, bert::Bert, shorten},
};

use super::{sample::Sample, shift::Shift};
use crate::{checkpoint::Checkpoint, progress};

/// Pictures that go through the float CNN at once.
const BATCH: usize = 8;

/// Measures the CNN's activations on the sample and what the linear layers read on the texts, quantizes to `precision`, corrects what is left of a [`Shift`], and adds the
/// `notes` to the metadata.
///
/// # Errors
/// When a picture of the sample is unreadable or the checkpoint lacks a tensor.
pub fn quantize(
    checkpoint: &Checkpoint,
    sample: &Sample<'_>,
    texts: &[&str],
    precision: Precision,
    notes: &[(String, String)],
) -> Result<Vec<u8>> {
    let Checkpoint { config, tokenizer, tensors } = checkpoint;
    let tokenizer = &shorten(tokenizer)?;
    let vb = checkpoint.var_builder(&Device::Cpu);
    let cnn = Cnn::load(vb.pp("image"), config.image.architecture).context("model.safetensors")?;
    let bar = progress::bar(2 * sample.len() + texts.len(), "calibrating");
    let squares = || {
        sample.batches(BATCH, &config.preprocess).inspect(|squares| {
            bar.inc(squares.as_ref().map_or(0, |squares| squares.len() as u64));
        })
    };
    let pixels = |squares: &[Picture]| stack(squares, &config.preprocess);

    let mut calibration = Calibration::new();
    let bert = Bert::load(vb.pp("text"), &config.text).context("model.safetensors")?;
    let reader = Tokenizer::from_json(tokenizer, config.max_tokens, config.text_preparation)?;
    for text in texts {
        calibration.observe_text(&bert, &reader.encode(text)?.ids)?;
        bar.inc(1);
    }
    for squares in squares() {
        calibration.observe(&cnn, &pixels(&squares?)?)?;
    }

    let uncorrected = quantize::quantize(tensors, config, tokenizer, &calibration, precision)?.finish()?;
    let mut int8 = QuantizedModel::load(Cpu::default(), &mut Bundle::parse(uncorrected)?, config)?;
    let mut shift = Shift::new(cnn.network().channels);
    for squares in squares() {
        let squares = squares?;
        shift.add(&cnn.forward(&pixels(&squares)?, Mode::Infer)?, &squares, &mut int8)?;
    }
    let mut tensors = tensors.clone();
    shift.correct(&mut tensors, config)?;
    bar.finish_and_clear();

    let mut writer = quantize::quantize(&tensors, config, tokenizer, &calibration, precision)?;
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
