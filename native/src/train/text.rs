//! The first stage: the text encoder on labelled tweets, with a linear head for each task that it learns. Only the head
//! of the sentiment stays.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};
use mixed_feelings::{
    Labels,
    layers::{Mode, NoiseSource},
    model::{self, LinearParameter, ModelConfig},
    text::{Tokenizer, bert::Bert, bert::mean_pool},
};

use super::{
    adjust,
    config::TextSection,
    contrastive::contrastive_loss,
    learn::{Task, shuffle, shuffled},
    lookup::Lookup,
    losses::class_weights,
    objective::{Answers, Graded},
    parameters::{Parameters, linear},
    record::Evaluation,
    texts::{Row, TextTask, Texts},
};
use crate::{metrics::Confusion, parts::in_parts, progress};

/// Batches that are sorted by length among themselves, so that little is padded.
const BATCHES_SORTED_TOGETHER: usize = 50;

/// Where the heads of the tasks beside the sentiment are; they serve the training alone.
pub const TASK_HEADS: &str = "tasks";

/// The table of word embeddings among the parameters.
const WORDS: &str = "text.embeddings.word_embeddings.weight";

/// The text stage's data and model.
pub struct TextStage {
    labels: Labels,
    train: Vec<Row>,
    val: Vec<Row>,
    encoder: Bert,
    heads: Vec<Head>,
    /// Whether the word embeddings are learned too.
    words_learn: bool,
    /// The weight of the contrastive loss.
    contrastive: f64,
    device: Device,
}

/// One task's head and how its loss counts.
struct Head {
    linear: Linear,
    weight: f64,
    class_weights: Vec<f32>,
}

impl TextStage {
    /// Reads and tokenizes the tables, and takes the model's tensors from `parameters`.
    pub fn new(
        section: &TextSection,
        config: &ModelConfig,
        tokenizer: &Tokenizer,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let Texts { tasks, train, val } = Texts::read(section, &config.labels, tokenizer)?;
        let builder = parameters.builder(device);
        let head = |(number, task): (usize, &TextTask)| -> Result<Head> {
            let classes = task.classes.len();
            let mut layer = model::Parameters::new(config).heads.text;
            if number > 0 {
                let name = format!("{TASK_HEADS}.{}", task.name);
                layer = LinearParameter { name, outputs: classes, ..layer };
            }
            let labels = train.iter().filter(|row| row.task == number).map(|row| row.class);
            Ok(Head {
                linear: linear(&builder, &layer)?,
                weight: task.weight,
                class_weights: class_weights(labels, classes, section.learning.class_balance),
            })
        };
        Ok(TextStage {
            heads: tasks.iter().enumerate().map(head).collect::<Result<_>>()?,
            encoder: Bert::load(builder.pp("text"), &config.text)?
                .computing_in(section.learning.precision.numbers()),
            labels: config.labels.clone(),
            words_learn: !parameters.frozen().covers(WORDS),
            contrastive: section.contrastive,
            device: device.clone(),
            train,
            val,
        })
    }

    /// The bias of the sentiment's head after logit adjustment by the labels of `val`, shape `[classes]`.
    pub fn adjusted_bias(&self, strength: f64) -> Result<Tensor> {
        let bias = self.heads[0].linear.bias().context("the text head has no bias")?;
        let classes = bias.elem_count();
        let offsets = adjust::offsets(self.val.iter().map(|row| row.class), classes, strength);
        Ok((bias + Tensor::from_vec(offsets, classes, &self.device)?)?)
    }

    /// The mean-pooled hidden states `[rows, hidden_size]`, and the word embeddings that were looked up for them, where
    /// they learn.
    fn pooled(&self, rows: &[&Row], mode: Mode<'_>) -> Result<(Tensor, Option<Lookup>)> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let padded = Padded::of(&ids);
        let mask = padded.mask(&self.device)?;
        if !(mode.is_train() && self.words_learn) {
            let hidden = self.encoder.forward(&padded.ids(&self.device)?, &mask, mode)?;
            return Ok((mean_pool(&hidden, &mask)?, None));
        }
        let Padded { rows, longest, ids, .. } = padded;
        let lookup = Lookup::new(WORDS, self.encoder.word_embeddings(), ids)?;
        let words = lookup.rows().reshape((rows, longest, ()))?;
        let pooled = mean_pool(&self.encoder.forward_embedded(&words, &mask, mode)?, &mask)?;
        Ok((pooled, Some(lookup)))
    }
}

