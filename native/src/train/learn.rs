//! The loop that every stage shares: batches, gradients, updates, evaluation, early stopping, checkpoints, resume.

use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::{Tensor, backprop::GradStore};
use mixed_feelings::layers::{Mode, NoiseSource};

use super::{
    adamw::{AdamW, Schedule},
    config::Learning,
    parameters::Parameters,
    record::{Evaluation, Record},
    state::{Position, StateFile},
};
use crate::progress;

/// What one stage learns, and how it is judged.
pub trait Task: Sync {
    /// The stage's name: `text`, `image`, `fusion`.
    fn name(&self) -> &'static str;

    /// The rows of each batch of an epoch, in a random order that `noise` fixes.
    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>>;

    /// The sum of the losses of these rows, a scalar.
    fn loss(&self, rows: &[usize], mode: Mode<'_>) -> Result<Tensor>;

    /// Measures the model on val.
    fn evaluate(&self) -> Result<Evaluation>;
}

/// What a training of one stage needs besides its task.
pub struct Learner<'a> {
    /// How it learns.
    pub learning: &'a Learning,
    /// What it learns.
    pub parameters: &'a Parameters,
    /// Where it goes on from, and leaves its state.
    pub file: StateFile,
    /// Fixes the order of the data and the noise.
    pub seed: u64,
    /// Parts of a batch that are computed at the same time.
    pub shards: usize,
}

impl Learner<'_> {
    /// Trains until the last epoch or until val no longer gets better, then puts the best parameters in place. With
    /// `resume`, goes on exactly where the state file left off.
    pub fn run(&self, task: &dyn Task, record: &mut Record, resume: bool) -> Result<()> {
        let learning = self.learning;
        let optimizer = || AdamW::new(self.parameters.trainable(), learning.weight_decay, learning.clip);
        let mut adamw = optimizer()?;
        let noise = NoiseSource::new(self.seed);
        let mut position = Position { noise: self.seed, ..Position::default() };
        if resume && let Some(saved) = self.file.load(self.parameters, &mut adamw)? {
            position = saved;
            record.keep(position.record_bytes)?;
            tracing::info!("{}: resumed at epoch {} batch {}", task.name(), position.epoch, position.batch);
        }
        while position.epoch < learning.epochs && !position.stopped {
            let started = Instant::now();
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
                let loss = self.step(task, &batches[position.batch], &noise, &mut adamw, &schedule)?;
                position.batch += 1;
                position.noise = noise.state();
                position.loss_sum += loss;
                bar.set_message(format!("{heading} loss {:.4}", position.loss_sum / position.batch as f64));
                bar.inc(1);
                if position.batch.is_multiple_of(learning.checkpoint_every) && position.batch < batches.len()
                {
                    position.record_bytes = record.bytes();
                    self.file.save(self.parameters, &adamw, &position)?;
                    tracing::debug!("{heading}: batch {} of {}", position.batch, batches.len());
                }
            }
            bar.finish_and_clear();
            let evaluation = task.evaluate()?;
            let loss = position.loss_sum / batches.len().max(1) as f64;
            let seconds = started.elapsed().as_secs_f64();
            record.epoch(task.name(), position.epoch, loss, &evaluation, seconds)?;
            if position.best.is_none_or(|best| evaluation.score > best) {
                position.best = Some(evaluation.score);
                position.epochs_without = 0;
                self.file.save_best(self.parameters)?;
            } else {
                position.epochs_without += 1;
                position.stopped = learning.patience > 0 && position.epochs_without >= learning.patience;
            }
            position = Position { epoch: position.epoch + 1, batch: 0, loss_sum: 0.0, ..position };
            position.record_bytes = record.bytes();
            self.file.save(self.parameters, &adamw, &position)?;
        }
        self.file.load_best(self.parameters).with_context(|| format!("the {} stage", task.name()))
    }

    /// One update; returns the mean loss of the batch.
    fn step(
        &self,
        task: &dyn Task,
        rows: &[usize],
        noise: &NoiseSource,
        adamw: &mut AdamW,
        schedule: &Schedule,
    ) -> Result<f64> {
        // Interleaved, so that batches sorted by length are shared out evenly. Each shard has a noise of its own:
        // what it draws must not depend on which thread is faster.
        let shards = self.shards.clamp(1, rows.len().max(1));
        let work: Vec<(Vec<usize>, NoiseSource)> = (0..shards)
            .map(|s| (rows.iter().copied().skip(s).step_by(shards).collect(), noise.next_u64()))
            .map(|(rows, seed)| (rows, NoiseSource::new(seed)))
            .collect();
        let shard = |(part, noise): &(Vec<usize>, NoiseSource)| -> Result<(f64, GradStore)> {
            let loss = (task.loss(part, Mode::Train(noise))? / rows.len() as f64)?;
            Ok((f64::from(loss.to_scalar::<f32>()?), loss.backward()?))
        };
        let results: Vec<Result<(f64, GradStore)>> = if let [only] = work.as_slice() {
            vec![shard(only)]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = work.iter().map(|part| scope.spawn(|| shard(part))).collect();
                threads
                    .into_iter()
                    .map(|t| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                    .collect()
            })
        };
        let mut loss = 0.0;
        let mut gradients = Vec::with_capacity(shards);
        for result in results {
            let (part, gradient) = result?;
            loss += part;
            gradients.push(gradient);
        }
        let rate = schedule.rate(adamw.step);
        adamw.update(&gradients, rate)?;
        Ok(loss)
    }

    fn epoch_seed(&self, epoch: usize) -> u64 {
        self.seed.wrapping_add(0x5851_f42d_4c95_7f2d_u64.wrapping_mul(epoch as u64 + 1))
    }
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
