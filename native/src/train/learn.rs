//! The loop that every stage shares: batches, gradients, updates, evaluation, early stopping, checkpoints, resume.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, backprop::GradStore};
use mixed_feelings::layers::{MaskBank, Mode, NoiseSource, keep_layouts};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    adamw::{AdamW, Schedule},
    cost::Meter,
    ema::Ema,
    learning::{Keep, Learning},
    lookup::{self, Lookup},
    modulation::{coefficients, modulate},
    objective::{Answers, Objective, objective},
    parameters::Parameters,
    precision::Precision,
    record::{Evaluation, Record},
    state::{Position, StateFile},
};
use crate::progress;

/// Steps on a GPU between two looks at their losses.
const STEPS_BETWEEN_LOOKS: usize = 20;

/// What one stage learns, and how it is judged.
pub trait Task: Sync {
    /// The stage's name: `text`, `image`, `fusion`.
    fn name(&self) -> &'static str;

    /// The rows of each batch of an epoch, in a random order that `noise` fixes.
    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>>;

    /// What the model says of these rows, and what it should say.
    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers>;

    /// Measures the model on val.
    fn evaluate(&self) -> Result<Evaluation>;
}

/// What a training of one stage needs besides its task.
pub struct Learner<'a> {
    /// How it learns.
    pub learning: &'a Learning,
    /// What it learns.
    pub parameters: &'a Parameters,
    /// Where it goes on from, and leaves its state; nowhere for a run that is only to be measured.
    pub file: Option<StateFile>,
    /// Fixes the order of the data and the noise.
    pub seed: u64,
    /// Parts of a batch that are computed at the same time.
    pub shards: usize,
}