impl Task for TextStage {
    fn name(&self) -> &'static str {
        "text"
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        let mut order = shuffled(self.train.len(), noise);
        let mut batches = Vec::new();
        for group in order.chunks_mut(batch_size * BATCHES_SORTED_TOGETHER) {
            group.sort_by_key(|&row| self.train[row].ids.len());
            batches.extend(group.chunks(batch_size).map(<[usize]>::to_vec));
        }
        shuffle(&mut batches, noise);
        batches
    }

    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let rows: Vec<&Row> = rows.iter().map(|&row| &self.train[row]).collect();
        let (pooled, lookup) = self.pooled(&rows, mode)?;
        let mut heads = Vec::with_capacity(self.heads.len());
        let mut extra = None;
        for (number, head) in self.heads.iter().enumerate() {
            let of_task = || rows.iter().enumerate().filter(|(_, row)| row.task == number);
            let places: Vec<u32> = of_task().map(|(i, _)| i as u32).collect();
            if places.is_empty() {
                continue;
            }
            let targets: Vec<u32> = of_task().map(|(_, row)| row.class as u32).collect();
            let weight = |row: &Row| head.class_weights[row.class] * head.weight as f32;
            let weights = of_task().map(|(_, row)| weight(row)).collect();
            let pooled = match places.len() {
                all if all == rows.len() => pooled.clone(),
                _ => pooled.index_select(&Tensor::new(places, &self.device)?, 0)?,
            };
            if number == 0 && self.contrastive > 0.0 {
                let loss = contrastive_loss(&pooled, &targets)?;
                extra = loss.map(|loss| loss * self.contrastive).transpose()?;
            }
            heads.push(Graded { logits: head.linear.forward(&pooled)?, targets, weights });
        }
        Ok(Answers { heads, extra, lookups: lookup.into_iter().collect(), ..Answers::default() })
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let mut order: Vec<&Row> = self.val.iter().collect();
        order.sort_by_key(|row| row.ids.len());
        let bar = progress::bar(order.len(), "text val");
        let said = |rows: &[&Row]| -> Result<Vec<(usize, usize)>> {
            let logits =
                self.heads[0].linear.forward(&self.pooled(rows, Mode::Infer)?.0)?.to_vec2::<f32>()?;
            bar.inc(rows.len() as u64);
            Ok(rows.iter().zip(logits).map(|(row, logits)| (row.class, most_likely(&logits))).collect())
        };
        let len = if self.device.is_cpu() { 32 } else { 256 };
        let pairs = in_parts(&self.device, &order, len, said)?.concat();
        bar.finish_and_clear();
        let metrics = Confusion::of(&self.labels, pairs).metrics().context("val has no rows")?;
        let figures = BTreeMap::from([
            ("accuracy", metrics.accuracy),
            ("macro_f1", metrics.macro_f1),
            ("macro_recall", metrics.macro_recall),
        ]);
        Ok(Evaluation { score: metrics.macro_f1, figures })
    }
}

/// The class of the largest logit.
pub fn most_likely(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

/// Token ids of several texts, padded with 0 to the longest.
pub struct Padded {
    rows: usize,
    longest: usize,
    ids: Vec<u32>,
    /// 1 for a token, 0 for padding.
    mask: Vec<f32>,
}

impl Padded {
    /// Of these texts.
    pub fn of(texts: &[&[u32]]) -> Self {
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let mut ids = vec![0u32; texts.len() * longest];
        let mut mask = vec![0f32; texts.len() * longest];
        for (r, text) in texts.iter().enumerate() {
            ids[r * longest..][..text.len()].copy_from_slice(text);
            mask[r * longest..][..text.len()].fill(1.0);
        }
        Padded { rows: texts.len(), longest, ids, mask }
    }

    /// The ids, `[texts, longest]`.
    pub fn ids(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.ids, (self.rows, self.longest), device)?)
    }

    /// The mask, in the same shape.
    pub fn mask(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.mask, (self.rows, self.longest), device)?)
    }
}
