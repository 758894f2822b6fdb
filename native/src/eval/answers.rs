//! Asking a model about many posts.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use mixed_feelings::{
    Analyzer, Post,
    analyzer::{Answer, ImageInput, Prepared},
    image::Picture,
    inference::Reference,
};
use rayon::prelude::*;

use super::cases::Case;
use crate::{
    engine::{self, Engine},
    parts::in_parts,
    post, progress,
};

/// Posts that the float model reads together, on a CPU and on a GPU.
const FLOAT_AT_ONCE: [usize; 2] = [16, 128];

/// Cases that the int8 model is asked about at once. Their texts are read in passes together.
const AT_ONCE: usize = 32;

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
        // A clone of an int8 model is tens of megabytes: it should serve more than a few rows.
        .par_chunks(AT_ONCE)
        .map_init(
            || engine.clone(),
            |engine, cases| {
                let answers = at_once(engine, cases);
                bar.inc(cases.len() as u64);
                answers
            },
        )
        .collect::<Result<Vec<Vec<Answer>>>>();
    bar.finish_and_clear();
    Ok(answers?.concat())
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
    let [on_cpu, on_gpu] = FLOAT_AT_ONCE;
    let device = analyzer.model().device();
    let len = if device.is_cpu() { on_cpu } else { on_gpu };
    let mut answers = in_parts(device, &order, len, ask)?.concat();
    answers.sort_by_key(|(i, _)| *i);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn at_once(engine: &mut Engine, cases: &[Case]) -> Result<Vec<Answer>> {
    // Each photo is reduced to what the encoder sees before the next one is read: many large ones would fill the memory.
    let preprocess = engine.preprocess().clone();
    let square = |case: &Case| {
        let picture = case.image.as_deref().map(post::read_image).transpose();
        let picture = picture.with_context(|| case.place.clone())?;
        Ok(picture.map(|picture| preprocess.apply(&picture)))
    };
    let squares = cases.iter().map(square).collect::<Result<Vec<_>>>()?;
    let posts: Vec<Post<'_>> = cases
        .iter()
        .zip(&squares)
        .map(|(case, square)| Post { text: Some(&case.text), image: square.as_ref().map(prepared) })
        .collect();
    let answers = engine.answers(&posts).into_iter().zip(cases);
    answers.map(|(answer, case)| answer.with_context(|| case.place.clone())).collect()
}

/// A picture that needs no more preparation.
fn prepared(square: &Picture) -> ImageInput<'_> {
    ImageInput::Prepared { pixels: square.pixels(), incomplete: false }
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
