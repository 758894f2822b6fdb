//! The int8 plan against the float model: the same random weights, quantised and back. What remains between the two is the
//! rounding of activations to 7 bits, layer upon layer.
#![cfg(feature = "float")]

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use mixed_feelings::{
    Bundle,
    backend::Cpu,
    bundle::BundleWriter,
    fusion::float::{ImageFeatures, TextFeatures},
    image::Picture,
    inference::{QuantizedModel, float::FloatModel},
    layers::Mode,
    model::{Architecture, FusionKind, HiddenActivation, ModelConfig, Parameter, Parameters, PerModality},
    quantize::{Calibration, Precision, dequantize, quantize},
    testing::{tiny_config, tiny_tokenizer},
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const IDS: [u32; 9] = [2, 40, 7, 19, 63, 5, 81, 22, 3];

/// Smooth colours, so that neighbouring pixels agree as they do in photos.
fn picture(seed: u32) -> Picture {
    let wave = |x: u32, y: u32, c: u32| {
        let (x, y, c) = (x as f32, y as f32, (c + seed) as f32);
        127.5 + 127.0 * (x * (0.05 + 0.03 * c) + c).sin() * (y * (0.11 - 0.02 * c) + 0.7 * c).cos()
    };
    let side = 64;
    let pixels = (0..side * side * 3).map(|i| wave(i / 3 % side, i / 3 / side, i % 3) as u8).collect();
    Picture::from_rgb(side, side, pixels).expect("a square")
}

fn pixels(config: &ModelConfig, picture: &Picture) -> Result<Tensor> {
    let side = config.preprocess.input_size;
    let values = config.preprocess.to_chw(&config.preprocess.apply(picture));
    Ok(Tensor::from_vec(values, (3, side, side), &Device::Cpu)?)
}

/// Numbers of one variance from a name: bell-shaped, as trained weights are, and the same each time, so that bounds can be
/// near.
fn noise(name: &str, count: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(17, |state: u64, byte| state.wrapping_mul(31) + u64::from(byte));
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count).map(|_| 2.0 * (uniform() + uniform() + uniform())).collect()
}

/// A float model of such weights, what it is quantised to, and that as floats again.
fn models(config: &ModelConfig) -> Result<(FloatModel, QuantizedModel, FloatModel)> {
    let (float, bytes) = quantized(config, Precision::default())?;
    let mut bundle = Bundle::parse(bytes)?;
    let vb = VarBuilder::from_tensors(dequantize(&bundle, config)?, DType::F32, &Device::Cpu);
    let dequantized = FloatModel::load(vb, config)?;
    Ok((float, QuantizedModel::load(Cpu::default(), &mut bundle, config)?, dequantized))
}

/// A float model of such weights, and the bundle that it is quantised to.
fn quantized(config: &ModelConfig, precision: Precision) -> Result<(FloatModel, Vec<u8>)> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let float = FloatModel::load(vb, config)?;
    let vars = vars.data().lock().expect("not poisoned");
    for (name, var) in &*vars {
        let values: Vec<f32> = var.flatten_all()?.to_vec1()?;
        // What begins as a constant stays one.
        if values.iter().any(|value| *value != values[0]) {
            // He et al. 2015: what comes out of a layer is as large as what went in.
            let inputs = values.len() / var.dim(0)?;
            let scale = match var.rank() {
                1 => 0.1,
                4 => (2.0 / inputs as f32).sqrt(),
                _ => (1.0 / inputs as f32).sqrt(),
            };
            let values = noise(name, values.len()).into_iter().map(|value| scale * value).collect();
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
        }
    }
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let mut calibration = Calibration::new();
    for seed in 0..4 {
        calibration.observe(&float.image, &pixels(config, &picture(seed))?.unsqueeze(0)?)?;
    }
    let bundle = quantize(&tensors, config, &tiny_tokenizer(), &calibration, precision)?.finish()?;
    Ok((float, bundle))
}

