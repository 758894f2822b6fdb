//! The last stage: heads and fusion on pairs, each head with its own label.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Sentiment,
    config::ModelConfig,
    fusion::float::{Fusion, Outputs},
    layers::{Mode, NoiseSource},
};

use super::{
    config::FusionSection,
    features::{Sides, drop_sides},
    learn::{Task, shuffled},
    losses::{class_weights, cross_entropy},
    parameters::Parameters,
    record::Evaluation,
    text::most_likely,
};
use crate::{
    data::{PairRow, Relation},
    metrics::{Confusion, auc},
};

/// Rows that are measured together.
const ROWS_AT_ONCE: usize = 32;

/// What is learned from, then what is chosen on.
pub struct Pairs {
    /// All rows.
    pub rows: Vec<PairRow>,
    /// How many of the first rows are learned from; the others are val.
    pub train: usize,
}

/// The fusion stage's data and model.
pub struct FusionTask {
    rows: Vec<PairRow>,
    train: usize,
    sides: Sides,
    fusion: Fusion,
    weights: ClassWeights,
    section: FusionSection,
    device: Device,
}

/// A weight for each class of each kind of label.
struct ClassWeights {
    fused: Vec<f32>,
    text: Vec<f32>,
    image: Vec<f32>,
}

impl FusionTask {
    /// Of pairs and their features, which are in the order of the pairs.
    pub fn new(
        section: &FusionSection,
        config: &ModelConfig,
        parameters: &Parameters,
        pairs: Pairs,
        sides: Sides,
        device: &Device,
    ) -> Result<Self> {
        let Pairs { rows, train } = pairs;
        let channels = config.image.architecture.network().channels;
        let builder = parameters.builder(device);
        let learned = &rows[..train];
        let weigh = |labels: &mut dyn Iterator<Item = usize>| {
            class_weights(labels, Sentiment::ALL.len(), section.learning.class_balance)
        };
        let weights = ClassWeights {
            fused: weigh(&mut learned.iter().filter_map(|row| row.label).map(|label| label as usize)),
            text: weigh(&mut learned.iter().map(|row| row.text_label as usize)),
            image: weigh(&mut learned.iter().map(|row| row.image_label as usize)),
        };
        let fusion = Fusion::load(builder, &config.fusion, config.text.hidden_size, channels)?;
        let (section, device) = (section.clone(), device.clone());
        Ok(FusionTask { rows, train, sides, fusion, weights, section, device })
    }

    fn outputs(&self, rows: &[usize], has: (Vec<f32>, Vec<f32>), mode: Mode<'_>) -> Result<Outputs> {
        let text = self.sides.text.get(rows, mode, &self.device)?;
        let image = self.sides.image.get(rows, mode, &self.device)?;
        let has_text = Tensor::new(has.0, &self.device)?;
        let has_image = Tensor::new(has.1, &self.device)?;
        Ok(self.fusion.forward(Some(&text), Some(&image), &has_text, &has_image, mode)?)
    }

    /// Rows of val whose sides are opposed, and the logit that the uncalibrated contradiction has there.
    pub fn contradictions(&self) -> Result<Vec<(f32, bool)>> {
        let mut found = Vec::new();
        for rows in self.val().chunks(ROWS_AT_ONCE) {
            let outputs = self.outputs(rows, both(rows.len()), Mode::Infer)?;
            let logits = outputs.contradiction.context("no contradiction without both sides")?;
            let relations = rows.iter().map(|&row| self.rows[row].relation == Relation::Conflict);
            found.extend(logits.to_vec1::<f32>()?.into_iter().zip(relations));
        }
        Ok(found)
    }

    fn val(&self) -> Vec<usize> {
        (self.train..self.rows.len()).collect()
    }
}

/// Every row with its text and its image.
fn both(rows: usize) -> (Vec<f32>, Vec<f32>) {
    (vec![1.0; rows], vec![1.0; rows])
}

impl Task for FusionTask {
    fn name(&self) -> &'static str {
        "fusion"
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        shuffled(self.train, noise).chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn loss(&self, rows: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let has = match mode {
            Mode::Train(noise) => drop_sides(rows.len(), self.section.modality_dropout, noise),
            Mode::Infer => both(rows.len()),
        };
        let outputs = self.outputs(rows, has, mode)?;
        let smoothing = self.section.learning.label_smoothing;
        let loss = |logits: &Tensor, weights: &[f32], label: fn(&PairRow) -> Option<Sentiment>| {
            let labels: Vec<Option<Sentiment>> = rows.iter().map(|&row| label(&self.rows[row])).collect();
            let targets: Vec<u32> = labels.iter().map(|l| l.map_or(0, |l| l as u32)).collect();
            // A pair whose sides are opposed has no merged label: its fused answer counts for nothing.
            let weights: Vec<f32> = labels.iter().map(|l| l.map_or(0.0, |l| weights[l as usize])).collect();
            cross_entropy(logits, &targets, &weights, smoothing)
        };
        let mut total = loss(&outputs.fused, &self.weights.fused, |row| row.label)?;
        if let Some(logits) = &outputs.text {
            let text = loss(logits, &self.weights.text, |row| Some(row.text_label))?;
            total = (total + (text * self.section.text_loss)?)?;
        }
        if let Some(logits) = &outputs.image {
            let image = loss(logits, &self.weights.image, |row| Some(row.image_label))?;
            total = (total + (image * self.section.image_loss)?)?;
        }
        Ok(total)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let mut fused = Confusion::default();
        let (mut text, mut image) = (Confusion::default(), Confusion::default());
        let (mut own_text, mut own_image) = (Confusion::default(), Confusion::default());
        for rows in self.val().chunks(ROWS_AT_ONCE) {
            let outputs = self.outputs(rows, both(rows.len()), Mode::Infer)?;
            let predictions = |logits: &Tensor| -> Result<Vec<Sentiment>> {
                Ok(logits.to_vec2::<f32>()?.iter().map(|logits| most_likely(logits)).collect())
            };
            let fused_said = predictions(&outputs.fused)?;
            let text_said = predictions(outputs.text.as_ref().context("no text logits")?)?;
            let image_said = predictions(outputs.image.as_ref().context("no image logits")?)?;
            for (i, &row) in rows.iter().enumerate() {
                let row = &self.rows[row];
                own_text.record(row.text_label, text_said[i]);
                own_image.record(row.image_label, image_said[i]);
                if let Some(label) = row.label {
                    fused.record(label, fused_said[i]);
                    text.record(label, text_said[i]);
                    image.record(label, image_said[i]);
                }
            }
        }
        let metrics = |confusion: Confusion| confusion.metrics().context("val has no labelled rows");
        let (fused, text, image) = (metrics(fused)?, metrics(text)?, metrics(image)?);
        let contradiction = auc(&self.contradictions()?).unwrap_or(0.5);
        let figures = BTreeMap::from([
            ("accuracy", fused.accuracy),
            ("macro_f1", fused.macro_f1),
            ("text_accuracy", text.accuracy),
            ("text_macro_f1", text.macro_f1),
            ("image_accuracy", image.accuracy),
            ("image_macro_f1", image.macro_f1),
            ("own_text_macro_f1", metrics(own_text)?.macro_f1),
            ("own_image_macro_f1", metrics(own_image)?.macro_f1),
            ("contradiction_auc", contradiction),
        ]);
        Ok(Evaluation { score: fused.macro_f1, figures })
    }
}
