//! Batches of posts, as the inputs of an ONNX file, and what the two models of this project say of them.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mixed_feelings::{
    Bundle, Scores,
    bundle::dequantize,
    config::ModelConfig,
    fusion::int8::Fusion,
    image::{Picture, Preprocess, int8::ImageEncoder},
    layers::Mode,
    model::Model,
    text::int8::TextEncoder,
};
use serde_json::{Value, json};

/// The outputs of a file by name, flat. `None` stands for what means nothing: a head whose side is missing.
pub type Answers = BTreeMap<&'static str, Vec<Option<f32>>>;

/// One post. Its text or its picture are there for the encoders even when the post is said to lack them.
#[derive(Clone, Debug)]
pub struct Post {
    pub ids: Vec<u32>,
    pub picture: Picture,
    pub has_text: bool,
    pub has_image: bool,
}

/// Some posts at once; shorter texts are padded.
#[derive(Clone, Debug)]
pub struct Batch {
    pub what: String,
    pub posts: Vec<Post>,
}

impl Batch {
    /// One post, two with a shorter text, and one of each side alone, all made of two texts and two pictures.
    pub fn all(texts: [&[u32]; 2], pictures: [Picture; 2]) -> Vec<Batch> {
        let post = |i: usize, has_text, has_image| Post {
            ids: texts[i].to_vec(),
            picture: pictures[i].clone(),
            has_text,
            has_image,
        };
        vec![
            Batch { what: "one post".into(), posts: vec![post(0, true, true)] },
            Batch { what: "two posts".into(), posts: vec![post(0, true, true), post(1, true, true)] },
            Batch { what: "a text alone".into(), posts: vec![post(1, true, false)] },
            Batch { what: "a picture alone".into(), posts: vec![post(1, false, true)] },
            Batch { what: "one side each".into(), posts: vec![post(0, false, true), post(1, true, false)] },
        ]
    }

    /// The first post of `like` alone, with another picture.
    pub fn picture(like: &Batch, picture: Picture) -> Batch {
        Batch { what: "one small picture".into(), posts: vec![Post { picture, ..like.posts[0].clone() }] }
    }

    /// Ids and mask, each `[posts, longest]`, with zeros where a text has ended.
    pub fn ids_and_mask(&self) -> ([usize; 2], Vec<u32>, Vec<u32>) {
        let longest = self.posts.iter().map(|post| post.ids.len()).max().unwrap_or(0);
        let padded = |of: fn(&u32) -> u32| {
            let row = move |post: &Post| {
                let row = post.ids.iter().map(of).collect::<Vec<_>>();
                row.into_iter().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>()
            };
            self.posts.iter().flat_map(row).collect()
        };
        ([self.posts.len(), longest], padded(|&id| id), padded(|_| 1))
    }

    /// The pictures as the encoders see them, `[posts, 3, side, side]`.
    pub fn pixels(&self, preprocess: &Preprocess) -> ([usize; 4], Vec<f32>) {
        let side = preprocess.input_size;
        let pixels = |post: &Post| preprocess.to_chw(&preprocess.apply(&post.picture));
        ([self.posts.len(), 3, side, side], self.posts.iter().flat_map(pixels).collect())
    }

    /// 1 where the text is there, then 1 where the picture is.
    pub fn sides(&self) -> [Vec<f32>; 2] {
        let sides = |has: fn(&Post) -> bool| self.posts.iter().map(|post| f32::from(has(post))).collect();
        [sides(|post| post.has_text), sides(|post| post.has_image)]
    }

    /// The inputs of an ONNX file as JSON.
    fn inputs(&self, preprocess: &Preprocess) -> Value {
        let (shape, ids, mask) = self.ids_and_mask();
        let (pixels_shape, pixels) = self.pixels(preprocess);
        let [has_text, has_image] = self.sides();
        let posts = [self.posts.len()];
        json!({
            "input_ids": {"type": "int64", "dims": shape, "data": ids},
            "attention_mask": {"type": "int64", "dims": shape, "data": mask},
            "pixel_values": {"type": "float32", "dims": pixels_shape, "data": pixels},
            "has_text": {"type": "float32", "dims": posts, "data": has_text},
            "has_image": {"type": "float32", "dims": posts, "data": has_image},
        })
    }

