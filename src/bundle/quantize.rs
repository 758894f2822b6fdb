//! From a float model to a bundle: BatchNorm folded, weights rounded to int8 with a scale for each output channel, the
//! CNN's activation ranges from a [`Calibration`].

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::{
    BundleError, BundleWriter, Calibration,
    schema::{Kind, Part, input_range, schema},
};
use crate::{Result, config::ModelConfig, image::cnn::Cnn};

/// The largest weight level; -128 is left out so that signs are equal.
const LEVELS: f32 = 127.0;

/// Quantises a checkpoint's `tensors` into a bundle that lacks only its free-form metadata. Tensors that
/// [`schema`] has no place for are left out.
///
/// # Errors
/// [`crate::Error::Config`] when `config` makes no model; [`crate::Error::Float`] when a tensor is missing or has another
/// shape, or `calibration` has seen no picture; [`crate::Error::Bundle`] when a value is not finite.
pub fn quantize(
    tensors: &HashMap<String, Tensor>,
    config: &ModelConfig,
    tokenizer_json: &str,
    calibration: &Calibration,
) -> Result<BundleWriter> {
    let mut writer = BundleWriter::new(config, tokenizer_json)?;
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let cnn = Cnn::load(vb.pp("image"), config.image.architecture)?;
    let mut convs: HashMap<String, (Tensor, Tensor)> =
        cnn.folded()?.into_iter().map(|(spec, weight, bias)| (spec.name, (weight, bias))).collect();
    for Part { name, kind } in schema(config) {
        match kind {
            Kind::Embedding { rows, width } => {
                let weight = vb.get((rows, width), &format!("{name}.weight"))?;
                write_weight(&mut writer, &name, &weight)?;
            }
            Kind::Linear { outputs, inputs } => {
                let [weight, bias] = float_names(&name);
                write_weight(&mut writer, &name, &vb.get((outputs, inputs), &weight)?)?;
                writer.f32(&format!("{name}.bias"), &[outputs], &vb.get(outputs, &bias)?.to_vec1()?)?;
            }
            Kind::Conv(spec) => {
                let Some((weight, bias)) = convs.remove(&spec.name) else { continue };
                write_weight(&mut writer, &name, &weight.permute((0, 2, 3, 1))?)?;
                writer.f32(&format!("{name}.bias"), &[spec.out_channels], &bias.to_vec1()?)?;
            }
            Kind::Range(_) => {
                let range = match name.trim_start_matches("image.").strip_suffix(".output") {
                    Some(observed) => calibration.range(observed).ok_or_else(|| {
                        candle_core::Error::Msg(format!(
                            "no calibration for {observed}: observe some pictures"
                        ))
                    })?,
                    None => input_range(&config.preprocess),
                };
                writer.f32(&name, &[2], &[range.scale, f32::from(range.zero_point)])?;
            }
            Kind::Floats(shape) => {
                let values = vb.get(shape.as_slice(), &name)?.flatten_all()?.to_vec1()?;
                writer.f32(&name, &shape, &values)?;
            }
        }
    }
    Ok(writer)
}

/// The names of a linear layer's weight and bias in a checkpoint. torch's attention calls its input projection otherwise.
pub(super) fn float_names(name: &str) -> [String; 2] {
    let separator = if name.ends_with(".in_proj") { '_' } else { '.' };
    ["weight", "bias"].map(|tensor| format!("{name}{separator}{tensor}"))
}

/// Rounds each row of the first dimension to int8, with the row's largest magnitude at 127.
fn write_weight(writer: &mut BundleWriter, name: &str, weight: &Tensor) -> Result<()> {
    let values = weight.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    let name_of_weight = format!("{name}.weight");
    if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(BundleError::NotFinite { name: name_of_weight, index, value }.into());
    }
    let rows = weight.dim(0)?;
    let mut scales = Vec::with_capacity(rows);
    let mut levels = Vec::with_capacity(values.len());
    for row in values.chunks_exact(values.len() / rows) {
        let largest = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let scale = if largest > LEVELS * f32::MIN_POSITIVE { largest / LEVELS } else { 1.0 };
        scales.push(scale);
        levels.extend(row.iter().map(|w| (w / scale).round_ties_even() as i8));
    }
    writer.i8(&name_of_weight, weight.dims(), &levels)?;
    writer.f32(&format!("{name}.scale"), &[rows], &scales)?;
    Ok(())
}
