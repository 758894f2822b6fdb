//! From a float model to a bundle: BatchNorm folded, weights rounded to int8 with a scale for each output channel, the CNN's
//! activation ranges from a [`Calibration`]. Rounding the weights of a convolution shifts the mean of its outputs;
//! the bias is corrected for it (Nagel et al. 2019, section 4.2, with means that were seen instead of derived), and so is that
//! of a linear layer whose inputs were seen.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::{
    Calibration, Precision,
    correlation::Correlation,
    groups::{Rounded, round_rows},
};
use crate::{
    Result,
    backend::pixel_range,
    bundle::{BundleError, BundleWriter},
    fusion::{checkpoint_temperature, checkpoint_threshold},
    image::cnn::Cnn,
    model::{ModelConfig, Network, Parameter, Parameters, dequantized},
};

/// The largest weight level; -128 is left out so that signs are equal.
const LEVELS: f32 = 127.0;

/// Quantizes a checkpoint's `tensors` into a bundle that lacks only its free-form metadata. Tensors that
/// [`Parameters`] has no place for are left out. `precision` says how many bits the weights have.
///
/// # Errors
/// [`crate::Error::Config`] when `config` makes no model; [`crate::Error::Float`] when a tensor is missing or has another
/// shape, or `calibration` has seen no picture; [`crate::Error::Bundle`] when a value is not finite.
pub fn quantize(
    tensors: &HashMap<String, Tensor>,
    config: &ModelConfig,
    tokenizer_json: &str,
    calibration: &Calibration,
    precision: Precision,
) -> Result<BundleWriter> {
    let mut writer = config.begin_bundle(tokenizer_json)?;
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let cnn = Cnn::load(vb.pp("image"), config.image.architecture)?;
    let mut folded = cnn.folded()?.into_iter();
    let inputs = inputs(cnn.network());
    for parameter in Parameters::new(config).all() {
        match parameter {
            Parameter::Embedding(table) => {
                let weight = vb.get((table.rows, table.width), &format!("{}.weight", table.name))?;
                write_weight(&mut writer, &table.name, &weight, precision.embeddings, None)?;
            }
            Parameter::Linear(linear) => {
                let [weight, bias] = linear.float_names();
                let (name, outputs) = (&linear.name, linear.outputs);
                let weight = vb.get(linear.float_shape(), &weight)?.reshape((outputs, linear.inputs))?;
                let inputs = calibration.inputs(name, linear.inputs)?;
                let correlation = inputs.as_ref().map(|inputs| &inputs.correlation);
                let rounding = write_weight(&mut writer, name, &weight, precision.linears, correlation)?;
                let mut bias = vb.get(outputs, &bias)?.to_vec1()?;
                if let Some(inputs) = &inputs {
                    correct_bias(&mut bias, &rounding, &inputs.means, false);
                }
                writer.f32(&format!("{name}.bias"), &[outputs], &bias)?;
            }
            Parameter::LayerNorm(norm) => {
                for name in norm.tensors() {
                    writer.f32(&name, &[norm.width], &vb.get(norm.width, &name)?.to_vec1()?)?;
                }
            }
            Parameter::Conv(conv) => {
                let Some((weight, bias)) = folded.next() else { continue };
                let bits = if conv.spec.is_pointwise() { precision.convolutions } else { i8::BITS };
                let input = inputs.get(conv.spec.name.as_str()).copied().flatten();
                let known = match input.filter(|_| conv.spec.is_pointwise()) {
                    Some(node) => calibration.inputs(node, conv.spec.in_channels)?,
                    None => None,
                };
                let correlation = known.as_ref().map(|known| &known.correlation);
                let weight = weight.permute((0, 2, 3, 1))?;
                let rounding = write_weight(&mut writer, &conv.name, &weight, bits, correlation)?;
                let mut bias = bias.to_vec1()?;
                if let Some(means) = calibration.means(input) {
                    correct_bias(&mut bias, &rounding, &means, conv.spec.is_depthwise());
                }
                writer.f32(&format!("{}.bias", conv.name), &[conv.spec.out_channels], &bias)?;
            }
            Parameter::Range(range) => {
                let quantization = match &range.node {
                    Some(node) => calibration.range(node).ok_or_else(|| {
                        candle_core::Error::Msg(format!("no calibration for {node}: observe some pictures"))
                    })?,
                    None => pixel_range(&config.preprocess),
                };
                writer.f32(&range.name, &[2], &[quantization.scale, f32::from(quantization.zero_point)])?;
            }
            Parameter::Temperature(name) => {
                writer.f32(&name, &[1], &[checkpoint_temperature(&vb, &name)?])?
            }
            Parameter::Threshold(name) => {
                if let Some(value) = checkpoint_threshold(&vb, &name)? {
                    writer.f32(&name, &[1], &[value])?;
                }
            }
            Parameter::Vector(vector) => {
                let values = vb.get(vector.shape.as_slice(), &vector.name)?.flatten_all()?.to_vec1()?;
                writer.f32(&vector.name, &vector.shape, &values)?;
            }
        }
    }
    Ok(writer)
}

