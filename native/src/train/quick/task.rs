//! What `--quick` learns: the label of each post, from its text or from text and picture.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    fusion::float::{Fusion, Outputs},
    layers::{Mode, NoiseSource},
    model::{self, ModelConfig},
};

use super::{pictures::Pictures, posts::LabelledPost, split::Split};
use crate::{
    metrics::Confusion,
    train::{
        features::EncodedText,
        learn::{Task, shuffled},
        losses::class_weights,
        objective::{Answers, Graded},
        parameters::Parameters,
        record::Evaluation,
        temperature::{Heads, Said},
        text::most_likely,
    },
};

/// Posts that are measured together.
const POSTS_AT_ONCE: usize = 32;
/// How much the head of one modality counts beside the fused head.
const ALONE: f32 = 0.5;
/// How far rare labels are made up for.
const CLASS_BALANCE: f64 = 0.5;

/// What learns of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taught {
    /// The text head learns the label of posts with a picture too, and the image head learns.
    pub both_alone: bool,
}

/// The posts and the heads.
pub struct PostTask<'a> {
    stage: &'static str,
    posts: &'a [LabelledPost],
    split: &'a Split,
    text: EncodedText,
    pictures: &'a Pictures,
    fusion: Fusion,
    config: &'a ModelConfig,
    weights: Vec<f32>,
    taught: Taught,
    device: &'a Device,
}

/// What a task is made of, besides its texts.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The posts.
    pub posts: &'a [LabelledPost],
    /// Which are learned from.
    pub split: &'a Split,
    /// Their pictures.
    pub pictures: &'a Pictures,
    /// The model.
    pub config: &'a ModelConfig,
    /// What learns of a label.
    pub taught: Taught,
    /// Where to compute.
    pub device: &'a Device,
}

impl<'a> PostTask<'a> {
    /// A stage on texts as `text` has them, with the heads in `parameters`.
    pub fn new(
        stage: &'static str,
        text: EncodedText,
        parameters: &Parameters,
        parts: Parts<'a>,
    ) -> Result<Self> {
        let Parts { posts, split, pictures, config, taught, device } = parts;
        let labels = split.learned.iter().map(|&post| posts[post].class);
        let weights = class_weights(labels, config.labels.len(), CLASS_BALANCE);
        let fusion =
            Fusion::load(parameters.builder(device), &config.fusion, &model::Parameters::new(config))?;
        Ok(PostTask { stage, posts, split, text, pictures, fusion, config, weights, taught, device })
    }

    fn outputs(&self, posts: &[usize], mode: Mode<'_>) -> Result<Outputs> {
        let text = self.text.get(posts, mode, self.device)?;
        let image = self.pictures.get(posts, self.device)?;
        let has_image: Vec<f32> = posts.iter().map(|&post| f32::from(self.pictures.has(post))).collect();
        let has_image = Tensor::new(has_image, self.device)?;
        Ok(self.fusion.forward(Some(&text), image.as_ref(), &has_image.ones_like()?, &has_image, mode)?)
    }

    /// What each head said of the held-out posts that it answers.
    pub fn heads(&self) -> Result<Heads> {
        let mut heads = Heads::default();
        for posts in self.split.held_out.chunks(POSTS_AT_ONCE) {
            let outputs = self.outputs(posts, Mode::Infer)?;
            let add = |said: &mut Vec<Said>, logits: Option<&Tensor>, of: &dyn Fn(usize) -> bool| {
                let Some(logits) = logits else { return Ok(()) };
                let rows = posts.iter().zip(logits.to_vec2::<f32>()?);
                said.extend(
                    rows.filter(|(post, _)| of(**post)).map(|(&post, row)| (row, self.posts[post].class)),
                );
                Ok::<_, anyhow::Error>(())
            };
            add(&mut heads.text, outputs.text.as_ref(), &|post| self.teaches_text(post))?;
            add(&mut heads.image, outputs.image.as_ref(), &|post| {
                self.taught.both_alone && self.pictures.has(post)
            })?;
            add(&mut heads.fused, Some(&outputs.fused), &|post| self.pictures.has(post))?;
        }
        Ok(heads)
    }

    fn teaches_text(&self, post: usize) -> bool {
        self.taught.both_alone || !self.pictures.has(post)
    }
}

impl Task for PostTask<'_> {
    fn name(&self) -> &'static str {
        self.stage
    }

    fn batches(&self, noise: &NoiseSource, batch_size: usize) -> Vec<Vec<usize>> {
        let order: Vec<usize> =
            shuffled(self.split.learned.len(), noise).iter().map(|&i| self.split.learned[i]).collect();
        order.chunks(batch_size).map(<[usize]>::to_vec).collect()
    }

    fn answers(&self, posts: &[usize], mode: Mode<'_>) -> Result<Answers> {
        let outputs = self.outputs(posts, mode)?;
        let targets: Vec<u32> = posts.iter().map(|&post| self.posts[post].class as u32).collect();
        let graded = |logits: Tensor, share: &dyn Fn(usize) -> f32| {
            let weight = |&post: &usize| share(post) * self.weights[self.posts[post].class];
            Graded { logits, targets: targets.clone(), weights: posts.iter().map(weight).collect() }
        };
        let shown = |post| f32::from(self.pictures.has(post));
        let mut heads = vec![];
        if let Some(text) = outputs.text {
            heads.push(graded(text, &|post| match (self.teaches_text(post), self.pictures.has(post)) {
                (false, _) => 0.0,
                (true, true) => ALONE,
                (true, false) => 1.0,
            }));
        }
        if let Some(image) = outputs.image {
            if self.taught.both_alone {
                heads.push(graded(image, &|post| ALONE * shown(post)));
            }
            heads.push(graded(outputs.fused, &shown));
        }
        Ok(Answers { heads, ..Answers::default() })
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let mut confusion = Confusion::new(&self.config.labels);
        for posts in self.split.held_out.chunks(POSTS_AT_ONCE) {
            let outputs = self.outputs(posts, Mode::Infer)?;
            let text = outputs.text.context("no text logits")?.to_vec2::<f32>()?;
            let fused = outputs.fused.to_vec2::<f32>()?;
            for ((&post, text), fused) in posts.iter().zip(&text).zip(&fused) {
                let said = most_likely(if self.pictures.has(post) { fused } else { text });
                confusion.record(self.posts[post].class, said, 1);
            }
        }
        let metrics = confusion.metrics().context("val has no posts")?;
        let figures = BTreeMap::from([("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1)]);
        Ok(Evaluation { score: metrics.macro_f1, figures })
    }
}
