//! `mixed-feelings train`: the text encoder on tweets, the image encoder on photos, then heads and fusion on pairs.

mod adamw;
mod config;
mod learn;
mod losses;
mod parameters;
mod record;
mod state;
mod text;

use std::{num::NonZero, path::PathBuf};

use anyhow::{Context, Result};
use config::TrainConfig;
use mixed_feelings::text::{BertConfig, Tokenizer, bert::normalise_checkpoint};
use parameters::{Frozen, Parameters};
use record::Record;
use state::StateFile;

use crate::{
    checkpoint,
    device::DeviceChoice,
    hub::{self, Reads},
};

/// Trains a model as a TOML file says.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to train, on what, and how.
    config: PathBuf,
    /// Go on exactly where an earlier run of the same config was broken off.
    #[arg(long)]
    resume: bool,
    /// Where to compute: cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Parts of a batch computed at the same time [default: the number of cores on the CPU, 1 on a GPU].
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings train native/configs/small.toml
  mixed-feelings train native/configs/small.toml --resume
  mixed-feelings train my.toml --device cuda";

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(args: Args) -> Result<()> {
    let config = TrainConfig::read(&args.config)?;
    let device = args.device.open()?;
    let shards = match (args.threads, args.device) {
        (Some(threads), _) => threads.get(),
        (None, DeviceChoice::Cpu) => std::thread::available_parallelism().map_or(1, NonZero::get),
        (None, DeviceChoice::Cuda(_)) => 1,
    };
    std::fs::create_dir_all(&config.out).with_context(|| config.out.display().to_string())?;
    let mut record = Record::open(&config.out.join("metrics.jsonl"))?;
    if !args.resume {
        record.rewind(0)?;
    }
    let folder = hub::resolve_encoder(&config.model.text, Reads::Text)?;
    let bert = BertConfig::from_json(&checkpoint::read_text(&folder.join(hub::CONFIG))?)?;
    let json = checkpoint::read_text(&folder.join(hub::TOKENIZER))?;
    let base = normalise_checkpoint(checkpoint::load_tensors(&folder.join(hub::WEIGHTS), &device)?)?;
    if let Some(section) = &config.text {
        let tokenizer = Tokenizer::from_json(&json, section.max_tokens.unwrap_or(config.model.max_tokens))?;
        let parameters = Parameters::new(config.seed, Frozen::new(section.learning.freeze.clone()));
        parameters.insert_all("text.", base, &device)?;
        let task = text::TextTask::new(section, &bert, &tokenizer, &parameters, &device)?;
        let learner = learn::Learner {
            learning: &section.learning,
            parameters: &parameters,
            file: StateFile::new(&config.out, "text"),
            seed: config.seed,
            shards,
        };
        learner.run(&task, &mut record, args.resume)?;
    }
    Ok(())
}
