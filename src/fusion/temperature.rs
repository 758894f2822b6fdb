//! Temperature scaling (Guo et al. 2017): each head's logits are divided by one number, fitted on rows that were not
//! learned from, before the softmax. Labels stay the same; the scores become as sure as the head is right.

use serde::Serialize;

use crate::bundle::{Bundle, BundleError};

/// What each head's logits are divided by: `softmax(logits / temperature)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Temperatures {
    /// Of the text head.
    pub text: f32,
    /// Of the image head.
    pub image: f32,
    /// Of the joint head.
    pub fused: f32,
}

impl Default for Temperatures {
    /// Scores as the heads have learned to give them.
    fn default() -> Self {
        Temperatures { text: 1.0, image: 1.0, fused: 1.0 }
    }
}

impl Temperatures {
    /// The least and the largest that is taken for one.
    pub const BOUNDS: (f32, f32) = (0.01, 100.0);

    /// Whether `temperature` lies within [`BOUNDS`](Self::BOUNDS).
    pub fn is_sound(temperature: f32) -> bool {
        (Self::BOUNDS.0..=Self::BOUNDS.1).contains(&temperature)
    }

    /// Reads `temperature.*` of a bundle.
    ///
    /// # Errors
    /// [`BundleError`] when one is missing or none.
    pub fn load(bundle: &Bundle) -> Result<Self, BundleError> {
        Self::each(|name| bundle.temperature(name))
    }

    fn each<E>(read: impl Fn(&str) -> Result<f32, E>) -> Result<Self, E> {
        Ok(Temperatures {
            text: read("temperature.text")?,
            image: read("temperature.image")?,
            fused: read("temperature.fused")?,
        })
    }
}

#[cfg(feature = "float")]
mod checkpoint {
    use candle_core::{Result, bail};
    use candle_nn::VarBuilder;

    use super::Temperatures;

    impl Temperatures {
        /// Reads `temperature.*` below `vb`, the root of a checkpoint; one that is not there is 1.
        ///
        /// # Errors
        /// When one has another shape or is none.
        pub fn of_checkpoint(vb: &VarBuilder<'_>) -> Result<Self> {
            Self::each(|name| Self::one_of_checkpoint(vb, name))
        }

        /// The one of this name, else as [`of_checkpoint`](Self::of_checkpoint).
        pub(crate) fn one_of_checkpoint(vb: &VarBuilder<'_>, name: &str) -> Result<f32> {
            if !vb.contains_tensor(name) {
                return Ok(1.0);
            }
            let value = vb.get(1, name)?.squeeze(0)?.to_scalar::<f32>()?;
            if !Self::is_sound(value) {
                bail!("{name} = {value}: must be within {:?}", Self::BOUNDS);
            }
            Ok(value)
        }
    }
}

#[cfg(all(test, feature = "float"))]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device, Tensor};
    use candle_nn::VarBuilder;

    use super::*;

    fn read(values: &[(&str, f32)]) -> Result<Temperatures, String> {
        let tensors = values.iter().map(|&(name, value)| {
            (format!("temperature.{name}"), Tensor::new(&[value], &Device::Cpu).expect("one number"))
        });
        let vb = VarBuilder::from_tensors(tensors.collect::<HashMap<_, _>>(), DType::F32, &Device::Cpu);
        Temperatures::of_checkpoint(&vb).map_err(|e| e.to_string())
    }

    #[test]
    fn a_checkpoint_from_before_has_none() {
        assert_eq!(read(&[]), Ok(Temperatures::default()));
        assert_eq!(read(&[("image", 1.5)]), Ok(Temperatures { image: 1.5, ..Temperatures::default() }));
    }

    #[test]
    fn what_is_none_is_named() {
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9, 1e9] {
            let told = read(&[("text", 1.0), ("fused", value)]).expect_err("no temperature");
            assert!(told.starts_with("temperature.fused = "), "{told}");
        }
    }
}
