//! The second stage: the image encoder, or its last blocks, and the image head on photos with `image_label`, and on photos
//! with a mean rating.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use candle_core::{D, Device, Tensor};
use candle_nn::{Linear, Module, ops::softmax};
use mixed_feelings::{
    Labels,
    image::cnn::{Cnn, average_pool},
    layers::{Mode, NoiseSource},
    model::{self, ModelConfig},
};
use rayon::prelude::*;

use super::{
    config::{ImageSection, THEME_FOLDS, ValenceTable},
    learn::{Task, shuffle},
    losses::{class_weights, polarity_error},
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
    progress,
    stats::rank::spearman,
};

/// Photos that are measured together.
const ROWS_AT_ONCE: usize = 16;

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
    /// The mean of one over the squared spread.
    mean_weight: f64,
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
            let sum: f64 = rows.iter().map(|row| row.spread.powi(-2)).sum();
            let photos = photos(rows.iter().map(|row| row.image.clone()).collect())?;
            Ok(Rated { table: table.clone(), mean_weight: sum / rows.len() as f64, rows, photos })
        };
        let valence = section.valence.as_ref().map(rated).transpose()?;
        let photos = photos(rows.iter().map(|row| row.image.clone()).collect())?;
        Ok(Material { rows, train, photos, valence })
    }

    /// How many photos have a rating.
    pub fn rated(&self) -> usize {
        self.valence.as_ref().map_or(0, |rated| rated.rows.len())
    }

    /// The ratings.
    pub fn ratings(&self) -> Vec<f64> {
        self.valence.iter().flat_map(|rated| &rated.rows).map(|row| row.valence).collect()
    }

    /// The rated photos whose theme is of this fold.
    pub fn of_themes(&self, fold: usize, folds: usize) -> Vec<usize> {
        let themes =
            self.valence.iter().flat_map(|rated| &rated.rows).map(|row| row.theme.as_str()).enumerate();
        themes.filter(|(_, theme)| theme_fold(theme, folds) == fold).map(|(row, _)| row).collect()
    }
}

/// The fold of a theme: near-duplicates share a theme, and stay on one side.
fn theme_fold(theme: &str, folds: usize) -> usize {
    (fnv1a(theme) % folds as u64) as usize
}

/// What is not learned from.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    /// Pairs.
    pub pairs: Vec<usize>,
    /// Rated photos.
    pub rated: Vec<usize>,
}

/// A photo that is learned from.
#[derive(Clone, Copy)]
enum Item {
    Pair(usize),
    Rated(usize),
}

/// The image stage's data and model.
pub struct ImageTask {
    material: Arc<Material>,
    labels: Labels,
    items: Vec<Item>,
    held_out: HeldOut,
    weights: Vec<f32>,
    encoder: Cnn,
    head: Linear,
    device: Device,
}

impl ImageTask {
    /// Takes the model's tensors from `parameters`. Without `held_out`, val is measured on, and what the section holds out of
    /// the ratings.
    pub fn new(
        section: &ImageSection,
        config: &ModelConfig,
        material: Arc<Material>,
        held_out: Option<HeldOut>,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let held_out = held_out.unwrap_or_else(|| {
            let fold = section.valence.as_ref().and_then(|table| table.held_out);
            let rated = fold.map(|fold| material.of_themes(fold, THEME_FOLDS)).unwrap_or_default();
            HeldOut { pairs: (material.train..material.rows.len()).collect(), rated }
        });
        let learned = |held_out: &[usize], rows: usize| -> Vec<usize> {
            let held_out: BTreeSet<usize> = held_out.iter().copied().collect();
            (0..rows).filter(|row| !held_out.contains(row)).collect()
        };
        // val is never learned from.
        let pairs = learned(&held_out.pairs, material.train);
        let repeat = section.valence.as_ref().map_or(0, |table| table.repeat);
        let rated = learned(&held_out.rated, material.rated());
        let labels = pairs.iter().map(|&row| material.rows[row].image_label);
        let weights = class_weights(labels, config.labels.len(), section.learning.class_balance);
        let rated = rated.into_iter().flat_map(|row| std::iter::repeat_n(Item::Rated(row), repeat));
        Ok(ImageTask {
            weights,
            items: pairs.into_iter().map(Item::Pair).chain(rated).collect(),
            held_out,
            labels: config.labels.clone(),
            encoder: load_cnn(config, parameters, device)?,
            head: linear(&parameters.builder(device), &model::Parameters::new(config).heads.image)?,
            material,
            device: device.clone(),
        })
    }

