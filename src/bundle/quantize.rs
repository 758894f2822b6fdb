//! From a float model to a bundle: BatchNorm folded, weights rounded to int8 with a scale for each output channel, the
//! CNN's activation ranges from a [`Calibration`]. Rounding the weights of a convolution shifts the mean of its outputs;
//! the bias takes that back (Nagel et al. 2019, section 4.2, with means that were seen instead of derived).

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::{
    BundleError, BundleWriter, Calibration,
    calibrate::PIXELS,
    schema::{Kind, Part, input_range, schema},
};
use crate::{
    Result,
    config::ModelConfig,
    fusion::Temperatures,
    image::{
        architecture::{ConvSpec, Network, Shortcut},
        cnn::{Cnn, MAX_POOL},
    },
};

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
    let inputs = inputs(cnn.network());
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
                let rounding = write_weight(&mut writer, &name, &weight.permute((0, 2, 3, 1))?)?;
                let mut bias = bias.to_vec1()?;
                if let Some(means) = inputs.get(&spec.name).and_then(|input| calibration.means(input)) {
                    correct_bias(&mut bias, &rounding, &means, spec.is_depthwise());
                }
                writer.f32(&format!("{name}.bias"), &[spec.out_channels], &bias)?;
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
            Kind::Temperature => {
                writer.f32(&name, &[1], &[Temperatures::one_of_checkpoint(&vb, &name)?])?;
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

/// For each convolution the name under which a [`Calibration`] saw its input.
fn inputs(network: &Network) -> HashMap<String, String> {
    let mut inputs = HashMap::from([(network.stem.name.clone(), PIXELS.to_owned())]);
    let mut at = if network.max_pool { MAX_POOL } else { network.stem.name.as_str() };
    let mut feed = |conv: &ConvSpec, input: &str| drop(inputs.insert(conv.name.clone(), input.to_owned()));
    for block in &network.blocks {
        if let Shortcut::Projection(conv) = &block.shortcut {
            feed(conv, at);
        }
        for conv in &block.convs {
            feed(conv, at);
            at = &conv.name;
        }
        if block.shortcut != Shortcut::None {
            at = &block.name;
        }
    }
    if let Some(head) = &network.head {
        feed(head, at);
    }
    inputs
}

/// Takes off each output's bias what `rounding`, the change of its weights `[out, kernel, kernel, in / groups]`, adds to
/// its mean over inputs of these channel means. (As if there was no padding.)
fn correct_bias(bias: &mut [f32], rounding: &[f32], means: &[f64], depthwise: bool) {
    let row_len = rounding.len() / bias.len().max(1);
    for (out, (bias, row)) in bias.iter_mut().zip(rounding.chunks_exact(row_len.max(1))).enumerate() {
        let mean = |i: usize| if depthwise { means.get(out) } else { means.get(i % means.len().max(1)) };
        let shift: f64 = row
            .iter()
            .enumerate()
            .map(|(i, &change)| f64::from(change) * mean(i).copied().unwrap_or(0.0))
            .sum();
        *bias = (f64::from(*bias) - shift) as f32;
    }
}

/// Rounds each row of the first dimension to int8, with the row's largest magnitude at 127. Returns by how much each
/// weight changed.
fn write_weight(writer: &mut BundleWriter, name: &str, weight: &Tensor) -> Result<Vec<f32>> {
    let values = weight.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    let name_of_weight = format!("{name}.weight");
    if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(BundleError::NotFinite { name: name_of_weight, index, value }.into());
    }
    let rows = weight.dim(0)?;
    let mut scales = Vec::with_capacity(rows);
    let mut levels = Vec::with_capacity(values.len());
    let mut rounding = Vec::with_capacity(values.len());
    for row in values.chunks_exact(values.len() / rows) {
        let largest = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let scale = if largest > LEVELS * f32::MIN_POSITIVE { largest / LEVELS } else { 1.0 };
        scales.push(scale);
        for w in row {
            let level = (w / scale).round_ties_even() as i8;
            levels.push(level);
            rounding.push(f32::from(level) * scale - w);
        }
    }
    writer.i8(&name_of_weight, weight.dims(), &levels)?;
    writer.f32(&format!("{name}.scale"), &[rows], &scales)?;
    Ok(rounding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Architecture;

    #[test]
    fn a_corrected_bias_takes_back_the_mean_shift() {
        // Two outputs of 1x1x2 weights, then two channels with a kernel of 1x1x2 each.
        let mut bias = [1.0, -1.0];
        correct_bias(&mut bias, &[0.125, 0.25, 0.0, -0.5], &[2.0, 4.0], false);
        assert_eq!(bias, [1.0 - (0.125 * 2.0 + 0.25 * 4.0), -1.0 + 0.5 * 4.0]);
        let mut bias = [0.0, 0.0];
        correct_bias(&mut bias, &[0.25, 0.25, 1.0, -0.5], &[2.0, 4.0], true);
        assert_eq!(bias, [-1.0, -2.0]);
    }

    #[test]
    fn each_convolution_knows_its_input() {
        let lite = inputs(&Architecture::EfficientnetLite0.network());
        assert_eq!(lite["conv_stem"], PIXELS);
        assert_eq!(lite["blocks.0.0.conv_dw"], "conv_stem");
        assert_eq!(lite["blocks.1.1.conv_pw"], "blocks.1.0.conv_pwl");
        assert_eq!(lite["blocks.2.0.conv_pw"], "blocks.1.1");
        assert_eq!(lite["conv_head"], "blocks.6.0.conv_pwl");
        let resnet = inputs(&Architecture::Resnet50.network());
        assert_eq!((&*resnet["layer1.0.conv1"], &*resnet["layer1.0.downsample.0"]), (MAX_POOL, MAX_POOL));
        assert_eq!(resnet["layer2.0.downsample.0"], "layer1.2");
        assert_eq!(resnet["layer4.2.conv3"], "layer4.2.conv2");
    }
}
