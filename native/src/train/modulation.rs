//! OGM-GE (Peng, Wei, Deng, Wang & Hu 2022): the modality that is ahead learns more slowly, so that the other catches up.

use candle_core::{Result, Tensor, backprop::GradStore};
use mixed_feelings::{layers::NoiseSource, model::Modality};

use super::parameters::{Parameters, normal};

/// What the gradients of the text's parameters and of the image's are scaled by, from the
/// [confidence](super::objective::Answers::confidence) of each over a batch: `1 - tanh(alpha * ratio)` for the one that
/// is ahead by a `ratio` above 1, and 1 for the other.
pub fn coefficients([text, image]: [f64; 2], alpha: f64) -> [f64; 2] {
    let coefficient = |own: f64, other: f64| {
        let ratio = own / other.max(1e-12);
        if ratio > 1.0 { 1.0 - (alpha * ratio).tanh() } else { 1.0 }
    };
    [coefficient(text, image), coefficient(image, text)]
}

/// Scales the gradients of what only one modality passes through (its encoder, its projection), and gives back the noise
/// that the scaling takes from them: Gaussian, of the gradient's own standard deviation (the "GE" of the name).
pub fn modulate(
    gradients: &mut GradStore,
    parameters: &Parameters,
    coefficients: [f64; 2],
    noise: &NoiseSource,
) -> Result<()> {
    for (name, var) in parameters.trainable() {
        let is_own = |modality: &Modality| {
            let part = name.strip_prefix("fusion.").unwrap_or(&name);
            part.split_once('.').is_some_and(|(first, _)| first == modality.name())
        };
        let Some(modality) = Modality::ALL.iter().position(is_own) else { continue };
        let coefficient = coefficients[modality];
        if coefficient < 1.0
            && let Some(gradient) = gradients.remove(&var)
        {
            let spread = deviation(&gradient)?;
            let random: Vec<f32> = (0..gradient.elem_count()).map(|_| normal(noise, 0.0, spread)).collect();
            let random = Tensor::from_vec(random, gradient.shape(), gradient.device())?;
            gradients.insert(&var, ((gradient * coefficient)? + random)?);
        }
    }
    Ok(())
}

fn deviation(tensor: &Tensor) -> Result<f64> {
    let mean = tensor.mean_all()?;
    let square = tensor.broadcast_sub(&mean)?.sqr()?.mean_all()?.to_scalar::<f32>()?;
    Ok(f64::from(square).sqrt())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::Init;

    use super::{super::parameters::Frozen, *};

    /// Values of the formula in the paper, `1 - tanh(0.5 * 1.5)`, from Python's `math.tanh`.
    #[test]
    fn who_is_ahead_is_held_back() {
        let [text, image] = coefficients([3.0, 2.0], 0.5);
        assert!((text - 0.364_851_05).abs() < 1e-6, "{text}");
        assert_eq!(image, 1.0);
        assert_eq!(coefficients([2.0, 2.0], 0.5), [1.0, 1.0]);
        assert_eq!(coefficients([0.0, 1.0], 0.0), [1.0, 1.0]);
    }

    #[test]
    fn only_the_gradients_of_one_modality_change() -> Result<()> {
        let parameters = Parameters::new(0, Frozen::default());
        let builder = parameters.builder(&Device::Cpu);
        let names =
            ["fusion.text.weight", "fusion.image.weight", "fusion.classifier.weight", "heads.text.weight"];
        let mut sum = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
        for name in names {
            let ramp = Tensor::arange(0f32, 1000.0, &Device::Cpu)?;
            sum = (sum + (builder.get_with_hints(1000, name, Init::Const(1.0))? * ramp)?.sum_all()?)?;
        }
        let mut gradients = sum.backward()?;
        modulate(&mut gradients, &parameters, [0.5, 1.0], &NoiseSource::new(1))?;
        for name in names {
            let gradient = gradients.get(&parameters.get(name).expect("there")).expect("has a gradient");
            let (mean, deviation) = (gradient.mean_all()?.to_scalar::<f32>()?, deviation(gradient)?);
            // Half a ramp and noise as wide as the whole ramp: sqrt(0.25 + 1) as wide.
            let (half, wide) = if name == "fusion.text.weight" { (0.5, 1.25f64.sqrt()) } else { (1.0, 1.0) };
            assert!((f64::from(mean) - 499.5 * half).abs() < 30.0, "{name}: {mean}");
            assert!((deviation - 288.67 * wide).abs() < 20.0, "{name}: {deviation}");
        }
        Ok(())
    }
}
