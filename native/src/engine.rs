//! A model in either form, float or int8, behind one question: what does this post feel?

use std::sync::Arc;

use anyhow::Result;
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Analyzer, Error, Post, Scores, analyzer::ImageInput, config::ModelConfig, fusion::Temperatures,
    image::Picture, model::Model, text::Tokenizer,
};

use crate::checkpoint::Checkpoint;

/// What a model answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The post as a whole.
    pub whole: Scores,
    /// The text alone, if there is one.
    pub text: Option<Scores>,
    /// The picture alone, if there is one.
    pub image: Option<Scores>,
    /// The probability that they point opposite ways, if both are there.
    pub contradiction: Option<f32>,
}

/// A model that answers. Each thread has its own clone.
#[derive(Clone, Debug)]
pub enum Engine {
    /// What runs in the browser.
    Int8(Box<Analyzer>),
    /// What is trained; clones share the weights.
    Float(Arc<FloatModel>),
}

impl Engine {
    /// The int8 model of a bundle.
    pub fn int8(analyzer: Analyzer) -> Self {
        Engine::Int8(Box::new(analyzer))
    }

    /// The float model of a checkpoint that is read already.
    ///
    /// # Errors
    /// When the weights are not those that the configuration asks for, or the tokenizer is no BERT's.
    pub fn of_checkpoint(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        Ok(Engine::Float(Arc::new(FloatModel::load(checkpoint, device)?)))
    }

    /// What the logits of the heads were divided by for the scores of an [`Answer`].
    pub fn temperatures(&self) -> Temperatures {
        match self {
            Engine::Int8(analyzer) => analyzer.temperatures(),
            Engine::Float(float) => float.model.temperatures,
        }
    }

    /// What the post feels. A text of white space alone counts as none.
    ///
    /// # Errors
    /// When it is empty or too long, or the model fails.
    pub fn answer(&mut self, text: Option<&str>, picture: Option<&Picture>) -> Result<Answer> {
        match self {
            Engine::Int8(analyzer) => {
                let analysis = analyzer.analyze(post(text, picture))?;
                Ok(Answer {
                    whole: analysis.scores,
                    text: analysis.text.map(|reading| reading.scores),
                    image: analysis.image.map(|reading| reading.scores),
                    contradiction: analysis.contradiction,
                })
            }
            Engine::Float(float) => float.answer(text, picture),
        }
    }
}

/// A post of the halves that are there.
pub fn post<'a>(text: Option<&'a str>, picture: Option<&'a Picture>) -> Post<'a> {
    Post { text, image: picture.map(ImageInput::Picture) }
}

/// The float model with what it needs to read posts.
#[derive(Debug)]
pub struct FloatModel {
    model: Model,
    tokenizer: Tokenizer,
    config: ModelConfig,
    device: Device,
}

impl FloatModel {
    fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let config = checkpoint.config.clone();
        let tokenizer = Tokenizer::from_json(&checkpoint.tokenizer, config.max_tokens)?;
        tokenizer.check_vocab(config.text.vocab_size)?;
        let model = checkpoint.model(device)?;
        Ok(FloatModel { model, tokenizer, config, device: device.clone() })
    }

    fn answer(&self, text: Option<&str>, picture: Option<&Picture>) -> Result<Answer> {
        let encoding = text.map(|text| self.tokenizer.encode(text)).transpose()?;
        let ids = encoding.filter(|encoding| !encoding.is_empty()).map(|encoding| encoding.ids);
        if ids.is_none() && picture.is_none() {
            return Err(Error::EmptyPost.into());
        }
        let pixels = picture.map(|picture| self.pixels(picture)).transpose()?;
        let outputs = self.model.forward(ids.as_deref(), pixels.as_ref())?;
        let temperatures = self.model.temperatures;
        let read = |logits: Option<&Tensor>, temperature| {
            logits.map(|logits| scores(logits, temperature)).transpose()
        };
        let text = read(outputs.text.as_ref(), temperatures.text)?;
        let image = read(outputs.image.as_ref(), temperatures.image)?;
        let whole = match (text, image) {
            (Some(text), None) => text,
            (None, Some(image)) => image,
            _ => scores(&outputs.fused, temperatures.fused)?,
        };
        let contradiction = match &outputs.contradiction {
            Some(logit) => Some(sigmoid(logit.flatten_all()?.get(0)?.to_scalar()?)),
            None => None,
        };
        Ok(Answer { whole, text, image, contradiction })
    }

    /// The image encoder's input, `[3, side, side]`.
    fn pixels(&self, picture: &Picture) -> candle_core::Result<Tensor> {
        let preprocess = &self.config.preprocess;
        let square = preprocess.apply(picture);
        let side = preprocess.input_size;
        Tensor::from_vec(preprocess.to_chw(&square), (3, side, side), &self.device)
    }
}

/// The probabilities of `[1, 3]` logits.
fn scores(logits: &Tensor, temperature: f32) -> candle_core::Result<Scores> {
    let logits = logits.flatten_all()?.to_vec1::<f32>()?;
    match logits.try_into() {
        Ok(logits) => Ok(Scores::at_temperature(logits, temperature)),
        Err(logits) => candle_core::bail!("{} logits, expected 3", logits.len()),
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
