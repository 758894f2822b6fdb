//! Weights in the GPU's memory: int8, four in a word, with what follows the sums beside them. The numbers are the CPU's.

use super::{
    GpuError,
    device::{Context, Piece},
};
use crate::{
    backend::{
        ConvStep, GateStep, Quantization,
        cpu::{
            image::{PIXEL_LEVELS, PixelLevels, of_pixels},
            requantize::Requantize,
        },
    },
    bundle::Bundle,
    model::{
        ConvWeights, LayerNormParameter, LinearParameter, Preprocess, RangeParameter, Table, TextParameters,
    },
};

/// Rows or columns of a tile: weights are padded to whole ones.
pub(super) const TILE: usize = 32;

/// Bytes of a word.
pub(super) const WORD: usize = 4;

/// BERT's tables.
#[derive(Clone, Debug)]
pub struct Embeddings {
    pub(super) words: Piece,
    pub(super) scale: Piece,
    pub(super) positions: Piece,
    pub(super) width: usize,
}

/// One or several linear layers over the same inputs.
#[derive(Clone, Debug)]
pub struct Linear {
    pub(super) weights: Piece,
    pub(super) columns: Piece,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// A LayerNorm.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    pub(super) parameters: Piece,
    pub(super) width: usize,
    pub(super) eps: f32,
}

/// A table from pixels to levels.
#[derive(Clone, Debug)]
pub struct Pixels {
    pub(super) table: Piece,
    /// Pixels of a picture.
    pub(super) area: usize,
}

/// A convolution with its epilogue.
#[derive(Clone, Debug)]
pub struct Conv {
    pub(super) weights: Piece,
    pub(super) channels: Piece,
    pub(super) shape: Shape,
    pub(super) epilogue: Epilogue,
}

/// Where the windows of a convolution lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub is_depthwise: bool,
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Rows above and columns to the left of the first ones, and their level.
    pub padding: usize,
    pub zero_point: u8,
    pub in_side: usize,
    pub out_side: usize,
}

/// What follows the sums, channels apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epilogue {
    pub residual: f32,
    pub low: f32,
    pub high: f32,
    pub hard_swish: Option<(f32, f32)>,
}

/// What squeeze and excitation have to know of the levels that they read.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    pub(super) side: usize,
    pub(super) channels: usize,
    pub(super) range: Quantization,
}

/// Words of so many levels.
pub(super) fn words(levels: usize) -> usize {
    levels.div_ceil(WORD)
}

/// Appends `levels`, and zeros up to a whole word.
fn append(levels: &[i8], out: &mut Vec<u8>) {
    out.extend(levels.iter().map(|level| level.cast_unsigned()));
    out.resize(out.len().next_multiple_of(WORD), 0);
}

fn floats(numbers: impl IntoIterator<Item = f32>) -> Vec<u8> {
    numbers.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// A sum and two floats for each of `count`, and zeros up to a whole tile.
fn columns(count: usize, column: impl Fn(usize) -> (i32, f32, f32)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * WORD * count.next_multiple_of(TILE));
    for (sum, first, second) in (0..count).map(column) {
        bytes.extend(sum.to_le_bytes());
        bytes.extend(floats([first, second, 0.0]));
    }
    bytes.resize(4 * WORD * count.next_multiple_of(TILE), 0);
    bytes
}

impl Embeddings {
    pub(super) fn load(
        context: &mut Context,
        bundle: &Bundle,
        text: &TextParameters,
    ) -> Result<Self, GpuError> {
        let width = text.words.width;
        let mut positions = text.positions.read(bundle)?.dequantized();
        let token_types = text.token_types.read(bundle)?.dequantized();
        for row in positions.chunks_exact_mut(width) {
            row.iter_mut().zip(&token_types).for_each(|(position, token_type)| *position += token_type);
        }
        let Table { rows, scale } = text.words.read(bundle)?;
        let mut packed = Vec::with_capacity(scale.len() * words(width) * WORD);
        let mut levels = Vec::new();
        for row in 0..scale.len() {
            levels.clear();
            rows.append(row, &mut levels);
            append(&levels, &mut packed);
        }
        Ok(Embeddings {
            words: context.upload(packed)?,
            scale: context.upload(floats(scale))?,
            positions: context.upload(floats(positions))?,
            width,
        })
    }
}

impl Linear {
    pub(super) fn load(
        context: &mut Context,
        bundle: &Bundle,
        layers: &[LinearParameter],
    ) -> Result<Self, GpuError> {
        let weights = LinearParameter::read_stacked(layers, bundle)?;
        let inputs = layers.first().map_or(0, |layer| layer.inputs);
        Linear::new(context, &weights.levels, &weights.scale, &weights.bias, inputs)
    }

    /// From `levels` `[outputs, inputs]`, and `scale` and `bias`, each `[outputs]`.
    pub(super) fn new(
        context: &mut Context,
        levels: &[i8],
        scale: &[f32],
        bias: &[f32],
        inputs: usize,
    ) -> Result<Self, GpuError> {
        let outputs = scale.len();
        let mut packed = Vec::with_capacity(outputs.next_multiple_of(TILE) * words(inputs) * WORD);
        let mut sums = Vec::with_capacity(outputs);
        for row in levels.chunks_exact(inputs.max(1)) {
            append(row, &mut packed);
            sums.push(row.iter().map(|&level| i32::from(level)).sum::<i32>());
        }
        packed.resize(outputs.next_multiple_of(TILE) * words(inputs) * WORD, 0);
        let columns = columns(outputs, |i| (sums[i], scale[i], bias[i]));
        Ok(Linear { weights: context.upload(packed)?, columns: context.upload(columns)?, inputs, outputs })
    }
}

