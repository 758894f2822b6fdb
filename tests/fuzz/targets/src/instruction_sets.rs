//! Every instruction set of this machine against the scalar one: random operations of random sizes and weights, and whole
//! models on random posts. The promise is the same bits.

use mixed_feelings::{
    Analyzer, Bundle, Post,
    analyzer::ImageInput,
    backend::{
        Backend, ConvStep, Cpu, GateStep,
        cpu::{InstructionSet, self_test_of},
    },
    bundle::BundleError,
    image::Picture,
    inference::QuantizedModel,
    model::{
        Activation, Architecture, ConvParameter, ConvSpec, Filter, Fit, FusionKind, HiddenActivation,
        LayerNormParameter, ModelConfig, Padding, Preprocess, RangeParameter, TextParameters,
    },
    testing::{
        random_bundle,
        suite::weights::{Maker, Size, identity},
        tiny_config, tiny_tokenizer,
    },
};

use crate::entropy::{Choices, hash};

type Outcome = Result<Vec<f32>, BundleError>;

/// The bytes choose the operation, its sizes and the seed of its weights.
pub fn run(bytes: &[u8]) {
    let seed = hash(bytes);
    let mut choices = Choices::new(bytes);
    let made = match choices.byte() % 16 {
        0..=4 => words(&mut choices, seed),
        5..=14 => grid(&mut choices, seed),
        _ => return model(choices, seed),
    };
    let (operation, bundle) = made.expect("the weights are those that the operation asks for");
    hold(|cpu| operation(cpu, &bundle).expect("the weights are those that the operation asks for"));
}

/// Compares what every instruction set gives with what the scalar one does.
fn hold(mut output: impl FnMut(Cpu) -> Vec<f32>) {
    let mut scalar = None;
    for set in InstructionSet::available() {
        let cpu = Cpu::with(set).expect("it is available");
        let bits: Vec<u32> = output(cpu).into_iter().map(bits).collect();
        let expected = scalar.get_or_insert_with(|| bits.clone());
        assert!(bits == *expected, "{} gives other bits than scalar", set.name());
    }
}

/// What a NaN carries is nobody's promise.
fn bits(number: f32) -> u32 {
    if number.is_nan() { f32::NAN.to_bits() } else { number.to_bits() }
}

type Operation = Box<dyn Fn(Cpu, &Bundle) -> Outcome>;

/// Numbers from very small to very large ones.
fn scale(choices: &mut Choices<'_>) -> f32 {
    2f32.powi(choices.of(&[-12, -7, -4, 0, 6, -30, 30, -100, 60]))
}

fn size(choices: &mut Choices<'_>) -> Size {
    choices.of(&[Size::Usual, Size::Extreme])
}

/// Embeddings, and one operation of the text encoder.
fn words(choices: &mut Choices<'_>, seed: u64) -> Result<(Operation, Bundle), BundleError> {
    let mut maker = Maker::new(seed);
    let count = choices.between(1, 40);
    let heads = choices.between(1, 4);
    let kind = choices.byte() % 3;
    let width = match kind {
        0 => 3 * heads * choices.between(1, 24),
        _ => choices.between(1, 300),
    };
    let (spread, eps) = (scale(choices), choices.of(&[1e-12, 1e-5, 0.0, 0.5]));
    let table = |maker: &mut Maker, rows: usize, size| {
        let weights = maker.weights(rows, width, size, spread);
        maker.table(width, &weights.levels, &weights.scale)
    };
    let of_words = size(choices);
    let text = TextParameters {
        words: table(&mut maker, 2 * count, of_words)?,
        positions: table(&mut maker, count, Size::Usual)?,
        token_types: table(&mut maker, 2, Size::Usual)?,
        norm: LayerNormParameter { name: String::new(), width, eps },
        layers: Vec::new(),
    };
    let ids: Vec<u32> = (0..count).map(|_| maker.integer(0, 2 * count as i32 - 1) as u32).collect();
    let operation: Operation = match kind {
        0 => Box::new(move |mut cpu, bundle| {
            let x = embedded(&mut cpu, bundle, &text, &ids)?;
            let mut out = Vec::new();
            cpu.attend(&x, &[count], width / 3, heads, &mut out);
            Ok(out)
        }),
        1 => {
            let (weight, bias) = (maker.random.around(width, 1.0), maker.random.around(width, 0.0));
            let norm = maker.norm(&weight, &bias, eps)?;
            let has_residual = choices.byte() % 2 == 1;
            Box::new(move |mut cpu, bundle| {
                let mut x = embedded(&mut cpu, bundle, &text, &ids)?;
                let residual = x.clone();
                let norm = cpu.make_layer_norm(bundle, &norm)?;
                cpu.layer_norm(&norm, &mut x, has_residual.then_some(&residual));
                Ok(x)
            })
        }
        _ => {
            let (outputs, spread, of_weights) = (choices.between(1, 40), scale(choices), size(choices));
            let layers = (0..choices.between(1, 3)).map(|_| {
                let weights = maker.weights(outputs, width, of_weights, spread);
                maker.linear(width, &weights)
            });
            let layers = layers.collect::<Result<Vec<_>, _>>()?;
            let activation = choices.of(&[
                None,
                Some(HiddenActivation::Gelu),
                Some(HiddenActivation::GeluNew),
                Some(HiddenActivation::Relu),
            ]);
            Box::new(move |mut cpu, bundle| {
                let x = embedded(&mut cpu, bundle, &text, &ids)?;
                let linear = cpu.make_linear(bundle, &layers)?;
                let (mut rows, mut out) = Default::default();
                cpu.quantize_rows(&x, width, &mut rows);
                cpu.linear(&linear, &mut rows, activation, &mut out);
                Ok(out)
            })
        }
    };
    Ok((operation, maker.finish()?))
}

