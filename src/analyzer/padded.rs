//! Many posts at once, for the float model: a GPU that is given one post at a time spends its time waiting.

use candle_core::{DType, Tensor};

use super::{Analyzer, Answer, Marks, Post, read};
use crate::{
    error::{Error, Result},
    fusion::{
        HeadLogits,
        float::{ImageFeatures, TextFeatures},
    },
    inference::Reference,
    layers::Mode,
};

/// A post as the encoders read it.
#[derive(Clone, Debug)]
pub struct Prepared {
    ids: Option<Vec<u32>>,
    /// `[3, side, side]`
    pixels: Option<Vec<f32>>,
    marks: Marks,
}

impl Prepared {
    /// WordPieces of its text; 0 without one. Posts of about the same number belong into one batch.
    pub fn tokens(&self) -> usize {
        self.ids.as_ref().map_or(0, Vec::len)
    }
}

impl Analyzer<Reference> {
    /// What the encoders will read of a post.
    ///
    /// # Errors
    /// As [`answer`](Self::answer), for all that can be wrong with a post.
    pub fn prepare_post(&self, post: Post<'_>) -> Result<Prepared> {
        let encoding = post.text.map(|text| self.tokenizer.encode(text)).transpose()?;
        let encoding = encoding.filter(|encoding| !encoding.is_empty());
        let image = post.image.map(|image| self.prepare(image)).transpose()?;
        if encoding.is_none() && image.is_none() {
            return Err(Error::EmptyPost);
        }
        let marks = Marks {
            truncated: encoding.as_ref().is_some_and(|encoding| encoding.truncated),
            incomplete: image.as_ref().is_some_and(|(_, incomplete)| *incomplete),
        };
        let pixels = image.map(|(square, _)| self.preprocess().to_chw(&square));
        Ok(Prepared { ids: encoding.map(|encoding| encoding.ids), pixels, marks })
    }

    /// The answers to posts, in their order, as [`answer`](Self::answer) gives them one by one, but for the last digits: a text that
    /// is padded to the length of another is summed in another order.
    ///
    /// # Errors
    /// Those of the device, such as too little memory.
    pub fn answer_batch(&self, posts: &[Prepared]) -> Result<Vec<Answer>> {
        let mut answers = vec![None; posts.len()];
        for (text, image) in [(true, true), (true, false), (false, true)] {
            let of_kind = |post: &Prepared| post.ids.is_some() == text && post.pixels.is_some() == image;
            let places: Vec<usize> = (0..posts.len()).filter(|&i| of_kind(&posts[i])).collect();
            let rows: Vec<&Prepared> = places.iter().map(|&i| &posts[i]).collect();
            for ((place, row), logits) in places.into_iter().zip(&rows).zip(self.batch_logits(&rows)?) {
                answers[place] = Some(read(self.readout(), &logits, row.marks)?);
            }
        }
        answers.into_iter().map(|answer| answer.ok_or(Error::EmptyPost)).collect()
    }