impl LayerNorm {
    pub(super) fn load(
        context: &mut Context,
        bundle: &Bundle,
        norm: &LayerNormParameter,
    ) -> Result<Self, GpuError> {
        let [weight, bias] = norm.read(bundle)?;
        let width = weight.len();
        let pairs = weight.into_iter().zip(bias).flat_map(|(weight, bias)| [weight, bias]);
        Ok(LayerNorm { parameters: context.upload(floats(pairs))?, width, eps: norm.eps as f32 })
    }
}

impl Pixels {
    pub(super) fn load(
        context: &mut Context,
        bundle: &Bundle,
        preprocess: &Preprocess,
        range: &RangeParameter,
    ) -> Result<Self, GpuError> {
        let PixelLevels(levels) = PixelLevels::new(preprocess, Quantization::load(bundle, range)?);
        let both =
            levels.as_flattened().iter().map(|&[first, second]| u32::from(first) | u32::from(second) << 8);
        let table = context.upload(both.flat_map(u32::to_le_bytes).collect())?;
        Ok(Pixels { table, area: preprocess.input_size * preprocess.input_size })
    }
}

impl Gate {
    pub(super) fn load(bundle: &Bundle, step: &GateStep<'_>) -> Result<Self, GpuError> {
        Ok(Gate { side: step.side, channels: step.channels, range: Quantization::load(bundle, step.range)? })
    }
}

impl Conv {
    pub(super) fn load(
        context: &mut Context,
        bundle: &Bundle,
        step: &ConvStep<'_>,
    ) -> Result<Self, GpuError> {
        let spec = &step.parameter.spec;
        let ConvWeights { levels, scale, bias } = step.parameter.read(bundle)?;
        let range = Quantization::load(bundle, step.input)?;
        let (input, copies) = match step.input.node {
            Some(_) => (range, 1),
            None => (of_pixels(range), PIXEL_LEVELS),
        };
        let inputs = spec.in_channels / spec.groups;
        let levels: Vec<i8> = levels.chunks_exact(inputs).flat_map(|cell| cell.repeat(copies)).collect();
        let shape = Shape {
            is_depthwise: spec.is_depthwise(),
            in_channels: spec.in_channels * copies,
            out_channels: spec.out_channels,
            kernel: spec.kernel,
            stride: spec.stride,
            padding: spec.pads(step.side).0,
            zero_point: input.zero_point,
            in_side: step.side,
            out_side: spec.output_size(step.side),
        };
        let sums = shape.weight_sums(&levels);
        let residual = step.residual.map(|range| Quantization::load(bundle, range)).transpose()?;
        let output = step.output.map(|range| Quantization::load(bundle, range)).transpose()?;
        let requantize = Requantize::new(&sums, &scale, &bias, input, residual, step.activation, output);
        Conv::new(context, &levels, shape, &requantize)
    }

    /// From `levels` `[out, kernel, kernel, in]`, or `[out, kernel, kernel]`.
    pub(super) fn new(
        context: &mut Context,
        levels: &[i8],
        shape: Shape,
        requantize: &Requantize,
    ) -> Result<Self, GpuError> {
        let channels = columns(shape.out_channels, |i| {
            (requantize.correction[i], requantize.multiplier[i], requantize.offset[i])
        });
        let epilogue = Epilogue {
            residual: requantize.residual,
            low: requantize.low,
            high: requantize.high,
            hard_swish: requantize.curve.map(|curve| (curve.factor, curve.zero)),
        };
        let weights = context.upload(shape.packed(levels))?;
        Ok(Conv { weights, channels: context.upload(channels)?, shape, epilogue })
    }
}

impl Shape {
    /// Numbers of an output channel's kernel.
    fn depth(&self) -> usize {
        self.kernel * self.kernel * if self.is_depthwise { 1 } else { self.in_channels }
    }

    /// The sum of each output channel's weights.
    pub(super) fn weight_sums(&self, levels: &[i8]) -> Vec<i32> {
        let rows = levels.chunks_exact(self.depth());
        rows.map(|row| row.iter().map(|&level| i32::from(level)).sum()).collect()
    }

    /// The weights as the kernels read them: of each output channel its window, cell by cell, each cell of whole words; or,
    /// depthwise, of each cell of the window all channels.
    fn packed(&self, levels: &[i8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_depthwise {
            let area = self.kernel * self.kernel;
            for tap in 0..area {
                let of_tap: Vec<i8> = levels.iter().skip(tap).step_by(area).copied().collect();
                append(&of_tap, &mut out);
            }
        } else {
            levels.chunks_exact(self.in_channels).for_each(|cell| append(cell, &mut out));
            let row = self.kernel * self.kernel * words(self.in_channels) * WORD;
            out.resize(self.out_channels.next_multiple_of(TILE) * row, 0);
        }
        out
    }
}
