//! What a `train CONFIG.toml` says. Unknown keys are errors.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mixed_feelings::{
    Labels,
    model::{Filter, Fit, FusionConfig, FusionKind},
};
use serde::Deserialize;

use super::{learning::Learning, overrides, precision::Precision};

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
    /// A checkpoint to start from, the folder: its encoders, and of its heads those that the fusion stage leaves as
    /// they are (`fusion.learning.freeze`). What the fusion stage trains starts anew.
    pub from: Option<PathBuf>,
    /// The base text encoder: a folder, or a name on the Hugging Face hub. Left out: that of `from`.
    pub text: Option<String>,
    /// The base image encoder: a folder, or a name on the Hugging Face hub. Left out: that of `from`.
    pub image: Option<String>,
    /// Tokens read of a text; those of `from`, or 128, where left out.
    pub max_tokens: Option<usize>,
    /// Side of the image encoder's input; the encoder's own where left out.
    pub input_size: Option<usize>,
    /// How a picture becomes a square; as with the encoder of `from`, or stretched, where left out.
    pub fit: Option<Fit>,
    /// The resampling filter; as with the encoder of `from`, or bicubic, where left out.
    pub filter: Option<Filter>,
    /// The classes: names of the default set, or `{ name, polarity }` with a polarity from -1 (unpleasant) to 1 (pleasant);
    /// those of `from`, or negative, neutral and positive, where left out. Tables name them.
    pub labels: Option<Labels>,
    /// How text and image are joined.
    #[serde(default)]
    pub fusion: FusionConfig,
}

/// The task whose head is the model's text head.
pub const SENTIMENT: &str = "sentiment";

/// A tab-separated table with a column of labels and a column `text`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTable {
    /// The file.
    pub file: PathBuf,
    /// What its labels are labels of: `sentiment` (those of the model), or any other name for a task that is
    /// learned beside it with a head of its own (Caruana 1997).
    #[serde(default = "sentiment")]
    pub task: String,
    /// The weight of the loss on its task.
    #[serde(default = "whole")]
    pub weight: f64,
    /// The column of labels.
    #[serde(default = "label")]
    pub label: String,
    /// Only the rows whose column `split` says so; all where left out.
    pub split: Option<String>,
    /// How often each row is seen in an epoch.
    #[serde(default = "once")]
    pub repeat: usize,
    /// A table (`slot`, `value`) of what may stand in the slots of its texts, such as `{dish}`. Each text is then filled
    /// `repeat` times, with other values each time.
    pub slots: Option<PathBuf>,
}

/// The text stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSection {
    /// What is learned from.
    pub train: Vec<TextTable>,
    /// What the best epoch is chosen on.
    pub val: TextTable,
    /// Whatever resembles a text of these tables, or of `val`, is not learned from.
    #[serde(default)]
    pub keep_out: Vec<TextTable>,
    /// Tokens read of a text in this stage; the model's where left out.
    pub max_tokens: Option<usize>,
    /// When the stage is done, a class's logit gains this times `-ln` of its share of `val` (Menon et al. 2021): for a score
    /// that counts all classes alike. 0: logits stay as they were learned.
    #[serde(default)]
    pub logit_adjustment: f64,
    /// The weight of a supervised contrastive loss (Khosla et al. 2020) beside the cross-entropy, between the features of those texts
    /// of `sentiment` that are computed together; 0: none.
    #[serde(default)]
    pub contrastive: f64,
    /// How it learns.
    pub learning: Learning,
}

/// The image stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSection {
    /// A table of pairs.
    pub pairs: PathBuf,
    /// Photos with a mean rating, which the head learns from beside the pairs.
    pub valence: Option<ValenceTable>,
    /// Vary each picture anew in every epoch: cut, mirrored, lit, resampled, with noise, as a worse JPEG.
    #[serde(default)]
    pub augment: bool,
    /// Forms of each photo whose values at the end of the frozen layers are kept, so that a step computes the others alone:
    /// the photo as it is, and varied ones, of which each step takes one at random. 0: each photo is read anew.
    #[serde(default)]
    pub views: usize,
    /// When the encoder is done, the head is fitted anew to its features of the photos as they are, by a logistic regression
    /// with this penalty. 0: the head stays as it was learned.
    #[serde(default)]
    pub head_penalty: f64,
    /// A file `image.safetensors` that an earlier image stage left: it is taken as it is, and nothing is trained.
    pub from: Option<PathBuf>,
    /// How it learns.
    pub learning: Learning,
}

