//! The CNN with a bundle's int8 weights as ONNX nodes: the quantize-dequantize form, in which every level and every sum is
//! one that the int8 plan computes too.
//!
//! The plan's levels are of 7 bits, and `QuantizeLinear` saturates at 8. A `Clip` of levels holds them: it stands behind
//! `QuantizeLinear`, where it does not come between a convolution and its quantisation, which runtimes compute as one; and
//! as its bounds are levels, it does not matter whether numbers are held before they are rounded or after. An activation's
//! bounds are levels too, so that the same `Clip` is the ReLU.

use anyhow::Result;
use mixed_feelings::{
    Bundle,
    bundle::BundleError,
    image::architecture::{Activation, Block, ConvSpec, Network, Shortcut, max_pool_size},
    kernels::quantize::{LEVELS, Quantization},
};

use super::{
    graph::{GraphBuilder, Value, int},
    image::{self, Image},
};

/// Runtimes make of a bias an int32 multiple of its input's scale times its weights'; it must not be larger than this.
const LARGEST_BIAS: f32 = (1u32 << 30) as f32;

/// A grid of levels.
#[derive(Clone, Debug)]
struct Levels {
    value: Value,
    /// The real step from a level to the next, as a number and as a constant.
    scale: (f32, Value),
    /// The level of the real 0.
    zero: Value,
    /// Rows, and as many columns.
    side: usize,
    /// The largest level.
    most: u8,
}

/// Adds the pixels and the encoder.
///
/// # Errors
/// [`BundleError`] when a tensor is missing or wrong.
pub fn encode(graph: &mut GraphBuilder, bundle: &Bundle, network: &Network) -> Result<Image> {
    let mut encoder = Encoder { graph, bundle };
    let mut x = encoder.pixels()?;
    x = encoder.conv(&network.stem, &x)?;
    if network.max_pool {
        // The order of levels is that of what they stand for.
        x.value = encoder.graph.op_with("MaxPool", "image.max_pool", &[&x.value], image::max_pool_settings());
        x.side = max_pool_size(x.side);
    }
    let (last, blocks) = match (&network.head, network.blocks.split_last()) {
        (None, Some((last, blocks))) => (Some(last), blocks),
        _ => (None, &network.blocks[..]),
    };
    for block in blocks {
        x = encoder.block(block, &x)?;
    }
    let grid = match (last, &network.head) {
        (Some(block), _) => encoder.last_block(block, &x)?,
        (None, Some(head)) => encoder.last_conv(head, &x)?,
        (None, None) => encoder.reals("image.grid", &x),
    };
    Ok(Image::of_grid(encoder.graph, grid))
}

struct Encoder<'a> {
    graph: &'a mut GraphBuilder,
    bundle: &'a Bundle,
}

