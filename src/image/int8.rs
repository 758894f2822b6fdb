//! The CNNs with int8 weights: NHWC, unsigned 7-bit levels from layer to layer, BatchNorm folded, activation and residual
//! sum in each convolution's epilogue. Interprets the lists of [`super::architecture`], as the float encoder does, and
//! agrees with it up to the rounding of weights and activations.

use super::{
    CnnConfig, Picture, Preprocess,
    architecture::{self, Activation, ConvSpec, Shortcut, max_pool_size},
};
use crate::{
    bundle::{Bundle, BundleError},
    kernels::{
        PackedMatrix, Sink,
        conv::{Scratch, Windows, convolve},
        depthwise::DepthwiseKernels,
        math::{max, min},
        pool::max_pool,
        quantize::{LEVELS, Quantization},
        requantize::{Clamp, Requantize, Residual},
    },
};

/// 7 bits are too few for pixels: what is lost in front of the first convolution spreads through all others. So a pixel
/// is read as the sum of two levels, in two channels that the stem gives the same weights.
const HALVES: usize = 2;

/// A CNN without its classifier: a picture in, the last grid out.
#[derive(Clone, Debug)]
pub struct ImageEncoder {
    preprocess: Preprocess,
    /// For each channel, the two levels of each of the 256 pixel values; see [`halves`].
    levels: [[[u8; HALVES]; 256]; 3],
    stem: Conv,
    /// Whether a maximum follows the stem.
    max_pool: bool,
    blocks: Vec<Block>,
    head: Option<Conv>,
    side: usize,
    channels: usize,
    buffers: Buffers,
}

/// Convolutions in a row; the last one adds the shortcut.
#[derive(Clone, Debug)]
struct Block {
    convs: Vec<Conv>,
    shortcut: Path,
}

/// The shortcut past a block's convolutions.
#[derive(Clone, Debug)]
enum Path {
    None,
    Identity,
    Projection(Box<Conv>),
}

/// A convolution with its epilogue.
#[derive(Clone, Debug)]
struct Conv {
    windows: Windows,
    /// The level around the input.
    zero_point: u8,
    kernels: Kernels,
    requantize: Requantize,
    /// Whether its output is the last grid.
    is_last: bool,
}

#[derive(Clone, Debug)]
enum Kernels {
    Dense(PackedMatrix),
    Depthwise(DepthwiseKernels),
}

/// Everything that a forward pass writes, used again and again.
#[derive(Clone, Debug, Default)]
struct Buffers {
    /// The input of a block, and at its end its output.
    block: Vec<u8>,
    /// Between a block's convolutions.
    from: Vec<u8>,
    to: Vec<u8>,
    shortcut: Vec<u8>,
    grid: Vec<f32>,
    scratch: Scratch,
}

impl ImageEncoder {
    /// Loads the encoder `image.*`, which must have the shapes that `config` says, for pictures prepared by `preprocess`.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(bundle: &Bundle, config: &CnnConfig, preprocess: &Preprocess) -> Result<Self, BundleError> {
        let network = config.architecture.network();
        let input = bundle.quantization("image.input")?;
        let halved = Quantization { scale: input.scale / HALVES as f32, ..input };
        let mut at = Position { bundle, side: preprocess.input_size, levels: halved, copies: HALVES };
        let stem = at.conv(&network.stem)?;
        at.copies = 1;
        if network.max_pool {
            at.side = max_pool_size(at.side);
        }
        let blocks = network
            .blocks
            .iter()
            .enumerate()
            .map(|(i, block)| at.block(block, network.head.is_none() && i + 1 == network.blocks.len()))
            .collect::<Result<Vec<_>, _>>()?;
        let head = network.head.as_ref().map(|head| at.last_conv(head, None, head.activation)).transpose()?;
        let buffers = Buffers::for_largest(&stem, &blocks);
        Ok(ImageEncoder {
            levels: levels(preprocess, halved),
            preprocess: preprocess.clone(),
            stem,
            max_pool: network.max_pool,
            blocks,
            head,
            side: at.side,
            channels: network.channels,
            buffers,
        })
    }

    /// Rows of the last grid, and as many columns.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Channels of the last grid.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The last grid `[side, side, channels]` of a picture of any size, which stays readable until the next call.
    pub fn encode(&mut self, picture: &Picture) -> &[f32] {
        let square = self.preprocess.apply(picture);
        let Buffers { block, from, to, shortcut, grid, scratch } = &mut self.buffers;
        let [red, green, blue] = &self.levels;
        let level = |&[r, g, b]: &[u8; 3]| {
            let [r, g, b] = [red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]];
            [r[0], g[0], b[0], r[1], g[1], b[1]]
        };
        block.clear();
        block.extend(square.pixels().as_chunks().0.iter().flat_map(level));

        self.stem.levels(block, None, scratch, to);
        if self.max_pool {
            let (side, channels) = (self.stem.windows.output_height(), self.stem.requantize.channels());
            max_pool(to, side, side, channels, block);
        } else {
            std::mem::swap(block, to);
        }
        for Block { convs, shortcut: path } in &self.blocks {
            if let Path::Projection(conv) = path {
                conv.levels(block, None, scratch, shortcut);
            }
            let Some((last, convs)) = convs.split_last() else { continue };
            for (i, conv) in convs.iter().enumerate() {
                conv.levels(if i == 0 { block } else { from }, None, scratch, to);
                std::mem::swap(from, to);
            }
            let input: &[u8] = if convs.is_empty() { block } else { from };
            let residual = match path {
                Path::None => None,
                Path::Identity => Some(Residual { levels: block }),
                Path::Projection(_) => Some(Residual { levels: shortcut }),
            };
            if last.is_last {
                last.floats(input, residual, scratch, grid);
            } else {
                last.levels(input, residual, scratch, to);
                std::mem::swap(block, to);
            }
        }
        if let Some(head) = &self.head {
            head.floats(block, None, scratch, grid);
        }
        grid
    }
}

