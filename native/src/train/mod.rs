//! `mixed-feelings train`: the text encoder on tweets, the image encoder on photos, then heads and fusion on pairs.

mod adamw;
mod adjust;
mod config;
mod contrastive;
mod cost;
mod ema;
mod encoders;
mod features;
mod folds;
mod fusion;
mod head;
mod image;
mod image_stage;
mod inputs;
mod joined;
mod layer_rates;
mod learn;
mod learning;
mod lookup;
mod losses;
mod modulation;
mod objective;
mod origin;
mod overrides;
mod parameters;
mod photos;
mod pictures;
mod platt;
mod precision;
mod quick;
mod record;
mod repeat;
mod slots;
mod standardise;
mod state;
mod teachers;
mod temperature;
mod text;
mod texts;
mod thresholds;
mod together;
mod update;
mod varied;

use std::{
    collections::HashMap,
    io::Write,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use config::{Distillation, TrainConfig};
use encoders::BaseEncoders;
use features::{Encoded, FeatureMaker};
use fusion::{FusionTask, Pairs};
use learn::{Learner, Task};
use learning::{Keep, Learning};
use mixed_feelings::{
    model::{ModelConfig, Temperatures, Thresholds},
    text::Tokenizer,
};
use origin::Origin;
use parameters::{Frozen, Parameters};
use photos::PhotoMaker;
use quick::Quick;
use record::Record;
use repeat::{Outcome, Plan, Summary};
use standardise::{Standard, standardise};
use state::StateFile;
use teachers::Teachers;
use text::{TASK_HEADS, TextStage};

use crate::{
    checkpoint::{Checkpoint, image_readers},
    data::PairRow,
    device::DeviceChoice,
    outputs,
    stdout::stdout,
};

/// Trains a model as a TOML file says, or with --quick adapts a bundle to a table of posts.
///
/// The model tells apart negative, neutral and positive, or what `labels` in the config's `[model]` names; the tables name
/// the same labels.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to train, on what, and how; with --quick a table of posts instead.
    #[arg(value_name = "CONFIG.toml | POSTS.tsv")]
    config: PathBuf,
    /// Adapt a bundle to your own posts, in minutes on a CPU and without a config: a table with the columns `text`, `label` and, if you
    /// like, `image` goes in, a bundle comes out.
    #[arg(long, conflicts_with_all = ["set", "features", "seeds", "folds", "resume"])]
    quick: bool,
    /// The bundle that --quick starts from [default: pkg/mixed-feelings-small.safetensors].
    #[arg(long, value_name = "BUNDLE", requires = "quick")]
    from: Option<PathBuf>,
    /// How pleasant a label is, from -1 to 1, with --quick: valence and contradiction follow from it. Unless said, 0 for a label that
    /// the bundle does not know; may be given several times.
    #[arg(long, value_name = "LABEL=NUMBER", requires = "quick", value_parser = polarity)]
    polarity: Vec<(String, f32)>,
    /// Change one value of the config; KEY is its path with dots, VALUE is TOML or a bare word.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Another folder for what comes out.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The folder where the features of frozen encoders are kept, to share them between trainings [default: the output
    /// folder].
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
    /// Run the fusion stage with so many seeds, to measure it: prints mean and spread, keeps no model.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    seeds: Option<NonZero<usize>>,
    /// Run the fusion stage as a cross-validation over train and val together: near-duplicates (`dup_group`) stay
    /// together, the last epoch is measured. Prints mean and spread, keeps no model.
    #[arg(long, value_name = "K", conflicts_with = "resume", value_parser = clap::value_parser!(u64).range(2..=100))]
    folds: Option<u64>,
    /// Go on exactly where an earlier run of the same config was broken off.
    #[arg(long)]
    resume: bool,
    /// Where to compute: cpu, cuda or cuda:N, the NVIDIA GPU with that number from 0 (in a build with `--features cuda`).
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Parts of a batch computed at the same time [default: the number of cores on the CPU, 1 on a GPU].
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings train --quick posts.tsv --out runs/mine
  mixed-feelings train --quick tickets.tsv --polarity angry=-1 --polarity thankful=1
  mixed-feelings train native/configs/small.toml
  mixed-feelings train native/configs/small.toml --resume
  mixed-feelings train my.toml --device cuda
  mixed-feelings train my.toml --set model.fusion.kind=concat --set fusion.learning.label_smoothing=0.1 --out runs/b
  mixed-feelings train my.toml --set fusion.learning.ema=0.99 --features runs/my --folds 5 --seeds 3 --out runs/c";

fn polarity(said: &str) -> Result<(String, f32), String> {
    let (label, number) = said.rsplit_once('=').ok_or("expected LABEL=NUMBER")?;
    let polarity: f32 = number.parse().map_err(|e| format!("{number}: {e}"))?;
    match (-1.0..=1.0).contains(&polarity) && !label.is_empty() {
        true => Ok((label.to_owned(), polarity)),
        false => Err("expected LABEL=NUMBER, the number from -1 to 1".into()),
    }
}

/// Runs the subcommand.
///
/// # Errors
/// What to tell the user.
pub fn run(args: Args) -> Result<()> {
    outputs::check_folder("--out", args.out.as_deref())?;
    outputs::check_folder("--features", args.features.as_deref())?;
    if args.quick {
        return quick(args);
    }
    let mut config = TrainConfig::read(&args.config, &args.set)?;
    config.out = args.out.unwrap_or(config.out);
    let plan =
        Plan { seeds: args.seeds.map_or(1, NonZero::get), folds: args.folds.map(|folds| folds as usize) };
    let repeated = args.seeds.is_some() || args.folds.is_some();
    let device = args.device.open()?;
    let shards = shards(args.threads, args.device);
    let origin = Origin::read(&args.config, &args.set)?;
    let features = args.features.unwrap_or_else(|| config.out.clone());
    // Whatever may be wrong with what is read comes before whatever is written.
    inputs::check(&config, &encoders::labels(&config.model)?)?;
    let base = BaseEncoders::load(&config.model, &device)?;
    for folder in [&config.out, &features] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let record = Record::open(&config.out.join("metrics.jsonl"))?;
    let parameters = Parameters::new(config.seed, Frozen::default());
    parameters.insert_all("text.", base.text, &device)?;
    parameters.insert_all("image.", base.image, &device)?;
    let mut heads = base.heads;
    let stays = Frozen::new(config.fusion.learning.freeze.iter().cloned());
    heads.retain(|name, _| stays.covers(name));
    parameters.insert_all("", heads, &device)?;
    let (model, tokenizer) = (base.config, base.tokenizer);
    let mut training = Training { config, origin, model, tokenizer, features, device, shards, record };
    training.text_stage(&parameters, args.resume)?;
    training.image_stage(&parameters, args.resume)?;
    if repeated {
        return training.repeat_fusion_stage(&parameters, plan);
    }
    training.fusion_stage(&parameters, args.resume)?;
    training.save(&parameters)
}

/// Parts of a batch computed at the same time.
fn shards(threads: Option<NonZero<usize>>, device: DeviceChoice) -> usize {
    match (threads, device) {
        (Some(threads), _) => threads.get(),
        (None, DeviceChoice::Cpu) => std::thread::available_parallelism().map_or(1, NonZero::get),
        (None, DeviceChoice::Cuda(_) | DeviceChoice::Gpu(_)) => 1,
    }
}

fn quick(args: Args) -> Result<()> {
    let Args { config: table, out, from, polarity: polarities, device, threads, .. } = args;
    let stem = table.file_stem().with_context(|| format!("{} is not the name of a file", table.display()))?;
    let out = out.unwrap_or_else(|| Path::new("runs").join(stem));
    let (device, shards) = (device.open()?, shards(threads, device));
    quick::run(Quick { table, out, from, polarities, device, shards })
}

/// What all stages share.
struct Training {
    config: TrainConfig,
    origin: Origin,
    model: ModelConfig,
    tokenizer: String,
    /// The folder of the feature cache.
    features: PathBuf,
    device: Device,
    shards: usize,
    record: Record,
}

impl Training {
    fn text_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let Some(section) = self.config.text.clone() else { return Ok(()) };
        let max_tokens = section.max_tokens.unwrap_or(self.model.max_tokens);
        let tokenizer = Tokenizer::from_json(&self.tokenizer, max_tokens, self.model.text_preparation)?;
        let parameters = parameters
            .with_frozen(Frozen::new(section.learning.freeze.iter().cloned().chain(["image.*".into()])));
        let task = TextStage::new(&section, &self.model, &tokenizer, &parameters, &self.device)?;
        self.learn(&task, &section.learning, &parameters, self.shards, resume)?;
        if section.logit_adjustment > 0.0 {
            let bias = task.adjusted_bias(section.logit_adjustment)?;
            parameters.restore(&HashMap::from([("heads.text.bias".to_owned(), bias)]))?;
            let figures = task.evaluate()?.figures;
            let figures: Vec<_> = figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            tracing::info!("text: logits adjusted, on val now {}", figures.join(", "));
        }
        Ok(())
    }

    fn fusion_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let section = self.config.fusion.clone();
        let parameters = parameters.with_frozen(self.frozen_in_fusion());
        let (mut rows, val) = image::split(&section.pairs, &self.model.labels)?;
        let (learned, held_out) = ((0..rows.len()).collect(), (rows.len()..rows.len() + val.len()).collect());
        rows.extend(val);
        let encoded = self.encoded(&rows, &parameters)?;
        let teachers = self.teachers(&rows)?;
        let pairs = Pairs { rows: rows.into(), learned, held_out };
        let (task, standard) = self.fusion_task(&parameters, pairs, encoded, teachers)?;
        let shards = self.shards_of_images(&parameters);
        self.learn(&task, &section.learning, &parameters, shards, resume)?;
        let contradictions = task.contradictions()?;
        let (scale, bias) = platt::fit(&contradictions);
        tracing::info!("contradiction: calibrated on val, scale {scale:.3}, bias {bias:.3}");
        let scalar = |value: f64| Tensor::new(&[value as f32], &self.device);
        parameters.restore(&HashMap::from([
            ("contradiction.scale".to_owned(), scalar(scale)?),
            ("contradiction.bias".to_owned(), scalar(bias)?),
        ]))?;
        let heads = task.heads()?;
        let Temperatures { text, image, fused } = heads.temperatures();
        tracing::info!(
            "scores: temperatures {text:.3} (text), {image:.3} (image), {fused:.3} (both), on val"
        );
        let temperatures = [("text", text), ("image", image), ("fused", fused)];
        let named = temperatures.into_iter().map(|(head, t)| Ok((head.to_owned(), scalar(t.into())?)));
        parameters.insert_all("temperature.", named.collect::<Result<_>>()?, &self.device)?;
        let calibrated = |logit: f32| 1.0 / (1.0 + (-(scale * f64::from(logit) + bias)).exp());
        let contradictions: Vec<_> =
            contradictions.into_iter().map(|(logit, opposed)| (calibrated(logit), opposed)).collect();
        let Thresholds { contradiction, confidence } =
            thresholds::choose(&contradictions, &heads.fused, fused);
        tracing::info!("thresholds: contradiction {contradiction:.3}, confidence {confidence:.3}, on val");
        let values = Thresholds::NAMES.into_iter().zip([contradiction, confidence]);
        let named = values.map(|(name, value)| Ok((name.to_owned(), scalar(value.into())?)));
        parameters.insert_all("", named.collect::<Result<_>>()?, &self.device)?;
        // The last thing: from here on the weights are those of plain features.
        standard.map_or(Ok(()), |standard| Ok(standard.fold(&parameters)?))
    }

    /// Runs the fusion stage as `plan` says, each time from the same encoders and with new heads, and tells how much its
    /// figures vary.
    fn repeat_fusion_stage(&mut self, parameters: &Parameters, plan: Plan) -> Result<()> {
        let mut section = self.config.fusion.clone();
        if plan.folds.is_some() {
            // Choosing an epoch by the rows that it is then measured on would flatter it.
            section.learning.keep = Keep::Last;
            section.learning.patience = 0;
        }
        let frozen = self.frozen_in_fusion();
        let (mut rows, val) = image::split(&section.pairs, &self.model.labels)?;
        let train = rows.len();
        rows.extend(val);
        let live = section.fine_tune_text || section.fine_tune_image;
        let kept =
            if live { None } else { Some(self.encoded(&rows, &parameters.with_frozen(frozen.clone()))?) };
        let teachers = self.teachers(&rows)?;
        let runs = plan.runs(self.config.seed, &rows, self.model.labels.len(), train)?;
        let rows: Arc<[PairRow]> = rows.into();
        let mut outcomes = Vec::with_capacity(runs.len());
        for run in runs {
            let stays =
                |name: &str| name.starts_with("text.") || name.starts_with("image.") || frozen.covers(name);
            let parameters = parameters.with_frozen(frozen.clone()).anew(run.seed, stays)?;
            let encoded = kept.clone().map_or_else(|| self.encoded(&rows, &parameters), Ok)?;
            let (learned, held_out) = (run.learned.clone(), run.held_out.clone());
            let pairs = Pairs { rows: rows.clone(), learned, held_out };
            let (task, _) = self.fusion_task(&parameters, pairs, encoded, teachers.clone())?;
            let shards = self.shards_of_images(&parameters);
            let learner = Learner {
                learning: &section.learning,
                parameters: &parameters,
                file: None,
                seed: run.seed,
                shards,
            };
            self.record.run = Some((run.seed, run.fold));
            learner.run(&task, &mut self.record, false)?;
            outcomes.push(Outcome::new(&run, task.evaluate()?));
        }
        let summary = Summary::new(outcomes);
        let path = self.config.out.join("folds.json");
        summary.write(&path)?;
        tracing::info!("every run is in {}", path.display());
        write!(stdout(), "{}", summary.table())?;
        Ok(())
    }

    /// The fusion stage's task, and what its image features were standardised by, which is to be folded into the weights
    /// when all else is done.
    fn fusion_task(
        &self,
        parameters: &Parameters,
        pairs: Pairs,
        mut encoded: Encoded,
        teachers: Option<Teachers>,
    ) -> Result<(FusionTask, Option<Standard>)> {
        let section = &self.config.fusion;
        let mut standard = None;
        if section.standardise_image {
            let readers = image_readers(&self.model);
            (encoded.image, standard) = standardise(encoded.image, &pairs.learned, readers)?;
            if let Some(standard) = &standard {
                standard.unfold(parameters)?;
            }
        }
        let task = FusionTask::new(section, &self.model, parameters, pairs, encoded, teachers, &self.device)?;
        Ok((task, standard))
    }

    /// What the teachers say of the rows, if there are any.
    fn teachers(&self, rows: &[PairRow]) -> Result<Option<Teachers>> {
        let section = self.config.fusion.distillation.as_ref();
        let ask =
            |section: &Distillation| Teachers::ask(&section.teachers, rows, &self.features, &self.device);
        section.map(ask).transpose()
    }

    /// What the fusion stage leaves as it is.
    fn frozen_in_fusion(&self) -> Frozen {
        let section = &self.config.fusion;
        let mut frozen = section.learning.freeze.clone();
        frozen.push("contradiction.*".into());
        if !section.fine_tune_text {
            frozen.push("text.*".into());
        }
        if !section.fine_tune_image {
            frozen.push("image.*".into());
        }
        Frozen::new(frozen)
    }

    /// Parts of a batch that may be computed at the same time where the image encoder takes part as `parameters` say.
    fn shards_of_images(&self, parameters: &Parameters) -> usize {
        if image::batch_norm_learns(&self.model, parameters.frozen()) { 1 } else { self.shards }
    }

    /// What the encoders say of the rows.
    fn encoded(&self, rows: &[PairRow], parameters: &Parameters) -> Result<Encoded> {
        let section = &self.config.fusion;
        let tokenizer =
            Tokenizer::from_json(&self.tokenizer, self.model.max_tokens, self.model.text_preparation)?;
        let (config, device, folder) = (&self.model, &self.device, self.features.as_path());
        let kept = self.config.image.as_ref().filter(|image| image.views > 0);
        let begun = kept.map(|image| parameters.with_frozen(self.frozen_in_image(image)));
        let photos = begun.as_ref().map(|parameters| PhotoMaker {
            config,
            parameters,
            device,
            folder,
            augment: section.augment,
        });
        let maker = FeatureMaker { config, parameters, tokenizer: &tokenizer, device, folder, photos };
        let image = if section.fine_tune_image {
            maker.live_image(rows, section.augment)?
        } else {
            maker.kept_image(rows, section.views)?
        };
        Ok(Encoded { text: maker.text(rows, section.fine_tune_text)?, image })
    }

    fn learn(
        &mut self,
        task: &dyn Task,
        learning: &Learning,
        parameters: &Parameters,
        shards: usize,
        resume: bool,
    ) -> Result<()> {
        let file = StateFile::new(&self.config.out, task.name(), self.origin.of_stage(task.name()));
        if !resume {
            file.clear()?;
        }
        let learner = Learner { learning, parameters, file: Some(file), seed: self.config.seed, shards };
        learner.run(task, &mut self.record, resume)
    }

    fn save(&self, parameters: &Parameters) -> Result<()> {
        let dir = self.config.out.join("checkpoint");
        let mut tensors = parameters.all()?;
        tensors.retain(|name, _| !name.starts_with(TASK_HEADS));
        let checkpoint =
            Checkpoint { config: self.model.clone(), tokenizer: self.tokenizer.clone(), tensors };
        checkpoint.save(&dir)?;
        tracing::info!("the best model is in {}", dir.display());
        Ok(())
    }
}
