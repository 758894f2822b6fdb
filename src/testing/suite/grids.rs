//! Cases of the image encoder's operations. Their grids come from pixels by way of a convolution whose weights are 1, 0
//! and -1, so that every level is known, and are read back by way of one that copies them.

use super::{
    Case, Expected, Operations,
    definitions::{HALF_LEVEL, Levels, conv, gate, max_pool},
    weights::{Maker, Range, Size, Weights, identity},
};
use crate::{
    backend::{Backend, ConvStep, GateStep, Quantization, pixel_range},
    bundle::BundleError,
    model::{Activation, ConvParameter, ConvSpec, Filter, Fit, Padding, Preprocess, RangeParameter},
};

/// Pixels and what is done with them.
#[derive(Clone, Debug)]
pub struct Grid {
    preprocess: Preprocess,
    pixels: RangeParameter,
    /// Of each picture, one after the other.
    rgb: Vec<u8>,
    /// What makes the pixels a grid of levels, or reads them.
    feed: Step,
    then: Then,
    /// What copies levels to reals.
    probe: Option<Step>,
}

/// What follows the first convolution.
#[derive(Clone, Debug)]
enum Then {
    /// It stays real.
    Nothing,
    Conv {
        step: Box<Step>,
        residual: Option<Box<Step>>,
    },
    MaxPool {
        side: usize,
        channels: usize,
    },
    /// Squeeze and excitation, the means as logits.
    Gate {
        side: usize,
        channels: usize,
        range: RangeParameter,
    },
}

/// A [`ConvStep`] that owns its parts.
#[derive(Clone, Debug)]
struct Step {
    parameter: ConvParameter,
    side: usize,
    input: RangeParameter,
    residual: Option<RangeParameter>,
    activation: Activation,
    output: Option<RangeParameter>,
}

impl Step {
    fn make<B: Backend>(&self, backend: &mut B, source: &B::Source) -> Result<B::Conv, B::Error> {
        let Step { parameter, side, input, residual, activation, output } = self;
        let (residual, output) = (residual.as_ref(), output.as_ref());
        let (side, activation) = (*side, *activation);
        let step = ConvStep { name: &parameter.name, parameter, side, input, residual, activation, output };
        backend.make_conv(source, &step)
    }
}

impl Grid {
    pub fn output<B: Backend>(&self, backend: &mut B, source: &B::Source) -> Result<B::Reals, B::Error> {
        let pixels = backend.make_pixels(source, &self.preprocess, &self.pixels)?;
        let feed = self.feed.make(backend, source)?;
        let mut x = B::Levels::default();
        let (mut grid, mut added, mut levels) = (x.clone(), x.clone(), x.clone());
        let mut reals = B::Reals::default();
        let side = self.preprocess.input_size;
        let squares: Vec<&[u8]> = self.rgb.chunks_exact(3 * side * side).collect();
        backend.pixels(&pixels, &squares, &mut x);
        match &self.then {
            Then::Nothing => {
                backend.conv_to_reals(&feed, &x, None, &mut reals);
                return Ok(reals);
            }
            Then::MaxPool { side, channels } => {
                backend.conv(&feed, &x, None, &mut grid);
                backend.max_pool(&grid, *side, *channels, &mut levels);
            }
            Then::Gate { side, channels, range } => {
                backend.conv(&feed, &x, None, &mut grid);
                let (side, channels) = (*side, *channels);
                let gate = backend.make_gate(source, &GateStep { name: "gate", side, channels, range })?;
                backend.squeeze(&gate, &grid, &mut reals);
                backend.excite(&gate, &grid, &reals, &mut levels);
            }
            Then::Conv { step, residual } => {
                backend.conv(&feed, &x, None, &mut grid);
                let step = step.make(backend, source)?;
                if let Some(residual) = residual {
                    let residual = residual.make(backend, source)?;
                    backend.conv(&residual, &x, None, &mut added);
                }
                let added = residual.is_some().then_some(&added);
                if self.probe.is_none() {
                    backend.conv_to_reals(&step, &grid, added, &mut reals);
                    return Ok(reals);
                }
                backend.conv(&step, &grid, added, &mut levels);
            }
        }
        if let Some(probe) = &self.probe {
            let probe = probe.make(backend, source)?;
            backend.conv_to_reals(&probe, &levels, None, &mut reals);
        }
        Ok(reals)
    }
}

