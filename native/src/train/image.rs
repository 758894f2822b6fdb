//! The second stage: the image encoder, or its last blocks, and the image head on photos with `image_label`; then the head
//! once more, on photos with a mean rating too.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module};
use mixed_feelings::{
    Labels,
    image::cnn::{Cnn, average_pool},
    layers::{Mode, NoiseSource},
    model::{self, ModelConfig},
};

use super::{
    config::{ImageSection, ValenceTable},
    head::{Labelled, Layer, logistic, ridge},
    learn::{Task, shuffled},
    losses::class_weights,
    objective::{Answers, Graded},
    parameters::{Frozen, Parameters, linear},
    photos::{PhotoMaker, Photos},
    record::Evaluation,
    text::most_likely,
};
use crate::{
    data::{PairRow, ValenceRow, read_pairs, read_valence},
    digest::fnv1a,
    metrics::Confusion,
    parts::in_parts,
    stats::rank::spearman,
};

/// Photos that are measured together.
const ROWS_AT_ONCE: usize = 16;
/// Folds of themes that what the ratings teach is measured by.
const THEME_FOLDS: usize = 5;

/// What an image stage learns from and is measured on: read once, however often the stage is done.
pub struct Material {
    /// The pairs, those of train first.
    pub rows: Vec<PairRow>,
    /// How many of them are train's.
    pub train: usize,
    photos: Photos,
    valence: Option<Rated>,
}

/// Photos with a rating.
struct Rated {
    table: ValenceTable,
    rows: Vec<ValenceRow>,
    photos: Photos,
}

impl Material {
    /// Reads the tables, and the photos' values at the end of the frozen layers.
    pub fn read(section: &ImageSection, labels: &Labels, maker: &PhotoMaker<'_>) -> Result<Self> {
        let photos = |paths| match section.views {
            0 => Ok(maker.live(paths)),
            views => maker.kept(paths, views),
        };
        let (mut rows, val) = split(&section.pairs, labels)?;
        let train = rows.len();
        rows.extend(val);
        let rated = |table: &ValenceTable| -> Result<Rated> {
            let rows = read_valence(&table.file)?;
            ensure!(!rows.is_empty(), "{}: no rows", table.file.display());
            let photos = photos(rows.iter().map(|row| row.image.clone()).collect())?;
            Ok(Rated { table: table.clone(), rows, photos })
        };
        let valence = section.valence.as_ref().map(rated).transpose()?;
        let photos = photos(rows.iter().map(|row| row.image.clone()).collect())?;
        Ok(Material { rows, train, photos, valence })
    }
}

/// The fold of a theme: near-duplicates share a theme, and stay on one side.
fn theme_fold(theme: &str, folds: usize) -> usize {
    (fnv1a(theme) % folds as u64) as usize
}

/// The image stage's data and model.
pub struct ImageTask {
    material: Arc<Material>,
    labels: Labels,
    learned: Vec<usize>,
    held_out: Vec<usize>,
    weights: Vec<f32>,
    encoder: Cnn,
    head: Linear,
    head_penalty: f64,
}

impl ImageTask {
    /// Takes the model's tensors from `parameters`. Pairs of `material`: those that are learned from and those that are
    /// measured on; val is never learned from.
    pub fn new(
        section: &ImageSection,
        config: &ModelConfig,
        material: Arc<Material>,
        (learned, held_out): (Vec<usize>, Vec<usize>),
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let labels = learned.iter().map(|&row| material.rows[row].image_label);
        Ok(ImageTask {
            weights: class_weights(labels, config.labels.len(), section.learning.class_balance),
            learned,
            held_out,
            labels: config.labels.clone(),
            encoder: load_cnn(config, parameters, device)?,
            head: linear(&parameters.builder(device), &model::Parameters::new(config).heads.image)?,
            head_penalty: section.head_penalty,
            material,
        })
    }

