//! A bundle with some of its weights learned anew, the others as they were, bit for bit.

use std::collections::HashMap;

use candle_core::Tensor;

use super::weights::write_weight;
use crate::{
    Result,
    bundle::{Bundle, BundleWriter},
    model::{ModelConfig, Parameter, Parameters, tokenizer_json},
};

/// `bundle` as a model of `config`, with `tensors` (a checkpoint's names) in the place of its own. A weight gets as many bits as the
/// one that it replaces had, or is int8 where there was none of its shape. Convolutions and activation ranges stay.
///
/// # Errors
/// [`crate::Error::Config`] when `config` makes no model; [`crate::Error::Bundle`] when it asks for a tensor that is neither
/// given nor in the bundle, or a value is not finite; [`crate::Error::Float`] when a tensor has another shape.
pub fn replace(
    bundle: &Bundle,
    config: &ModelConfig,
    tensors: &HashMap<String, Tensor>,
) -> Result<BundleWriter> {
    let mut writer = config.begin_bundle(tokenizer_json(bundle)?)?;
    for parameter in Parameters::new(config).all() {
        match parameter {
            Parameter::Embedding(table) => match tensors.get(&format!("{}.weight", table.name)) {
                Some(weight) => weigh(&mut writer, bundle, &table.name, weight, &[table.rows, table.width])?,
                None => copy_weight(&mut writer, bundle, &table.name)?,
            },
            Parameter::Linear(linear) => {
                let [weight, bias] = linear.float_names();
                let shape = [linear.outputs, linear.inputs];
                match tensors.get(&weight) {
                    Some(weight) => weigh(&mut writer, bundle, &linear.name, weight, &shape)?,
                    None => copy_weight(&mut writer, bundle, &linear.name)?,
                }
                let name = format!("{}.bias", linear.name);
                vector(&mut writer, bundle, &name, tensors.get(&bias), &[linear.outputs])?;
            }
            Parameter::LayerNorm(norm) => {
                for name in norm.tensors() {
                    vector(&mut writer, bundle, &name, tensors.get(&name), &[norm.width])?;
                }
            }
            Parameter::Conv(conv) => {
                copy_weight(&mut writer, bundle, &conv.name)?;
                writer.copy(bundle, &format!("{}.bias", conv.name))?;
            }
            Parameter::Range(range) => writer.copy(bundle, &range.name)?,
            Parameter::Temperature(name) => {
                vector(&mut writer, bundle, &name, tensors.get(&name), &[1])?;
            }
            Parameter::Threshold(name) => {
                if tensors.contains_key(&name) || bundle.contains(&name) {
                    vector(&mut writer, bundle, &name, tensors.get(&name), &[1])?;
                }
            }
            Parameter::Vector(one) => {
                vector(&mut writer, bundle, &one.name, tensors.get(&one.name), &one.shape)?;
            }
        }
    }
    Ok(writer)
}

/// The weight `name`, in as many bits as the bundle's.
fn weigh(
    writer: &mut BundleWriter,
    bundle: &Bundle,
    name: &str,
    weight: &Tensor,
    shape: &[usize; 2],
) -> Result<()> {
    let bits = bundle.rows(name, shape).map_or(i8::BITS, |rows| rows.bits());
    write_weight(writer, name, &weight.reshape(shape.as_slice())?, bits, None)?;
    Ok(())
}

fn copy_weight(writer: &mut BundleWriter, bundle: &Bundle, name: &str) -> Result<()> {
    let parts: &[&str] = if bundle.contains(&format!("{name}.codes")) {
        &["codes", "multipliers", "scale"]
    } else {
        &["weight", "scale"]
    };
    Ok(parts.iter().try_for_each(|part| writer.copy(bundle, &format!("{name}.{part}")))?)
}

fn vector(
    writer: &mut BundleWriter,
    bundle: &Bundle,
    name: &str,
    values: Option<&Tensor>,
    shape: &[usize],
) -> Result<()> {
    match values {
        Some(values) => {
            Ok(writer.f32(name, shape, &values.reshape(shape)?.flatten_all()?.to_vec1::<f32>()?)?)
        }
        None => Ok(writer.copy(bundle, name)?),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::{
        Labels,
        model::{FusionKind, Label},
        quantize::dequantize,
        testing::{random_bundle, tiny_config, tiny_tokenizer},
    };

    fn bundle() -> (ModelConfig, Bundle) {
        let config = tiny_config();
        let bytes = random_bundle(&config, &tiny_tokenizer(), 3).unwrap();
        (config, Bundle::parse(bytes).unwrap())
    }

    #[test]
    fn without_tensors_it_is_the_same_bundle() {
        let (config, bundle) = bundle();
        let bytes = replace(&bundle, &config, &HashMap::new()).unwrap().finish().unwrap();
        let copy = Bundle::parse(bytes).unwrap();
        let (was, is) = (dequantize(&bundle, &config).unwrap(), dequantize(&copy, &config).unwrap());
        assert_eq!(was.len(), is.len());
        for (name, tensor) in was {
            let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(flat(&tensor), flat(&is[&name]), "{name}");
        }
        assert!(bundle.tensors().eq(copy.tensors()));
    }

    #[test]
    fn other_labels_bring_their_own_heads() {
        let (mut config, bundle) = bundle();
        let label = |name: &str| Label { name: name.into(), polarity: 0.0 };
        config.labels = Labels::new(vec![label("ham"), label("spam")]).unwrap();
        config.fusion.kind = FusionKind::Late;
        let error = replace(&bundle, &config, &HashMap::new()).unwrap_err();
        assert_eq!(error.code(), "bundle-tensor", "{error}");
        let mut tensors = HashMap::new();
        for parameter in Parameters::new(&config).all() {
            let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
            match parameter {
                Parameter::Linear(linear) if linear.outputs == 2 => {
                    let [weight, bias] = linear.float_names();
                    tensors.insert(weight, ones(&linear.float_shape()));
                    tensors.insert(bias, ones(&[2]));
                }
                Parameter::Vector(vector) if vector.name.starts_with("fusion.") => {
                    tensors.insert(vector.name, ones(&vector.shape));
                }
                _ => {}
            }
        }
        let bytes = replace(&bundle, &config, &tensors).unwrap().finish().unwrap();
        let mut analyzer = crate::Analyzer::from_bundle(bytes).unwrap();
        let answer = analyzer.analyze(crate::Post { text: Some("so good"), ..Default::default() }).unwrap();
        assert_eq!(answer.scores.probabilities(), [0.5, 0.5]);
    }
}
