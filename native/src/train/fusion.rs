//! The last stage: heads and fusion on pairs, each head with its own label.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{Linear, Module, ops::softmax};
use mixed_feelings::{
    fusion::{
        HeadLogits, Readout,
        float::{Fusion, Outputs},
    },
    layers::{Mode, NoiseSource},
    model::{self, FusionKind, ModelConfig},
};

use super::{
    config::FusionSection,
    features::{Encoded, drop_modalities},
    joined::contradiction_loss,
    learn::{Task, shuffled},
    losses::{class_weights, distillation},
    objective::{Answers, Graded},
    parameters::Parameters,
    record::Evaluation,
    teachers::Teachers,
    temperature::{Heads, Said},
    text::{TASK_HEADS, most_likely},
};
use crate::{
    data::{PairRow, Relation},
    metrics::{Confusion, ShapleyShares, auc},
};

/// Rows that are measured together.
const ROWS_AT_ONCE: usize = 32;

/// The pairs of a fusion stage.
pub struct Pairs {
    /// All rows.
    pub rows: Arc<[PairRow]>,
    /// Those that are learned from.
    pub learned: Vec<usize>,
    /// Those that it is measured on: val.
    pub held_out: Vec<usize>,
}

/// The fusion stage's data and model.
pub struct FusionTask {
    rows: Arc<[PairRow]>,
    learned: Vec<usize>,
    held_out: Vec<usize>,
    encoded: Encoded,
    fusion: Fusion,
    readout: Readout,
    weights: ClassWeights,
    section: FusionSection,
    teachers: Option<Teachers>,
    /// Tells the pair of both modalities' labels; serves the training alone.
    pair_head: Option<Linear>,
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
        encoded: Encoded,
        teachers: Option<Teachers>,
        device: &Device,
    ) -> Result<Self> {
        let Pairs { rows, learned, held_out } = pairs;
        let classes = config.labels.len();
        let model = model::Parameters::new(config);
        let builder = parameters.builder(device);
        let taught = || learned.iter().map(|&row| &rows[row]);
        let weigh = |labels: &mut dyn Iterator<Item = usize>| {
            class_weights(labels, classes, section.learning.class_balance)
        };
        let weights = ClassWeights {
            fused: weigh(&mut taught().filter_map(|row| row.label)),
            text: weigh(&mut taught().map(|row| row.text_label)),
            image: weigh(&mut taught().map(|row| row.image_label)),
        };
        let fusion = Fusion::load(builder.clone(), &config.fusion, &model)?;
        let readout = Readout::of_checkpoint(&builder, config.labels.clone(), &model)?;
        let pair_head = (section.pair_loss > 0.0).then(|| {
            let width = config.fusion.width * if config.fusion.kind == FusionKind::Concat { 2 } else { 1 };
            candle_nn::linear(width, classes.pow(2), builder.pp(TASK_HEADS).pp("pair"))
        });
        Ok(FusionTask {
            rows,
            learned,
            held_out,
            encoded,
            fusion,
            readout,
            weights,
            section: section.clone(),
            teachers,
            pair_head: pair_head.transpose()?,
            device: device.clone(),
        })
    }

    fn outputs(&self, rows: &[usize], has: (Vec<f32>, Vec<f32>), mode: Mode<'_>) -> Result<Outputs> {
        let text = self.encoded.text.get(rows, mode, &self.device)?;
        let image = self.encoded.image.get(rows, mode, &self.device)?;
        let has_text = Tensor::new(has.0, &self.device)?;
        let has_image = Tensor::new(has.1, &self.device)?;
        Ok(self.fusion.forward(Some(&text), Some(&image), &has_text, &has_image, mode)?)
    }

    /// For each row of val the logit of the contradiction, not calibrated, and whether its modalities are opposed.
    pub fn contradictions(&self) -> Result<Vec<(f32, bool)>> {
        let mut found = Vec::new();
        for rows in self.held_out.chunks(ROWS_AT_ONCE) {
            let outputs = self.outputs(rows, both(rows.len()), Mode::Infer)?;
            let logits = |head: Option<Tensor>| Ok(head.context("no logits")?.to_vec2::<f32>()?);
            let (text, image): (Result<_>, Result<_>) = (logits(outputs.text), logits(outputs.image));
            for ((&row, text), image) in rows.iter().zip(text?).zip(image?) {
                let logits = HeadLogits { text: Some(text), image: Some(image), fused: None };
                let logit = self.readout.opposition_logit(&logits).context("both modalities are there")?;
                found.push((logit, self.rows[row].relation == Relation::Conflict));
            }
        }
        Ok(found)
    }

    /// What each head says of the rows of val.
    pub fn heads(&self) -> Result<Heads> {
        let mut heads = Heads::default();
        for rows in self.held_out.chunks(ROWS_AT_ONCE) {
            let outputs = self.outputs(rows, both(rows.len()), Mode::Infer)?;
            let add = |said: &mut Vec<Said>, logits: &Tensor, label: fn(&PairRow) -> Option<usize>| {
                for (&row, logits) in rows.iter().zip(logits.to_vec2::<f32>()?) {
                    said.extend(label(&self.rows[row]).map(|label| (logits, label)));
                }
                Ok::<_, anyhow::Error>(())
            };
            let (text, image) = (outputs.text.as_ref(), outputs.image.as_ref());
            add(&mut heads.text, text.context("no text logits")?, |row| Some(row.text_label))?;
            add(&mut heads.image, image.context("no image logits")?, |row| Some(row.image_label))?;
            add(&mut heads.fused, &outputs.fused, |row| row.label)?;
        }
        Ok(heads)
    }

    /// How far the heads are from what the teachers say, summed over the rows; `None` without teachers.
    fn distilled(&self, rows: &[usize], heads: [&Tensor; 3], shares: [f64; 3]) -> Result<Option<Tensor>> {
        let (Some(teachers), Some(section)) = (&self.teachers, &self.section.distillation) else {
            return Ok(None);
        };
        let mut total = Tensor::zeros((), DType::F32, &self.device)?;
        for (head, (logits, share)) in heads.into_iter().zip(shares).enumerate() {
            let weights = vec![(share * section.weight) as f32; rows.len()];
            let taught = teachers.of(head, rows)?;
            total = (total + distillation(logits, &taught, &weights, section.temperature)?)?;
        }
        Ok(Some(total))
    }

    /// The loss on the contradiction of every text with every photo of the rows; `None` where it is off or teaches nothing.
    fn joined(&self, rows: &[usize], text: &Tensor, image: &Tensor) -> Result<Option<Tensor>> {
        if self.section.joined_pairs == 0.0 {
            return Ok(None);
        }
        let of = |label: fn(&PairRow) -> usize| rows.iter().map(|&row| label(&self.rows[row])).collect();
        let (texts, photos): (Vec<_>, Vec<_>) = (of(|row| row.text_label), of(|row| row.image_label));
        let loss = contradiction_loss((text, &texts), (image, &photos), &self.readout.labels)?;
        Ok(loss.map(|loss| loss * self.section.joined_pairs).transpose()?)
    }

    /// The sum of the probabilities that each modality's own head gives to the label of the post.
    fn confidence(&self, rows: &[usize], text: &Tensor, image: &Tensor) -> Result<[f64; 2]> {
        let sum = |logits: &Tensor| -> Result<f64> {
            let probabilities = softmax(logits, D::Minus1)?.to_vec2::<f32>()?;
            let labelled =
                rows.iter().zip(probabilities).filter_map(|(&row, p)| Some((self.rows[row].label?, p)));
            Ok(labelled.map(|(label, p)| f64::from(p[label])).sum())
        };
        Ok([sum(text)?, sum(image)?])
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
        let order: Vec<usize> =
            shuffled(self.learned.len(), noise).iter().map(|&i| self.learned[i]).collect();
        order.chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn answers(&self, rows: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let has = match mode {
            Mode::Train(noise) => drop_modalities(rows.len(), self.section.modality_dropout, noise),
            Mode::Infer => both(rows.len()),
        };
        let seen_both: Vec<bool> = has.0.iter().zip(&has.1).map(|(text, image)| text * image > 0.0).collect();
        let outputs = self.outputs(rows, has, mode)?;
        let labels_share = 1.0 - self.section.distillation.as_ref().map_or(0.0, |d| d.weight);
        let graded = |logits: &Tensor, share: f64, weights: &[f32], label: fn(&PairRow) -> Option<usize>| {
            let labels: Vec<Option<usize>> = rows.iter().map(|&row| label(&self.rows[row])).collect();
            let targets = labels.iter().map(|l| l.map_or(0, |l| l as u32)).collect();
            // A pair whose modalities are opposed has no merged label: its fused answer counts for nothing.
            let share = (share * labels_share) as f32;
            let weigh = |label: &Option<usize>| label.map_or(0.0, |l| weights[l] * share);
            Graded { logits: logits.clone(), targets, weights: labels.iter().map(weigh).collect() }
        };
        let (text, image) =
            (outputs.text.context("no text logits")?, outputs.image.context("no image logits")?);
        let confidence = (self.section.learning.ogm_ge > 0.0).then(|| self.confidence(rows, &text, &image));
        let shares = [1.0, self.section.text_loss, self.section.image_loss];
        let distilled = self.distilled(rows, [&outputs.fused, &text, &image], shares)?;
        let joined = self.joined(rows, &text, &image)?.map(|loss| loss * labels_share).transpose()?;
        let extra = match (distilled, joined) {
            (Some(distilled), Some(joined)) => Some((distilled + joined)?),
            (distilled, joined) => distilled.or(joined),
        };
        let mut heads = vec![
            graded(&outputs.fused, 1.0, &self.weights.fused, |row| row.label),
            graded(&text, self.section.text_loss, &self.weights.text, |row| Some(row.text_label)),
            graded(&image, self.section.image_loss, &self.weights.image, |row| Some(row.image_label)),
        ];
        if let (Some(head), Some(features)) = (&self.pair_head, &outputs.fused_features) {
            let pair = |&row: &usize| {
                let PairRow { text_label, image_label, .. } = self.rows[row];
                (text_label * self.readout.labels.len() + image_label) as u32
            };
            let targets = rows.iter().map(pair).collect();
            // The label of a modality that is not shown cannot be told.
            let weight = (self.section.pair_loss * labels_share) as f32;
            let weights = seen_both.iter().map(|&whole| if whole { weight } else { 0.0 }).collect();
            heads.push(Graded { logits: head.forward(features)?, targets, weights });
        }
        Ok(Answers { heads, extra, confidence: confidence.transpose()?, lookups: Vec::new() })
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let [mut fused, mut text, mut image, mut own_text, mut own_image] =
            [(); 5].map(|()| Confusion::new(&self.readout.labels));
        for rows in self.held_out.chunks(ROWS_AT_ONCE) {
            let outputs = self.outputs(rows, both(rows.len()), Mode::Infer)?;
            let predictions = |logits: &Tensor| -> Result<Vec<usize>> {
                Ok(logits.to_vec2::<f32>()?.iter().map(|logits| most_likely(logits)).collect())
            };
            let fused_said = predictions(&outputs.fused)?;
            let text_said = predictions(outputs.text.as_ref().context("no text logits")?)?;
            let image_said = predictions(outputs.image.as_ref().context("no image logits")?)?;
            for (i, &row) in rows.iter().enumerate() {
                let row = &self.rows[row];
                own_text.record(row.text_label, text_said[i], 1);
                own_image.record(row.image_label, image_said[i], 1);
                if let Some(label) = row.label {
                    fused.record(label, fused_said[i], 1);
                    text.record(label, text_said[i], 1);
                    image.record(label, image_said[i], 1);
                }
            }
        }
        let metrics = |confusion: Confusion| confusion.metrics().context("val has no labelled rows");
        let (fused, text, image) = (metrics(fused)?, metrics(text)?, metrics(image)?);
        let contradiction = auc(&self.contradictions()?).unwrap_or(0.5);
        let shares = ShapleyShares::of(&fused, &text, &image);
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
            ("text_share", shares.text),
            ("image_share", shares.image),
            ("weighted_f1", fused.weighted_f1),
        ]);
        Ok(Evaluation { score: fused.macro_f1, figures })
    }
}
