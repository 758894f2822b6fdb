//! What `--quick` prints.

use std::{
    io::{self, Write},
    path::Path,
    time::Instant,
};

use anyhow::Result;
use mixed_feelings::{Analyzer, Labels};

use super::{posts::LabelledPost, split::Split};
use crate::{
    digest,
    engine::Engine,
    eval::{answers, cases::Case},
    metrics::{Confusion, Metrics},
    stats::mcnemar::McNemar,
    stdout::stdout,
};

/// What was read.
pub fn begin(posts: &[LabelledPost], in_table: usize, split: &Split, labels: &Labels) -> io::Result<()> {
    let out = &mut stdout();
    let (learned, held_out) = (split.learned.len(), split.held_out.len());
    writeln!(out, "{in_table} posts: {learned} to learn from, {held_out} to measure on (val)")?;
    if learned + held_out < in_table {
        writeln!(out, "the others are left out: a training by a config learns from all")?;
    }
    let pictures = posts.iter().filter(|post| post.image.is_some()).count();
    writeln!(out, "with a picture: {pictures} of {}", posts.len())?;
    let count = |class| posts.iter().filter(|post| post.class == class).count();
    let counted: Vec<String> =
        labels.names().enumerate().map(|(class, name)| format!("{name} {}", count(class))).collect();
    writeln!(out, "labels: {}", counted.join(", "))
}

/// What came out: the bundles on the posts of val, and what to do next.
pub fn end(
    file: &Path,
    before: Option<Vec<u8>>,
    adapted: Vec<u8>,
    (posts, split, labels): (&[LabelledPost], &Split, &Labels),
    started: Instant,
) -> Result<()> {
    let case = |&post: &usize| {
        let LabelledPost { place, text, image, class, .. } = &posts[post];
        let (place, text, image) = (place.clone(), text.clone(), image.clone());
        Case { place, text, image, label: Some(*class), ..Case::default() }
    };
    let cases: Vec<Case> = split.held_out.iter().map(case).collect();
    let classes: Vec<usize> = split.held_out.iter().map(|&post| posts[post].class).collect();
    let said = |bundle: Vec<u8>, what: &str| -> Result<Vec<usize>> {
        let engine = Engine::Int8(Box::new(Analyzer::from_bundle(bundle)?));
        Ok(answers(&engine, &cases, what)?.iter().map(|answer| answer.post.class()).collect())
    };
    let measured = |what: &str, said: &[usize]| -> String {
        let confusion = Confusion::of(labels, classes.iter().copied().zip(said.iter().copied()));
        let metrics = confusion.metrics();
        metrics.map_or(String::new(), |Metrics { accuracy, macro_f1, .. }| {
            format!("{what:<28}{accuracy:>9.3}{macro_f1:>10.3}")
        })
    };
    let (sha256, length) = (digest::sha256(&adapted), adapted.len());
    let after = said(adapted, "the adapted model")?;
    let before = before.map(|before| said(before, "the model before")).transpose()?;
    let out = &mut stdout();
    writeln!(out, "\nval, {} posts{:<15} accuracy  macro-F1", cases.len(), "")?;
    let commonest = commonest(posts, split, labels);
    let always = format!("always `{}`", labels.name(commonest));
    writeln!(out, "{}", measured(&always, &vec![commonest; cases.len()]))?;
    match before {
        Some(before) => {
            writeln!(out, "{}", measured("the model before", &before))?;
            writeln!(out, "{}", measured("adapted", &after))?;
            let right =
                |said: &[usize]| -> Vec<bool> { said.iter().zip(&classes).map(|(a, b)| a == b).collect() };
            let test = McNemar::of(right(&before).into_iter().zip(right(&after)));
            writeln!(
                out,
                "right now and wrong before: {}, the other way round: {} (McNemar's p {:.3})",
                test.second_only, test.first_only, test.p_value
            )?;
        }
        None => writeln!(out, "{}", measured("adapted", &after))?,
    }
    writeln!(out, "\n{}: {length} bytes ({:.2} MB), SHA-256 {sha256}", file.display(), length as f64 / 1e6)?;
    writeln!(out, "made in {} seconds. Try it:\n", started.elapsed().as_secs())?;
    writeln!(out, "  mixed-feelings predict --bundle {} --text 'so good'\n", file.display())?;
    writeln!(out, "and in a page: createAnalyzer({{ bundle: '/models/bundle.safetensors' }})")?;
    Ok(())
}

/// The commonest label of what is learned from.
fn commonest(posts: &[LabelledPost], split: &Split, labels: &Labels) -> usize {
    let count = |class: usize| split.learned.iter().filter(|&&post| posts[post].class == class).count();
    (0..labels.len()).rev().max_by_key(|&class| count(class)).unwrap_or_default()
}
