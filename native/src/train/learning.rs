//! The keys of `[*.learning]`, which are the same for every stage.

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::precision::Precision;

/// How a stage learns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learning {
    /// Passes over the data at the most.
    pub epochs: usize,
    /// Rows a step.
    pub batch_size: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The learning rate of each layer of the text encoder is this times that of the layer above it, and that of the embeddings
    /// this times the first layer's (Howard & Ruder 2018); 1: one rate for all.
    #[serde(default = "whole")]
    pub layer_decay: f64,
    /// The numbers that products are computed in; bfloat16 in the text stage alone.
    #[serde(default)]
    pub precision: Precision,
    /// Share of the steps over which the rate rises from 0; it falls linearly to 0 after.
    #[serde(default = "warm_up")]
    pub warm_up: f64,
    /// Decoupled weight decay on matrices.
    #[serde(default = "weight_decay")]
    pub weight_decay: f64,
    /// Bound on the gradients' global norm; 0: none.
    #[serde(default = "clip")]
    pub clip: f64,
    /// Share of the target spread over all classes (Szegedy et al. 2015).
    #[serde(default)]
    pub label_smoothing: f64,
    /// The q of the generalised cross-entropy (Zhang & Sabuncu 2018), which stands wrong labels better; 0: plain
    /// cross-entropy.
    #[serde(default)]
    pub gce: f64,
    /// Of the rows that are computed together, the share that is learned from: those with the highest loss (Shrivastava et al. 2016);
    /// 1: all.
    #[serde(default = "whole")]
    pub hardest: f64,
    /// The weight of R-Drop (Liang et al. 2021): two passes with different dropout should agree; 0: one pass.
    #[serde(default)]
    pub r_drop: f64,
    /// The alpha of OGM-GE (Peng et al. 2022), which slows the modality that is ahead; 0: off. Only in the fusion stage,
    /// the other stages have one modality.
    #[serde(default)]
    pub ogm_ge: f64,
    /// The decay of the weights' moving average, which is then measured and kept in their place (Polyak & Juditsky
    /// 1992); 0: none.
    #[serde(default)]
    pub ema: f64,
    /// How far class weights make up for rare classes: 0 not at all, 1 wholly.
    #[serde(default)]
    pub class_balance: f64,
    /// Which epoch is kept.
    #[serde(default)]
    pub keep: Keep,
    /// Epochs without a better score on val before the stage ends; 0: never.
    #[serde(default)]
    pub patience: usize,
    /// Steps between two checkpoints within an epoch; there is always one at its end.
    #[serde(default = "checkpoint_every")]
    pub checkpoint_every: usize,
    /// Patterns (`*` for anything) of the names of parameters that stay as they are.
    #[serde(default)]
    pub freeze: Vec<String>,
}

/// Which epoch a stage keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The one with the highest macro-F1 on val.
    #[default]
    Best,
    /// The last one: val has no say.
    Last,
}

fn warm_up() -> f64 {
    0.06
}
fn weight_decay() -> f64 {
    0.01
}
fn clip() -> f64 {
    1.0
}
fn checkpoint_every() -> usize {
    200
}
fn whole() -> f64 {
    1.0
}

impl Learning {
    /// Checks that the values make a training.
    ///
    /// # Errors
    /// Names the one that does not.
    pub fn check(&self) -> Result<()> {
        ensure!(self.batch_size > 0, "batch_size must be at least 1");
        ensure!(self.checkpoint_every > 0, "checkpoint_every must be at least 1");
        let rate = self.learning_rate;
        ensure!(rate.is_finite() && rate > 0.0, "learning_rate = {rate} must be positive");
        let decay = self.layer_decay;
        ensure!(decay > 0.0 && decay <= 1.0, "layer_decay = {decay} must be above 0 and at most 1");
        let hardest = self.hardest;
        ensure!(hardest > 0.0 && hardest <= 1.0, "hardest = {hardest} must be above 0 and at most 1");
        for (name, share) in
            [("warm_up", self.warm_up), ("label_smoothing", self.label_smoothing), ("ema", self.ema)]
        {
            ensure!((0.0..1.0).contains(&share), "{name} = {share} must be in 0..1");
        }
        let amounts = [
            ("weight_decay", self.weight_decay),
            ("clip", self.clip),
            ("class_balance", self.class_balance),
            ("r_drop", self.r_drop),
            ("ogm_ge", self.ogm_ge),
        ];
        for (name, value) in amounts {
            ensure!(value.is_finite() && value >= 0.0, "{name} = {value} must not be negative");
        }
        ensure!((0.0..=1.0).contains(&self.gce), "gce = {} must be in 0..=1", self.gce);
        let both = self.gce > 0.0 && self.label_smoothing > 0.0;
        ensure!(!both, "gce takes the place of label_smoothing: set one of them to 0");
        let stops = self.keep == Keep::Last && self.patience > 0;
        ensure!(!stops, "patience waits for the best epoch, but keep = \"last\"");
        Ok(())
    }
}