/// For each convolution the node whose output it reads; `None` for the pixels.
fn inputs(network: &Network) -> HashMap<&str, Option<&str>> {
    let of = |value: usize| value.checked_sub(1).map(|node| network.nodes[node].name.as_str());
    network.nodes.iter().filter_map(|node| Some((node.conv()?.name.as_str(), of(node.input)))).collect()
}

/// Corrects each bias by what `rounding`, the change of the weights `[out, kernel, kernel, in / groups]`, adds to the mean of
/// its output, given the mean of each input channel. Padding is not taken into account.
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

/// Rounds each row of the first dimension to `bits` bits, with regard to the `inputs` if they are known, or to int8 where packing is
/// not worth it. Returns by how much each weight
/// changed.
pub(super) fn write_weight(
    writer: &mut BundleWriter,
    name: &str,
    weight: &Tensor,
    bits: u32,
    inputs: Option<&Correlation>,
) -> Result<Vec<f32>> {
    let values = weight.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(BundleError::NotFinite { name: format!("{name}.weight"), index, value }.into());
    }
    let rows = weight.dim(0)?;
    let width = values.len() / rows;
    let bits = Precision::of(bits, rows, width);
    let (levels, scales) = if bits == i8::BITS {
        let (levels, scales) = round_to_int8(&values, width);
        writer.i8(&format!("{name}.weight"), weight.dims(), &levels)?;
        (levels, scales)
    } else {
        let Rounded { weights, scales } = round_rows(&values, width, bits, inputs);
        writer.packed(name, &weights)?;
        (weights.levels(), scales)
    };
    writer.f32(&format!("{name}.scale"), &[rows], &scales)?;
    let rounded = dequantized(&levels, &scales);
    Ok(rounded.into_iter().zip(values).map(|(rounded, w)| rounded - w).collect())
}

/// Levels and scales with each row's largest magnitude at 127.
fn round_to_int8(values: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut levels = Vec::with_capacity(values.len());
    let scale = |row: &[f32]| {
        let largest = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let scale = if largest > LEVELS * f32::MIN_POSITIVE { largest / LEVELS } else { 1.0 };
        levels.extend(row.iter().map(|w| (w / scale).round_ties_even() as i8));
        scale
    };
    let scales = values.chunks_exact(width).map(scale).collect();
    (levels, scales)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Architecture;

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
        let lite = Architecture::EfficientnetLite0.network();
        let lite = inputs(&lite);
        assert_eq!(lite["conv_stem"], None);
        assert_eq!(lite["blocks.0.0.conv_dw"], Some("conv_stem"));
        assert_eq!(lite["blocks.1.1.conv_pw"], Some("blocks.1.0.conv_pwl"));
        assert_eq!(lite["blocks.2.0.conv_pw"], Some("blocks.1.1"));
        assert_eq!(lite["conv_head"], Some("blocks.6.0.conv_pwl"));
        let resnet = Architecture::Resnet50.network();
        let resnet = inputs(&resnet);
        assert_eq!(resnet["layer1.0.conv1"], Some("max_pool"));
        assert_eq!(resnet["layer1.0.downsample.0"], Some("max_pool"));
        assert_eq!(resnet["layer2.0.downsample.0"], Some("layer1.2"));
        assert_eq!(resnet["layer4.2.conv3"], Some("layer4.2.conv2"));
    }
}
