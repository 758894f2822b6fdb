//! Weights as constants of a graph: a checkpoint's floats, or a bundle's integers.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Bundle,
    backend::{ConvStep, LEVELS, Quantization},
    fusion::Readout,
    model::{
        Activation, ConvParameter, ConvSpec, ConvWeights, EmbeddingParameter, LinearParameter, LinearWeights,
        Parameters, RangeParameter,
    },
};

use super::{
    graph::{GraphBuilder, Value, int, ints},
    proto::Attribute,
};
use crate::checkpoint::Checkpoint;

/// Runtimes make of a bias an int32 multiple of its input's scale times its weights'; it must not be larger than this.
const LARGEST_BIAS: f32 = (1u32 << 30) as f32;

/// Where weights come from.
pub struct Weights {
    /// The float model, or a bundle's dequantized one, each BatchNorm folded.
    pub checkpoint: Checkpoint,
    /// Of the config.
    pub parameters: Parameters,
    /// What the logits mean.
    pub readout: Readout,
    /// The bundle whose integers are written in the place of most floats, if any are.
    pub integers: Option<Bundle>,
}

/// A value, or levels with the scale and zero point of what they stand for: `real = (level - zero) * scale`.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    pub value: Value,
    pub quantization: Option<[Value; 2]>,
}

/// How real numbers become levels: scale and zero point, and the smallest and the largest level.
#[derive(Clone, Debug)]
pub struct Range {
    pub quantization: [Value; 2],
    pub bounds: [Value; 2],
}

/// A table of vectors.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub values: Value,
    /// Of each row, if the values are int8.
    pub scale: Option<Value>,
}

/// A linear layer, its weight `[inputs, outputs]` as a matrix product takes it: a constant that need not be turned at run
/// time.
#[derive(Clone, Debug)]
pub struct Linear {
    pub name: String,
    pub weight: Value,
    pub bias: Value,
    /// Of each output the scale and the sum of its levels, if the weight is int8.
    pub integers: Option<[Value; 2]>,
}

/// A convolution with its epilogue.
#[derive(Clone, Debug)]
pub struct Conv {
    pub name: String,
    /// Of what comes out of the epilogue.
    pub output_name: String,
    pub weight: Levels,
    pub bias: Value,
    pub settings: Vec<Attribute>,
    pub activation: Activation,
    /// Of its output, if that is quantized.
    pub output: Option<Range>,
}

impl Weights {
    /// Those of `checkpoint`, and the `integers` of the bundle that it comes from, if they are to be written.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape than the config says, or has no place in it.
    pub fn new(mut checkpoint: Checkpoint, integers: Option<Bundle>) -> Result<Self> {
        let model = checkpoint.model(&Device::Cpu)?;
        let parameters = Parameters::new(&checkpoint.config);
        for (ConvParameter { name, .. }, (weight, bias)) in
            parameters.image.convs.iter().zip(model.image.folded()?)
        {
            checkpoint.tensors.insert(format!("{name}.weight"), weight);
            checkpoint.tensors.insert(format!("{name}.bias"), bias);
        }
        Ok(Weights { checkpoint, parameters, readout: model.readout, integers })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        let tensor = self.checkpoint.tensors.get(name);
        tensor.with_context(|| format!("the checkpoint has no tensor `{name}`"))
    }

    /// The tensor `name` as floats.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape; so do those below.
    pub fn floats(&self, graph: &mut GraphBuilder, name: &str) -> Result<Value> {
        Ok(graph.tensor(name, self.tensor(name)?)?)
    }

    /// One row of the tensor `name` as floats.
    pub fn row(&self, graph: &mut GraphBuilder, name: &str, row: usize) -> Result<Value> {
        Ok(graph.tensor(&format!("{name}.{row}"), &self.tensor(name)?.narrow(0, row, 1)?)?)
    }