    /// The features of these photos as they are, `[rows, channels]`.
    pub fn features(&self, photos: &Photos, rows: &[usize]) -> Result<Tensor> {
        let parts = in_parts(self.head.weight().device(), rows, ROWS_AT_ONCE, |rows| {
            Ok(average_pool(&photos.form(&self.encoder, rows, 0)?)?)
        })?;
        ensure!(!parts.is_empty(), "there are no photos to look at");
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// The features of these pairs' photos.
    pub fn of_pairs(&self, rows: &[usize]) -> Result<Tensor> {
        self.features(&self.material.photos, rows)
    }

    /// The head for the encoder as it is now: fitted anew if the section says so, leaning by the ratings if there are any.
    pub fn fitted_head(&self) -> Result<Layer> {
        let mut head = if self.head_penalty > 0.0 {
            let labels: Vec<usize> =
                self.learned.iter().map(|&row| self.material.rows[row].image_label).collect();
            let weights: Vec<f64> = labels.iter().map(|&label| self.weights[label].into()).collect();
            let features = numbers(&self.of_pairs(&self.learned)?)?;
            let rows = Labelled { features: &features, labels: &labels, weights: &weights };
            logistic(&rows, self.labels.len(), self.head_penalty)?
        } else {
            let biases = self.head.bias().map(|bias| bias.to_dtype(DType::F64)?.to_vec1()).transpose()?;
            let weights = numbers(self.head.weight())?;
            Layer { biases: biases.unwrap_or_else(|| vec![0.0; weights.len()]), weights }
        };
        if let Some(rated) = &self.material.valence {
            let all: Vec<usize> = (0..rated.rows.len()).collect();
            let features = numbers(&self.features(&rated.photos, &all)?)?;
            let correlation = spearman(&self.rated_apart(rated, &features, &head)?);
            head.lean(&rated.regression(&features, &all)?, &self.steps(rated));
            let correlation = correlation.unwrap_or(0.0);
            tracing::info!("image head: Spearman with ratings of themes held out {correlation:.3}");
        }
        Ok(head)
    }

    /// What the head, leaning by the ratings of other themes, says of each rated photo, and its rating.
    fn rated_apart(&self, rated: &Rated, features: &[Vec<f64>], head: &Layer) -> Result<Vec<(f64, f64)>> {
        let mut pairs = Vec::with_capacity(features.len());
        for fold in 0..THEME_FOLDS {
            let of_fold = |row: &usize| theme_fold(&rated.rows[*row].theme, THEME_FOLDS) == fold;
            let (apart, learned): (Vec<usize>, Vec<usize>) = (0..features.len()).partition(of_fold);
            if apart.is_empty() || learned.is_empty() {
                continue;
            }
            let mut head = head.clone();
            head.lean(&rated.regression(features, &learned)?, &self.steps(rated));
            for row in apart {
                let logits: Vec<f32> = head.apply(&features[row]).into_iter().map(|x| x as f32).collect();
                let most = logits.iter().fold(f32::NEG_INFINITY, |m, &x| m.max(x));
                let powers: Vec<f32> = logits.iter().map(|x| (x - most).exp()).collect();
                let sum: f32 = powers.iter().sum();
                let probabilities: Vec<f32> = powers.iter().map(|p| p / sum).collect();
                pairs.push((self.labels.valence(&probabilities).into(), rated.rows[row].valence));
            }
        }
        Ok(pairs)
    }

    /// By how much the best rating moves each logit.
    fn steps(&self, rated: &Rated) -> Vec<f64> {
        self.labels.iter().map(|label| rated.table.strength * f64::from(label.polarity)).collect()
    }
}

impl Rated {
    /// Tells the rating from features, learned from these rows.
    fn regression(&self, features: &[Vec<f64>], rows: &[usize]) -> Result<Layer> {
        let pick = |of: &dyn Fn(usize) -> f64| rows.iter().map(|&row| of(row)).collect::<Vec<f64>>();
        let mut weights = pick(&|row| self.rows[row].spread.powi(-2));
        let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        weights.iter_mut().for_each(|weight| *weight /= mean);
        let chosen: Vec<Vec<f64>> = rows.iter().map(|&row| features[row].clone()).collect();
        ridge(&chosen, &pick(&|row| self.rows[row].valence), &weights, self.table.penalty)
    }
}

/// A matrix as numbers.
fn numbers(matrix: &Tensor) -> Result<Vec<Vec<f64>>> {
    Ok(matrix.to_dtype(DType::F64)?.to_vec2()?)
}

impl Task for ImageTask {
    fn name(&self) -> &'static str {
        "image"
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        let order: Vec<usize> =
            shuffled(self.learned.len(), noise).iter().map(|&i| self.learned[i]).collect();
        order.chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let targets: Vec<u32> = rows.iter().map(|&row| self.material.rows[row].image_label as u32).collect();
        let weights = targets.iter().map(|&target| self.weights[target as usize]).collect();
        let grid = self.material.photos.grid(&self.encoder, rows, mode)?;
        let logits = self.head.forward(&average_pool(&grid)?)?;
        Ok(Answers { heads: vec![Graded { logits, targets, weights }], ..Answers::default() })
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let logits = self.head.forward(&self.of_pairs(&self.held_out)?)?.to_vec2::<f32>()?;
        let labels = self.held_out.iter().map(|&row| self.material.rows[row].image_label);
        let pairs = labels.zip(logits.iter().map(|logits| most_likely(logits)));
        let metrics = Confusion::of(&self.labels, pairs).metrics().context("val has no rows")?;
        let mut figures = BTreeMap::from([("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1)]);
        if let Some(rated) = &self.material.valence {
            let all: Vec<usize> = (0..rated.rows.len()).collect();
            let features = numbers(&self.features(&rated.photos, &all)?)?;
            let biases =
                self.head.bias().context("the image head has no bias")?.to_dtype(DType::F64)?.to_vec1()?;
            let head = Layer { weights: numbers(self.head.weight())?, biases };
            let pairs = self.rated_apart(rated, &features, &head)?;
            figures.extend(spearman(&pairs).map(|value| ("valence_spearman", value)));
        }
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