fn embedded(cpu: &mut Cpu, bundle: &Bundle, text: &TextParameters, ids: &[u32]) -> Outcome {
    let tables = cpu.make_embeddings(bundle, text)?;
    let mut x = Vec::new();
    cpu.embed(&tables, &[ids], &mut x);
    Ok(x)
}

/// Pixels, a first convolution, and one operation of the image encoder behind it.
fn grid(choices: &mut Choices<'_>, seed: u64) -> Result<(Operation, Bundle), BundleError> {
    let mut maker = Maker::new(seed);
    let side = choices.between(1, 24);
    let kind = choices.byte() % 8;
    let depthwise = kind < 3;
    // Every network that there is has eights of channels behind its first convolution.
    let channels = if depthwise || kind == 3 { 8 * choices.between(1, 5) } else { choices.between(1, 40) };
    let preprocess = Preprocess {
        input_size: side,
        fit: Fit::Stretch,
        filter: Filter::Bilinear,
        mean: [choices.of(&[0.0, 0.5, 1.0]); 3],
        std: [choices.of(&[1.0, 0.25, 1.0 / 255.0]); 3],
    };
    let rgb: Vec<u8> = (0..3 * side * side).map(|_| maker.integer(0, 255) as u8).collect();
    let range = |choices: &mut Choices<'_>, maker: &mut Maker, of_pixels| {
        let zero_point = choices.between(0, 127) as u8;
        maker.range(scale(choices), zero_point, of_pixels).map(|range| range.parameter)
    };
    let pixels = range(choices, &mut maker, true)?;
    let input = range(choices, &mut maker, false)?;
    let feed = conv(choices, &mut maker, &pointwise(3, channels), Activation::None)?;
    let one = maker.range(1.0, 0, false)?.parameter;
    let before = move |cpu: &mut Cpu, bundle: &Bundle| {
        let pixel_levels = cpu.make_pixels(bundle, &preprocess, &pixels)?;
        let (mut x, mut grid) = Default::default();
        cpu.pixels(&pixel_levels, &[&rgb], &mut x);
        let feed = make(cpu, bundle, &feed, side, (&pixels, None, Some(&input)))?;
        cpu.conv(&feed, &x, None, &mut grid);
        Ok::<_, BundleError>((grid, input.clone()))
    };
    let operation: Operation = match kind {
        3 => {
            let probe = probe(&mut maker, channels)?;
            Box::new(move |mut cpu, bundle| {
                let (grid, range) = before(&mut cpu, bundle)?;
                let gate =
                    cpu.make_gate(bundle, &GateStep { name: "gate", side, channels, range: &range })?;
                let (mut means, mut out) = Default::default();
                cpu.squeeze(&gate, &grid, &mut means);
                cpu.excite(&gate, &grid, &means, &mut out);
                read(&mut cpu, bundle, &probe, side, &one, &out)
            })
        }
        4 => {
            let probe = probe(&mut maker, channels)?;
            Box::new(move |mut cpu, bundle| {
                let (grid, _) = before(&mut cpu, bundle)?;
                let mut out = Default::default();
                cpu.max_pool(&grid, side, channels, &mut out);
                read(&mut cpu, bundle, &probe, side.div_ceil(2), &one, &out)
            })
        }
        _ => {
            let kernel = choices.of(if depthwise { &[3, 5] } else { &[1, 3, 3, 5, 7] });
            let spec = ConvSpec {
                kernel,
                stride: choices.between(1, 2),
                padding: choices.of(&[Padding::Same, Padding::Symmetric(kernel / 2)]),
                groups: if depthwise { channels } else { 1 },
                ..pointwise(channels, if depthwise { channels } else { choices.between(1, 40) })
            };
            // A sum needs two grids of the same side and channels.
            let added =
                choices.byte() % 2 == 1 && spec.out_channels == channels && spec.output_size(side) == side;
            let activations = [Activation::None, Activation::Relu, Activation::Relu6, Activation::HardSwish];
            let activation = choices.of(&activations);
            let step = conv(choices, &mut maker, &spec, activation)?;
            let output = range(choices, &mut maker, false)?;
            let is_real = choices.byte() % 2 == 1;
            let probe = probe(&mut maker, spec.out_channels)?;
            Box::new(move |mut cpu, bundle| {
                let (grid, range) = before(&mut cpu, bundle)?;
                let output = (!is_real).then_some(&output);
                let step = make(&mut cpu, bundle, &step, side, (&range, added.then_some(&range), output))?;
                let residual = added.then_some(&grid);
                if is_real {
                    let mut out = Vec::new();
                    cpu.conv_to_reals(&step, &grid, residual, &mut out);
                    return Ok(out);
                }
                let mut out = Default::default();
                cpu.conv(&step, &grid, residual, &mut out);
                read(&mut cpu, bundle, &probe, spec.output_size(side), &one, &out)
            })
        }
    };
    Ok((operation, maker.finish()?))
}

