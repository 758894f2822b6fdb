//! `mixed-feelings train`: the text encoder on tweets, the image encoder on photos, then heads and fusion on pairs.

mod adamw;
mod config;
mod encoders;
mod features;
mod fusion;
mod image;
mod learn;
mod losses;
mod parameters;
mod pictures;
mod platt;
mod record;
mod state;
mod text;

use std::{collections::HashMap, num::NonZero, path::PathBuf};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use config::{Learning, TrainConfig};
use encoders::BaseEncoders;
use features::{FeatureMaker, Sides};
use fusion::{FusionTask, Pairs};
use image::ImageTask;
use learn::{Learner, Task};
use mixed_feelings::{config::ModelConfig, text::Tokenizer};
use parameters::{Frozen, Parameters};
use record::Record;
use state::StateFile;
use text::TextTask;

use crate::{checkpoint::Checkpoint, device::DeviceChoice};

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
    let record = Record::open(&config.out.join("metrics.jsonl"))?;
    let base = BaseEncoders::load(&config.model, &device)?;
    let parameters = Parameters::new(config.seed, Frozen::default());
    parameters.insert_all("text.", base.text, &device)?;
    parameters.insert_all("image.", base.image, &device)?;
    let model = base.config;
    let mut training = Training { config, model, tokenizer: base.tokenizer, device, shards, record };
    training.text_stage(&parameters, args.resume)?;
    training.image_stage(&parameters, args.resume)?;
    training.fusion_stage(&parameters, args.resume)?;
    training.save(&parameters)
}

/// What all stages share.
struct Training {
    config: TrainConfig,
    model: ModelConfig,
    tokenizer: String,
    device: Device,
    shards: usize,
    record: Record,
}

impl Training {
    fn text_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let Some(section) = self.config.text.clone() else { return Ok(()) };
        let max_tokens = section.max_tokens.unwrap_or(self.model.max_tokens);
        let tokenizer = Tokenizer::from_json(&self.tokenizer, max_tokens)?;
        let parameters = parameters
            .with_frozen(Frozen::new(section.learning.freeze.iter().cloned().chain(["image.*".into()])));
        let task = TextTask::new(&section, &self.model.text, &tokenizer, &parameters, &self.device)?;
        self.learn(&task, &section.learning, &parameters, self.shards, resume)
    }

    fn image_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let Some(section) = self.config.image.clone() else { return Ok(()) };
        let parameters = parameters.with_frozen(Frozen::new(
            section.learning.freeze.iter().cloned().chain(["text.*".into(), "heads.text.*".into()]),
        ));
        let task = ImageTask::new(&section, &self.model, &parameters, &self.device)?;
        // BatchNorm looks at the whole batch, so it is not shared out.
        self.learn(&task, &section.learning, &parameters, 1, resume)
    }

    fn fusion_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let section = self.config.fusion.clone();
        let mut frozen = section.learning.freeze.clone();
        frozen.push("contradiction.*".into());
        if !section.fine_tune_text {
            frozen.push("text.*".into());
        }
        if !section.fine_tune_image {
            frozen.push("image.*".into());
        }
        let parameters = parameters.with_frozen(Frozen::new(frozen));
        let (mut rows, val) = image::split(&section.pairs)?;
        let train = rows.len();
        rows.extend(val);
        let tokenizer = Tokenizer::from_json(&self.tokenizer, self.model.max_tokens)?;
        let maker = FeatureMaker {
            config: &self.model,
            parameters: &parameters,
            tokenizer: &tokenizer,
            device: &self.device,
            out: &self.config.out,
        };
        let sides = Sides {
            text: maker.text(&rows, section.fine_tune_text)?,
            image: maker.image(&rows, section.fine_tune_image, section.augment)?,
        };
        let pairs = Pairs { rows, train };
        let task = FusionTask::new(&section, &self.model, &parameters, pairs, sides, &self.device)?;
        let shards = if section.fine_tune_image { 1 } else { self.shards };
        self.learn(&task, &section.learning, &parameters, shards, resume)?;
        let (scale, bias) = platt::fit(&task.contradictions()?);
        tracing::info!("contradiction: calibrated on val, scale {scale:.3}, bias {bias:.3}");
        let scalar = |value: f64| Tensor::new(&[value as f32], &self.device);
        parameters.restore(&HashMap::from([
            ("contradiction.scale".to_owned(), scalar(scale)?),
            ("contradiction.bias".to_owned(), scalar(bias)?),
        ]))?;
        Ok(())
    }

    fn learn(
        &mut self,
        task: &dyn Task,
        learning: &Learning,
        parameters: &Parameters,
        shards: usize,
        resume: bool,
    ) -> Result<()> {
        let file = StateFile::new(&self.config.out, task.name());
        if !resume {
            file.clear()?;
        }
        let learner = Learner { learning, parameters, file, seed: self.config.seed, shards };
        learner.run(task, &mut self.record, resume)
    }

    fn save(&self, parameters: &Parameters) -> Result<()> {
        let dir = self.config.out.join("checkpoint");
        let checkpoint = Checkpoint {
            config: self.model.clone(),
            tokenizer: self.tokenizer.clone(),
            tensors: parameters.all()?,
        };
        checkpoint.save(&dir)?;
        tracing::info!("the best model is in {}", dir.display());
        Ok(())
    }
}
