//! `--seeds` and `--folds`: the fusion stage several times over the same kept features, to tell a gain from luck.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Result, ensure};
use mixed_feelings::layers::NoiseSource;
use serde::Serialize;

use super::{folds, record::Evaluation};
use crate::{atomic, data::PairRow};

/// How often, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seeds, counted up from the config's.
    pub seeds: usize,
    /// Folds of train and val together; without, the table's own split.
    pub folds: Option<usize>,
}

/// One run of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Run {
    /// Fixes weights, order and dropout.
    pub seed: u64,
    /// Which fold is held out, counted from 1.
    pub fold: Option<usize>,
    /// The rows that are learned from.
    pub learned: Vec<usize>,
    /// The rows that it is measured on.
    pub held_out: Vec<usize>,
}

impl Plan {
    /// All runs over `rows` with so many `classes`, of which the first `train` are the table's train. Each seed deals the folds anew.
    ///
    /// # Errors
    /// When the rows have no groups, or fewer of them than there are folds.
    pub fn runs(&self, seed: u64, rows: &[PairRow], classes: usize, train: usize) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for seed in (seed..).take(self.seeds) {
            let Some(folds) = self.folds else {
                let (learned, held_out) = ((0..train).collect(), (train..rows.len()).collect());
                runs.push(Run { seed, fold: None, learned, held_out });
                continue;
            };
            let fold_of = deal(rows, classes, folds, seed)?;
            for fold in 0..folds {
                let (held_out, learned) = (0..rows.len()).partition(|&row| fold_of[row] == fold);
                runs.push(Run { seed, fold: Some(fold + 1), learned, held_out });
            }
        }
        Ok(runs)
    }
}

/// The fold of each row: groups of near-duplicates stay together.
///
/// # Errors
/// When there are fewer groups than folds.
pub fn deal(rows: &[PairRow], classes: usize, folds: usize, seed: u64) -> Result<Vec<usize>> {
    let mut grouped = Vec::with_capacity(rows.len());
    for row in rows {
        let group = row.dup_group.as_deref().filter(|group| !group.is_empty());
        let group = group.unwrap_or(&row.id);
        grouped.push((group, row.label.unwrap_or(classes)));
    }
    let dealt = folds::assign(&grouped, classes + 1, folds, &NoiseSource::new(seed));
    ensure!((0..folds).all(|fold| dealt.contains(&fold)), "--folds {folds}: there are fewer groups of pairs");
    Ok(dealt)
}

/// What one run found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Its fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Rows that it was measured on.
    pub rows: usize,
    /// Every figure by name.
    pub figures: BTreeMap<&'static str, f64>,
}

impl Outcome {
    /// Of a run and what was measured of the epoch that it kept.
    pub fn new(run: &Run, evaluation: Evaluation) -> Self {
        let Evaluation { figures, .. } = evaluation;
        Outcome { seed: run.seed, fold: run.fold, rows: run.held_out.len(), figures }
    }
}

/// Mean and spread of one figure over the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation (of a sample: divided by one less than the runs); 0 of one run.
    pub sd: f64,
}

/// All runs and their spread: what is printed and written to `folds.json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Every figure.
    pub spread: BTreeMap<&'static str, Spread>,
    /// Every run.
    pub runs: Vec<Outcome>,
}

impl Summary {
    /// Of outcomes that have the same figures.
    pub fn new(runs: Vec<Outcome>) -> Self {
        let names: Vec<&'static str> = runs.iter().flat_map(|run| run.figures.keys().copied()).collect();
        let spread = |name| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.figures.get(name)).copied().collect();
            (name, Spread::of(&values))
        };
        Summary { spread: names.into_iter().map(spread).collect(), runs }
    }

    /// As a table.
    pub fn table(&self) -> String {
        let mut table = format!("{:<22} {:>7} {:>7}   of {} runs\n", "", "mean", "sd", self.runs.len());
        for (name, Spread { mean, sd }) in &self.spread {
            let _ = writeln!(table, "{name:<22} {mean:>7.4} {sd:>7.4}");
        }
        table
    }

    /// Writes it as JSON.
    pub fn write(&self, path: &Path) -> Result<()> {
        atomic::write(path, &serde_json::to_vec_pretty(self)?)
    }
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Spread { mean, sd: if n > 1.0 { (square / (n - 1.0)).sqrt() } else { 0.0 } }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::data::Relation;

    fn row(id: usize, group: &str) -> PairRow {
        let label = id % 3;
        PairRow {
            line: id,
            id: id.to_string(),
            image: PathBuf::new(),
            text: String::new(),
            text_label: label,
            image_label: label,
            label: Some(label),
            relation: Relation::Agree,
            dup_group: Some(group.to_owned()),
            split: None,
        }
    }

    #[test]
    fn every_row_is_held_out_once_a_seed() -> Result<()> {
        let rows: Vec<PairRow> = (0..30).map(|id| row(id, &(id / 2).to_string())).collect();
        let runs = Plan { seeds: 2, folds: Some(3) }.runs(7, &rows, 3, 20)?;
        assert_eq!(runs.len(), 6);
        for seed in [7, 8] {
            let mut held: Vec<usize> =
                runs.iter().filter(|run| run.seed == seed).flat_map(|run| run.held_out.clone()).collect();
            held.sort_unstable();
            assert_eq!(held, (0..30).collect::<Vec<_>>());
        }
        for run in &runs {
            assert_eq!(run.learned.len() + run.held_out.len(), 30);
            assert!(run.learned.iter().all(|a| run.held_out.iter().all(|b| a / 2 != b / 2)));
        }
        let runs = Plan { seeds: 2, folds: None }.runs(7, &rows, 3, 20)?;
        assert_eq!((runs.len(), runs[1].seed, &runs[1].held_out), (2, 8, &(20..30).collect()));
        let error = Plan { seeds: 1, folds: Some(16) }.runs(7, &rows, 3, 20).expect_err("15 groups");
        assert!(error.to_string().contains("--folds 16"), "{error}");
        Ok(())
    }

    /// `statistics.mean` and `statistics.stdev` of Python.
    #[test]
    fn the_spread_is_that_of_a_sample() {
        let spread = Spread::of(&[0.7, 0.74, 0.76]);
        assert!((spread.mean - 0.733_333_333).abs() < 1e-9 && (spread.sd - 0.030_550_505).abs() < 1e-9);
        assert_eq!(Spread::of(&[0.5]).sd, 0.0);
    }
}