/// Photos with the mean and the spread of what people said: the columns `image`, `theme`, `valence` (1 to 7),
/// `valence_sd`. When the encoder is done, a ridge regression tells the rating from its features, and moves the logits of
/// the pleasant and the unpleasant classes apart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValenceTable {
    /// The file.
    pub file: PathBuf,
    /// The penalty of the ridge regression.
    #[serde(default = "ridge_penalty")]
    pub penalty: f64,
    /// By how much the best rating, which counts as 1, moves the logit of a class of polarity 1 away from one without.
    #[serde(default = "auxiliary")]
    pub strength: f64,
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
    /// Forms of each photo whose features are kept: the photo as it is, and varied ones, of which each step takes one at
    /// random. Not with `fine_tune_image`.
    #[serde(default = "once")]
    pub views: usize,
    /// The weight of a loss on the pair of both modalities' labels, of which the label of the post follows. Its head reads
    /// what the fused classifier reads, and is left behind. Not with late fusion.
    #[serde(default)]
    pub pair_loss: f64,
    /// The weight of a loss on the contradiction of joined pairs: every text of a batch with every photo of it. It reaches the
    /// heads of text and image alone, those of them that are not frozen.
    #[serde(default)]
    pub joined_pairs: f64,
    /// Learn on image features of mean 0 and deviation 1 a channel; the model that comes out reads plain ones all the
    /// same. Not with `fine_tune_image`.
    #[serde(default)]
    pub standardise_image: bool,
    /// Learn from an ensemble besides the labels.
    pub distillation: Option<Distillation>,
    /// How it learns.
    pub learning: Learning,
}

/// Learning from an ensemble of models (Hinton, Vinyals & Dean 2015).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// The folders of their checkpoints. They have seen the labels of their own training rows: with `--folds` that lets
    /// something of the held-out labels through, so measure it with `--seeds`.
    pub teachers: Vec<PathBuf>,
    /// What the logits of teachers and model are divided by.
    #[serde(default = "temperature")]
    pub temperature: f64,
    /// The ensemble's share of the loss; the labels have the rest.
    #[serde(default = "auxiliary")]
    pub weight: f64,
}

fn ridge_penalty() -> f64 {
    3.0
}
fn temperature() -> f64 {
    2.0
}
fn label() -> String {
    "label".into()
}
fn sentiment() -> String {
    SENTIMENT.into()
}
fn whole() -> f64 {
    1.0
}
fn once() -> usize {
    1
}
fn auxiliary() -> f64 {
    0.5
}

impl TrainConfig {
    /// Reads a config file, puts the `overrides` (`KEY=VALUE`) in, and makes its paths absolute or relative to where the
    /// program runs.
    ///
    /// # Errors
    /// When the file cannot be read, an override is none, a key is unknown, or a value makes no training.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let named = || match overrides {
            [] => format!("{} is no training config", path.display()),
            some => format!("{} with --set {} is no training config", path.display(), some.join(" --set ")),
        };
        let mut config: TrainConfig = if overrides.is_empty() {
            toml::from_str(&text).with_context(named)? // Its errors show the line.
        } else {
            let mut table = toml::from_str(&text).with_context(named)?;
            overrides.iter().try_for_each(|assignment| overrides::set(&mut table, assignment))?;
            table.try_into().with_context(named)?
        };
        config.check().with_context(named)?;
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
                let half = stage != "text" && learning.precision == Precision::Bf16;
                ensure!(
                    !half,
                    "[{stage}.learning] precision = \"bf16\": it is for the text stage; \"tf32\" is for all"
                );
            }
        }
        if let Some(text) = &self.text {
            ensure!(!text.train.is_empty(), "[text] train names no table");
            let adjustment = text.logit_adjustment;
            ensure!(
                (0.0..=1.0).contains(&adjustment),
                "[text] logit_adjustment = {adjustment} must be in 0..=1"
            );
            let contrastive = text.contrastive;
            ensure!(
                contrastive.is_finite() && contrastive >= 0.0,
                "[text] contrastive = {contrastive} must not be negative"
            );
            for TextTable { task, weight, .. } in &text.train {
                ensure!(
                    weight.is_finite() && *weight > 0.0,
                    "the weight {weight} of `{task}` must be positive"
                );
            }
        }
        if let Some(image) = &self.image {
            image.check()?;
        }
        if self.model.from.is_none() {
            for (name, encoder) in [("text", &self.model.text), ("image", &self.model.image)] {
                ensure!(encoder.is_some(), "[model] says neither `{name}` nor `from`");
            }
        }
        let live = self.fusion.standardise_image && self.fusion.fine_tune_image;
        ensure!(!live, "standardise_image wants features that stay: not with fine_tune_image");
        ensure!(self.fusion.views > 0, "views must be at least 1");
        let live = self.fusion.views > 1 && self.fusion.fine_tune_image;
        ensure!(!live, "views are of features that stay: with fine_tune_image, say augment");
        for (name, value) in [
            ("text_loss", self.fusion.text_loss),
            ("image_loss", self.fusion.image_loss),
            ("pair_loss", self.fusion.pair_loss),
            ("joined_pairs", self.fusion.joined_pairs),
        ] {
            ensure!(value.is_finite() && value >= 0.0, "{name} = {value} must not be negative");
        }
        let late = self.model.fusion.kind == FusionKind::Late && self.fusion.pair_loss > 0.0;
        ensure!(!late, "pair_loss wants a fused classifier: late fusion has none");
        if let Some(Distillation { teachers, temperature, weight }) = &self.fusion.distillation {
            ensure!(!teachers.is_empty(), "[fusion.distillation] teachers names no checkpoint");
            ensure!(
                temperature.is_finite() && *temperature > 0.0,
                "temperature = {temperature} must be positive"
            );
            ensure!((0.0..=1.0).contains(weight), "[fusion.distillation] weight = {weight} must be in 0..=1");
        }
        ensure!((0.0..0.5).contains(&self.fusion.modality_dropout), "modality_dropout must be in 0..0.5");
        Ok(())
    }

    fn resolve(&mut self, base: &Path) {
        let join = |path: &mut PathBuf| *path = base.join(&*path);
        join(&mut self.out);
        join(&mut self.fusion.pairs);
        self.model.from.iter_mut().for_each(join);
        self.fusion.distillation.iter_mut().flat_map(|d| &mut d.teachers).for_each(join);
        if let Some(text) = &mut self.text {
            text.train.iter_mut().chain(&mut text.keep_out).chain([&mut text.val]).for_each(|table| {
                join(&mut table.file);
                table.slots.iter_mut().for_each(join);
            });
        }
        if let Some(image) = &mut self.image {
            join(&mut image.pairs);
            image.from.iter_mut().for_each(join);
            image.valence.iter_mut().for_each(|table| join(&mut table.file));
        }
        // A name on the hub looks like a relative path; it is one if the folder is there.
        for encoder in [&mut self.model.text, &mut self.model.image].into_iter().flatten() {
            let local = base.join(&*encoder);
            if local.is_dir() {
                *encoder = local.to_string_lossy().into_owned();
            }
        }
    }
}

