//! From a bundle back to float tensors with the checkpoint's names: what the float model needs to be the reference that
//! the int8 plan is held to.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::{
    Bundle,
    quantize::float_names,
    schema::{Kind, Part, schema},
};
use crate::Result;

/// The tensors of a checkpoint whose BatchNorms are folded (`image.{conv}.bias` in their stead), each weight exactly what
/// its int8 levels and scale say.
///
/// # Errors
/// [`crate::Error::Bundle`] for a tensor that is missing or wrong.
pub fn dequantize(bundle: &Bundle) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    for Part { name, kind } in schema(bundle.config()) {
        match kind {
            Kind::Embedding { rows, width } => {
                tensors.insert(format!("{name}.weight"), weight(bundle, &name, &[rows, width])?);
            }
            Kind::Linear { outputs, inputs } => {
                let names = float_names(&name);
                let bias = bundle.f32(&format!("{name}.bias"), &[outputs])?;
                let bias = Tensor::from_vec(bias, outputs, &Device::Cpu)?;
                tensors.extend(names.into_iter().zip([weight(bundle, &name, &[outputs, inputs])?, bias]));
            }
            Kind::Conv(spec) => {
                let [out, inputs, rows, columns] = spec.weight_shape();
                let weight = weight(bundle, &name, &[out, rows, columns, inputs])?;
                tensors.insert(format!("{name}.weight"), weight.permute((0, 3, 1, 2))?.contiguous()?);
                let bias = bundle.f32(&format!("{name}.bias"), &[out])?;
                tensors.insert(format!("{name}.bias"), Tensor::from_vec(bias, out, &Device::Cpu)?);
            }
            Kind::Range(_) => {
                bundle.quantization(&name)?;
            }
            Kind::Temperature => {
                let value = Tensor::new(&[bundle.temperature(&name)?], &Device::Cpu)?;
                tensors.insert(name, value);
            }
            Kind::Floats(shape) => {
                let values = bundle.f32(&name, &shape)?;
                tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
            }
        }
    }
    Ok(tensors)
}

fn weight(bundle: &Bundle, name: &str, shape: &[usize]) -> Result<Tensor> {
    let levels = bundle.i8(&format!("{name}.weight"), shape)?;
    let rows = shape.first().copied().unwrap_or(1);
    let scale = bundle.f32(&format!("{name}.scale"), &[rows])?;
    let width = (levels.len() / rows.max(1)).max(1);
    let values: Vec<f32> = levels
        .chunks_exact(width)
        .zip(scale)
        .flat_map(|(row, scale)| row.iter().map(move |&level| f32::from(level) * scale))
        .collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}
