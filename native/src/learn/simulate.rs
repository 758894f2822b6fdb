//! What learning is worth: profiles from examples that are drawn by chance, measured on the rows that were not drawn, and on
//! posts of the kind that the model was made for.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{Analyzer, Labels, Post, analyzer::ReadExample, fusion::Shifts};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::Args;
use crate::{
    data::{Table, class},
    metrics::Confusion,
    progress,
    stdout::stdout,
};

/// Rows that were read, with their labels.
struct Rows {
    path: PathBuf,
    rows: Vec<(ReadExample, usize)>,
}

/// Runs the draws, and prints a line for each table.
///
/// # Errors
/// When a table cannot be read, or has too few rows of a label.
pub(super) fn run(args: &Args, each: usize, analyzer: &Analyzer) -> Result<()> {
    let labels = analyzer.readout().labels.clone();
    let taught = read(&args.table, analyzer, args.most as usize, true)?;
    let home = |path: &PathBuf| read(path, analyzer, args.most as usize, false);
    let homes: Vec<Rows> = args.home.iter().map(home).collect::<Result<_>>()?;
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let mut gains = vec![Vec::new(); 1 + homes.len()];
    let mut befores = vec![Vec::new(); 1 + homes.len()];
    let mut learner = analyzer.clone();
    for _ in 0..args.draws {
        let (drawn, rest) = draw(&taught, each, &labels, &mut random)?;
        let examples: Vec<(ReadExample, usize)> = drawn.into_iter().cloned().collect();
        learner.learn_from(&examples)?;
        let shifts = learner.profile().map(|profile| profile.shifts).unwrap_or_default();
        let tests = std::iter::once(rest).chain(homes.iter().map(|home| home.rows.iter().collect()));
        for ((test, gains), befores) in tests.zip(&mut gains).zip(&mut befores) {
            let before = macro_f1(&test, &Shifts::default(), &labels);
            gains.push(macro_f1(&test, &shifts, &labels) - before);
            befores.push(before);
        }
    }
    let mut out = stdout();
    writeln!(out, "{} draws of {each} examples a label; macro-F1 in points", args.draws)?;
    writeln!(out, "{:<28} {:>6} {:>7} {:>7} {:>7} {:>7}", "", "rows", "before", "gain", "least", "most")?;
    let tables = std::iter::once(&taught).chain(&homes);
    for ((table, gains), befores) in tables.zip(&gains).zip(&befores) {
        let mean = |x: &[f64]| 100.0 * x.iter().sum::<f64>() / x.len().max(1) as f64;
        let least = 100.0 * gains.iter().copied().fold(f64::INFINITY, f64::min);
        let most = 100.0 * gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (before, gain, rows) = (mean(befores), mean(gains), table.rows.len());
        let name = short(&table.path);
        writeln!(out, "{name:<28} {rows:>6} {before:>7.1} {gain:>+7.2} {least:>+7.2} {most:>+7.2}")?;
    }
    Ok(())
}

/// Reads the texts of a table, at most so many. Of the table that is taught from, rows of other labels are left out.
fn read(path: &Path, analyzer: &Analyzer, most: usize, lenient: bool) -> Result<Rows> {
    let table = Table::read(path)?;
    let text = table.column("text")?;
    let (name, label) = match table.optional_column("text_label") {
        Some(column) => ("text_label", column),
        None => ("label", table.column("label")?),
    };
    let split = table.optional_column("split");
    let labels = &analyzer.readout().labels;
    let mut rows = Vec::new();
    for row in table.rows() {
        let in_split = split.is_none_or(|split| row.get(split) == "val");
        let known = labels.class(row.get(label)).is_some() || !lenient;
        if in_split && known && !row.get(text).trim().is_empty() {
            rows.push((row.get(text).to_owned(), class(&row, name, label, labels)?, row.place()));
        }
    }
    let step = (rows.len() as f64 / most as f64).max(1.0);
    let mut next = 0.0;
    let mut index = 0.0;
    rows.retain(|_| {
        let kept = index >= next;
        next += if kept { step } else { 0.0 };
        index += 1.0;
        kept
    });
    ensure!(!rows.is_empty(), "{}: no row with a text and a label", path.display());
    let bar = progress::bar(rows.len(), format!("reading {}", short(path)));
    let rows: Result<Vec<_>> = rows
        .par_iter()
        .with_min_len(64)
        .map_init(
            || analyzer.clone(),
            |analyzer, (text, class, place)| {
                let post = Post { text: Some(text), ..Post::default() };
                let example = analyzer.read_example(post).with_context(|| place.clone())?;
                bar.inc(1);
                Ok((example, *class))
            },
        )
        .collect();
    bar.finish_and_clear();
    Ok(Rows { path: path.to_owned(), rows: rows? })
}

/// The last folder of a path, if it has one, and its file.
fn short(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).map(Path::new).unwrap_or(Path::new(""));
    folder.join(path.file_name().unwrap_or_default()).display().to_string()
}

type Drawn<'a> = Vec<&'a (ReadExample, usize)>;

/// So many rows of each label that is there, and the others.
fn draw<'a>(
    table: &'a Rows,
    each: usize,
    labels: &Labels,
    random: &mut ChaCha8Rng,
) -> Result<(Drawn<'a>, Drawn<'a>)> {
    let mut order: Vec<_> = table.rows.iter().collect();
    order.shuffle(random);
    let mut counts = vec![0; labels.len()];
    let (drawn, rest) = order.into_iter().partition(|(_, class)| {
        counts[*class] += 1;
        counts[*class] <= each
    });
    for (name, count) in labels.names().zip(&counts) {
        if *count > 0 && *count <= each {
            let place = table.path.display();
            bail!("{place}: {count} rows of `{name}`, and more than {each} are needed");
        }
    }
    Ok((drawn, rest))
}

fn macro_f1(rows: &[&(ReadExample, usize)], shifts: &Shifts, labels: &Labels) -> f64 {
    let pairs = rows.iter().map(|(example, class)| (*class, example.class(shifts)));
    Confusion::of(labels, pairs).metrics().map_or(0.0, |metrics| metrics.macro_f1)
}