/// The same bundle with its packed weights as int8.
fn expanded(bundle: &Bundle) -> Result<Vec<u8>> {
    let mut writer = BundleWriter::new();
    for key in ["config", "labels", "tokenizer"] {
        writer.metadata(key, bundle.require(key)?)?;
    }
    for (name, dtype, shape) in bundle.tensors() {
        match dtype {
            mixed_feelings::bundle::DType::F32 => writer.f32(name, shape, &bundle.f32(name, shape)?)?,
            mixed_feelings::bundle::DType::I8 => writer.i8(name, shape, bundle.i8(name, shape)?)?,
            _ => {}
        }
    }
    for parameter in Parameters::new(&ModelConfig::of_bundle(bundle)?).all() {
        let (name, shape) = match parameter {
            Parameter::Embedding(table) => (table.name, vec![table.rows, table.width]),
            Parameter::Linear(linear) => (linear.name, vec![linear.outputs, linear.inputs]),
            Parameter::Conv(conv) => {
                let [out, inputs, rows, columns] = conv.spec.weight_shape();
                (conv.name, vec![out, rows, columns, inputs])
            }
            _ => continue,
        };
        if bundle.contains(&format!("{name}.codes")) {
            writer.i8(&format!("{name}.weight"), &shape, &bundle.rows(&name, &shape)?.levels())?;
        }
    }
    Ok(writer.finish()?)
}

/// The length of the difference over the length of the second.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    (difference / b.iter().map(|&b| square(f64::from(b))).sum::<f64>()).sqrt()
}

fn hidden(model: &FloatModel) -> Result<Vec<f32>> {
    let mask = Tensor::ones((1, IDS.len()), DType::F32, &Device::Cpu)?;
    let ids = Tensor::new(&IDS, &Device::Cpu)?.unsqueeze(0)?;
    Ok(model.text.forward(&ids, &mask, Mode::Infer)?.flatten_all()?.to_vec1()?)
}

/// Cell by cell, channels last, as the int8 plan has it.
fn grid(model: &FloatModel, config: &ModelConfig, picture: &Picture) -> Result<Vec<f32>> {
    let grid = model.image.forward(&pixels(config, picture)?.unsqueeze(0)?, Mode::Infer)?;
    Ok(grid.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?)
}

#[test]
fn text_encoders_agree_for_each_activation() -> Result {
    for activation in [HiddenActivation::Gelu, HiddenActivation::GeluNew, HiddenActivation::Relu] {
        let mut config = tiny_config();
        config.text.hidden_act = activation;
        config.text.hidden_size = 36;
        config.text.num_attention_heads = 3;
        config.text.intermediate_size = 50;
        let (float, mut int8, dequantized) = models(&config)?;
        let first = int8.hidden(&IDS)?.clone();
        let (to_float, to_dequantized) =
            (distance(&first, &hidden(&float)?), distance(&first, &hidden(&dequantized)?));
        println!("{activation:?}: {to_float:.4} from float, {to_dequantized:.4} from dequantised");
        assert!(to_dequantized < 0.025 && to_float < 0.025);

        assert!(int8.hidden(&[2, 9999, 3]).is_err() && int8.hidden(&[5; 99]).is_err());
        assert!(int8.hidden(&[])?.is_empty());
        assert_eq!(*int8.hidden(&IDS)?, first, "an error or an empty text leaves no trace");
    }
    Ok(())
}

#[test]
fn few_bits_are_the_int8_that_they_stand_for() -> Result {
    let mut config = tiny_config();
    config.text.hidden_size = 36;
    config.text.num_attention_heads = 3;
    config.text.intermediate_size = 50;
    config.image.architecture = Architecture::EfficientnetLite0;
    let mut last = f64::INFINITY;
    for bits in [2, 3, 4, 5, 6] {
        let (float, bytes) = quantized(&config, Precision::uniform(bits))?;
        let mut packed = Bundle::parse(bytes.clone())?;
        let count = packed.tensors().filter(|(name, ..)| name.ends_with(".codes")).count();
        let whole = expanded(&packed)?;
        println!("{bits} bits: {} bytes, {} as int8, {count} weights packed", bytes.len(), whole.len());
        assert!(count > 20 && bytes.len() < whole.len());
        let mut whole = Bundle::parse(whole)?;
        let mut few = QuantizedModel::load(Cpu::default(), &mut packed, &config)?;
        let mut int8 = QuantizedModel::load(Cpu::default(), &mut whole, &config)?;
        assert_eq!(few.hidden(&IDS)?, int8.hidden(&IDS)?);
        assert_eq!(few.grid(&picture(3)), int8.grid(&picture(3)));
        let far = distance(few.hidden(&IDS)?, &hidden(&float)?);
        println!("{far:.3} from float");
        // Each bit halves the error of a weight, and what is made of the weights follows it, until int8's activations are what is left.
        assert!(far < 0.75 * last, "{bits} bits: {far} from float, {last} with one less");
        last = far;
    }
    assert!(last < 0.06, "6 bits: {last}");
    Ok(())
}

