//! What a `train CONFIG.toml` says. Unknown keys are errors.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{
    fusion::FusionConfig,
    image::{Filter, Fit},
};
use serde::Deserialize;

/// A whole training. Paths are relative to the folder of the config file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Fixes the initial weights, the order of the data, dropout and augmentation.
    #[serde(default)]
    pub seed: u64,
    /// The folder for checkpoints, the feature cache and `metrics.jsonl`.
    pub out: PathBuf,
    /// What is trained.
    pub model: ModelSection,
    /// The first stage: the text encoder and head on tweets. Left out: the encoder stays as it is.
    pub text: Option<TextSection>,
    /// The second stage: the image encoder and head. Left out: the encoder stays as it is.
    pub image: Option<ImageSection>,
    /// The last stage: heads and fusion on pairs.
    pub fusion: FusionSection,
}

/// What is trained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// The base text encoder: a folder, or a name on the Hugging Face hub.
    pub text: String,
    /// The base image encoder: a folder, or a name on the Hugging Face hub.
    pub image: String,
    /// Tokens read of a text.
    #[serde(default = "max_tokens")]
    pub max_tokens: usize,
    /// Side of the image encoder's input; the encoder's own where left out.
    pub input_size: Option<usize>,
    /// How a picture becomes a square.
    #[serde(default)]
    pub fit: Fit,
    /// The resampling filter.
    #[serde(default)]
    pub filter: Filter,
    /// How text and image are joined.
    #[serde(default)]
    pub fusion: FusionConfig,
}

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
    /// Share of the steps over which the rate rises from 0; it falls linearly to 0 after.
    #[serde(default = "warm_up")]
    pub warm_up: f64,
    /// Decoupled weight decay on matrices.
    #[serde(default = "weight_decay")]
    pub weight_decay: f64,
    /// Bound on the gradients' global norm; 0: none.
    #[serde(default = "clip")]
    pub clip: f64,
    /// Share of the target spread over all classes.
    #[serde(default)]
    pub label_smoothing: f64,
    /// How far class weights make up for rare classes: 0 not at all, 1 wholly.
    #[serde(default)]
    pub class_balance: f64,
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

/// A tab-separated table with a column of labels and a column `text`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTable {
    /// The file.
    pub file: PathBuf,
    /// The column of labels: negative, neutral, positive.
    #[serde(default = "label")]
    pub label: String,
    /// Only the rows whose column `split` says so; all where left out.
    pub split: Option<String>,
    /// How often each row is seen in an epoch.
    #[serde(default = "once")]
    pub repeat: usize,
}

/// The text stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSection {
    /// What is learned from.
    pub train: Vec<TextTable>,
    /// What the best epoch is chosen on.
    pub val: TextTable,
    /// Tokens read of a text in this stage; the model's where left out.
    pub max_tokens: Option<usize>,
    /// How it learns.
    pub learning: Learning,
}

/// The image stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSection {
    /// A table of pairs.
    pub pairs: PathBuf,
    /// Flip, crop and light each picture anew in every epoch.
    #[serde(default)]
    pub augment: bool,
    /// How it learns.
    pub learning: Learning,
}

/// The fusion stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionSection {
    /// A table of pairs, its column `split` saying train and val.
    pub pairs: PathBuf,
    /// The weight of the text head's loss on `text_label` beside the fused loss.
    #[serde(default = "auxiliary")]
    pub text_loss: f64,
    /// The weight of the image head's loss on `image_label` beside the fused loss.
    #[serde(default = "auxiliary")]
    pub image_loss: f64,
    /// The probability that a pair is shown without its text, and the same without its image.
    #[serde(default)]
    pub modality_dropout: f64,
    /// Train the text encoder too; else its features are computed once and kept.
    #[serde(default)]
    pub fine_tune_text: bool,
    /// Train the image encoder too; else its features are computed once and kept.
    #[serde(default)]
    pub fine_tune_image: bool,
    /// Flip, crop and light each picture anew in every epoch; only with `fine_tune_image`.
    #[serde(default)]
    pub augment: bool,
    /// How it learns.
    pub learning: Learning,
}

