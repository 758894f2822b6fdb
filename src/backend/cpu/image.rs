//! A convolution with its epilogue, and the levels of pixels: NHWC, unsigned 7-bit levels from layer to layer, BatchNorm
//! folded, activation and residual sum in the epilogue.

use super::{
    Epilogue, InstructionSet, PackedMatrix,
    conv::{ConvWorkspace, Windows, convolve},
    depthwise::DepthwiseKernels,
    math::{max, min},
    quantize::{LEVELS, Quantization},
    requantize::{Element, Requantize, Residual, Sums},
};
use crate::{
    backend::ConvStep,
    bundle::{Bundle, BundleError},
    model::{ConvWeights, Preprocess},
};

/// 7 bits are too few for pixels: what is lost in front of the first convolution spreads through all others. So a pixel
/// is read as the sum of two levels, in two channels that the first convolution gives the same weights.
pub(in crate::backend) const PIXEL_LEVELS: usize = 2;

/// The range of every value that a pixel can become.
pub fn pixel_range(preprocess: &Preprocess) -> Quantization {
    let ends = |pixel: f32| (0..3).map(move |c| (pixel - preprocess.mean[c]) / preprocess.std[c]);
    Quantization::covering(ends(0.0).fold(0.0, f32::min), ends(1.0).fold(0.0, f32::max))
}

/// How each of the two levels of a pixel is quantized.
pub(in crate::backend) fn of_pixels(range: Quantization) -> Quantization {
    Quantization { scale: range.scale / PIXEL_LEVELS as f32, ..range }
}

/// For each channel, the two levels of each of the 256 pixel values.
#[derive(Clone, Debug)]
pub struct PixelLevels(pub(in crate::backend) [[[u8; PIXEL_LEVELS]; 256]; 3]);

impl PixelLevels {
    /// By way of the real number that the float encoder sees.
    pub fn new(preprocess: &Preprocess, range: Quantization) -> Self {
        PixelLevels(std::array::from_fn(|channel| {
            std::array::from_fn(|value| {
                let real = (value as f32 / 255.0 - preprocess.mean[channel]) / preprocess.std[channel];
                two_levels(real, of_pixels(range))
            })
        }))
    }

    /// Appends `[pixels, 6]`: the first level of the three channels, then the second.
    pub fn append(&self, rgb: &[u8], out: &mut Vec<u8>) {
        let [red, green, blue] = &self.0;
        let levels = |&[r, g, b]: &[u8; 3]| {
            let [r, g, b] = [red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]];
            [r[0], g[0], b[0], r[1], g[1], b[1]]
        };
        out.extend(rgb.as_chunks().0.iter().flat_map(levels));
    }
}

/// The two levels that add up to `real`, each counted from the zero point.
fn two_levels(real: f32, each: Quantization) -> [u8; PIXEL_LEVELS] {
    let zeros = f32::from(each.zero_point);
    let sum = min(max(each.level_of(real) + zeros, 0.0), PIXEL_LEVELS as f32 * LEVELS) as u8;
    [sum.div_ceil(2), sum / 2]
}

/// A convolution with its epilogue.
#[derive(Clone, Debug)]
pub struct Conv {
    windows: Windows,
    /// The level around the input.
    zero_point: u8,
    kernels: Kernels,
    requantize: Requantize,
}

#[derive(Clone, Debug)]
enum Kernels {
    Dense(PackedMatrix),
    Depthwise(DepthwiseKernels),
}

