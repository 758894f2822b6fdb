//! Joined pairs: every text of a batch with every photo of it. Two halves whose labels are known make a post whose relation
//! is known too, so that a batch of 64 pairs, in which one or two posts contradict themselves, holds a thousand that do.

use anyhow::Result;
use candle_core::{D, Tensor};
use candle_nn::ops::softmax;
use mixed_feelings::Labels;

/// How close to 0 and 1 an opposition may come before its logarithm is taken.
const MARGIN: f64 = 1e-6;

/// The cross-entropy of [`Labels::opposition`] between the two heads' logits, `[rows, classes]` each, of all pairs of a text
/// and a photo: those whose labels have opposite polarities contradict, those of one label agree, others do not count. Both
/// kinds weigh alike, and all together as much as `rows` pairs. `None` where one kind is missing.
///
/// # Errors
/// When the shapes do not fit.
pub fn contradiction_loss(
    (text, text_labels): (&Tensor, &[usize]),
    (image, image_labels): (&Tensor, &[usize]),
    labels: &Labels,
) -> Result<Option<Tensor>> {
    let (rows, device) = (text_labels.len(), text.device());
    let mut opposites = vec![0f32; labels.len() * labels.len()];
    for (i, j, weight) in labels.opposed() {
        opposites[i * labels.len() + j] = weight;
    }
    let of = |a: usize, b: usize| opposites[a * labels.len() + b] > 0.0;
    let pairs = || text_labels.iter().flat_map(|&a| image_labels.iter().map(move |&b| (a, b)));
    let opposed = pairs().filter(|&(a, b)| of(a, b)).count();
    let agreeing = pairs().filter(|&(a, b)| a == b).count();
    if opposed == 0 || agreeing == 0 {
        return Ok(None);
    }
    let share = |kind: bool, of_kind: usize| {
        let weight = rows as f32 / (2 * of_kind) as f32;
        let weights = pairs().map(|(a, b)| if kind && of(a, b) || !kind && a == b { weight } else { 0.0 });
        Tensor::from_iter(weights, device)?.reshape((rows, image_labels.len()))
    };
    let opposites = Tensor::from_slice(&opposites, (labels.len(), labels.len()), device)?;
    let (text, image) = (softmax(text, D::Minus1)?, softmax(image, D::Minus1)?);
    let opposition = text.matmul(&opposites)?.matmul(&image.t()?)?.clamp(MARGIN, 1.0 - MARGIN)?;
    let found = (opposition.log()? * share(true, opposed)?)?;
    let quiet = (opposition.affine(-1.0, 1.0)?.log()? * share(false, agreeing)?)?;
    Ok(Some((found + quiet)?.sum_all()?.neg()?))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const NEGATIVE: usize = 0;
    const NEUTRAL: usize = 1;
    const POSITIVE: usize = 2;

    /// Two posts: the texts are negative and positive, the photos positive and neutral. One pair of four contradicts itself
    /// (first text, first photo), one agrees (second text, first photo).
    #[test]
    fn the_loss_is_the_cross_entropy_of_the_pairs_that_count() -> Result<()> {
        let labels = Labels::sentiment();
        let text = Tensor::new(&[[2f32, 0.0, -1.0], [0.5, 0.0, 1.5]], &Device::Cpu)?;
        let image = Tensor::new(&[[0f32, 0.3, 1.0], [0.2, 0.9, 0.1]], &Device::Cpu)?;
        let [texts, photos] = [[NEGATIVE, POSITIVE], [POSITIVE, NEUTRAL]];
        let loss = contradiction_loss((&text, &texts), (&image, &photos), &labels)?.expect("both kinds");
        let probabilities = |x: &Tensor| softmax(x, D::Minus1).and_then(|p| p.to_vec2::<f32>());
        let (a, b) = (probabilities(&text)?, probabilities(&image)?);
        let opposition = |i: usize, j: usize| labels.opposition(&a[i], &b[j]);
        // Two rows, half of their weight to each kind.
        let expected = -opposition(0, 0).ln() - (1.0 - opposition(1, 0)).ln();
        assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-5, "{loss} against {expected}");
        Ok(())
    }

    #[test]
    fn both_heads_learn_and_one_kind_alone_teaches_nothing() -> Result<()> {
        let labels = Labels::sentiment();
        let [text, image] =
            [1f32, -1.0].map(|x| Var::new(&[[x, 0.0, -x], [-x, 0.5, x]], &Device::Cpu).expect("two rows"));
        let loss =
            |texts: &[usize], photos: &[usize]| contradiction_loss((&text, texts), (&image, photos), &labels);
        let gradients =
            loss(&[NEGATIVE, POSITIVE], &[POSITIVE, NEGATIVE])?.expect("both kinds").backward()?;
        for var in [&text, &image] {
            let gradient = gradients.get(var).expect("a gradient").abs()?.max_all()?;
            assert!(gradient.to_scalar::<f32>()? > 1e-3);
        }
        assert!(loss(&[NEGATIVE, NEGATIVE], &[NEGATIVE, NEUTRAL])?.is_none(), "nothing is opposed");
        assert!(loss(&[NEGATIVE, NEGATIVE], &[POSITIVE, NEUTRAL])?.is_none(), "nothing agrees");
        Ok(())
    }
}
