//! From a task's answers to the scalar that a step minimises: the options of `[*.learning]` that concern the loss.

use anyhow::Result;
use candle_core::Tensor;
use mixed_feelings::layers::Mode;

use super::{
    learn::Task,
    learning::Learning,
    lookup::Lookup,
    losses::{cross_entropy, generalised_cross_entropy, hardest, symmetric_divergence},
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
    /// Rows of tables that the answers were made of, if their gradient is not that of the whole table.
    pub lookups: Vec<Lookup>,
}

/// What a step minimises, and what else it needs.
pub struct Objective {
    /// Summed over the rows.
    pub loss: Tensor,
    /// The modalities' [confidence](Answers::confidence).
    pub confidence: Option<[f64; 2]>,
    /// Of all answers.
    pub lookups: Vec<Lookup>,
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

/// The loss of `rows`.
pub fn objective(task: &dyn Task, rows: &[usize], mode: Mode<'_>, learning: &Learning) -> Result<Objective> {
    let mut answers = task.answers(rows, mode)?;
    let loss = graded(&answers, learning)?;
    let (confidence, mut lookups) = (answers.confidence, std::mem::take(&mut answers.lookups));
    if learning.r_drop == 0.0 {
        return Ok(Objective { loss, confidence, lookups });
    }
    // R-Drop: the same rows once more, with other dropout noise. Half of the paper's sum, so that the loss of the labels
    // keeps its size.
    let mut again = task.answers(rows, mode)?;
    lookups.append(&mut again.lookups);
    let mut loss = ((loss + graded(&again, learning)?)? * 0.5)?;
    for (a, b) in answers.heads.iter().zip(&again.heads) {
        let apart = symmetric_divergence(&a.logits, &b.logits, &a.weights)?;
        loss = (loss + (apart * (learning.r_drop * 0.5))?)?;
    }
    Ok(Objective { loss, confidence, lookups })
}

fn graded(answers: &Answers, learning: &Learning) -> Result<Tensor> {
    let loss = |Graded { logits, targets, weights }: &Graded| {
        let of_rows = match learning.gce {
            0.0 => cross_entropy(logits, targets, weights, learning.label_smoothing),
            q => generalised_cross_entropy(logits, targets, weights, q),
        };
        hardest(&of_rows?, learning.hardest)?.sum_all()
    };
    let mut losses = answers.heads.iter().map(loss).collect::<candle_core::Result<Vec<_>>>()?;
    losses.extend(answers.extra.clone());
    Ok(Tensor::stack(&losses, 0)?.sum_all()?)
}
