//! Supervised contrastive learning (Khosla et al. 2020; beside cross-entropy: Gunel et al. 2021): texts of one class are pulled
//! together in the space of their features, and all others pushed away.

use anyhow::Result;
use candle_core::{D, Tensor};
use candle_nn::ops::log_softmax;

/// What the cosines are divided by; the best one of Gunel et al.
const TEMPERATURE: f64 = 0.3;
/// Under the root of a feature's length: a text of no features has no direction, but a gradient.
const EPS: f64 = 1e-12;
/// Added to the logit of a row with itself, so that it has no share in the softmax.
const NEVER: f32 = -1e9;

/// The supervised contrastive loss of features `[rows, size]`, summed over the rows: the mean over the other rows of its class of
/// `-ln softmax(cosine / temperature)`, the softmax being over all other rows. A row that is alone in its class counts for
/// nothing; `None` where all are.
///
/// # Errors
/// When the lengths do not fit.
pub fn contrastive_loss(features: &Tensor, classes: &[u32]) -> Result<Option<Tensor>> {
    let (rows, device) = (classes.len(), features.device());
    let mut others = vec![0f32; rows * rows];
    let mut itself = vec![0f32; rows * rows];
    for (i, class) in classes.iter().enumerate() {
        let alike: Vec<usize> = (0..rows).filter(|&j| j != i && classes[j] == *class).collect();
        alike.iter().for_each(|j| others[i * rows + j] = 1.0 / alike.len() as f32);
        itself[i * rows + i] = NEVER;
    }
    if others.iter().all(|&share| share == 0.0) {
        return Ok(None);
    }
    let others = Tensor::from_vec(others, (rows, rows), device)?;
    let itself = Tensor::from_vec(itself, (rows, rows), device)?;
    let length = (features.sqr()?.sum_keepdim(D::Minus1)? + EPS)?.sqrt()?;
    let directions = features.broadcast_div(&length)?;
    let cosines = directions.matmul(&directions.t()?)?;
    let shares = log_softmax(&((cosines / TEMPERATURE)? + itself)?, D::Minus1)?;
    Ok(Some((shares * others)?.sum_all()?.neg()?))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const FEATURES: [[f32; 2]; 4] = [[3.0, 1.0], [1.0, 2.0], [-1.0, 0.5], [0.2, -2.0]];

    /// The formula of the paper, row by row.
    #[test]
    fn it_is_the_loss_of_the_paper() -> Result<()> {
        let classes = [0, 0, 1, 0];
        let loss =
            contrastive_loss(&Tensor::new(&FEATURES, &Device::Cpu)?, &classes)?.expect("one class has three");
        let cosine = |i: usize, j: usize| {
            let ([a, b], [c, d]) = (FEATURES[i], FEATURES[j]);
            (a * c + b * d) / (a.hypot(b) * c.hypot(d))
        };
        let others = |i: usize| (0..4).filter(move |&j| j != i);
        let share = |i: usize, j: usize| {
            let sum: f32 = others(i).map(|k| (cosine(i, k) / 0.3).exp()).sum();
            ((cosine(i, j) / 0.3).exp() / sum).ln()
        };
        let expected: f32 = [0, 1, 3]
            .map(|i| -others(i).filter(|&j| classes[j] == 0).map(|j| share(i, j)).sum::<f32>() / 2.0)
            .iter()
            .sum();
        assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-4, "{loss} against {expected}");
        Ok(())
    }

    #[test]
    fn a_step_down_brings_a_class_together() -> Result<()> {
        let features = Var::new(&FEATURES, &Device::Cpu)?;
        let loss =
            |features: &Tensor| contrastive_loss(features, &[0, 0, 1, 1]).map(|loss| loss.expect("pairs"));
        let before = loss(&features)?;
        let gradients = before.backward()?;
        let gradient = gradients.get(&features).expect("a gradient");
        let after = loss(&(features.as_tensor() - (gradient * 0.05)?)?)?;
        assert!(after.to_scalar::<f32>()? < before.to_scalar::<f32>()?, "{after} after {before}");
        Ok(())
    }

    #[test]
    fn nothing_is_learned_where_every_row_is_alone_or_has_no_features() -> Result<()> {
        let features = Tensor::new(&FEATURES, &Device::Cpu)?;
        assert!(contrastive_loss(&features, &[0, 1, 2, 3])?.is_none());
        assert!(contrastive_loss(&features.narrow(0, 0, 1)?, &[0])?.is_none());
        let nothing = Var::zeros((3, 2), candle_core::DType::F32, &Device::Cpu)?;
        let gradients = contrastive_loss(&nothing, &[0, 0, 1])?.expect("a pair").backward()?;
        let gradient = gradients.get(&nothing).expect("a gradient").abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(gradient.is_finite(), "{gradient}");
        Ok(())
    }
}