/// A 1x1 convolution.
fn pointwise(in_channels: usize, out_channels: usize) -> ConvSpec {
    ConvSpec {
        name: String::new(),
        norm: String::new(),
        in_channels,
        out_channels,
        kernel: 1,
        stride: 1,
        groups: 1,
        padding: Padding::Symmetric(0),
    }
}

/// Pixels that are their own number: the mean is 0 and the deviation that of a pixel's step.
fn integers(side: usize) -> Preprocess {
    Preprocess {
        input_size: side,
        fit: Fit::Stretch,
        filter: Filter::Bilinear,
        mean: [0.0; 3],
        std: [1.0 / 255.0; 3],
    }
}

/// Makes the pixels `rgb`, read with a scale of 1 for each of their two levels, grids of levels of `range`.
fn feed(
    maker: &mut Maker,
    (pixels, rgb, side): (&Range, &[u8], usize),
    channels: usize,
    size: Size,
    range: &Range,
) -> Result<(Step, Levels), BundleError> {
    let gain = if size == Size::Extreme { 127.0 } else { 1.0 };
    let levels: Vec<i8> = (0..3 * channels).map(|_| maker.integer(-1, 1) as i8).collect();
    let bias: Vec<f32> = (0..channels).map(|_| gain * maker.integer(-96, 160) as f32).collect();
    let zero = f32::from(range.zero_point);
    // In levels first; the range's scale and zero point are taken off again.
    let weights = Weights {
        scale: vec![gain * range.scale; channels],
        bias: bias.iter().map(|bias| (bias - zero) * range.scale).collect(),
        levels: levels.clone(),
    };
    let cell = |rgb: &[u8]| {
        let level = |channel: usize| {
            let sum: i32 = (0..3).map(|i| i32::from(rgb[i]) * i32::from(levels[3 * channel + i])).sum();
            (gain as i32 * sum + bias[channel] as i32).clamp(0, 127) as u8
        };
        (0..channels).map(level).collect::<Vec<_>>()
    };
    let grid = Levels { side, channels, levels: rgb.chunks_exact(3).flat_map(cell).collect() };
    let step = Step {
        parameter: maker.conv(&pointwise(3, channels), &weights)?,
        side,
        input: pixels.parameter.clone(),
        residual: None,
        activation: Activation::None,
        output: Some(range.parameter.clone()),
    };
    Ok((step, grid))
}

/// What copies levels to reals: level 5 becomes 5.0.
fn probe(maker: &mut Maker, side: usize, channels: usize) -> Result<Step, BundleError> {
    let range = maker.range(1.0, 0, false)?;
    Ok(Step {
        parameter: maker.conv(&pointwise(channels, channels), &identity(channels))?,
        side,
        input: range.parameter,
        residual: None,
        activation: Activation::None,
        output: None,
    })
}

/// Pixels of up to 254, which two levels add up to exactly.
fn pictures(maker: &mut Maker, count: usize, side: usize) -> Vec<u8> {
    (0..count * 3 * side * side).map(|_| maker.integer(0, 254) as u8).collect()
}