    /// What the float model says.
    pub fn ask_candle(&self, model: &Model, preprocess: &Preprocess) -> candle_core::Result<Answers> {
        let here = Device::Cpu;
        let (shape, ids, mask) = self.ids_and_mask();
        let mask = Tensor::from_vec(mask, &shape[..], &here)?.to_dtype(DType::F32)?;
        let text = model.text_features(&Tensor::from_vec(ids, &shape[..], &here)?, &mask, Mode::Infer)?;
        let (shape, pixels) = self.pixels(preprocess);
        let image = model.image_features(&Tensor::from_vec(pixels, &shape[..], &here)?, Mode::Infer)?;
        let [has_text, has_image] = self.sides();
        let (posts, to_tensor) = (self.posts.len(), |sides| Tensor::from_vec(sides, self.posts.len(), &here));
        let (has_text, has_image) = (to_tensor(has_text)?, to_tensor(has_image)?);
        let said = model.fusion.forward(Some(&text), Some(&image), &has_text, &has_image, Mode::Infer)?;
        let rows = |tensor: Option<&Tensor>, counts: fn(&Post) -> bool| {
            let Some(tensor) = tensor else { return Ok(vec![]) };
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            let width = values.len() / posts;
            let row = |i: usize| counts(&self.posts[i / width]);
            Ok::<_, candle_core::Error>(
                values.iter().enumerate().map(|(i, &v)| row(i).then_some(v)).collect(),
            )
        };
        Ok(Answers::from([
            ("text_logits", rows(said.text.as_ref(), |post| post.has_text)?),
            ("image_logits", rows(said.image.as_ref(), |post| post.has_image)?),
            ("fused_logits", rows(Some(&said.fused), |_| true)?),
            (
                "contradiction_logit",
                rows(said.contradiction.as_ref(), |post| post.has_text && post.has_image)?,
            ),
        ]))
    }

    /// What the int8 plan says: each post for itself, its text without padding.
    pub fn ask_int8(&self, bundle: &Bundle) -> mixed_feelings::Result<Answers> {
        let config = bundle.config();
        let mut text = TextEncoder::load(bundle, &config.text)?;
        let mut image = ImageEncoder::load(bundle, &config.image, &config.preprocess)?;
        let mut fusion = Fusion::load(bundle, &config.fusion, text.width(), image.channels())?;
        let mut answers = Answers::new();
        for post in &self.posts {
            let hidden = if post.has_text { Some(text.encode(&post.ids)?) } else { None };
            let cells = post.has_image.then(|| image.encode(&post.picture));
            let said = hidden.map(|hidden| fusion.text.logits_of_mean(hidden));
            let seen = cells.map(|cells| fusion.image.logits_of_mean(cells));
            let contradiction = said.zip(seen).map(|(said, seen)| {
                let p = fusion.contradiction(
                    Scores::from_logits(said).to_array(),
                    Scores::from_logits(seen).to_array(),
                );
                (p / (1.0 - p)).ln()
            });
            let fused = fusion.fused(hidden, cells);
            let three =
                |logits: Option<[f32; 3]>| logits.map_or([None; 3], |logits| logits.map(Some)).to_vec();
            for (output, values) in [
                ("text_logits", three(said)),
                ("image_logits", three(seen)),
                ("fused_logits", three(Some(fused))),
                ("contradiction_logit", vec![contradiction]),
            ] {
                answers.entry(output).or_default().extend(values);
            }
        }
        Ok(answers)
    }
}

/// The float model that a bundle's weights stand for.
pub fn dequantized(bundle: &Bundle) -> mixed_feelings::Result<Model> {
    let builder = VarBuilder::from_tensors(dequantize(bundle)?, DType::F32, &Device::Cpu);
    Ok(Model::load(builder, bundle.config())?)
}

/// Pictures that fill `config`'s square, so that nothing is lost in resizing.
pub fn pictures<const N: usize>(config: &ModelConfig) -> [Picture; N] {
    let side = config.preprocess.input_size as u32;
    std::array::from_fn(|number| {
        let step = 37 + 22 * number as u32;
        let value = |i: u32| (i / 3 % side * step / 8 + i / 3 / side * 3 + i % 3 * 40) as u8;
        Picture::from_rgb(side, side, (0..3 * side * side).map(value).collect()).expect("it fits")
    })
}

/// One way to run a file, and what is expected then.
#[derive(Debug)]
pub struct Run {
    /// Whether the runtime may rewrite the graph.
    pub optimize: bool,
    /// How far outputs may be off, relative to what is above 1.
    pub bound: f64,
    /// The share of batches that must be within the bound.
    pub quorum: f64,
    pub batches: Vec<(Batch, Answers)>,
}

/// Writes `NAME.json` beside `NAME.onnx` as `tests/onnx/` reads it.
pub fn write_expected(onnx: &Path, preprocess: &Preprocess, runs: &[Run]) {
    let batch = |(batch, answers): &(Batch, Answers)| json!({"what": batch.what, "inputs": batch.inputs(preprocess), "outputs": answers});
    let run = |run: &Run| {
        let batches: Vec<Value> = run.batches.iter().map(batch).collect();
        json!({"optimize": run.optimize, "bound": run.bound, "quorum": run.quorum, "batches": batches})
    };
    let runs: Vec<Value> = runs.iter().map(run).collect();
    fs::write(onnx.with_extension("json"), Value::from(runs).to_string()).expect("written");
}