impl Buffers {
    /// Room for the largest grid in each: they change places, so each will hold it one day.
    fn for_largest(stem: &Conv, blocks: &[Block]) -> Self {
        let convs = blocks.iter().flat_map(|block| &block.convs);
        let largest = convs.map(Conv::output_len).fold(stem.input_len().max(stem.output_len()), usize::max);
        let room = || Vec::with_capacity(largest);
        Buffers { block: room(), from: room(), to: room(), ..Buffers::default() }
    }
}

/// Where the loading stands in the network: the side of the grid, how its levels are quantised, and how many times the
/// input's channels are there.
struct Position<'a> {
    bundle: &'a Bundle,
    side: usize,
    levels: Quantization,
    copies: usize,
}

impl Position<'_> {
    /// A convolution with its own activation and output range.
    fn conv(&mut self, spec: &ConvSpec) -> Result<Conv, BundleError> {
        let output = self.bundle.quantization(&format!("image.{}.output", spec.name))?;
        let conv = self.load(spec, None, spec.activation, Some(output))?;
        self.pass(spec, output);
        Ok(conv)
    }

    /// A convolution whose output is the last grid, in real numbers.
    fn last_conv(
        &mut self,
        spec: &ConvSpec,
        residual: Option<Quantization>,
        activation: Activation,
    ) -> Result<Conv, BundleError> {
        let conv = self.load(spec, residual, activation, None)?;
        self.side = spec.output_size(self.side);
        Ok(conv)
    }

    /// A block; if it is the last thing in the network, its output is real.
    fn block(&mut self, block: &architecture::Block, is_last: bool) -> Result<Block, BundleError> {
        let (side, input) = (self.side, self.levels);
        let (shortcut, residual) = match &block.shortcut {
            Shortcut::None => (Path::None, None),
            Shortcut::Identity => (Path::Identity, Some(input)),
            Shortcut::Projection(spec) => {
                let conv = self.conv(spec)?;
                let levels = self.levels;
                (self.side, self.levels) = (side, input);
                (Path::Projection(Box::new(conv)), Some(levels))
            }
        };
        let mut convs = Vec::new();
        for (i, spec) in block.convs.iter().enumerate() {
            let ends = i + 1 == block.convs.len();
            convs.push(if !ends || (residual.is_none() && !is_last) {
                self.conv(spec)?
            } else if is_last {
                let activation = if residual.is_some() { block.activation } else { spec.activation };
                self.last_conv(spec, residual, activation)?
            } else {
                let output = self.bundle.quantization(&format!("image.{}.output", block.name))?;
                let conv = self.load(spec, residual, block.activation, Some(output))?;
                self.pass(spec, output);
                conv
            });
        }
        Ok(Block { convs, shortcut })
    }

    fn pass(&mut self, spec: &ConvSpec, output: Quantization) {
        self.side = spec.output_size(self.side);
        self.levels = output;
    }

    fn load(
        &self,
        spec: &ConvSpec,
        residual: Option<Quantization>,
        activation: Activation,
        output: Option<Quantization>,
    ) -> Result<Conv, BundleError> {
        let ConvSpec { in_channels, out_channels, kernel, stride, groups, .. } = *spec;
        let name = |part: &str| format!("image.{}.{part}", spec.name);
        let inputs = in_channels / groups;
        let weights = self.bundle.i8(&name("weight"), &[out_channels, kernel, kernel, inputs])?;
        let weights: Vec<i8> =
            weights.chunks_exact(inputs).flat_map(|cell| cell.repeat(self.copies)).collect();
        let inputs = inputs * self.copies;
        let scale = self.bundle.f32(&name("scale"), &[out_channels])?;
        let bias = self.bundle.f32(&name("bias"), &[out_channels])?;
        let kernels = if spec.is_depthwise() {
            Kernels::Depthwise(DepthwiseKernels::new(&weights, out_channels, kernel))
        } else {
            Kernels::Dense(PackedMatrix::new(&weights, out_channels, kernel, kernel * inputs))
        };
        let weight_sums = match &kernels {
            Kernels::Dense(kernels) => kernels.sums(),
            Kernels::Depthwise(kernels) => kernels.sums(),
        };
        let clamp = match activation {
            Activation::None => Clamp { low: f32::NEG_INFINITY, high: f32::INFINITY },
            Activation::Relu => Clamp { low: 0.0, high: f32::INFINITY },
            Activation::Relu6 => Clamp { low: 0.0, high: 6.0 },
        };
        let padding = spec.pads(self.side);
        Ok(Conv {
            requantize: Requantize::new(weight_sums, &scale, &bias, self.levels, residual, clamp, output),
            windows: Windows {
                height: self.side,
                width: self.side,
                channels: in_channels * self.copies,
                kernel,
                stride,
                rows_padding: padding,
                columns_padding: padding,
            },
            zero_point: self.levels.zero_point,
            is_last: output.is_none(),
            kernels,
        })
    }
}