    fn logits(&self, photos: &Photos, rows: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        Ok(self.head.forward(&average_pool(&photos.grid(&self.encoder, rows, mode)?)?)?)
    }

    /// The features and the logits of these pairs' photos as they are, `[rows, channels]` and `[rows, classes]`.
    pub fn of_pairs(&self, rows: &[usize]) -> Result<(Tensor, Tensor)> {
        let parts = rows.par_chunks(ROWS_AT_ONCE).map(|rows| -> Result<(Tensor, Tensor)> {
            let features = average_pool(&self.material.photos.form(&self.encoder, rows, 0)?)?;
            Ok((features.clone(), self.head.forward(&features)?))
        });
        let (features, logits): (Vec<_>, Vec<_>) = parts.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        ensure!(!features.is_empty(), "there are no pairs to look at");
        Ok((Tensor::cat(&features, 0)?, Tensor::cat(&logits, 0)?))
    }

    /// The expected polarity of these rated photos.
    pub fn valences(&self, rows: &[usize]) -> Result<Vec<f64>> {
        let Some(rated) = &self.material.valence else { return Ok(Vec::new()) };
        let polarities = self.polarities();
        let parts = rows.par_chunks(ROWS_AT_ONCE).map(|rows| -> Result<Vec<f64>> {
            let logits = self.logits(&rated.photos, rows, Mode::Infer)?;
            let probabilities = softmax(&logits, D::Minus1)?.to_vec2::<f32>()?;
            let expected = |p: &Vec<f32>| p.iter().zip(&polarities).map(|(p, q)| f64::from(p * q)).sum();
            Ok(probabilities.iter().map(expected).collect())
        });
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    fn polarities(&self) -> Vec<f32> {
        self.labels.iter().map(|label| label.polarity).collect()
    }
}

impl Task for ImageTask {
    fn name(&self) -> &'static str {
        "image"
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        shuffle(&mut order, noise);
        order.chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let (mut pairs, mut rated) = (Vec::new(), Vec::new());
        for &row in rows {
            match self.items[row] {
                Item::Pair(row) => pairs.push(row),
                Item::Rated(row) => rated.push(row),
            }
        }
        let mut answers = Answers::default();
        if !pairs.is_empty() {
            let targets: Vec<u32> =
                pairs.iter().map(|&row| self.material.rows[row].image_label as u32).collect();
            let weights = targets.iter().map(|&target| self.weights[target as usize]).collect();
            let logits = self.logits(&self.material.photos, &pairs, mode)?;
            answers.heads.push(Graded { logits, targets, weights });
        }
        if let Some(Rated { table, rows, photos, mean_weight }) = &self.material.valence
            && !rated.is_empty()
        {
            let targets: Vec<f32> =
                rated.iter().map(|&row| (rows[row].valence * table.scale) as f32).collect();
            let weight = |&row: &usize| (table.weight * rows[row].spread.powi(-2) / mean_weight) as f32;
            let weights: Vec<f32> = rated.iter().map(weight).collect();
            let logits = self.logits(photos, &rated, mode)?;
            answers.extra = Some(polarity_error(&logits, &self.polarities(), &targets, &weights)?);
        }
        Ok(answers)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let bar = progress::bar(self.held_out.pairs.len(), "image val");
        let logits = self.of_pairs(&self.held_out.pairs)?.1.to_vec2::<f32>()?;
        bar.finish_and_clear();
        let labels = self.held_out.pairs.iter().map(|&row| self.material.rows[row].image_label);
        let pairs = labels.zip(logits.iter().map(|logits| most_likely(logits)));
        let metrics = Confusion::of(&self.labels, pairs).metrics().context("val has no rows")?;
        let mut figures = BTreeMap::from([("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1)]);
        let ratings = self.material.ratings();
        let ratings = self.held_out.rated.iter().map(|&row| ratings[row]);
        let pairs: Vec<_> = self.valences(&self.held_out.rated)?.into_iter().zip(ratings).collect();
        figures.extend(spearman(&pairs).map(|value| ("valence_spearman", value)));
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