impl Learner<'_> {
    /// Trains until the last epoch or until val no longer gets better, then puts the parameters that are kept in place.
    /// With `resume`, goes on exactly where the state file left off.
    pub fn run(&self, task: &dyn Task, record: &mut Record, resume: bool) -> Result<()> {
        let learning = self.learning;
        // A misspelt name would let train what should stay.
        for pattern in &learning.freeze {
            let known = self.parameters.any(pattern);
            ensure!(known, "[{}.learning] freeze: no parameter is called `{pattern}`", task.name());
        }
        let trained = self.parameters.trainable();
        let device = trained.first().map_or(Device::Cpu, |(_, var)| var.device().clone());
        learning.precision.begin(&device)?;
        let adamw = AdamW::new(trained, learning.weight_decay, learning.clip)?;
        let mut adamw = adamw.with_layer_decay(learning.layer_decay);
        // A look at a loss waits for a GPU, which stands still while the next step is prepared.
        let read_every = if device.is_cpu() { 1 } else { STEPS_BETWEEN_LOOKS };
        let masks = (!device.is_cpu()).then(|| Arc::new(MaskBank::new(&device)));
        let ema = (learning.ema > 0.0).then(|| Ema::new(self.parameters, learning.ema)).transpose()?;
        let pools = shard_pools(self.shards)?;
        let noise = NoiseSource::new(self.seed);
        let mut position = Position { noise: self.seed, ..Position::default() };
        let mut best = None;
        if resume
            && let Some(file) = &self.file
            && let Some(saved) = file.load(self.parameters, &mut adamw, ema.as_ref())?
        {
            position = saved;
            // Where an epoch has a score, its parameters were kept.
            best = position.best.map(|_| file.load_best()).transpose()?;
            record.keep(position.record_bytes)?;
            tracing::info!("{}: resumed at epoch {} batch {}", task.name(), position.epoch, position.batch);
        }
        while position.epoch < learning.epochs && !position.stopped {
            let mut meter = Meter::start(&device);
            let mut losses = Losses::default();
            noise.set_state(self.epoch_seed(position.epoch));
            let batches = task.batches(&noise, learning.batch_size);
            noise.set_state(position.noise);
            let schedule = Schedule {
                peak: learning.learning_rate,
                warm_up: (learning.warm_up * (learning.epochs * batches.len()) as f64) as usize,
                steps: learning.epochs * batches.len(),
            };
            let heading = format!("{} {}/{}", task.name(), position.epoch + 1, learning.epochs);
            let bar = progress::bar(batches.len(), heading.clone());
            bar.set_position(position.batch as u64);
            while position.batch < batches.len() {
                let batch = Batch { rows: &batches[position.batch], noise: &noise, masks: masks.as_ref() };
                losses.add(self.step(task, &batch, &pools, &mut adamw, &schedule)?);
                if let Some(ema) = &ema {
                    ema.update(self.parameters, adamw.step)?;
                }
                position.batch += 1;
                position.noise = noise.state();
                bar.inc(1);
                let saves = position.batch.is_multiple_of(learning.checkpoint_every)
                    && position.batch < batches.len();
                let ends = position.batch == batches.len();
                if saves || ends || position.batch.is_multiple_of(read_every) {
                    position.loss_sum += losses.read()?;
                    adamw.check()?;
                    meter.look();
                    let mean = position.loss_sum / position.batch as f64;
                    bar.set_message(format!("{heading} loss {mean:.4}"));
                }
                if saves && let Some(file) = &self.file {
                    position.record_bytes = record.bytes();
                    file.save(self.parameters, &adamw, ema.as_ref(), &position)?;
                    tracing::debug!("{heading}: batch {} of {}", position.batch, batches.len());
                }
            }
            bar.finish_and_clear();
            let (evaluation, measured) = self.evaluate(task, ema.as_ref())?;
            let loss = position.loss_sum / batches.len().max(1) as f64;
            record.epoch(task.name(), position.epoch, loss, &evaluation, meter.read())?;
            let better = position.best.is_none_or(|best| evaluation.score > best);
            if better || learning.keep == Keep::Last {
                if let Some(file) = &self.file {
                    file.save_best(&measured)?;
                }
                best = Some(measured);
            }
            if better {
                position.best = Some(evaluation.score);
                position.epochs_without = 0;
            } else {
                position.epochs_without += 1;
                position.stopped = learning.patience > 0 && position.epochs_without >= learning.patience;
            }
            position = Position { epoch: position.epoch + 1, batch: 0, loss_sum: 0.0, ..position };
            if let Some(file) = &self.file {
                position.record_bytes = record.bytes();
                file.save(self.parameters, &adamw, ema.as_ref(), &position)?;
            }
        }
        // What is computed between the stages is kept for other trainings, whatever this one's precision.
        Precision::F32.begin(&device)?;
        match best {
            Some(best) => self
                .parameters
                .restore(&best)
                .with_context(|| format!("the {} stage fits another model", task.name())),
            None => Ok(()),
        }
    }

    /// Measures the weights, or their averages where there are some, and says which were measured.
    fn evaluate(&self, task: &dyn Task, ema: Option<&Ema>) -> Result<(Evaluation, HashMap<String, Tensor>)> {
        let raw = self.parameters.changing()?;
        let Some(ema) = ema else { return Ok((task.evaluate()?, raw)) };
        let means = ema.means()?;
        self.parameters.restore(&means)?;
        let evaluation = task.evaluate();
        self.parameters.restore(&raw)?;
        Ok((evaluation?, means))
    }

    /// One update; returns the mean loss of the batch, in parts that are still on the device.
    fn step(
        &self,
        task: &dyn Task,
        &Batch { rows, noise, masks }: &Batch<'_>,
        pools: &[ThreadPool],
        adamw: &mut AdamW,
        schedule: &Schedule,
    ) -> Result<Vec<Tensor>> {
        // Interleaved, so that batches sorted by length are shared out evenly. Each shard has a noise of its own:
        // what it draws must not depend on which thread is faster.
        let shards = self.shards.clamp(1, rows.len().max(1));
        let work: Vec<(Vec<usize>, NoiseSource)> = (0..shards)
            .map(|s| (rows.iter().copied().skip(s).step_by(shards).collect(), noise.next_u64()))
            .map(|(rows, seed)| (rows, NoiseSource::new(seed).with_masks(masks.cloned())))
            .collect();
        let shard = |(part, noise): &(Vec<usize>, NoiseSource)| -> Result<Shard> {
            let Objective { loss, confidence, lookups } =
                objective(task, part, Mode::Train(noise), self.learning)?;
            let loss = (loss / rows.len() as f64)?;
            let _kept = keep_layouts(loss.device());
            let gradients = loss.backward()?;
            Ok(Shard { loss: loss.detach(), confidence, gradients, lookups })
        };
        let results: Vec<Result<Shard>> = if let [only] = work.as_slice() {
            vec![shard(only)]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = work
                    .iter()
                    .zip(pools)
                    .map(|(part, pool)| scope.spawn(|| pool.install(|| shard(part))))
                    .collect();
                threads
                    .into_iter()
                    .map(|t| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                    .collect()
            })
        };
        let results = results.into_iter().collect::<Result<Vec<_>>>()?;
        let losses = results.iter().map(|shard| shard.loss.clone()).collect();
        let confidence = results.iter().filter_map(|shard| shard.confidence);
        let confidence = confidence.reduce(|a, b| [a[0] + b[0], a[1] + b[1]]);
        let parts: Vec<_> = results.into_iter().map(|shard| (shard.gradients, shard.lookups)).collect();
        let of_rows = lookup::gradients(&parts)?;
        let mut gradients: Vec<GradStore> = parts.into_iter().map(|(gradients, _)| gradients).collect();
        if self.learning.ogm_ge > 0.0
            && let Some(confidence) = confidence
        {
            let coefficients = coefficients(confidence, self.learning.ogm_ge);
            // The noise is as wide as the gradient of the whole batch.
            let mut whole = gradients.remove(0);
            gradients.drain(..).try_for_each(|part| whole.extend(part))?;
            modulate(&mut whole, self.parameters, coefficients, noise)?;
            gradients.push(whole);
        }
        let rate = schedule.rate(adamw.step);
        adamw.update(&gradients, &of_rows, rate)?;
        Ok(losses)
    }

    fn epoch_seed(&self, epoch: usize) -> u64 {
        self.seed.wrapping_add(0x5851_f42d_4c95_7f2d_u64.wrapping_mul(epoch as u64 + 1))
    }
}