pub fn cases() -> Result<Vec<Case>, BundleError> {
    let mut cases = pixel_cases()?;
    let mut seed = 500;
    // side, channels in and out, kernel, stride, padding, depthwise
    for (side, inputs, outputs, kernel, stride, padding) in [
        (1, 8, 8, 1, 1, Padding::Symmetric(0)),
        (5, 3, 11, 1, 1, Padding::Symmetric(0)),
        (7, 24, 16, 1, 2, Padding::Symmetric(0)),
        (6, 3, 11, 3, 2, Padding::Same),
        (4, 9, 10, 3, 1, Padding::Symmetric(1)),
        (20, 16, 24, 3, 1, Padding::Same),
        (9, 3, 17, 7, 2, Padding::Symmetric(3)),
        (1, 8, 8, 3, 1, Padding::Same),
    ] {
        let spec = ConvSpec { kernel, stride, padding, ..pointwise(inputs, outputs) };
        conv_cases(&mut cases, &mut seed, side, &spec)?;
    }
    for (side, channels, kernel, stride, padding) in [
        (6, 8, 3, 1, Padding::Same),
        (7, 16, 3, 2, Padding::Same),
        (8, 24, 3, 2, Padding::Symmetric(1)),
        (9, 24, 5, 1, Padding::Symmetric(2)),
        (8, 8, 5, 2, Padding::Same),
        (1, 8, 5, 1, Padding::Same),
    ] {
        let spec = ConvSpec { kernel, stride, padding, groups: channels, ..pointwise(channels, channels) };
        conv_cases(&mut cases, &mut seed, side, &spec)?;
    }
    for (count, side, channels) in [(1, 1, 3), (1, 4, 8), (1, 7, 5), (3, 5, 4)] {
        seed += 1;
        let mut maker = Maker::new(seed);
        let (rgb, pixels) = (pictures(&mut maker, count, side), maker.range(2.0, 0, true)?);
        let range = maker.range(1.0, 0, false)?;
        let (feed, grid) = feed(&mut maker, (&pixels, &rgb, side), channels, Size::Usual, &range)?;
        let pooled = max_pool(&grid);
        let exactly = |&level: &u8| Expected { value: f64::from(level), tolerance: 1e-6 };
        let grid = Grid {
            preprocess: integers(side),
            pixels: pixels.parameter,
            rgb,
            feed,
            then: Then::MaxPool { side, channels },
            probe: Some(probe(&mut maker, pooled.side, channels)?),
        };
        let name = format!("max_pool {count}x{side}x{side}x{channels}");
        cases.push(case(name, maker, grid, pooled.levels.iter().map(exactly).collect())?);
    }
    for (count, side, channels) in [(1, 1, 8), (1, 5, 24), (1, 7, 11), (3, 4, 16)] {
        seed += 1;
        let mut maker = Maker::new(seed);
        let (rgb, pixels) = (pictures(&mut maker, count, side), maker.range(2.0, 0, true)?);
        let range = maker.range(0.04, 40, false)?;
        let (feed, grid) = feed(&mut maker, (&pixels, &rgb, side), channels, Size::Usual, &range)?;
        let expected = gate(&grid, &range);
        let grid = Grid {
            preprocess: integers(side),
            pixels: pixels.parameter,
            rgb,
            feed,
            then: Then::Gate { side, channels, range: range.parameter },
            probe: Some(probe(&mut maker, side, channels)?),
        };
        cases.push(case(format!("gate {count}x{side}x{side}x{channels}"), maker, grid, expected)?);
    }
    Ok(cases)
}

/// A convolution with and without a residual, to levels and to reals, with each activation, of usual and extreme numbers,
/// over one picture and over several.
fn conv_cases(
    cases: &mut Vec<Case>,
    seed: &mut u64,
    side: usize,
    spec: &ConvSpec,
) -> Result<(), BundleError> {
    let out_side = spec.output_size(side);
    for (count, size, activation, has_residual, is_real) in [
        (1, Size::Usual, Activation::Relu, false, false),
        (1, Size::Usual, Activation::None, true, false),
        (1, Size::Usual, Activation::Relu6, false, true),
        (1, Size::Usual, Activation::Relu, true, true),
        (1, Size::Usual, Activation::HardSwish, true, false),
        (1, Size::Usual, Activation::HardSwish, false, true),
        (1, Size::Extreme, Activation::None, false, false),
        (1, Size::Extreme, Activation::Relu6, true, false),
        (1, Size::Extreme, Activation::None, true, true),
        (3, Size::Usual, Activation::Relu, true, false),
        (2, Size::Usual, Activation::HardSwish, false, true),
    ] {
        // A grid that is added comes from the pixels too, so it can only have their side.
        if has_residual && out_side != side {
            continue;
        }
        *seed += 1;
        let mut maker = Maker::new(*seed);
        let (rgb, pixels) = (pictures(&mut maker, count, side), maker.range(2.0, 0, true)?);
        let zero_point = maker.integer(0, 127) as u8;
        let input = maker.range(0.03, zero_point, false)?;
        let from = (&pixels, rgb.as_slice(), side);
        let (feed_step, grid) = feed(&mut maker, from, spec.in_channels, size, &input)?;
        let residual = if has_residual {
            let range = maker.range(0.04, 50, false)?;
            Some((feed(&mut maker, from, spec.out_channels, size, &range)?, range))
        } else {
            None
        };
        let output = if is_real { None } else { Some(maker.range(0.05, 30, false)?) };
        let [out, inputs, kernel, _] = spec.weight_shape();
        let depth = inputs * kernel * kernel;
        let weights = maker.weights(out, depth, size, 0.05 / (depth as f32).sqrt());
        let added = residual.as_ref().map(|((_, levels), range)| (levels, range));
        let expected = conv(spec, &weights, (&grid, &input), added, activation, output.as_ref());
        let step = Step {
            parameter: maker.conv(spec, &weights)?,
            side,
            input: input.parameter,
            residual: residual.as_ref().map(|(_, range)| range.parameter.clone()),
            activation,
            output: output.as_ref().map(|range| range.parameter.clone()),
        };
        let residual = residual.map(|((step, _), _)| Box::new(step));
        let grid = Grid {
            preprocess: integers(side),
            pixels: pixels.parameter,
            rgb,
            feed: feed_step,
            then: Then::Conv { step: Box::new(step), residual },
            probe: if is_real { None } else { Some(probe(&mut maker, out_side, out)?) },
        };
        let kind = if spec.is_depthwise() { "depthwise" } else { "conv" };
        let to = if is_real { "reals" } else { "levels" };
        let name = format!(
            "{kind} {kernel}x{kernel}, stride {}, {:?}, {count}x{side}x{side}x{} to {out}, {size:?}, {activation:?}, residual \
             {has_residual}, to {to}",
            spec.stride, spec.padding, spec.in_channels
        );
        cases.push(case(name, maker, grid, expected)?);
    }
    Ok(())
}

