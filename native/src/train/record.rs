//! `metrics.jsonl`: one line an epoch, also told on standard error.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::json;

use super::cost::Cost;

/// How good a model is on val.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What early stopping goes by; higher is better.
    pub score: f64,
    /// Every figure, by name, for `metrics.jsonl`.
    pub figures: BTreeMap<&'static str, f64>,
}

/// The open file.
pub struct Record {
    file: File,
    /// How much of it counts. What lies beyond is dropped by the next line, not before: a resumed training passes by
    /// its finished stages, and the lines of later ones must outlive that.
    bytes: u64,
    /// Seed and fold of a run that is one of several; its epochs are told on standard error only if asked for.
    pub run: Option<(u64, Option<usize>)>,
}

impl Record {
    /// Opens or makes the file. Nothing in it counts until [`keep`](Self::keep).
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        Ok(Record { file: file.with_context(|| path.display().to_string())?, bytes: 0, run: None })
    }

    /// How much of it counts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first `bytes` were written before a checkpoint, so they count; what a broken-off training wrote after it
    /// does not.
    pub fn keep(&mut self, bytes: u64) -> Result<()> {
        self.bytes = bytes.min(self.file.metadata()?.len());
        Ok(())
    }

    /// Writes the line of one epoch.
    pub fn epoch(
        &mut self,
        stage: &str,
        epoch: usize,
        loss: f64,
        evaluation: &Evaluation,
        cost: Cost,
    ) -> Result<()> {
        let figures: Vec<String> = evaluation.figures.iter().map(|(k, v)| format!("{k} {v:.4}")).collect();
        let said = format!("{stage} epoch {}: loss {loss:.4}, {} ({cost})", epoch + 1, figures.join(", "));
        let mut line = json!({
            "stage": stage, "epoch": epoch + 1, "loss": loss, "score": evaluation.score,
            "val": evaluation.figures, "seconds": cost.seconds,
        });
        if let Some(bytes) = cost.peak_bytes {
            line["peak_bytes"] = bytes.into();
        }
        if let Some(bytes) = cost.device_bytes {
            line["device_bytes"] = bytes.into();
        }
        match self.run {
            None => tracing::info!("{said}"),
            Some((seed, fold)) => {
                tracing::debug!("seed {seed} fold {fold:?}: {said}");
                line["seed"] = seed.into();
                line["fold"] = fold.into();
            }
        }
        let line = format!("{line}\n");
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(line.as_bytes())?;
        self.file.flush()?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}
