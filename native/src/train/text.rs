//! The first stage: the text encoder and the text head on labelled tweets.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};
use mixed_feelings::{
    Sentiment,
    layers::{Mode, NoiseSource},
    text::{BertConfig, Tokenizer, bert::Bert, bert::mean_pool},
};
use rayon::prelude::*;

use super::{
    config::{TextSection, TextTable},
    learn::{Task, shuffle, shuffled},
    losses::{class_weights, cross_entropy},
    parameters::Parameters,
    record::Evaluation,
};
use crate::{data::Table, metrics::Confusion, progress};

/// Batches that are sorted by length among themselves, so that little is padded.
const BATCHES_SORTED_TOGETHER: usize = 50;

/// The text stage's data and model.
pub struct TextTask {
    train: Vec<Row>,
    val: Vec<Row>,
    weights: Vec<f32>,
    smoothing: f64,
    encoder: Bert,
    head: Linear,
    device: Device,
}

#[derive(Clone)]
struct Row {
    ids: Vec<u32>,
    label: Sentiment,
}

impl TextTask {
    /// Reads and tokenizes the tables, and takes the model's tensors from `parameters`.
    pub fn new(
        section: &TextSection,
        config: &BertConfig,
        tokenizer: &Tokenizer,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let val = read(&section.val, tokenizer)?;
        ensure!(!val.is_empty(), "{} has no rows to choose on", section.val.file.display());
        // A text of val must not be learned by heart, whichever table it stands in.
        let known: HashSet<&[u32]> = val.iter().map(|row| row.ids.as_slice()).collect();
        let mut train = Vec::new();
        for table in &section.train {
            let rows = read(table, tokenizer)?;
            let before = rows.len();
            let rows: Vec<Row> = rows.into_iter().filter(|row| !known.contains(row.ids.as_slice())).collect();
            tracing::info!(
                "{}: {} texts, {} of val left out",
                table.file.display(),
                rows.len(),
                before - rows.len()
            );
            for _ in 0..table.repeat {
                train.extend(rows.iter().cloned());
            }
        }
        ensure!(!train.is_empty(), "the text stage has nothing to learn from");
        let labels = train.iter().map(|row| row.label as usize);
        let builder = parameters.builder(device);
        Ok(TextTask {
            weights: class_weights(labels, Sentiment::ALL.len(), section.learning.class_balance),
            smoothing: section.learning.label_smoothing,
            encoder: Bert::load(builder.pp("text"), config)?,
            head: candle_nn::linear(config.hidden_size, Sentiment::ALL.len(), builder.pp("heads.text"))?,
            device: device.clone(),
            train,
            val,
        })
    }

    fn logits(&self, rows: &[&Row], mode: Mode<'_>) -> Result<Tensor> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let (ids, mask) = padded(&ids, &self.device)?;
        let hidden = self.encoder.forward(&ids, &mask, mode)?;
        Ok(self.head.forward(&mean_pool(&hidden, &mask)?)?)
    }
}

impl Task for TextTask {
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

    fn loss(&self, rows: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let rows: Vec<&Row> = rows.iter().map(|&row| &self.train[row]).collect();
        let targets: Vec<u32> = rows.iter().map(|row| row.label as u32).collect();
        let weights: Vec<f32> = targets.iter().map(|&target| self.weights[target as usize]).collect();
        Ok(cross_entropy(&self.logits(&rows, mode)?, &targets, &weights, self.smoothing)?)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let mut order: Vec<&Row> = self.val.iter().collect();
        order.sort_by_key(|row| row.ids.len());
        let bar = progress::bar(order.len(), "text val");
        let parts = order.par_chunks(32).map(|rows| -> Result<Vec<(Sentiment, Sentiment)>> {
            let logits = self.logits(rows, Mode::Infer)?.to_vec2::<f32>()?;
            bar.inc(rows.len() as u64);
            Ok(rows.iter().zip(logits).map(|(row, logits)| (row.label, most_likely(&logits))).collect())
        });
        let pairs = parts.collect::<Result<Vec<_>>>()?.concat();
        bar.finish_and_clear();
        let metrics = pairs.into_iter().collect::<Confusion>().metrics().context("val has no rows")?;
        let figures = BTreeMap::from([
            ("accuracy", metrics.accuracy),
            ("macro_f1", metrics.macro_f1),
            ("macro_recall", metrics.macro_recall),
        ]);
        Ok(Evaluation { score: metrics.macro_f1, figures })
    }
}

/// The class of the largest logit.
pub fn most_likely(logits: &[f32]) -> Sentiment {
    let best = (0..Sentiment::ALL.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
    Sentiment::ALL[best]
}

/// Token ids as one tensor `[rows, longest]` padded with 0, and its mask of 1 and 0.
pub fn padded(rows: &[&[u32]], device: &Device) -> Result<(Tensor, Tensor)> {
    let longest = rows.iter().map(|ids| ids.len()).max().unwrap_or(0);
    let mut ids = vec![0u32; rows.len() * longest];
    let mut mask = vec![0f32; rows.len() * longest];
    for (r, row) in rows.iter().enumerate() {
        ids[r * longest..][..row.len()].copy_from_slice(row);
        mask[r * longest..][..row.len()].fill(1.0);
    }
    let shape = (rows.len(), longest);
    Ok((Tensor::from_vec(ids, shape, device)?, Tensor::from_vec(mask, shape, device)?))
}

/// The rows of a table whose label is one of the three classes; any other label but `conflict` is an error.
fn read(source: &TextTable, tokenizer: &Tokenizer) -> Result<Vec<Row>> {
    let table = Table::read(&source.file)?;
    let (text, label) = (table.column("text")?, table.column(&source.label)?);
    let split = source.split.as_ref().map(|name| Ok::<_, anyhow::Error>((table.column("split")?, name)));
    let split = split.transpose()?;
    let chosen: Vec<_> = table
        .rows()
        .filter(|row| split.as_ref().is_none_or(|&(column, name)| row.get(column) == name))
        .collect();
    let rows = chosen.into_par_iter().map(|row| -> Result<Option<Row>> {
        let label = match (row.get(label), Sentiment::from_name(row.get(label))) {
            (_, Some(label)) => label,
            ("conflict", None) => return Ok(None),
            (other, None) => bail!("{}: `{other}` is not negative, neutral or positive", row.place()),
        };
        let encoding = tokenizer.encode(row.get(text)).with_context(|| row.place())?;
        Ok(Some(Row { ids: encoding.ids, label }))
    });
    Ok(rows.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}