impl ImageSection {
    fn check(&self) -> Result<()> {
        let moving = self.views > 0 && !self.augment && self.views > 1;
        ensure!(!moving, "[image] views = {}: without `augment` all forms are the same", self.views);
        let penalty = self.head_penalty;
        ensure!(
            penalty.is_finite() && penalty >= 0.0,
            "[image] head_penalty = {penalty} must not be negative"
        );
        if let Some(ValenceTable { penalty, strength, .. }) = &self.valence {
            ensure!(
                penalty.is_finite() && *penalty > 0.0,
                "[image.valence] penalty = {penalty} must be positive"
            );
            ensure!(
                strength.is_finite() && *strength >= 0.0,
                "[image.valence] strength = {strength} must not be negative"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::learning::Keep, *};

    const SMALLEST: &str = "out = 'o'\n[model]\ntext = 't'\nimage = 'i'\n[fusion]\npairs = 'p.tsv'\n\
        [fusion.learning]\nepochs = 1\nbatch_size = 2\nlearning_rate = 0.1\n";

    fn read(text: &str) -> Result<TrainConfig> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, text)?;
        TrainConfig::read(file.path(), &[])
    }

    #[test]
    fn the_smallest_config_has_sensible_defaults() -> Result<()> {
        let config = read(SMALLEST)?;
        assert_eq!(config.model.max_tokens, None);
        assert!(config.fusion.pairs.is_absolute());
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = read(&SMALLEST.replace("epochs", "epoks")).expect_err("a misspelt key");
        assert!(format!("{error:#}").contains("epoks"), "{error:#}");
    }

    #[test]
    fn overrides_are_checked_as_the_file_is() -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, SMALLEST)?;
        let set = |assignment: &str| TrainConfig::read(file.path(), &[assignment.to_owned()]);
        assert_eq!(set("fusion.learning.epochs=7")?.fusion.learning.epochs, 7);
        assert_eq!(set("fusion.learning.keep=last")?.fusion.learning.keep, Keep::Last);
        let refused = |assignment: &str, word: &str| {
            let error = format!("{:#}", set(assignment).expect_err(assignment));
            assert!(error.contains(word) && error.contains("--set"), "{error}");
        };
        refused("fusion.learning.epoks=7", "epoks");
        refused("fusion.learning.gce=1.5", "gce = 1.5");
        refused("model.fusion.kind=braided", "braided");
        Ok(())
    }

    #[test]
    fn a_model_has_its_parts_from_somewhere() -> Result<()> {
        let error = read(&SMALLEST.replace("image = 'i'\n", "")).expect_err("no image encoder");
        assert!(format!("{error:#}").contains("`image`"), "{error:#}");
        let config = read(&SMALLEST.replace("text = 't'\nimage = 'i'", "from = 'c'"))?;
        assert!(config.model.from.is_some_and(|from| from.is_absolute()));
        Ok(())
    }

    #[test]
    fn half_precision_is_for_the_text_stage() {
        let error = read(&format!("{SMALLEST}precision = 'bf16'\n")).expect_err("not in the fusion");
        assert!(format!("{error:#}").contains("text stage"), "{error:#}");
        assert!(read(&format!("{SMALLEST}precision = 'tf32'\n")).is_ok());
        assert!(read(&format!("{SMALLEST}precision = 'f16'\n")).is_err());
    }

    #[test]
    fn a_senseless_value_is_named() {
        let error = read(&SMALLEST.replace("0.1", "-0.1")).expect_err("a negative rate");
        assert!(format!("{error:#}").contains("[fusion.learning]"), "{error:#}");
        assert!(format!("{error:#}").contains("learning_rate"), "{error:#}");
    }
}
