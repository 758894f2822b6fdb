//! Distillation (Hinton, Vinyals & Dean 2015): what an ensemble of our own checkpoints says of each pair, for one model
//! to learn from.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::log_softmax;
use mixed_feelings::{fusion::float::Fusion, layers::Mode, model, text::Tokenizer};

use super::{
    features::FeatureMaker,
    parameters::{Frozen, Parameters},
};
use crate::{checkpoint::Checkpoint, data::PairRow};

/// Rows that are asked together.
const ROWS_AT_ONCE: usize = 64;

/// The ensemble's logits for every row, `[rows, classes]` a head: the mean of the members' log-probabilities.
#[derive(Clone)]
pub struct Teachers {
    /// Of the fused head, the text head and the image head.
    pub heads: [Tensor; 3],
}

impl Teachers {
    /// Asks the checkpoints in the folders `dirs`; features of encoders that were asked before come from `features`.
    ///
    /// # Errors
    /// When there is no folder, or one of them is no checkpoint.
    pub fn ask(
        dirs: &[impl AsRef<Path>],
        rows: &[PairRow],
        features: &Path,
        device: &Device,
    ) -> Result<Self> {
        ensure!(!dirs.is_empty(), "[fusion.distillation] teachers names no checkpoint");
        let mut sums: Option<[Tensor; 3]> = None;
        for dir in dirs {
            let dir = dir.as_ref();
            let said =
                ask(dir, rows, features, device).with_context(|| format!("teacher {}", dir.display()))?;
            sums = Some(match sums {
                None => said,
                Some([a, b, c]) => [(a + &said[0])?, (b + &said[1])?, (c + &said[2])?],
            });
        }
        let [a, b, c] = sums.context("no teacher")?;
        let n = dirs.len() as f64;
        Ok(Teachers { heads: [(a / n)?, (b / n)?, (c / n)?] })
    }

    /// The logits of one head for these rows.
    pub fn of(&self, head: usize, rows: &[usize]) -> Result<Tensor> {
        let index: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        let logits = &self.heads[head];
        Ok(logits.index_select(&Tensor::new(index, logits.device())?, 0)?)
    }
}

fn ask(dir: &Path, rows: &[PairRow], folder: &Path, device: &Device) -> Result<[Tensor; 3]> {
    let checkpoint = Checkpoint::load(dir, device)?;
    let parameters = Parameters::new(0, Frozen::new(["*".to_owned()]));
    parameters.insert_all("", checkpoint.tensors, device)?;
    let config = &checkpoint.config;
    let tokenizer = Tokenizer::from_json(&checkpoint.tokenizer, config.max_tokens, config.text_preparation)?;
    let maker =
        FeatureMaker { config, parameters: &parameters, tokenizer: &tokenizer, device, folder, photos: None };
    let (text, image) = (maker.text(rows, false)?, maker.kept_image(rows, 1)?);
    let fusion = Fusion::load(parameters.builder(device), &config.fusion, &model::Parameters::new(config))?;
    let mut heads = [Vec::new(), Vec::new(), Vec::new()];
    let order: Vec<usize> = (0..rows.len()).collect();
    for rows in order.chunks(ROWS_AT_ONCE) {
        let (text, image) = (text.get(rows, Mode::Infer, device)?, image.get(rows, Mode::Infer, device)?);
        let has = Tensor::ones(rows.len(), DType::F32, device)?;
        let outputs = fusion.forward(Some(&text), Some(&image), &has, &has, Mode::Infer)?;
        let said = [Some(outputs.fused), outputs.text, outputs.image];
        for (head, logits) in heads.iter_mut().zip(said) {
            head.push(log_softmax(&logits.context("a head is missing")?, D::Minus1)?);
        }
    }
    let [fused, text, image] = heads.map(|parts| Tensor::cat(&parts, 0));
    Ok([fused?, text?, image?])
}