    /// A table.
    pub fn table(&self, graph: &mut GraphBuilder, table: &EmbeddingParameter) -> Result<Table> {
        let EmbeddingParameter { name, rows, width } = table;
        let weight = format!("{name}.weight");
        let (values, scale) = match &self.integers {
            Some(bundle) => {
                let table = table.read(bundle)?;
                let scale = graph.constant(&format!("{name}.scale"), &[*rows, 1], &table.scale);
                (graph.constant(&weight, &[*rows, *width], &table.rows.levels()), Some(scale))
            }
            None => (self.floats(graph, &weight)?, None),
        };
        Ok(Table { name: name.clone(), values, scale })
    }

    /// A linear layer, or the layers `names` that lie side by side in it.
    pub fn linear(
        &self,
        graph: &mut GraphBuilder,
        layer: &LinearParameter,
        names: &[&str],
    ) -> Result<Vec<Linear>> {
        let integers = self.integers.as_ref().map(|bundle| layer.read(bundle)).transpose()?;
        let [weight, bias] = layer.float_names();
        let weight = self.tensor(&weight)?.reshape((layer.outputs, layer.inputs))?;
        let bias = self.tensor(&bias)?;
        let count = layer.outputs / names.len();
        let linear = |(part, name): (usize, &&str)| {
            let start = part * count;
            let of = |what: &str| format!("{name}.{what}");
            let bias = graph.tensor(&of("bias"), &bias.narrow(0, start, count)?)?;
            let (weight, integers) = match &integers {
                Some(LinearWeights { levels, scale, .. }) => {
                    let (inputs, scale) = (layer.inputs, &scale[start..][..count]);
                    let levels = &levels[start * inputs..][..count * inputs];
                    let at = |input: usize| levels.iter().skip(input).step_by(inputs).copied();
                    let transposed: Vec<i8> = (0..inputs).flat_map(at).collect();
                    let sum = |row: &[i8]| row.iter().map(|&level| i32::from(level)).sum();
                    let sums: Vec<i32> = levels.chunks_exact(inputs).map(sum).collect();
                    let scale = graph.constant(&of("scale"), &[count], scale);
                    let sums = graph.constant(&of("sums"), &[count], &sums);
                    (graph.constant(&of("weight.T"), &[inputs, count], &transposed), Some([scale, sums]))
                }
                None => {
                    let weight = weight.narrow(0, start, count)?.t()?.contiguous()?;
                    (graph.tensor(&of("weight.T"), &weight)?, None)
                }
            };
            Ok(Linear { name: (*name).into(), weight, bias, integers })
        };
        names.iter().enumerate().map(linear).collect()
    }

    /// A linear layer in floats, whatever the others are.
    pub fn float_linear(&self, graph: &mut GraphBuilder, layer: &LinearParameter) -> Result<Linear> {
        let name = layer.name.clone();
        let [weight, bias] = layer.float_names();
        let weight = self.tensor(&weight)?.t()?.contiguous()?;
        let weight = graph.tensor(&format!("{name}.weight.T"), &weight)?;
        Ok(Linear { bias: self.floats(graph, &bias)?, name, weight, integers: None })
    }
}

/// The range of pixels or of a convolution's output. Its levels are held to the bounds of the activation, so that no other
/// node is needed for that.
pub fn range(graph: &mut GraphBuilder, bundle: &Bundle, range: &RangeParameter) -> Result<Range> {
    let levels = quantization(bundle, range)?;
    let level = |real| levels.level_of(real).clamp(0.0, LEVELS) as u8;
    let bounds = match (&range.node, range.activation) {
        (None, _) => [0, 2 * LEVELS as u8],
        (_, Activation::None | Activation::HardSwish) => [0, LEVELS as u8],
        (_, Activation::Relu) => [level(0.0), LEVELS as u8],
        (_, Activation::Relu6) => [level(0.0), level(6.0)],
    };
    let scale = graph.scalar(&format!("{}.scale", range.name), levels.scale.into());
    let mut level = |level: u8| graph.constant(&format!("level.{level}"), &[], &[level]);
    Ok(Range { quantization: [scale, level(levels.zero_point)], bounds: bounds.map(level) })
}

/// How a range is quantized. The pixels' levels are of 8 bits: two for each of the bundle's, which reads a pixel as a sum of
/// two.
fn quantization(bundle: &Bundle, range: &RangeParameter) -> Result<Quantization> {
    let Quantization { scale, zero_point } = Quantization::load(bundle, range)?;
    Ok(match range.node {
        Some(_) => Quantization { scale, zero_point },
        None => Quantization { scale: scale / 2.0, zero_point: 2 * zero_point },
    })
}