#[test]
fn image_encoders_agree_for_each_kind_of_block() -> Result {
    // Untrained depthwise channels differ far more in range than trained ones, and a tensor has one range.
    for (architecture, side, bound) in [
        (Architecture::EfficientnetLite0, 64, 0.18),
        (Architecture::EfficientnetLite0, 45, 0.18),
        (Architecture::MobilenetV3Small, 64, 0.32),
        (Architecture::MobilenetV3Large, 45, 0.32),
        (Architecture::Resnet18, 64, 0.05),
        (Architecture::Resnet50, 50, 0.05),
    ] {
        let mut config = tiny_config();
        config.image.architecture = architecture;
        config.preprocess.input_size = side;
        let (float, mut int8, dequantized) = models(&config)?;
        let picture = picture(2);
        let encoded = int8.grid(&picture).clone();
        let network = architecture.network();
        assert_eq!(encoded.len(), network.grid_size(side).pow(2) * network.channels);
        let to_float = distance(&encoded, &grid(&float, &config, &picture)?);
        let to_dequantized = distance(&encoded, &grid(&dequantized, &config, &picture)?);
        println!(
            "{architecture:?} at {side}: {to_float:.4} from float, {to_dequantized:.4} from dequantised"
        );
        assert!(to_dequantized < bound && to_float < bound);
        assert_eq!(*int8.grid(&picture), encoded, "buffers leave no trace");
    }
    Ok(())
}

#[test]
fn fusions_agree_for_each_kind_and_each_missing_modality() -> Result {
    for kind in [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late] {
        let mut config = tiny_config();
        config.fusion.kind = kind;
        config.fusion.width = 40;
        config.fusion.heads = 4;
        let (float, mut int8, dequantized) = models(&config)?;
        let (hidden, grid) = (int8.hidden(&IDS)?.clone(), int8.grid(&picture(1)).clone());
        let (text_width, network) = (config.text.hidden_size, config.image.architecture.network());
        let (side, channels) = (network.grid_size(config.preprocess.input_size), network.channels);
        let (hidden, grid) = (hidden.as_slice(), grid.as_slice());
        // Both fusions get the very same features: what differs is theirs.
        let one = Tensor::ones(1, DType::F32, &Device::Cpu)?;
        let mask = Tensor::ones((1, IDS.len()), DType::F32, &Device::Cpu)?;
        let text_features = TextFeatures {
            hidden: Tensor::from_slice(hidden, (1, IDS.len(), text_width), &Device::Cpu)?,
            mask,
        };
        let cells = Tensor::from_slice(grid, (1, side, side, channels), &Device::Cpu)?;
        let image_features = ImageFeatures { grid: cells.permute((0, 3, 1, 2))?.contiguous()? };
        for (model, tolerance) in [(&dequantized, 0.1), (&float, 0.2)] {
            for (has_text, has_image) in [(true, true), (true, false), (false, true)] {
                let out = model.fusion.forward(
                    has_text.then_some(&text_features),
                    has_image.then_some(&image_features),
                    &one,
                    &one,
                    Mode::Infer,
                )?;
                let features =
                    PerModality { text: has_text.then_some(hidden), image: has_image.then_some(grid) };
                let fused = int8.fusion().fused(features);
                let close = |a: &[f32], b: &Tensor| -> Result {
                    let b: Vec<f32> = b.flatten_all()?.to_vec1()?;
                    let largest = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    println!("{kind:?}, text {has_text}, image {has_image}: {largest:.4}");
                    assert!(largest < tolerance, "{a:?} against {b:?}");
                    Ok(())
                };
                close(&fused, &out.fused)?;
                let logits = int8.fusion().logits(features);
                for (logits, out) in [(logits.text, &out.text), (logits.image, &out.image)] {
                    if let (Some(logits), Some(out)) = (logits, out) {
                        close(&logits, out)?;
                    }
                }
            }
        }
    }
    Ok(())
}