/// Pixels of usual means and deviations, read one by one and by a network's first convolution.
fn pixel_cases() -> Result<Vec<Case>, BundleError> {
    let mut cases = Vec::new();
    for (seed, (mean, std)) in
        [([0.498; 3], [0.502; 3]), ([0.0; 3], [1.0; 3]), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
            .into_iter()
            .enumerate()
    {
        let side = 16;
        let preprocess = Preprocess { mean, std, ..integers(side) };
        // Every number once in the first channel.
        let rgb: Vec<u8> = (0..=255u8).flat_map(|i| [i, i.wrapping_mul(7), 255 - i]).collect();
        let Quantization { scale, zero_point } = pixel_range(&preprocess);
        for kernel in [1, 3] {
            let mut maker = Maker::new(400 + seed as u64);
            let range = maker.range(scale, zero_point, true)?;
            let stride = if kernel == 1 { 1 } else { 2 };
            let outputs = if kernel == 1 { 3 } else { 32 };
            let spec = ConvSpec { kernel, stride, padding: Padding::Same, ..pointwise(3, outputs) };
            let weights = match kernel {
                1 => identity(3),
                _ => maker.weights(outputs, 27, Size::Usual, 0.01),
            };
            let reals: Vec<f64> = rgb
                .iter()
                .enumerate()
                .map(|(i, &value)| {
                    (f64::from(value) / 255.0 - f64::from(mean[i % 3])) / f64::from(std[i % 3])
                })
                .collect();
            // Half a level of the two; the zero point takes up to a whole one from one end.
            let one = 2.0 * HALF_LEVEL * f64::from(scale);
            let expected = first_conv(&spec, &weights, &reals, side, one);
            let step = Step {
                parameter: maker.conv(&spec, &weights)?,
                side,
                input: range.parameter.clone(),
                residual: None,
                activation: Activation::None,
                output: None,
            };
            let grid = Grid {
                preprocess: preprocess.clone(),
                pixels: range.parameter,
                rgb: rgb.clone(),
                feed: step,
                then: Then::Nothing,
                probe: None,
            };
            cases.push(case(format!("pixels of mean {mean:?}, {kernel}x{kernel}"), maker, grid, expected)?);
        }
    }
    Ok(cases)
}

/// A convolution of real pixels, each of which may be `off` by as much.
fn first_conv(spec: &ConvSpec, weights: &Weights, pixels: &[f64], side: usize, off: f64) -> Vec<Expected> {
    let (out, before, kernel) = (spec.output_size(side), spec.pads(side).0, spec.kernel);
    let mut expected = Vec::new();
    for cell in 0..out * out {
        for channel in 0..spec.out_channels {
            let (mut value, mut tolerance) = (f64::from(weights.bias[channel]), 1e-5);
            for k in 0..kernel * kernel * 3 {
                let inside =
                    |start: usize, tap: usize| (start + tap).checked_sub(before).filter(|&at| at < side);
                let y = inside(cell / out * spec.stride, k / 3 / kernel);
                let x = inside(cell % out * spec.stride, k / 3 % kernel);
                let (Some(y), Some(x)) = (y, x) else { continue };
                let level = weights.levels[channel * kernel * kernel * 3 + k];
                let weight = f64::from(level) * f64::from(weights.scale[channel]);
                value += weight * pixels[(y * side + x) * 3 + k % 3];
                tolerance += weight.abs() * off;
            }
            expected.push(Expected { value, tolerance });
        }
    }
    expected
}

fn case(name: String, maker: Maker, grid: Grid, expected: Vec<Expected>) -> Result<Case, BundleError> {
    Ok(Case { name, bundle: maker.finish()?, expected, operations: Operations::Grid(Box::new(grid)) })
}
