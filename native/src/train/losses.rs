//! What a training minimises.

use candle_core::{D, Result, Tensor};

/// The sum over rows of `weight * cross-entropy` between logits `[rows, classes]` and targets, with label smoothing
/// (Szegedy et al. 2015): the target is `1 - smoothing` on the label plus `smoothing / classes` on every class.
///
/// `targets` and `weights` have one entry a row; a row of weight 0 counts for nothing.
///
/// # Errors
/// When the lengths do not fit.
pub fn cross_entropy(logits: &Tensor, targets: &[u32], weights: &[f32], smoothing: f64) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    let device = logits.device();
    let log_probabilities = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let targets = Tensor::from_slice(targets, (rows, 1), device)?;
    let weights = Tensor::from_slice(weights, (rows, 1), device)?;
    let on_label = log_probabilities.gather(&targets, 1)?;
    let on_all = (log_probabilities.sum_keepdim(1)? / classes as f64)?;
    let mixed = ((on_label * (1.0 - smoothing))? + (on_all * smoothing)?)?;
    (mixed * weights)?.sum_all()?.neg()
}

/// A weight for each class that makes up for its rarity: `(rows / (classes * count)) ^ power`; 1 is "balanced" as
/// scikit-learn has it, 0 weighs all alike, 0.5 goes half the way.
pub fn class_weights(labels: impl Iterator<Item = usize>, classes: usize, power: f64) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    labels.for_each(|label| counts[label] += 1);
    let rows: usize = counts.iter().sum();
    let weight = |&count: &usize| (rows as f64 / (classes * count.max(1)) as f64).powf(power) as f32;
    counts.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// `torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=0.1)`, weighted 1 and 2.
    #[test]
    fn cross_entropy_agrees_with_torch() -> Result<()> {
        let logits = Tensor::new(&[[1.0f32, -0.5, 2.0], [0.2, 0.1, -1.0]], &Device::Cpu)?;
        let loss = cross_entropy(&logits, &[2, 0], &[1.0, 2.0], 0.1)?.to_scalar::<f32>()?;
        assert!((loss - 2.157263).abs() < 1e-5, "{loss}");
        Ok(())
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        let labels = [0, 0, 0, 1, 2, 2];
        let weights = class_weights(labels.into_iter(), 3, 1.0);
        assert!(weights.iter().zip([2.0 / 3.0, 2.0, 1.0]).all(|(a, b): (_, f32)| (a - b).abs() < 1e-6));
        assert_eq!(class_weights(labels.into_iter(), 3, 0.0), [1.0; 3]);
    }
}
