//! Asking a model about many posts.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use mixed_feelings::{
    Analyzer,
    analyzer::{Answer, Prepared},
    inference::Reference,
};
use rayon::prelude::*;

use super::cases::Case;
use crate::{
    engine::{self, Engine},
    post, progress,
};

/// Posts that the float model reads together, on a CPU and on a GPU.
const AT_ONCE: [usize; 2] = [16, 128];

/// The model's answer to each case, in their order. `what` heads the progress bar.
///
/// # Errors
/// When a picture is unreadable or the model refuses a post; the row is named.
pub fn answers(engine: &Engine, cases: &[Case], what: &str) -> Result<Vec<Answer>> {
    let bar = progress::bar(cases.len(), what);
    if let Engine::Float(analyzer) = engine {
        let answers = in_batches(analyzer, cases, &bar);
        bar.finish_and_clear();
        return answers;
    }
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

/// Texts of about one length together, so that little is padded.
fn in_batches(analyzer: &Analyzer<Reference>, cases: &[Case], bar: &ProgressBar) -> Result<Vec<Answer>> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|&i| cases[i].text.len());
    let prepare = |&i: &usize| {
        let case = &cases[i];
        let prepared = || -> Result<Prepared> {
            let picture = case.image.as_deref().map(post::read_image).transpose()?;
            Ok(analyzer.prepare_post(engine::post(Some(&case.text), picture.as_ref()))?)
        };
        prepared().with_context(|| case.place.clone())
    };
    let ask = |part: &[usize]| -> Result<Vec<(usize, Answer)>> {
        let posts = part.par_iter().map(prepare).collect::<Result<Vec<_>>>()?;
        let answers = analyzer.answer_batch(&posts)?;
        bar.inc(part.len() as u64);
        Ok(part.iter().copied().zip(answers).collect())
    };
    let [on_cpu, on_gpu] = AT_ONCE;
    let parts: Result<Vec<_>> = match analyzer.model().device().is_cpu() {
        true => order.par_chunks(on_cpu).map(ask).collect(),
        false => order.chunks(on_gpu).map(ask).collect(),
    };
    let mut answers = parts?.concat();
    answers.sort_by_key(|(i, _)| *i);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
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
