//! Asking a model about many posts.

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::cases::Case;
use crate::{
    engine::{Answer, Engine},
    post, progress,
};

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
