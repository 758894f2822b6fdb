//! From a task's answers to the scalar that a step minimises: the options of `[*.learning]` that concern the loss.

use anyhow::Result;
use candle_core::Tensor;
use mixed_feelings::layers::Mode;

use super::{
    config::Learning,
    learn::Task,
    losses::{cross_entropy, generalised_cross_entropy, symmetric_divergence},
};

/// What a task says of some rows.
#[derive(Default)]
pub struct Answers {
    /// Each head's answers.
    pub heads: Vec<Graded>,
    /// A loss that comes on top, summed over the rows.
    pub extra: Option<Tensor>,
    /// The sum over the rows of the probability that the text alone gives to the label, and of the image's: what the
    /// gradients are balanced by.
    pub confidence: Option<[f64; 2]>,
}

/// One head's answers, and what they should have been.
pub struct Graded {
    /// `[rows, classes]`.
    pub logits: Tensor,
    /// A class a row.
    pub targets: Vec<u32>,
    /// How much each row counts; 0: it has no label.
    pub weights: Vec<f32>,
}

/// The loss of `rows`, summed over them, and the modalities' [confidence](Answers::confidence).
pub fn objective(
    task: &dyn Task,
    rows: &[usize],
    mode: Mode<'_>,
    learning: &Learning,
) -> Result<(Tensor, Option<[f64; 2]>)> {
    let answers = task.answers(rows, mode)?;
    let loss = graded(&answers, learning)?;
    if learning.r_drop == 0.0 {
        return Ok((loss, answers.confidence));
    }
    // R-Drop: the same rows once more, with other dropout noise. Half of the paper's sum, so that the loss of the labels
    // keeps its size.
    let again = task.answers(rows, mode)?;
    let mut loss = ((loss + graded(&again, learning)?)? * 0.5)?;
    for (a, b) in answers.heads.iter().zip(&again.heads) {
        let apart = symmetric_divergence(&a.logits, &b.logits, &a.weights)?;
        loss = (loss + (apart * (learning.r_drop * 0.5))?)?;
    }
    Ok((loss, answers.confidence))
}

fn graded(answers: &Answers, learning: &Learning) -> Result<Tensor> {
    let losses = answers.heads.iter().map(|Graded { logits, targets, weights }| match learning.gce {
        0.0 => cross_entropy(logits, targets, weights, learning.label_smoothing),
        q => generalised_cross_entropy(logits, targets, weights, q),
    });
    let mut losses = losses.collect::<candle_core::Result<Vec<_>>>()?;
    losses.extend(answers.extra.clone());
    Ok(Tensor::stack(&losses, 0)?.sum_all()?)
}