/// What one step learns from.
struct Batch<'a> {
    rows: &'a [usize],
    noise: &'a NoiseSource,
    /// Where dropout's masks are, on a GPU.
    masks: Option<&'a Arc<MaskBank>>,
}

/// Losses of steps that nobody has looked at yet.
#[derive(Default)]
struct Losses(Vec<Vec<Tensor>>);

impl Losses {
    fn add(&mut self, parts: Vec<Tensor>) {
        self.0.push(parts);
    }

    /// Their sum, each step's parts summed first. Forgets them.
    fn read(&mut self) -> Result<f64> {
        let steps = std::mem::take(&mut self.0);
        let all = steps.concat();
        if all.is_empty() {
            return Ok(0.0);
        }
        let values = Tensor::stack(&all, 0)?.to_vec1::<f32>()?;
        let mut values = values.into_iter().map(f64::from);
        Ok(steps.iter().map(|parts| values.by_ref().take(parts.len()).sum::<f64>()).sum())
    }
}

/// What one part of a batch gives.
struct Shard {
    loss: Tensor,
    confidence: Option<[f64; 2]>,
    gradients: GradStore,
    lookups: Vec<Lookup>,
}

/// One thread for each part of a batch. candle shares each matrix product out over the rayon pool that it is called
/// in: a pool of one keeps it on the part's own thread, where no part waits for another.
fn shard_pools(shards: usize) -> Result<Vec<ThreadPool>> {
    let pool = || ThreadPoolBuilder::new().num_threads(1).build();
    (0..shards)
        .map(|_| pool())
        .collect::<Result<_, _>>()
        .context("starting a thread for each part of a batch")
}

/// The numbers below `len` in a random order (Fisher and Yates).
pub fn shuffled(len: usize, noise: &NoiseSource) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, noise);
    order
}

/// Puts `items` in a random order.
pub fn shuffle<T>(items: &mut [T], noise: &NoiseSource) {
    for i in (1..items.len()).rev() {
        items.swap(i, (noise.next_u64() % (i as u64 + 1)) as usize);
    }
}