impl Conv {
    /// From a bundle, for an instruction set.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(set: InstructionSet, bundle: &Bundle, step: &ConvStep<'_>) -> Result<Self, BundleError> {
        let spec = &step.parameter.spec;
        let ConvWeights { levels, scale, bias } = step.parameter.read(bundle)?;
        let range = Quantization::load(bundle, step.input)?;
        let (input, copies) = match step.input.node {
            Some(_) => (range, 1),
            None => (of_pixels(range), PIXEL_LEVELS),
        };
        let inputs = spec.in_channels / spec.groups;
        let weights: Vec<i8> = levels.chunks_exact(inputs).flat_map(|cell| cell.repeat(copies)).collect();
        let (out, kernel, inputs) = (spec.out_channels, spec.kernel, inputs * copies);
        let kernels = if spec.is_depthwise() {
            Kernels::Depthwise(DepthwiseKernels::new(set, &weights, out, kernel))
        } else {
            Kernels::Dense(PackedMatrix::new(set, &weights, out, kernel, kernel * inputs))
        };
        let weight_sums = match &kernels {
            Kernels::Dense(kernels) => kernels.sums(),
            Kernels::Depthwise(kernels) => kernels.sums(),
        };
        let residual = step.residual.map(|range| Quantization::load(bundle, range)).transpose()?;
        let output = step.output.map(|range| Quantization::load(bundle, range)).transpose()?;
        let padding = spec.pads(step.side);
        Ok(Conv {
            requantize: Requantize::new(weight_sums, &scale, &bias, input, residual, step.activation, output),
            windows: Windows {
                height: step.side,
                width: step.side,
                channels: spec.in_channels * copies,
                kernel,
                stride: spec.stride,
                rows_padding: padding,
                columns_padding: padding,
            },
            zero_point: input.zero_point,
            kernels,
        })
    }

    /// Writes the output of every picture as levels or as real numbers.
    ///
    /// # Panics
    /// When a length is not that of whole pictures, as many of them everywhere.
    pub fn run<T: Element>(
        &self,
        input: &[u8],
        residual: Option<&[u8]>,
        workspace: &mut ConvWorkspace,
        out: &mut Vec<T>,
    ) {
        let Windows { height, width, channels, .. } = self.windows;
        let (input_len, output_len) = (height * width * channels, self.output_len());
        let pictures = input.len() / input_len;
        assert_eq!(input.len(), pictures * input_len, "levels of whole pictures");
        out.resize(pictures * output_len, T::default());
        let parts = input.chunks_exact(input_len).zip(out.chunks_exact_mut(output_len));
        for (picture, (input, out)) in parts.enumerate() {
            let levels = residual.map(|levels| &levels[picture * output_len..][..output_len]);
            let residual = levels.map(|levels| Residual { levels });
            self.requantize.apply(SumsOf { conv: self, input, workspace }, residual, out);
        }
    }

    /// Numbers of a picture's output.
    fn output_len(&self) -> usize {
        self.windows.output_height() * self.windows.output_width() * self.requantize.channels()
    }
}

/// The sums of a convolution over a picture.
struct SumsOf<'a> {
    conv: &'a Conv,
    input: &'a [u8],
    workspace: &'a mut ConvWorkspace,
}

impl Sums for SumsOf<'_> {
    fn hand_to(self, epilogue: &mut impl Epilogue) {
        let SumsOf { conv: Conv { windows, zero_point, kernels, .. }, input, workspace } = self;
        match kernels {
            Kernels::Dense(kernels) => convolve(input, windows, *zero_point, kernels, workspace, epilogue),
            Kernels::Depthwise(kernels) => kernels.convolve(input, windows, *zero_point, workspace, epilogue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Filter, Fit};

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
            let each = of_pixels(input);
            let zero = two_levels(0.0, each).map(|level| i32::from(level) - i32::from(input.zero_point));
            assert_eq!(zero, [0, 0], "padding is exact");
            for (value, [a, b]) in PixelLevels::new(&preprocess, input).0[0].into_iter().enumerate() {
                let real = (value as f32 / 255.0 - mean) / std;
                let sum = i32::from(a) + i32::from(b) - 2 * i32::from(input.zero_point);
                // The zero point takes up to half a level of the coarse scale from one end.
                let ends = if !(2..=253).contains(&value) { 2.0 } else { 0.6 };
                assert!(a <= 127 && b <= 127 && (sum as f32 * each.scale - real).abs() <= ends * each.scale);
            }
        }
    }
}