    /// The heads' logits for posts that have the same modalities.
    fn batch_logits(&self, posts: &[&Prepared]) -> Result<Vec<HeadLogits>> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        let model = self.model.model();
        let device = model.fusion.device();
        let text = self.padded_texts(posts)?;
        let pixels: Vec<&[f32]> = posts.iter().filter_map(|post| post.pixels.as_deref()).collect();
        let image = if pixels.is_empty() {
            None
        } else {
            let side = self.preprocess().input_size;
            let pixels = Tensor::from_vec(pixels.concat(), (posts.len(), 3, side, side), device)?;
            Some(ImageFeatures { grid: model.image.forward(&pixels, Mode::Infer)? })
        };
        let has = Tensor::ones(posts.len(), DType::F32, device)?;
        let outputs = model.fusion.forward(text.as_ref(), image.as_ref(), &has, &has, Mode::Infer)?;
        let rows = |logits: Option<&Tensor>| -> Result<Vec<Option<Vec<f32>>>> {
            Ok(match logits {
                Some(logits) => logits.to_vec2::<f32>()?.into_iter().map(Some).collect(),
                None => vec![None; posts.len()],
            })
        };
        let both = text.is_some() && image.is_some();
        let fused = rows(Some(&outputs.fused).filter(|_| both))?;
        let heads = rows(outputs.text.as_ref())?.into_iter().zip(rows(outputs.image.as_ref())?).zip(fused);
        Ok(heads.map(|((text, image), fused)| HeadLogits { text, image, fused }).collect())
    }

    /// The texts' hidden states, padded to the longest; `None` without texts.
    fn padded_texts(&self, posts: &[&Prepared]) -> Result<Option<TextFeatures>> {
        let texts: Vec<&[u32]> = posts.iter().filter_map(|post| post.ids.as_deref()).collect();
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0);
        if longest == 0 {
            return Ok(None);
        }
        let model = self.model.model();
        let (device, shape) = (model.fusion.device(), (texts.len(), longest));
        let padded = |ids: &&[u32]| ids.iter().copied().chain(std::iter::repeat(0)).take(longest).collect();
        let real = |ids: &&[u32]| (0..longest).map(|i| if i < ids.len() { 1.0 } else { 0.0 }).collect();
        let ids: Vec<Vec<u32>> = texts.iter().map(padded).collect();
        let mask: Vec<Vec<f32>> = texts.iter().map(real).collect();
        let ids = Tensor::from_vec(ids.concat(), shape, device)?;
        let mask = Tensor::from_vec(mask.concat(), shape, device)?;
        Ok(Some(model.text_features(&ids, &mask, Mode::Infer)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{
        analyzer::{ImageInput, Scores},
        bundle::Bundle,
        image::Picture,
        model::ModelConfig,
        testing::{random_bundle, tiny_config, tiny_tokenizer},
    };

    fn analyzer() -> Analyzer<Reference> {
        let bundle = Bundle::parse(random_bundle(&tiny_config(), &tiny_tokenizer(), 7).unwrap()).unwrap();
        let config = ModelConfig::of_bundle(&bundle).unwrap();
        let model = Reference::of_bundle(&bundle, &config, &Device::Cpu).unwrap();
        Analyzer::new(model, &config, &tiny_tokenizer()).unwrap()
    }

    fn near(a: Option<&Scores>, b: Option<&Scores>) {
        let numbers =
            |scores: Option<&Scores>| scores.map(|s| s.probabilities().to_vec()).unwrap_or_default();
        let (a, b) = (numbers(a), numbers(b));
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} against {b:?}");
    }

    #[test]
    fn a_batch_answers_as_one_by_one() {
        let mut analyzer = analyzer();
        let pixels = |seed: u32| (0..3 * 40 * 30).map(|i: u32| (i.wrapping_mul(seed) >> 3) as u8).collect();
        let pictures = [11, 23].map(|seed| Picture::from_rgb(40, 30, pixels(seed)).unwrap());
        let [first, second] = pictures.each_ref().map(|picture| Some(ImageInput::Picture(picture)));
        let posts = [
            Post { text: Some("I love the sun"), image: None },
            Post { text: Some("rain"), image: first },
            Post { text: None, image: second },
            Post { text: Some("I love rain and the sun, the sun, the sun"), image: second },
            Post { text: Some("   "), image: first },
            Post { text: Some("the"), image: None },
        ];
        let prepared: Vec<Prepared> =
            posts.iter().map(|post| analyzer.prepare_post(*post).unwrap()).collect();
        let batch = analyzer.answer_batch(&prepared).unwrap();
        assert_eq!(batch.len(), posts.len());
        for (post, answer) in posts.iter().zip(&batch) {
            let alone = analyzer.answer(*post).unwrap();
            near(Some(&answer.post), Some(&alone.post));
            near(answer.text.as_ref(), alone.text.as_ref());
            near(answer.image.as_ref(), alone.image.as_ref());
            let apart = answer.contradiction.unwrap_or(-1.0) - alone.contradiction.unwrap_or(-1.0);
            assert!(apart.abs() < 1e-5, "{answer:?} against {alone:?}");
            assert_eq!((answer.truncated, answer.incomplete), (alone.truncated, alone.incomplete));
        }
        assert!(matches!(
            analyzer.prepare_post(Post { text: Some(" "), image: None }),
            Err(Error::EmptyPost)
        ));
        assert!(analyzer.answer_batch(&[]).unwrap().is_empty());
    }
}