impl Conv {
    /// Writes the output as levels.
    fn levels(&self, input: &[u8], residual: Option<Residual<'_>>, scratch: &mut Scratch, out: &mut Vec<u8>) {
        out.resize(self.output_len(), 0);
        self.sums(input, scratch, &mut self.requantize.sink(residual, out));
    }

    /// Writes the output as real numbers.
    fn floats(
        &self,
        input: &[u8],
        residual: Option<Residual<'_>>,
        scratch: &mut Scratch,
        out: &mut Vec<f32>,
    ) {
        out.resize(self.output_len(), 0.0);
        self.sums(input, scratch, &mut self.requantize.sink(residual, out));
    }

    fn input_len(&self) -> usize {
        self.windows.height * self.windows.width * self.windows.channels
    }

    fn output_len(&self) -> usize {
        self.windows.output_height() * self.windows.output_width() * self.requantize.channels()
    }

    fn sums(&self, input: &[u8], scratch: &mut Scratch, sink: &mut impl Sink) {
        match &self.kernels {
            Kernels::Dense(kernels) => {
                convolve(input, &self.windows, self.zero_point, kernels, scratch, sink);
            }
            Kernels::Depthwise(kernels) => {
                kernels.convolve(input, &self.windows, self.zero_point, scratch, sink);
            }
        }
    }
}

/// What each pixel value becomes, by way of the real number that the float encoder sees.
fn levels(preprocess: &Preprocess, halved: Quantization) -> [[[u8; HALVES]; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|value| {
            let real = (value as f32 / 255.0 - preprocess.mean[channel]) / preprocess.std[channel];
            halves(real, halved)
        })
    })
}

/// The two levels that add up to `real`, each counted from the zero point.
fn halves(real: f32, halved: Quantization) -> [u8; HALVES] {
    let zeros = f32::from(halved.zero_point);
    let sum = min(max(halved.level_of(real) + zeros, 0.0), HALVES as f32 * LEVELS) as u8;
    [sum.div_ceil(2), sum / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Filter, Fit};

    #[test]
    fn two_levels_tell_every_pixel_value_from_its_neighbours() {
        for (mean, std) in [(0.498, 0.502), (0.0, 1.0), (0.485, 0.229)] {
            let preprocess = Preprocess {
                input_size: 32,
                fit: Fit::Stretch,
                filter: Filter::Bilinear,
                mean: [mean; 3],
                std: [std; 3],
            };
            let input = Quantization::covering((0.0 - mean) / std, (1.0 - mean) / std);
            let halved = Quantization { scale: input.scale / 2.0, ..input };
            let zero = halves(0.0, halved).map(|level| i32::from(level) - i32::from(input.zero_point));
            assert_eq!(zero, [0, 0], "padding is exact");
            for (value, [a, b]) in levels(&preprocess, halved)[0].into_iter().enumerate() {
                let real = (value as f32 / 255.0 - mean) / std;
                let sum = i32::from(a) + i32::from(b) - 2 * i32::from(input.zero_point);
                // The zero point takes up to half a level of the coarse scale from one end.
                let ends = if !(2..=253).contains(&value) { 2.0 } else { 0.6 };
                assert!(
                    a <= 127 && b <= 127 && (sum as f32 * halved.scale - real).abs() <= ends * halved.scale
                );
            }
        }
    }
}
