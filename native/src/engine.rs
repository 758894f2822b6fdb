//! A model in either form, float or int8, behind one question: what does this post feel?

use anyhow::Result;
use candle_core::Device;
use mixed_feelings::{
    Analyzer, Labels, Post,
    analyzer::{Answer, ImageInput},
    fusion::Readout,
    image::Picture,
    inference::Reference,
    model::Preprocess,
};

use crate::checkpoint::Checkpoint;

/// A model that answers. Each thread has its own clone; those of a float model share the weights.
#[derive(Clone, Debug)]
pub enum Engine {
    /// What runs in the browser.
    Int8(Box<Analyzer>),
    /// What is trained.
    Float(Box<Analyzer<Reference>>),
}

impl Engine {
    /// The float model of a checkpoint that is read already.
    ///
    /// # Errors
    /// When the weights are not those that the configuration asks for, or the tokenizer is no BERT's.
    pub fn of_checkpoint(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let Checkpoint { config, tokenizer, .. } = checkpoint;
        let model = Reference::new(checkpoint.model(device)?, config, device);
        Ok(Engine::Float(Box::new(Analyzer::new(model, config, tokenizer)?)))
    }

    /// What the logits of its heads mean.
    pub fn readout(&self) -> &Readout {
        match self {
            Engine::Int8(analyzer) => analyzer.readout(),
            Engine::Float(analyzer) => analyzer.readout(),
        }
    }

    /// Its classes.
    pub fn labels(&self) -> &Labels {
        &self.readout().labels
    }

    /// What the post feels. A text of white space alone counts as none.
    ///
    /// # Errors
    /// When it is empty or too long, or the model fails.
    pub fn answer(&mut self, text: Option<&str>, picture: Option<&Picture>) -> Result<Answer> {
        let post = post(text, picture);
        Ok(match self {
            Engine::Int8(analyzer) => analyzer.answer(post)?,
            Engine::Float(analyzer) => analyzer.answer(post)?,
        })
    }

    /// What each post feels, in their order: as [`answer`](Self::answer), in less time.
    pub fn answers(&mut self, posts: &[Post<'_>]) -> Vec<mixed_feelings::Result<Answer>> {
        match self {
            Engine::Int8(analyzer) => analyzer.answers(posts),
            Engine::Float(analyzer) => analyzer.answers(posts),
        }
    }

    /// How pictures are prepared for its encoder.
    pub fn preprocess(&self) -> &Preprocess {
        match self {
            Engine::Int8(analyzer) => analyzer.preprocess(),
            Engine::Float(analyzer) => analyzer.preprocess(),
        }
    }
}

/// A post of the modalities that are there.
pub fn post<'a>(text: Option<&'a str>, picture: Option<&'a Picture>) -> Post<'a> {
    Post { text, image: picture.map(ImageInput::Picture) }
}