impl Encoder<'_> {
    /// The input as levels: two for each of the plan's, which reads a pixel as a sum of two.
    fn pixels(&mut self) -> Result<Levels> {
        let side = self.bundle.config().preprocess.input_size;
        let pixels = image::pixels(self.graph, side);
        let Quantization { scale, zero_point } = self.bundle.quantization("image.input")?;
        let quantization = Quantization { scale: scale / 2.0, zero_point: 2 * zero_point };
        let most = 2 * LEVELS as u8;
        Ok(self.quantize("image.pixels", &pixels, quantization, (0, most), side))
    }

    /// A convolution with its own activation, as levels.
    fn conv(&mut self, spec: &ConvSpec, x: &Levels) -> Result<Levels> {
        let sums = self.sums(spec, x)?;
        self.output(&spec.name, &sums, spec.activation, spec.output_size(x.side))
    }

    /// The convolution whose output is the last grid, in real numbers.
    fn last_conv(&mut self, spec: &ConvSpec, x: &Levels) -> Result<Value> {
        let sums = self.sums(spec, x)?;
        Ok(image::activate(self.graph, &format!("image.{}", spec.name), &sums, spec.activation))
    }

    fn block(&mut self, block: &Block, x: &Levels) -> Result<Levels> {
        if block.shortcut == Shortcut::None {
            return block.convs.iter().try_fold(x.clone(), |x, spec| self.conv(spec, &x));
        }
        let (sum, side) = self.residual_sum(block, x)?;
        self.output(&block.name, &sum, block.activation, side)
    }

    /// The block whose output is the last grid, in real numbers.
    fn last_block(&mut self, block: &Block, x: &Levels) -> Result<Value> {
        if let (Shortcut::None, Some((last, convs))) = (&block.shortcut, block.convs.split_last()) {
            let x = convs.iter().try_fold(x.clone(), |x, spec| self.conv(spec, &x))?;
            return self.last_conv(last, &x);
        }
        let (sum, _) = self.residual_sum(block, x)?;
        Ok(image::activate(self.graph, &format!("image.{}", block.name), &sum, block.activation))
    }

    /// What a block's convolutions and its shortcut add up to, and its side. As in the plan, the last convolution is not
    /// quantised before the sum.
    fn residual_sum(&mut self, block: &Block, input: &Levels) -> Result<(Value, usize)> {
        let shortcut = match &block.shortcut {
            Shortcut::Projection(spec) => self.conv(spec, input)?,
            Shortcut::None | Shortcut::Identity => input.clone(),
        };
        let mut x = input.clone();
        let mut sum = None;
        for (i, spec) in block.convs.iter().enumerate() {
            if i + 1 < block.convs.len() {
                x = self.conv(spec, &x)?;
            } else {
                sum = Some(self.sums(spec, &x)?);
            }
        }
        let name = format!("image.{}", block.name);
        let shortcut_reals = self.reals(&format!("{name}.shortcut"), &shortcut);
        let sum = match sum {
            Some(sum) => self.graph.op("Add", &format!("{name}.sum"), &[&sum, &shortcut_reals]),
            None => shortcut_reals,
        };
        Ok((sum, shortcut.side))
    }

    /// Real numbers as levels, held to the activation's bounds.
    fn output(&mut self, name: &str, x: &Value, activation: Activation, side: usize) -> Result<Levels> {
        let name = format!("image.{name}");
        let quantization = self.bundle.quantization(&format!("{name}.output"))?;
        let level = |real| quantization.level_of(real).clamp(0.0, LEVELS) as u8;
        let bounds = match activation {
            Activation::None => (0, LEVELS as u8),
            Activation::Relu => (level(0.0), LEVELS as u8),
            Activation::Relu6 => (level(0.0), level(6.0)),
        };
        Ok(self.quantize(&name, x, quantization, bounds, side))
    }

    fn quantize(
        &mut self,
        name: &str,
        x: &Value,
        Quantization { scale, zero_point }: Quantization,
        (least, most): (u8, u8),
        side: usize,
    ) -> Levels {
        let scale = (scale, self.graph.scalar(&format!("{name}.output.scale"), scale.into()));
        let zero = self.level(zero_point);
        let levels = self.graph.op("QuantizeLinear", &format!("{name}.rounded"), &[x, &scale.1, &zero]);
        let bounds = (self.level(least), self.level(most));
        let value = self.graph.op("Clip", &format!("{name}.levels"), &[&levels, &bounds.0, &bounds.1]);
        Levels { value, scale, zero, side, most }
    }

    /// What levels stand for. Every reader has its own node, as the form asks for.
    fn reals(&mut self, name: &str, x: &Levels) -> Value {
        self.graph.op("DequantizeLinear", name, &[&x.value, &x.scale.1, &x.zero])
    }

    fn level(&mut self, level: u8) -> Value {
        self.graph.uint8(&format!("level.{level}"), &[], &[level])
    }

    /// A convolution with its bias.
    fn sums(&mut self, spec: &ConvSpec, x: &Levels) -> Result<Value, BundleError> {
        let name = format!("image.{}", spec.name);
        let mut weights = ConvWeights::read(self.bundle, &name, spec)?;
        weights.leave_room_for_bias(x.scale.0);
        let input = self.reals(&format!("{name}.input"), x);
        let dims = spec.weight_shape();
        let graph = &mut *self.graph;
        let scale = graph.floats(&format!("{name}.scale"), &[spec.out_channels], &weights.scale);
        let (levels, zeros) = (format!("{name}.weight"), format!("{name}.weight.zero"));
        let (levels, zeros) = if f32::from(x.most) > LEVELS {
            // Products of 8 bits and signed 8 bits overflow where a processor adds two of them in 16 bits; runtimes do
            // not do that to unsigned ones.
            let shifted: Vec<u8> = weights.levels.iter().map(|&level| (level as u8) ^ 0x80).collect();
            let zeros_of = vec![0x80; spec.out_channels];
            (graph.uint8(&levels, &dims, &shifted), graph.uint8(&zeros, &[spec.out_channels], &zeros_of))
        } else {
            let zeros_of = vec![0; spec.out_channels];
            (graph.int8(&levels, &dims, &weights.levels), graph.int8(&zeros, &[spec.out_channels], &zeros_of))
        };
        let (reals, axis) = (format!("{name}.weight.reals"), vec![int("axis", 0)]);
        let weight = graph.op_with("DequantizeLinear", &reals, &[&levels, &scale, &zeros], axis);
        let bias = graph.floats(&format!("{name}.bias"), &[spec.out_channels], &weights.bias);
        let settings = image::conv_settings(spec, x.side);
        Ok(graph.op_with("Conv", &format!("{name}.sums"), &[&input, &weight, &bias], settings))
    }
}

/// The int8 weights of a convolution, `[out, in / groups, kernel, kernel]`.
struct ConvWeights {
    levels: Vec<i8>,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl ConvWeights {
    fn read(bundle: &Bundle, name: &str, spec: &ConvSpec) -> Result<Self, BundleError> {
        let [out, inputs, rows, columns] = spec.weight_shape();
        let levels = bundle.i8(&format!("{name}.weight"), &[out, rows, columns, inputs])?;
        let channels_first = |kernel: &[i8]| {
            let channel = |channel| kernel.iter().skip(channel).step_by(inputs).copied().collect::<Vec<_>>();
            (0..inputs).flat_map(channel).collect::<Vec<_>>()
        };
        Ok(ConvWeights {
            levels: levels.chunks_exact(rows * columns * inputs).flat_map(channels_first).collect(),
            scale: bundle.f32(&format!("{name}.scale"), &[out])?,
            bias: bundle.f32(&format!("{name}.bias"), &[out])?,
        })
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
        let mut weights = ConvWeights { levels, scale: vec![0.01, 1e-20, 1.0], bias: vec![0.5, -2.0, 0.3] };
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
