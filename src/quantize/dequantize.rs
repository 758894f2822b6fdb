//! From a bundle back to float tensors with the checkpoint's names: the dequantized weights, with which the float model is
//! the reference that the quantized one is held to.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use crate::{
    Result,
    bundle::Bundle,
    model::{ModelConfig, Parameter, Parameters, Temperatures, Thresholds, dequantized},
};

/// The tensors of a checkpoint whose BatchNorms are folded (`image.{conv}.bias` in their stead), each weight exactly what
/// its int8 levels and scale say.
///
/// # Errors
/// [`crate::Error::Bundle`] for a tensor that is missing or wrong.
pub fn dequantize(bundle: &Bundle, config: &ModelConfig) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    let mut insert = |name: String, values: Vec<f32>, shape: &[usize]| -> Result<()> {
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        Ok(())
    };
    for parameter in Parameters::new(config).all() {
        match parameter {
            Parameter::Embedding(table) => {
                let shape = [table.rows, table.width];
                insert(format!("{}.weight", table.name), table.read(bundle)?.dequantized(), &shape)?;
            }
            Parameter::Linear(linear) => {
                let [weight, bias] = linear.float_names();
                let weights = linear.read(bundle)?;
                insert(weight, dequantized(&weights.levels, &weights.scale), &linear.float_shape())?;
                insert(bias, weights.bias, &[linear.outputs])?;
            }
            Parameter::LayerNorm(norm) => {
                for (name, values) in norm.tensors().into_iter().zip(norm.read(bundle)?) {
                    insert(name, values, &[norm.width])?;
                }
            }
            Parameter::Conv(conv) => {
                let weights = conv.read(bundle)?;
                let [out, inputs, rows, columns] = conv.spec.weight_shape();
                let values = dequantized(&weights.levels, &weights.scale);
                let weight = Tensor::from_vec(values, (out, rows, columns, inputs), &Device::Cpu)?;
                let weight = weight.permute((0, 3, 1, 2))?.contiguous()?.flatten_all()?.to_vec1()?;
                insert(format!("{}.weight", conv.name), weight, &[out, inputs, rows, columns])?;
                insert(format!("{}.bias", conv.name), weights.bias, &[out])?;
            }
            Parameter::Range(range) => {
                range.read(bundle)?;
            }
            Parameter::Temperature(name) => {
                let value = Temperatures::read(bundle, &name)?;
                insert(name, vec![value], &[1])?;
            }
            Parameter::Threshold(name) => {
                if let Some(value) = Thresholds::read(bundle, &name)? {
                    insert(name, vec![value], &[1])?;
                }
            }
            Parameter::Vector(vector) => {
                let values = vector.read(bundle)?;
                insert(vector.name, values, &vector.shape)?;
            }
        }
    }
    Ok(tensors)
}
