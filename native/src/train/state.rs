//! What a stage leaves on disk: one file to resume from, one with the best parameters. Each is replaced as a whole.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{adamw::AdamW, ema::Ema, parameters::Parameters};
use crate::{atomic, checkpoint};

/// How far a stage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs done.
    pub epoch: usize,
    /// Batches done of the epoch under way.
    pub batch: usize,
    /// The state of the noise.
    pub noise: u64,
    /// The sum of the batches' losses in the epoch under way.
    pub loss_sum: f64,
    /// The best score so far.
    pub best: Option<f64>,
    /// Epochs since the best.
    pub epochs_without: usize,
    /// Early stopping has spoken.
    pub stopped: bool,
    /// The length of `metrics.jsonl` at this point.
    pub record_bytes: u64,
}

/// The two files of one stage.
pub struct StateFile {
    last: PathBuf,
    best: PathBuf,
    origin: String,
}

const POSITION: &str = "position";
const ORIGIN: &str = "origin";
const EMA: &str = "ema.";

impl StateFile {
    /// In the folder `out`, for the stage `name` of a training with the fingerprint `origin`.
    pub fn new(out: &Path, name: &str, origin: String) -> Self {
        let file = |what: &str| out.join(format!("{name}.{what}.safetensors"));
        StateFile { last: file("state"), best: file("best"), origin }
    }

    /// Writes what [`load`](Self::load) needs.
    pub fn save(
        &self,
        parameters: &Parameters,
        adamw: &AdamW,
        ema: Option<&Ema>,
        position: &Position,
    ) -> Result<()> {
        let mut tensors = adamw.state()?;
        tensors.extend(parameters.changing()?);
        if let Some(ema) = ema {
            tensors.extend(ema.means()?.into_iter().map(|(name, mean)| (format!("{EMA}{name}"), mean)));
        }
        let mut position = serde_json::to_value(position)?;
        position["step"] = adamw.step.into();
        let metadata = HashMap::from([
            (POSITION.to_owned(), position.to_string()),
            (ORIGIN.to_owned(), self.origin.clone()),
        ]);
        let bytes = safetensors::serialize(&tensors, Some(metadata))?;
        atomic::write(&self.last, &bytes)
    }

    /// Puts parameters, optimizer and averages where they were, and says how far the stage was; `None` where there is
    /// no file.
    ///
    /// # Errors
    /// When the file is damaged, or was left by a training with another config.
    pub fn load(
        &self,
        parameters: &Parameters,
        adamw: &mut AdamW,
        ema: Option<&Ema>,
    ) -> Result<Option<Position>> {
        if !self.last.exists() {
            return Ok(None);
        }
        let named = || {
            format!("{} is no whole training state: leave out --resume to start anew", self.last.display())
        };
        let bytes = checkpoint::read(&self.last)?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).with_context(named)?;
        let metadata = header.metadata().as_ref().with_context(named)?;
        ensure!(
            metadata.get(ORIGIN) == Some(&self.origin),
            "{} was left by a training with another config: resume with the config and the --set of that one, or leave \
             out --resume to start anew",
            self.last.display()
        );
        let position = metadata.get(POSITION).with_context(named)?;
        let position: serde_json::Value = serde_json::from_str(position).with_context(named)?;
        let step = position["step"].as_u64().with_context(named)? as usize;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(named)?;
        let (moments, tensors): (HashMap<_, _>, HashMap<_, _>) =
            tensors.into_iter().partition(|(name, _)| name.starts_with("adam."));
        let (means, changing): (HashMap<_, _>, HashMap<_, _>) =
            tensors.into_iter().partition(|(name, _)| name.starts_with(EMA));
        if let Some(ema) = ema {
            let means = means.into_iter().map(|(name, mean)| (name[EMA.len()..].to_owned(), mean));
            ema.restore(&means.collect()).with_context(named)?;
        }
        parameters.restore(&changing).with_context(named)?;
        adamw.restore(&moments, step).with_context(named)?;
        Ok(Some(serde_json::from_value(position).with_context(named)?))
    }

    /// Writes the best parameters so far.
    pub fn save_best(&self, best: &HashMap<String, Tensor>) -> Result<()> {
        checkpoint::save_tensors(&self.best, best)
    }

    /// The best parameters of an earlier run.
    ///
    /// # Errors
    /// When there is no file, or it is damaged.
    pub fn load_best(&self) -> Result<HashMap<String, Tensor>> {
        checkpoint::load_tensors(&self.best, &Device::Cpu)
            .context("the best epoch so far is lost: leave out --resume to start anew")
    }

    /// Forgets an earlier training of this stage.
    pub fn clear(&self) -> Result<()> {
        for path in [&self.last, &self.best] {
            if path.exists() {
                std::fs::remove_file(path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }
}
