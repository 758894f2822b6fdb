//! The second stage: the image encoder, or its last blocks, and the image head on photos with `image_label`.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};
use mixed_feelings::{
    Labels,
    image::cnn::{Cnn, average_pool},
    layers::{Mode, NoiseSource},
    model::{self, ModelConfig, Preprocess},
};
use rayon::prelude::*;

use super::{
    config::ImageSection,
    learn::{Task, shuffled},
    losses::class_weights,
    objective::{Answers, Graded},
    parameters::{Frozen, Parameters, linear},
    pictures,
    record::Evaluation,
    text::most_likely,
};
use crate::{
    data::{PairRow, read_pairs},
    metrics::Confusion,
    progress,
};

/// The image stage's data and model.
pub struct ImageTask {
    labels: Labels,
    train: Vec<PairRow>,
    val: Vec<PairRow>,
    weights: Vec<f32>,
    augment: bool,
    encoder: Cnn,
    head: Linear,
    preprocess: Preprocess,
    device: Device,
}

impl ImageTask {
    /// Reads the pairs, and takes the model's tensors from `parameters`.
    pub fn new(
        section: &ImageSection,
        config: &ModelConfig,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let (train, val) = split(&section.pairs, &config.labels)?;
        let builder = parameters.builder(device);
        let encoder = load_cnn(config, parameters, device)?;
        let labels = train.iter().map(|row| row.image_label);
        Ok(ImageTask {
            weights: class_weights(labels, config.labels.len(), section.learning.class_balance),
            augment: section.augment,
            labels: config.labels.clone(),
            encoder,
            head: linear(&builder, &model::Parameters::new(config).heads.image)?,
            preprocess: config.preprocess.clone(),
            device: device.clone(),
            train,
            val,
        })
    }

    fn logits(&self, rows: &[&PairRow], mode: Mode<'_>) -> Result<Tensor> {
        let paths: Vec<&Path> = rows.iter().map(|row| row.image.as_path()).collect();
        let noise = match mode {
            Mode::Train(noise) if self.augment => Some(noise),
            _ => None,
        };
        let pixels = pictures::batch(&paths, &self.preprocess, noise, &self.device)?;
        Ok(self.head.forward(&average_pool(&self.encoder.forward(&pixels, mode)?)?)?)
    }
}

impl Task for ImageTask {
    fn name(&self) -> &'static str {
        "image"
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        shuffled(self.train.len(), noise).chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let rows: Vec<&PairRow> = rows.iter().map(|&row| &self.train[row]).collect();
        let targets: Vec<u32> = rows.iter().map(|row| row.image_label as u32).collect();
        let weights = targets.iter().map(|&target| self.weights[target as usize]).collect();
        let graded = Graded { logits: self.logits(&rows, mode)?, targets, weights };
        Ok(Answers { heads: vec![graded], ..Answers::default() })
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let bar = progress::bar(self.val.len(), "image val");
        let parts = self.val.par_chunks(16).map(|rows| -> Result<Vec<(usize, usize)>> {
            let rows: Vec<&PairRow> = rows.iter().collect();
            let logits = self.logits(&rows, Mode::Infer)?.to_vec2::<f32>()?;
            bar.inc(rows.len() as u64);
            Ok(rows.iter().zip(logits).map(|(row, logits)| (row.image_label, most_likely(&logits))).collect())
        });
        let pairs = parts.collect::<Result<Vec<_>>>()?.concat();
        bar.finish_and_clear();
        let metrics = Confusion::of(&self.labels, pairs).metrics().context("val has no rows")?;
        let figures = BTreeMap::from([("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1)]);
        Ok(Evaluation { score: metrics.macro_f1, figures })
    }
}

/// The rows of a table of pairs whose column `split` says train, and those where it says val.
pub fn split(pairs: &Path, labels: &Labels) -> Result<(Vec<PairRow>, Vec<PairRow>)> {
    let rows = read_pairs(pairs, labels)?;
    let part = |name: &str| -> Vec<PairRow> {
        rows.iter().filter(|row| row.split.as_deref() == Some(name)).cloned().collect()
    };
    let (train, val) = (part("train"), part("val"));
    let place = pairs.display();
    ensure!(!train.is_empty() && !val.is_empty(), "{place}: the column `split` must say train and val");
    Ok((train, val))
}

/// Whether some BatchNorm of the image encoder is not frozen. It then looks at the whole batch, which cannot be computed
/// in parts.
pub fn batch_norm_learns(config: &ModelConfig, frozen: &Frozen) -> bool {
    let network = config.image.architecture.network();
    network.convs().any(|conv| !frozen.covers(&format!("image.{}.weight", conv.norm)))
}

/// The image encoder; what `parameters` has frozen keeps its BatchNorm statistics.
pub fn load_cnn(config: &ModelConfig, parameters: &Parameters, device: &Device) -> Result<Cnn> {
    let mut cnn = Cnn::load(parameters.builder(device).pp("image"), config.image.architecture)?;
    let frozen: &Frozen = parameters.frozen();
    cnn.freeze(|name| frozen.covers(&format!("image.{name}.weight")));
    Ok(cnn)
}