fn pointwise(in_channels: usize, out_channels: usize) -> ConvSpec {
    let padding = Padding::Symmetric(0);
    let (name, norm) = (String::new(), String::new());
    ConvSpec { name, norm, in_channels, out_channels, kernel: 1, stride: 1, groups: 1, padding }
}

type Weighted = (ConvParameter, Activation);

fn conv(
    choices: &mut Choices<'_>,
    maker: &mut Maker,
    spec: &ConvSpec,
    activation: Activation,
) -> Result<Weighted, BundleError> {
    let [out, inputs, rows, columns] = spec.weight_shape();
    let weights = maker.weights(out, inputs * rows * columns, size(choices), scale(choices));
    Ok((maker.conv(spec, &weights)?, activation))
}

/// What copies levels to reals.
fn probe(maker: &mut Maker, channels: usize) -> Result<Weighted, BundleError> {
    Ok((maker.conv(&pointwise(channels, channels), &identity(channels))?, Activation::None))
}

fn make(
    cpu: &mut Cpu,
    bundle: &Bundle,
    (parameter, activation): &Weighted,
    side: usize,
    (input, residual, output): (&RangeParameter, Option<&RangeParameter>, Option<&RangeParameter>),
) -> Result<<Cpu as Backend>::Conv, BundleError> {
    let (name, activation) = (parameter.name.as_str(), *activation);
    cpu.make_conv(bundle, &ConvStep { name, parameter, side, input, residual, activation, output })
}

fn read(
    cpu: &mut Cpu,
    bundle: &Bundle,
    probe: &Weighted,
    side: usize,
    one: &RangeParameter,
    levels: &<Cpu as Backend>::Levels,
) -> Outcome {
    let probe = make(cpu, bundle, probe, side, (one, None, None))?;
    let mut out = Vec::new();
    cpu.conv_to_reals(&probe, levels, None, &mut out);
    Ok(out)
}

/// A whole model; the bytes that are left are the text.
fn model(mut choices: Choices<'_>, seed: u64) {
    assert!(InstructionSet::available().into_iter().all(|set| self_test_of(set).is_ok()));
    let mut config = tiny_config();
    config.image.architecture = Architecture::MobilenetV3Small;
    config.preprocess.input_size = 32 * choices.between(1, 2);
    config.preprocess.fit = choices.of(&[Fit::Stretch, Fit::Crop]);
    config.fusion.kind =
        choices.of(&[FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late]);
    config.text.num_attention_heads = choices.between(1, 4);
    config.text.hidden_size = config.text.num_attention_heads * choices.between(1, 12);
    config.text.intermediate_size = choices.between(1, 64);
    let (width, height) = (choices.between(1, 80) as u32, choices.between(1, 80) as u32);
    let mut maker = Maker::new(seed);
    let pixels = (0..3 * width * height).map(|_| maker.integer(0, 255) as u8).collect();
    let picture = Picture::from_rgb(width, height, pixels).expect("as many bytes");
    let bytes = random_bundle(&config, &tiny_tokenizer(), seed).expect("a config within bounds");
    let text = String::from_utf8_lossy(choices.rest());
    hold(|cpu| {
        answer(cpu, &bytes, &config, Post { text: Some(&text), image: Some(ImageInput::Picture(&picture)) })
    });
}

fn answer(cpu: Cpu, bytes: &[u8], config: &ModelConfig, post: Post<'_>) -> Vec<f32> {
    let mut bundle = Bundle::parse(bytes.to_vec()).expect("a bundle");
    let model = QuantizedModel::load(cpu, &mut bundle, config).expect("its model");
    let mut analyzer = Analyzer::new(model, config, &tiny_tokenizer()).expect("its tokenizer");
    let analysis = analyzer.analyze(post).expect("a picture is there");
    let words = analysis.explanation.words.iter().flatten().map(|word| word.weight);
    let regions = analysis.explanation.regions.iter().flat_map(|regions| regions.weights.iter().copied());
    analysis.scores.probabilities().iter().copied().chain(words).chain(regions).collect()
}