/// The settings of a convolution over a square of side `size`.
pub fn conv_settings(spec: &ConvSpec, size: usize) -> Vec<Attribute> {
    let (before, after) = spec.pads(size);
    let [before, after, kernel, stride, groups] =
        [before, after, spec.kernel, spec.stride, spec.groups.max(1)].map(|number| number as i64);
    vec![
        ints("kernel_shape", &[kernel; 2]),
        ints("strides", &[stride; 2]),
        ints("pads", &[before, before, after, after]),
        int("group", groups),
    ]
}

/// The int8 weights of a convolution, `[out, in / groups, kernel, kernel]`.
pub fn conv_levels(graph: &mut GraphBuilder, bundle: &Bundle, step: &ConvStep<'_>) -> Result<Levels> {
    let ConvParameter { name, spec } = step.parameter;
    let ConvWeights { levels, mut scale, bias } = step.parameter.read(bundle)?;
    let dims @ [out, inputs, rows, columns] = spec.weight_shape();
    let channels_first = |kernel: &[i8]| {
        let channel = |channel| kernel.iter().skip(channel).step_by(inputs).copied().collect::<Vec<_>>();
        (0..inputs).flat_map(channel).collect::<Vec<_>>()
    };
    let mut levels: Vec<i8> = levels.chunks_exact(rows * columns * inputs).flat_map(channels_first).collect();
    leave_room_for_bias(&mut levels, &mut scale, &bias, quantization(bundle, step.input)?.scale);
    let of = |part: &str| format!("{name}.{part}");
    let (value, zero) = if step.input.node.is_none() {
        // Products of 8 bits and signed 8 bits overflow where a processor adds two of them in 16 bits; runtimes do not do
        // that to unsigned ones.
        let shifted: Vec<u8> = levels.iter().map(|&level| (level as u8) ^ 0x80).collect();
        let zeros = vec![0x80u8; out];
        (graph.constant(&of("weight"), &dims, &shifted), graph.constant(&of("weight.zero"), &[out], &zeros))
    } else {
        let zeros = vec![0i8; out];
        (graph.constant(&of("weight"), &dims, &levels), graph.constant(&of("weight.zero"), &[out], &zeros))
    };
    Ok(Levels { value, quantization: Some([graph.constant(&of("scale"), &[out], &scale), zero]) })
}

/// Makes scales coarser where the bias would be too large a multiple of `input` times the scale: weights that small weigh
/// nothing beside their bias. Weights of zero have any scale, and get the finest.
fn leave_room_for_bias(levels: &mut [i8], scale: &mut [f32], bias: &[f32], input: f32) {
    let width = levels.len() / scale.len().max(1);
    let kernels = levels.chunks_exact_mut(width.max(1));
    for ((scale, bias), levels) in scale.iter_mut().zip(bias).zip(kernels) {
        let least = (bias.abs() / LARGEST_BIAS / input).max(f32::MIN_POSITIVE);
        if *scale < least {
            let factor = *scale / least;
            levels.iter_mut().for_each(|level| *level = (f32::from(*level) * factor).round() as i8);
        }
        if *scale < least || levels.iter().all(|&level| level == 0) {
            *scale = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_leave_room_for_their_bias() {
        let (mut levels, mut scale) = ([127, -3, 127, -127, 0, 0], [0.01, 1e-20, 1.0]);
        let bias = [0.5f32, -2.0, 0.3];
        leave_room_for_bias(&mut levels, &mut scale, &bias, 0.02);
        assert_eq!(levels, [127, -3, 0, 0, 0, 0]);
        assert_eq!(scale[0], 0.01);
        for (scale, bias) in scale.iter().zip(bias) {
            let multiple = bias.abs() / (scale * 0.02);
            assert!(multiple <= 1.001 * LARGEST_BIAS, "{multiple}");
        }
        assert!(scale[2] < 1e-6, "a bias of its own is told exactly");
    }
}
