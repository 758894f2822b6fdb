//! Batches of posts, as the inputs of an ONNX file, and what the two models of this project give for them.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mixed_feelings::{
    Bundle,
    backend::Cpu,
    fusion::{HeadLogits, Readout},
    image::Picture,
    inference::{Inference, QuantizedModel, float::FloatModel},
    layers::Mode,
    model::{ModelConfig, PerModality, Preprocess},
    quantize::dequantize,
};
use serde_json::{Value, json};

/// The outputs of a file by name, flat. `None` stands for what means nothing: a head whose modality is missing.
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
    /// One post, two with a shorter text, and one of each modality alone, all made of two texts and two pictures.
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
            Batch {
                what: "one modality each".into(),
                posts: vec![post(0, false, true), post(1, true, false)],
            },
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
    pub fn has(&self) -> [Vec<f32>; 2] {
        let rows = |has: fn(&Post) -> bool| self.posts.iter().map(|post| f32::from(has(post))).collect();
        [rows(|post| post.has_text), rows(|post| post.has_image)]
    }

    /// The inputs of an ONNX file as JSON.
    fn inputs(&self, preprocess: &Preprocess) -> Value {
        let (shape, ids, mask) = self.ids_and_mask();
        let (pixels_shape, pixels) = self.pixels(preprocess);
        let [has_text, has_image] = self.has();
        let posts = [self.posts.len()];
        json!({
            "input_ids": {"type": "int64", "dims": shape, "data": ids},
            "attention_mask": {"type": "int64", "dims": shape, "data": mask},
            "pixel_values": {"type": "float32", "dims": pixels_shape, "data": pixels},
            "has_text": {"type": "float32", "dims": posts, "data": has_text},
            "has_image": {"type": "float32", "dims": posts, "data": has_image},
        })
    }

    /// What the float model gives.
    pub fn ask_float(&self, model: &FloatModel, preprocess: &Preprocess) -> candle_core::Result<Answers> {
        let here = Device::Cpu;
        let (shape, ids, mask) = self.ids_and_mask();
        let mask = Tensor::from_vec(mask, &shape[..], &here)?.to_dtype(DType::F32)?;
        let text = model.text_features(&Tensor::from_vec(ids, &shape[..], &here)?, &mask, Mode::Infer)?;
        let (shape, pixels) = self.pixels(preprocess);
        let image = model.image_features(&Tensor::from_vec(pixels, &shape[..], &here)?, Mode::Infer)?;
        let [has_text, has_image] = self.has();
        let to_tensor = |has| Tensor::from_vec(has, self.posts.len(), &here);
        let (has_text, has_image) = (to_tensor(has_text)?, to_tensor(has_image)?);
        let outputs = model.fusion.forward(Some(&text), Some(&image), &has_text, &has_image, Mode::Infer)?;
        let rows = |tensor: Option<&Tensor>| match tensor {
            Some(tensor) => tensor.to_vec2::<f32>(),
            None => candle_core::bail!("both modalities were given"),
        };
        let (text, image) = (rows(outputs.text.as_ref())?, rows(outputs.image.as_ref())?);
        let mut answers = Answers::new();
        for (i, (post, fused)) in self.posts.iter().zip(rows(Some(&outputs.fused))?).enumerate() {
            let logits = HeadLogits {
                text: post.has_text.then(|| text[i].clone()),
                image: post.has_image.then(|| image[i].clone()),
                fused: Some(fused),
            };
            add(&mut answers, logits, &model.readout);
        }
        Ok(answers)
    }

    /// What the quantized model gives: each post for itself, its text without padding.
    pub fn ask_quantized(&self, model: &mut QuantizedModel) -> mixed_feelings::Result<Answers> {
        let mut answers = Answers::new();
        for post in &self.posts {
            let text = post.has_text.then(|| model.hidden(&post.ids).cloned()).transpose()?;
            let image = post.has_image.then(|| model.grid(&post.picture).clone());
            let features = PerModality { text: text.as_deref(), image: image.as_deref() };
            let fused = model.fusion().fused(features);
            let logits = HeadLogits { fused: Some(fused), ..model.fusion().logits(features) };
            add(&mut answers, logits, model.readout());
        }
        Ok(answers)
    }
}

/// Adds what is known of one post.
fn add(answers: &mut Answers, logits: HeadLogits, readout: &Readout) {
    let (scale, bias) = readout.contradiction;
    let contradiction = readout.opposition_logit(&logits).map(|logit| scale * logit + bias);
    answers.entry("contradiction_logit").or_default().push(contradiction);
    let heads =
        [("text_logits", logits.text), ("image_logits", logits.image), ("fused_logits", logits.fused)];
    for (output, logits) in heads {
        let row = match logits {
            Some(logits) => logits.into_iter().map(Some).collect(),
            None => vec![None; readout.labels.len()],
        };
        answers.entry(output).or_default().extend(row);
    }
}

/// The float model of a bundle's dequantized weights.
pub fn dequantized(bundle: &Bundle) -> mixed_feelings::Result<FloatModel> {
    let config = ModelConfig::of_bundle(bundle)?;
    let builder = VarBuilder::from_tensors(dequantize(bundle, &config)?, DType::F32, &Device::Cpu);
    Ok(FloatModel::load(builder, &config)?)
}

/// The quantized model of a bundle.
pub fn quantized(mut bundle: Bundle) -> mixed_feelings::Result<QuantizedModel> {
    let config = ModelConfig::of_bundle(&bundle)?;
    Ok(QuantizedModel::load(Cpu::default(), &mut bundle, &config)?)
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
