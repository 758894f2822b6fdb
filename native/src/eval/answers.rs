//! Asking a model about many posts.

use anyhow::{Context, Result};
use mixed_feelings::analyzer::Answer;
use rayon::prelude::*;

use super::cases::Case;
use crate::{engine::Engine, post, progress};

/// The model's answer to each case, in their order. `what` heads the progress bar.
///
/// # Errors
/// When a picture is unreadable or the model refuses a post; the row is named.
pub fn answers(engine: &Engine, cases: &[Case], what: &str) -> Result<Vec<Answer>> {
    let bar = progress::bar(cases.len(), what);
    let answers = cases
        .par_iter()
        // A clone of an int8 model is tens of megabytes: it should serve more than a few rows.
        .with_min_len(16)
        .map_init(
            || engine.clone(),
            |engine, case| {
                let answer = answer(engine, case).with_context(|| case.place.clone());
                bar.inc(1);
                answer
            },
        )
        .collect();
    bar.finish_and_clear();
    answers
}

fn answer(engine: &mut Engine, case: &Case) -> Result<Answer> {
    let picture = case.image.as_deref().map(post::read_image).transpose()?;
    engine.answer(Some(&case.text), picture.as_ref())
}

/// What a model would answer whose text head says `scores` of a post without a picture.
#[cfg(test)]
pub fn of_text(scores: mixed_feelings::Scores) -> Answer {
    Answer {
        post: scores.clone(),
        text: Some(scores),
        image: None,
        contradiction: None,
        truncated: false,
        incomplete: false,
    }
}

/// The scores of the default labels whose logits are 0, but `logit` of `class`.
#[cfg(test)]
pub fn sure_of(class: usize, logit: f32) -> mixed_feelings::Scores {
    let logits: Vec<f32> = (0..3).map(|i| if i == class { logit } else { 0.0 }).collect();
    mixed_feelings::Scores::at_temperature(&mixed_feelings::Labels::sentiment(), &logits, 1.0)
}
