//! Weights as constants of a graph: a checkpoint's floats, or a bundle's integers.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use mixed_feelings::{
    Bundle,
    backend::{ConvStep, LEVELS, Quantization},
    image::cnn::Cnn,
    model::{
        self, Activation, ConvParameter, ConvSpec, EmbeddingParameter, LayerNormParameter, LinearParameter,
        LinearWeights, RangeParameter,
    },
};

use super::{
    graph::{GraphBuilder, Value, int, ints},
    proto::Attribute,
};

/// Runtimes make of a bias an int32 multiple of its input's scale times its weights'; it must not be larger than this.
const LARGEST_BIAS: f32 = (1u32 << 30) as f32;

/// Where weights come from.
pub struct Weights {
    /// A checkpoint's tensors or a bundle's dequantized ones, each BatchNorm folded.
    tensors: HashMap<String, Tensor>,
    /// The bundle whose integers are written in the place of most floats, if any are.
    integers: Option<Bundle>,
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

/// A LayerNorm.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    pub name: String,
    pub parts: [Value; 2],
    pub eps: f64,
}

/// The levels that stand for real numbers: `real = (level - zero) * scale`, and the smallest and largest of them.
#[derive(Clone, Debug)]
pub struct Range {
    pub scale: Value,
    pub zero: Value,
    pub bounds: [Value; 2],
}

/// A convolution with its epilogue.
#[derive(Clone, Debug)]
pub struct Conv {
    pub name: String,
    /// Of what comes out of the epilogue.
    pub output_name: String,
    pub weight: Value,
    pub bias: Value,
    /// Of each output the scale and the zero point of its levels, if the weight is of 8 bits.
    pub integers: Option<[Value; 2]>,
    pub settings: Vec<Attribute>,
    pub activation: Activation,
    /// Of its output, if that is quantized.
    pub output: Option<Range>,
}

