//! What a training minimises.

use candle_core::{D, Result, Tensor};

/// Each row's `weight * cross-entropy` between logits `[rows, classes]` and targets, `[rows, 1]`, with label smoothing
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
    (mixed * weights)?.neg()
}

/// Each row's `weight * (1 - p ^ q) / q`, `[rows, 1]`, `p` the probability of the target: the generalised cross-entropy of
/// Zhang & Sabuncu (2018), which a wrong label pulls less than it does cross-entropy (q towards 0) and more than it does
/// the absolute error (q = 1).
///
/// # Errors
/// When the lengths do not fit.
pub fn generalised_cross_entropy(
    logits: &Tensor,
    targets: &[u32],
    weights: &[f32],
    q: f64,
) -> Result<Tensor> {
    let rows = logits.dim(0)?;
    let targets = Tensor::from_slice(targets, (rows, 1), logits.device())?;
    let weights = Tensor::from_slice(weights, (rows, 1), logits.device())?;
    let on_label = candle_nn::ops::log_softmax(logits, D::Minus1)?.gather(&targets, 1)?;
    let loss = ((1.0 - (on_label * q)?.exp()?)? / q)?;
    loss * weights
}

/// The losses `[rows, 1]` of the hardest `share` of the rows, 0 in the place of the others, all of it scaled so that a row weighs
/// on average what it did: online hard example mining (Shrivastava et al. 2016). Rows as hard as the last one stay too.
///
/// # Errors
/// When they are no losses of rows.
pub fn hardest(losses: &Tensor, share: f64) -> Result<Tensor> {
    let rows = losses.dim(0)?;
    let kept = ((rows as f64 * share).ceil() as usize).clamp(1, rows.max(1));
    if kept >= rows {
        return Ok(losses.clone());
    }
    let found = losses.detach();
    // The threshold stays on the device: a step does not wait for a GPU.
    let (sorted, _) = found.flatten_all()?.sort_last_dim(false)?;
    let chosen = found.broadcast_ge(&sorted.narrow(0, kept - 1, 1)?)?.to_dtype(losses.dtype())?;
    (losses * chosen)? * (rows as f64 / kept as f64)
}

/// The sum over rows of `weight * (KL(a, b) + KL(b, a)) / 2` between the probabilities of two sets of logits `[rows,
/// classes]`: what R-Drop (Liang et al. 2021) adds for two passes that differ in their dropout.
///
/// # Errors
/// When the shapes do not fit.
pub fn symmetric_divergence(a: &Tensor, b: &Tensor, weights: &[f32]) -> Result<Tensor> {
    let weights = Tensor::from_slice(weights, (a.dim(0)?, 1), a.device())?;
    let (a, b) = (candle_nn::ops::log_softmax(a, D::Minus1)?, candle_nn::ops::log_softmax(b, D::Minus1)?);
    let divergence = ((a.exp()? - b.exp()?)? * (a - b)?)?.sum_keepdim(1)?;
    (divergence * weights)?.sum_all()? * 0.5
}

/// The sum over rows of `weight * T^2 * KL(teacher, student)` at the temperature `T`, from logits `[rows, classes]`
/// (Hinton, Vinyals & Dean 2015). No gradient goes to the teacher.
///
/// # Errors
/// When the shapes do not fit.
pub fn distillation(student: &Tensor, teacher: &Tensor, weights: &[f32], temperature: f64) -> Result<Tensor> {
    let weights = Tensor::from_slice(weights, (student.dim(0)?, 1), student.device())?;
    let student = candle_nn::ops::log_softmax(&(student / temperature)?, D::Minus1)?;
    let teacher = candle_nn::ops::log_softmax(&(teacher.detach() / temperature)?, D::Minus1)?;
    let divergence = (teacher.exp()? * (&teacher - student)?)?.sum_keepdim(1)?;
    (divergence * weights)?.sum_all()? * (temperature * temperature)
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
        let loss = cross_entropy(&logits, &[2, 0], &[1.0, 2.0], 0.1)?.sum_all()?.to_scalar::<f32>()?;
        assert!((loss - 2.157263).abs() < 1e-5, "{loss}");
        Ok(())
    }

    fn logits() -> Result<(Tensor, Tensor)> {
        let a = Tensor::new(&[[1.0f32, -0.5, 2.0], [0.2, 0.1, -1.0]], &Device::Cpu)?;
        Ok((a, Tensor::new(&[[0.5f32, 0.0, 1.0], [-0.3, 0.4, 0.9]], &Device::Cpu)?))
    }

    /// `(1 - softmax(a)[target] ** 0.7) / 0.7` in torch 2, weighted 1 and 2.
    #[test]
    fn generalised_cross_entropy_agrees_with_torch() -> Result<()> {
        let losses = generalised_cross_entropy(&logits()?.0, &[2, 0], &[1.0, 2.0], 0.7)?;
        let loss = losses.sum_all()?.to_scalar::<f32>()?;
        assert!((loss - 1.542181).abs() < 1e-5, "{loss}");
        Ok(())
    }

    /// `torch.nn.functional.kl_div` both ways, halved, weighted 1 and 2.
    #[test]
    fn symmetric_divergence_agrees_with_torch() -> Result<()> {
        let (a, b) = logits()?;
        let loss = symmetric_divergence(&a, &b, &[1.0, 2.0])?.to_scalar::<f32>()?;
        assert!((loss - 0.967235).abs() < 1e-5, "{loss}");
        assert!(symmetric_divergence(&a, &a, &[1.0, 2.0])?.to_scalar::<f32>()?.abs() < 1e-7);
        Ok(())
    }

    /// `torch.nn.functional.kl_div` of both at the temperature 2, times 4, weighted 1 and 2.
    #[test]
    fn distillation_agrees_with_torch() -> Result<()> {
        let (a, b) = logits()?;
        let loss = distillation(&a, &b, &[1.0, 2.0], 2.0)?.to_scalar::<f32>()?;
        assert!((loss - 1.131501).abs() < 1e-5, "{loss}");
        Ok(())
    }

    #[test]
    fn the_hardest_rows_count_for_all() -> Result<()> {
        let losses = Tensor::new(&[[0.5f32], [3.0], [1.0], [0.1]], &Device::Cpu)?;
        let of = |share| hardest(&losses, share)?.flatten_all()?.to_vec1::<f32>();
        assert_eq!(of(0.5)?, [0.0, 6.0, 2.0, 0.0]);
        assert_eq!(of(0.01)?, [0.0, 12.0, 0.0, 0.0], "one row at least");
        assert_eq!(of(1.0)?, [0.5, 3.0, 1.0, 0.1]);
        let alike = hardest(&Tensor::ones((4, 1), candle_core::DType::F32, &Device::Cpu)?, 0.5)?;
        assert_eq!(alike.flatten_all()?.to_vec1::<f32>()?, [2.0; 4], "as hard as the last one");
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