fn max_tokens() -> usize {
    128
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
fn label() -> String {
    "label".into()
}
fn once() -> usize {
    1
}
fn auxiliary() -> f64 {
    0.5
}

impl TrainConfig {
    /// Reads a config file and makes its paths absolute or relative to where the program runs.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or a value makes no training.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut config: TrainConfig =
            toml::from_str(&text).with_context(|| format!("{} is no training config", path.display()))?;
        config.check().with_context(|| format!("{} is no training config", path.display()))?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let learnings = [
            ("text", self.text.as_ref().map(|s| &s.learning)),
            ("image", self.image.as_ref().map(|s| &s.learning)),
            ("fusion", Some(&self.fusion.learning)),
        ];
        for (stage, learning) in learnings {
            if let Some(learning) = learning {
                learning.check().with_context(|| format!("[{stage}.learning]"))?;
            }
        }
        if self.text.as_ref().is_some_and(|text| text.train.is_empty()) {
            bail!("[text] train names no table");
        }
        ensure!((0.0..0.5).contains(&self.fusion.modality_dropout), "modality_dropout must be in 0..0.5");
        Ok(())
    }

    fn resolve(&mut self, base: &Path) {
        let join = |path: &mut PathBuf| *path = base.join(&*path);
        join(&mut self.out);
        join(&mut self.fusion.pairs);
        if let Some(text) = &mut self.text {
            text.train.iter_mut().chain([&mut text.val]).for_each(|table| join(&mut table.file));
        }
        if let Some(image) = &mut self.image {
            join(&mut image.pairs);
        }
        // A name on the hub looks like a relative path; it is one if the folder is there.
        for encoder in [&mut self.model.text, &mut self.model.image] {
            let local = base.join(&*encoder);
            if local.is_dir() {
                *encoder = local.to_string_lossy().into_owned();
            }
        }
    }
}

impl Learning {
    fn check(&self) -> Result<()> {
        ensure!(self.batch_size > 0, "batch_size must be at least 1");
        ensure!(self.checkpoint_every > 0, "checkpoint_every must be at least 1");
        let rate = self.learning_rate;
        ensure!(rate.is_finite() && rate > 0.0, "learning_rate = {rate} must be positive");
        for (name, share) in [("warm_up", self.warm_up), ("label_smoothing", self.label_smoothing)] {
            ensure!((0.0..1.0).contains(&share), "{name} = {share} must be in 0..1");
        }
        for (name, value) in
            [("weight_decay", self.weight_decay), ("clip", self.clip), ("class_balance", self.class_balance)]
        {
            ensure!(value.is_finite() && value >= 0.0, "{name} = {value} must not be negative");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "out = 'o'\n[model]\ntext = 't'\nimage = 'i'\n[fusion]\npairs = 'p.tsv'\n\
        [fusion.learning]\nepochs = 1\nbatch_size = 2\nlearning_rate = 0.1\n";

    fn read(text: &str) -> Result<TrainConfig> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, text)?;
        TrainConfig::read(file.path())
    }

    #[test]
    fn the_smallest_config_has_sensible_defaults() -> Result<()> {
        let config = read(SMALLEST)?;
        assert_eq!(config.model.max_tokens, 128);
        assert!(config.fusion.pairs.is_absolute());
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = read(&SMALLEST.replace("epochs", "epoks")).expect_err("a misspelt key");
        assert!(format!("{error:#}").contains("epoks"), "{error:#}");
    }

    #[test]
    fn a_senseless_value_is_named() {
        let error = read(&SMALLEST.replace("0.1", "-0.1")).expect_err("a negative rate");
        assert!(format!("{error:#}").contains("[fusion.learning]"), "{error:#}");
        assert!(format!("{error:#}").contains("learning_rate"), "{error:#}");
    }
}