impl Weights {
    /// The `tensors` of a model whose image encoder is `cnn`, of the convolutions `convs`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(
        mut tensors: HashMap<String, Tensor>,
        convs: &[ConvParameter],
        cnn: &Cnn,
        integers: Option<Bundle>,
    ) -> Result<Self> {
        for (ConvParameter { name, .. }, (weight, bias)) in convs.iter().zip(cnn.folded()?) {
            tensors.insert(format!("{name}.weight"), weight);
            tensors.insert(format!("{name}.bias"), bias);
        }
        Ok(Weights { tensors, integers })
    }

    /// Whether integers are written.
    pub fn are_integers(&self) -> bool {
        self.integers.is_some()
    }

    /// The tensor `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).with_context(|| format!("the checkpoint has no tensor `{name}`"))
    }

    /// The tensor `name` as a constant; of its rows that one alone, if any is named.
    ///
    /// # Errors
    /// When there is none.
    pub fn vector(&self, graph: &mut GraphBuilder, name: &str, row: Option<usize>) -> Result<Value> {
        let tensor = self.tensor(name)?;
        Ok(match row {
            Some(row) => graph.tensor(&format!("{name}.{row}"), &tensor.narrow(0, row, 1)?)?,
            None => graph.tensor(name, tensor)?,
        })
    }

    /// A table.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape; so do those below.
    pub fn table(&self, graph: &mut GraphBuilder, table: &EmbeddingParameter) -> Result<Table> {
        let EmbeddingParameter { name, rows, width } = table;
        let weight = format!("{name}.weight");
        let (values, scale) = match &self.integers {
            Some(bundle) => {
                let model::Table { levels, scale } = table.read(bundle)?;
                let scale = graph.floats(&format!("{name}.scale"), &[*rows, 1], &scale);
                (graph.int8(&weight, &[*rows, *width], levels), Some(scale))
            }
            None => (self.vector(graph, &weight, None)?, None),
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
        let (inputs, outputs) = (layer.inputs, layer.outputs / names.len());
        let Some(bundle) = &self.integers else { return self.float_linear(graph, layer, names) };
        let LinearWeights { levels, scale, bias } = layer.read(bundle)?;
        let parts =
            levels.chunks_exact(inputs * outputs).zip(scale.chunks(outputs)).zip(bias.chunks(outputs));
        let linear = |(name, ((levels, scale), bias)): (&&str, ((&[i8], &[f32]), &[f32]))| {
            let at = |input: usize| levels.iter().skip(input).step_by(inputs).copied();
            let transposed: Vec<i8> = (0..inputs).flat_map(at).collect();
            let sum = |row: &[i8]| row.iter().map(|&level| i32::from(level)).sum();
            let sums: Vec<i32> = levels.chunks_exact(inputs).map(sum).collect();
            Linear {
                name: (*name).into(),
                weight: graph.int8(&format!("{name}.weight.T"), &[inputs, outputs], &transposed),
                bias: graph.floats(&format!("{name}.bias"), &[outputs], bias),
                integers: Some([
                    graph.floats(&format!("{name}.scale"), &[outputs], scale),
                    graph.int32(&format!("{name}.sums"), &sums),
                ]),
            }
        };
        Ok(names.iter().zip(parts).map(linear).collect())
    }

    /// The same in floats, whatever the other layers are: a classifier has few weights.
    pub fn float_linear(
        &self,
        graph: &mut GraphBuilder,
        layer: &LinearParameter,
        names: &[&str],
    ) -> Result<Vec<Linear>> {
        let [weight, bias] = layer.float_names();
        let (weight, bias) = (self.tensor(&weight)?, self.tensor(&bias)?);
        let outputs = layer.outputs / names.len();
        let linear = |(part, name): (usize, &&str)| {
            let weight = weight.narrow(0, part * outputs, outputs)?.t()?.contiguous()?;
            let bias = bias.narrow(0, part * outputs, outputs)?;
            Ok(Linear {
                name: (*name).into(),
                weight: graph.tensor(&format!("{name}.weight.T"), &weight)?,
                bias: graph.tensor(&format!("{name}.bias"), &bias)?,
                integers: None,
            })
        };
        names.iter().enumerate().map(linear).collect()
    }

    /// A LayerNorm.
    pub fn layer_norm(&self, graph: &mut GraphBuilder, norm: &LayerNormParameter) -> Result<LayerNorm> {
        let [weight, bias] = norm.tensors();
        let parts = [self.vector(graph, &weight, None)?, self.vector(graph, &bias, None)?];
        Ok(LayerNorm { name: norm.name.clone(), parts, eps: norm.eps })
    }

    /// The levels of the pixels: of 8 bits, two for each of the bundle's, which reads a pixel as a sum of two. `None` where
    /// floats are written.
    pub fn pixels(&self, graph: &mut GraphBuilder, range: &RangeParameter) -> Result<Option<Range>> {
        let Some(bundle) = &self.integers else { return Ok(None) };
        let levels = input_levels(bundle, range)?;
        Ok(Some(graph.range(&range.name, levels, [0, 2 * LEVELS as u8])))
    }

    /// A convolution.
    pub fn conv(&self, graph: &mut GraphBuilder, step: &ConvStep<'_>) -> Result<Conv> {
        let ConvParameter { name, spec } = step.parameter;
        let [of_weight, of_bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let settings = conv_settings(spec, step.side);
        let (activation, output_name) = (step.activation, format!("image.{}", step.name));
        let Some(bundle) = &self.integers else {
            let weight = self.vector(graph, &of_weight, None)?;
            let bias = self.vector(graph, &of_bias, None)?;
            let name = name.clone();
            return Ok(Conv {
                name,
                output_name,
                weight,
                bias,
                integers: None,
                settings,
                activation,
                output: None,
            });
        };
        let mut weights = ConvLevels::read(bundle, step.parameter)?;
        weights.leave_room_for_bias(input_levels(bundle, step.input)?.scale);
        let (dims, channels) = (spec.weight_shape(), [spec.out_channels]);
        let of_zero = format!("{name}.weight.zero");
        let (weight, zero) = if step.input.node.is_none() {
            // Products of 8 bits and signed 8 bits overflow where a processor adds two of them in 16 bits; runtimes do
            // not do that to unsigned ones.
            let shifted: Vec<u8> = weights.levels.iter().map(|&level| (level as u8) ^ 0x80).collect();
            let zeros = vec![0x80; spec.out_channels];
            (graph.uint8(&of_weight, &dims, &shifted), graph.uint8(&of_zero, &channels, &zeros))
        } else {
            let zeros = vec![0; spec.out_channels];
            (graph.int8(&of_weight, &dims, &weights.levels), graph.int8(&of_zero, &channels, &zeros))
        };
        let scale = graph.floats(&format!("{name}.scale"), &channels, &weights.scale);
        let output = step.output.map(|range| output_range(graph, bundle, range, activation)).transpose()?;
        Ok(Conv {
            name: name.clone(),
            output_name,
            weight,
            bias: graph.floats(&of_bias, &channels, &weights.bias),
            integers: Some([scale, zero]),
            settings,
            activation,
            output,
        })
    }
}

impl GraphBuilder {
    fn range(
        &mut self,
        name: &str,
        Quantization { scale, zero_point }: Quantization,
        bounds: [u8; 2],
    ) -> Range {
        let mut level = |level: u8| self.uint8(&format!("level.{level}"), &[], &[level]);
        let (zero, bounds) = (level(zero_point), bounds.map(level));
        Range { scale: self.scalar(&format!("{name}.scale"), scale.into()), zero, bounds }
    }
}

/// The range of a convolution's output, its levels held to the bounds of the activation: so that no other node is needed
/// for it.
fn output_range(
    graph: &mut GraphBuilder,
    bundle: &Bundle,
    range: &RangeParameter,
    activation: Activation,
) -> Result<Range> {
    let levels = Quantization::load(bundle, range)?;
    let level = |real| levels.level_of(real).clamp(0.0, LEVELS) as u8;
    let bounds = match activation {
        Activation::None => [0, LEVELS as u8],
        Activation::Relu => [level(0.0), LEVELS as u8],
        Activation::Relu6 => [level(0.0), level(6.0)],
    };
    Ok(graph.range(&range.name, levels, bounds))
}

/// How what a convolution reads is quantized.
fn input_levels(bundle: &Bundle, range: &RangeParameter) -> Result<Quantization> {
    let Quantization { scale, zero_point } = Quantization::load(bundle, range)?;
    Ok(match range.node {
        Some(_) => Quantization { scale, zero_point },
        None => Quantization { scale: scale / 2.0, zero_point: 2 * zero_point },
    })
}

/// The settings of a convolution over a square of side `size`.
fn conv_settings(spec: &ConvSpec, size: usize) -> Vec<Attribute> {
    let (before, after) = spec.pads(size);
    vec![
        ints("kernel_shape", &[spec.kernel; 2]),
        ints("strides", &[spec.stride; 2]),
        ints("pads", &[before, before, after, after]),
        int("group", spec.groups.max(1)),
    ]
}

/// The int8 weights of a convolution, `[out, in / groups, kernel, kernel]`.
struct ConvLevels {
    levels: Vec<i8>,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl ConvLevels {
    fn read(bundle: &Bundle, conv: &ConvParameter) -> Result<Self> {
        let [_, inputs, rows, columns] = conv.spec.weight_shape();
        let model::ConvWeights { levels, scale, bias } = conv.read(bundle)?;
        let channels_first = |kernel: &[i8]| {
            let channel = |channel| kernel.iter().skip(channel).step_by(inputs).copied().collect::<Vec<_>>();
            (0..inputs).flat_map(channel).collect::<Vec<_>>()
        };
        let levels = levels.chunks_exact(rows * columns * inputs).flat_map(channels_first).collect();
        Ok(ConvLevels { levels, scale, bias })
    }

    /// Coarser scales where the bias would be too large a multiple of `input` times the scale: weights that small weigh
    /// nothing beside their bias. Weights of zero have any scale, and get the finest.
    fn leave_room_for_bias(&mut self, input: f32) {
        let width = self.levels.len() / self.scale.len().max(1);
        let kernels = self.levels.chunks_exact_mut(width.max(1));
        for ((scale, bias), levels) in self.scale.iter_mut().zip(&self.bias).zip(kernels) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_leave_room_for_their_bias() {
        let levels = vec![127, -3, 127, -127, 0, 0];
        let mut weights = ConvLevels { levels, scale: vec![0.01, 1e-20, 1.0], bias: vec![0.5, -2.0, 0.3] };
        weights.leave_room_for_bias(0.02);
        assert_eq!(weights.levels, [127, -3, 0, 0, 0, 0]);
        assert_eq!(weights.scale[0], 0.01);
        for (scale, bias) in weights.scale.iter().zip(&weights.bias) {
            let multiple = bias.abs() / (scale * 0.02);
            assert!(multiple <= 1.001 * LARGEST_BIAS, "{multiple}");
        }
        assert!(weights.scale[2] < 1e-6, "a bias of its own is told exactly");
    }
}
