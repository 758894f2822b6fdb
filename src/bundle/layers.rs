//! From a bundle's named tensors to the int8 layers that the plans run.

use super::{Bundle, BundleError};
use crate::{
    fusion::Temperatures,
    kernels::{layer_norm::LayerNorm, linear::Linear, quantize::Quantization},
};

impl Bundle {
    /// The linear layer `name`: `weight` `[outputs, inputs]`, `scale` and `bias` `[outputs]`.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, BundleError> {
        self.stacked_linear(&[name], outputs, inputs)
    }

    /// Several linear layers over the same inputs as one: their outputs side by side, in order.
    ///
    /// # Errors
    /// As [`Bundle::linear`].
    pub fn stacked_linear(
        &self,
        names: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<Linear, BundleError> {
        let (mut weights, mut scale, mut bias) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            weights.extend_from_slice(self.i8(&format!("{name}.weight"), &[outputs, inputs])?);
            scale.extend(self.f32(&format!("{name}.scale"), &[outputs])?);
            bias.extend(self.f32(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Linear::new(&weights, &scale, &bias, inputs))
    }

    /// The int8 matrix `name.weight` times its scales `name.scale`, one a row, as floats.
    ///
    /// # Errors
    /// As [`Bundle::linear`].
    pub fn dequantized(&self, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, BundleError> {
        let weights = self.i8(&format!("{name}.weight"), &[rows, columns])?;
        let scale = self.f32(&format!("{name}.scale"), &[rows])?;
        let row =
            |(row, scale): (&[i8], f32)| row.iter().map(move |&w| f32::from(w) * scale).collect::<Vec<_>>();
        Ok(weights.chunks_exact(columns.max(1)).zip(scale).flat_map(row).collect())
    }

    /// The normalisation `name`: `weight` and `bias`, `[width]` each.
    ///
    /// # Errors
    /// As [`Bundle::linear`].
    pub fn layer_norm(&self, name: &str, width: usize, eps: f64) -> Result<LayerNorm, BundleError> {
        let weight = self.f32(&format!("{name}.weight"), &[width])?;
        Ok(LayerNorm::new(weight, self.f32(&format!("{name}.bias"), &[width])?, eps as f32))
    }

    /// The calibrated range `name`: a positive scale and a zero point in `0..=127`.
    ///
    /// # Errors
    /// [`BundleError::WrongRange`] when it is neither, else as [`Bundle::linear`].
    pub fn quantization(&self, name: &str) -> Result<Quantization, BundleError> {
        let values = self.f32(name, &[2])?;
        let (scale, zero_point) = (values[0], values[1]);
        let sound =
            scale >= f32::MIN_POSITIVE && (0.0..=127.0).contains(&zero_point) && zero_point.fract() == 0.0;
        if sound {
            Ok(Quantization { scale, zero_point: zero_point as u8 })
        } else {
            Err(BundleError::WrongRange { name: name.into(), scale, zero_point })
        }
    }

    /// The temperature `name`, within [`Temperatures::BOUNDS`].
    ///
    /// # Errors
    /// [`BundleError::WrongTemperature`] when it lies outside, else as [`Bundle::linear`].
    pub fn temperature(&self, name: &str) -> Result<f32, BundleError> {
        let value = self.f32(name, &[1])?[0];
        if Temperatures::is_sound(value) {
            Ok(value)
        } else {
            Err(BundleError::WrongTemperature { name: name.into(), value })
        }
    }
}
