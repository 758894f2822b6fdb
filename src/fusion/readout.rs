//! What a model's logits mean: its labels, the heads' temperatures, and the contradiction of the two modalities.

use crate::{
    backend::cpu::math::{ln, max, min, sigmoid, softmax},
    bundle::{Bundle, BundleError},
    model::{Labels, Parameters, Temperatures, Thresholds},
};

/// How close to 0 and 1 a probability may come before its logit is taken.
const PROBABILITY_MARGIN: f32 = 1e-6;

/// The logits of each head whose modality is present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadLogits {
    /// The text head's.
    pub text: Option<Vec<f32>>,
    /// The image head's.
    pub image: Option<Vec<f32>>,
    /// The fused head's, if both modalities are present.
    pub fused: Option<Vec<f32>>,
}

/// What turns logits into an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Readout {
    /// The classes.
    pub labels: Labels,
    /// What the logits of each head are divided by.
    pub temperatures: Temperatures,
    /// Scale and bias of the contradiction's Platt scaling (Platt 1999).
    pub contradiction: (f32, f32),
    /// From where on an answer says that text and picture contradict each other, and that it is sure.
    pub thresholds: Thresholds,
}

impl Readout {
    /// Without calibration.
    pub fn new(labels: Labels) -> Self {
        Readout {
            labels,
            temperatures: Temperatures::default(),
            contradiction: (1.0, 0.0),
            thresholds: Thresholds::default(),
        }
    }

    /// Reads `contradiction.*`, `temperature.*` and `threshold.*`.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn of_bundle(bundle: &Bundle, labels: Labels, parameters: &Parameters) -> Result<Self, BundleError> {
        let [scale, bias] = &parameters.contradiction;
        Ok(Readout {
            labels,
            temperatures: Temperatures::of_bundle(bundle)?,
            contradiction: (scale.read(bundle)?[0], bias.read(bundle)?[0]),
            thresholds: Thresholds::of_bundle(bundle)?,
        })
    }

    /// The calibrated probability that text and image point opposite ways, from their own heads' logits; `None` unless
    /// both are present.
    pub fn contradiction(&self, logits: &HeadLogits) -> Option<f32> {
        let (scale, bias) = self.contradiction;
        Some(sigmoid(scale * self.opposition_logit(logits)? + bias))
    }

    /// The logit of [`Labels::opposition`] of the two heads' probabilities, not calibrated.
    pub fn opposition_logit(&self, logits: &HeadLogits) -> Option<f32> {
        let (text, image) = (softmax(logits.text.as_ref()?, 1.0), softmax(logits.image.as_ref()?, 1.0));
        let p = self.labels.opposition(&text, &image);
        let p = min(max(p, PROBABILITY_MARGIN), 1.0 - PROBABILITY_MARGIN);
        Some(ln(p) - ln(1.0 - p))
    }
}

#[cfg(feature = "float")]
pub use checkpoint::{checkpoint_temperature, checkpoint_threshold};

#[cfg(feature = "float")]
mod checkpoint {
    use candle_core::{DType, Result, bail};
    use candle_nn::{Init, VarBuilder};

    use super::{Labels, Parameters, Readout, Temperatures, Thresholds};

    impl Readout {
        /// Reads `contradiction.*`, `temperature.*` and `threshold.*` below `vb`, the root of a checkpoint. A temperature that is
        /// not there is 1.
        ///
        /// # Errors
        /// When one has another shape, or makes no temperature or threshold.
        pub fn of_checkpoint(vb: &VarBuilder<'_>, labels: Labels, parameters: &Parameters) -> Result<Self> {
            let [scale, bias] = &parameters.contradiction;
            Ok(Readout {
                labels,
                temperatures: Temperatures::each(|name| checkpoint_temperature(vb, name))?,
                contradiction: (number(vb, &scale.name, 1.0)?, number(vb, &bias.name, 0.0)?),
                thresholds: Thresholds::each(|name| checkpoint_threshold(vb, name))?,
            })
        }
    }

    /// The temperature `name` of a checkpoint, or 1.
    ///
    /// # Errors
    /// When it has another shape or is none.
    pub fn checkpoint_temperature(vb: &VarBuilder<'_>, name: &str) -> Result<f32> {
        if !vb.contains_tensor(name) {
            return Ok(1.0);
        }
        let value = number(vb, name, 1.0)?;
        if !Temperatures::is_sound(value) {
            bail!("{name} = {value}: must be within {:?}", Temperatures::BOUNDS);
        }
        Ok(value)
    }

    /// The threshold `name` of a checkpoint, if there is one.
    ///
    /// # Errors
    /// When it has another shape or is no probability.
    pub fn checkpoint_threshold(vb: &VarBuilder<'_>, name: &str) -> Result<Option<f32>> {
        if !vb.contains_tensor(name) {
            return Ok(None);
        }
        let value = number(vb, name, 0.0)?;
        if !Thresholds::is_sound(value) {
            bail!("{name} = {value}: must be a probability");
        }
        Ok(Some(value))
    }

    fn number(vb: &VarBuilder<'_>, name: &str, default: f32) -> Result<f32> {
        let hint = Init::Const(f64::from(default));
        vb.get_with_hints(1, name, hint)?.to_dtype(DType::F32)?.squeeze(0)?.to_scalar()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradiction_is_high_when_the_heads_are_opposed() {
        let readout = Readout::new(Labels::sentiment());
        let logits = |text: [f32; 3], image: [f32; 3]| HeadLogits {
            text: Some(text.into()),
            image: Some(image.into()),
            fused: None,
        };
        let (good, bad) = ([-20.0, 0.0, 20.0], [20.0, 0.0, -20.0]);
        let logit = |text, image| readout.opposition_logit(&logits(text, image)).unwrap();
        // The margin of 1e-6 keeps both ends finite. Near 1, floats are 6e-8 apart.
        let most = (1e6f32 - 1.0).ln();
        assert!((logit(good, bad) - most).abs() < 0.1);
        assert!((logit(good, good) + most).abs() < 1e-4);
        assert!((logit([0.0; 3], [0.0; 3]) - (2.0f32 / 7.0).ln()).abs() < 1e-5);
        assert!((0.0..1e-5).contains(&readout.contradiction(&logits(good, good)).unwrap()));
        assert_eq!(readout.contradiction(&HeadLogits { image: None, ..logits(good, bad) }), None);
    }

    #[cfg(feature = "float")]
    #[test]
    fn a_checkpoint_that_is_not_calibrated_has_the_defaults() {
        use std::collections::HashMap;

        use candle_core::{DType, Device, Tensor};
        use candle_nn::VarBuilder;

        let read = |values: &[(&str, f32)]| {
            let tensors = values.iter().map(|&(name, value)| {
                (format!("temperature.{name}"), Tensor::new(&[value], &Device::Cpu).expect("one number"))
            });
            let vb = VarBuilder::from_tensors(tensors.collect::<HashMap<_, _>>(), DType::F32, &Device::Cpu);
            Temperatures::each(|name| checkpoint_temperature(&vb, name)).map_err(|e| e.to_string())
        };
        assert_eq!(read(&[]), Ok(Temperatures::default()));
        assert_eq!(read(&[("image", 1.5)]), Ok(Temperatures { image: 1.5, ..Temperatures::default() }));
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9, 1e9] {
            let told = read(&[("text", 1.0), ("fused", value)]).expect_err("no temperature");
            assert!(told.starts_with("temperature.fused = "), "{told}");
        }
    }
}
