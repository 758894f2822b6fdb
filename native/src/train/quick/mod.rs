//! `mixed-feelings train --quick`: a bundle adapted to a table of posts, in minutes on a CPU, without a config.
//!
//! First the heads learn on what the bundle's own encoders say, which is computed once; then the last layers of the text encoder
//! learn with them (Kumar et al. 2022: a head that fits first keeps what the encoder knows). The image encoder stays. `val` has no
//! say in which epoch is kept, so that it may measure the result.

mod pictures;
mod posts;
mod split;
mod start;
mod task;
mod told;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Bundle,
    bundle::BundleWriter,
    layers::Mode,
    model::{FusionKind, ModelConfig, Temperatures, Thresholds, tokenizer_json},
    quantize,
    text::{Tokenizer, bert::Bert},
};
use pictures::Pictures;
use posts::{LabelledPost, Posts};
use split::Split;
use task::{Parts, PostTask, Taught};

use super::{
    features::EncodedText,
    learn::Learner,
    learning::{Keep, Learning},
    parameters::{Frozen, Parameters},
    precision::Precision,
    record::Record,
    temperature::{Heads, Said},
    thresholds,
};
use crate::{bundle, digest, outputs, parts::in_parts, progress};

/// Fixes the split, the order and the dropout noise.
const SEED: u64 = 7;
/// Most epochs of heads that start anew, and their learning rate.
const NEW_HEADS: (usize, f64) = (20, 1e-3);
/// The same of heads that know the labels already: a few hundred posts must not make them forget thousands.
const KNOWN_HEADS: (usize, f64) = (5, 1e-4);
/// How many posts the heads are shown in all.
const SHOWN: usize = 60_000;
/// Layers of the text encoder that learn, the last ones.
const LAYERS: usize = 2;
/// Their learning rate.
const RATE: f64 = 2e-4;
/// Most epochs of these layers, and tokens that go through them in all: what fits in the time on two cores.
const MOST_EPOCHS: usize = 5;
const TOKENS: usize = 200_000;
/// Tokens of a text that are learned from.
const TOKENS_OF_A_TEXT: usize = 64;
/// The range of temperatures: when all of a few held-out posts are right, the best one would be near 0, and every answer sure.
const TEMPERATURES: (f32, f32) = (0.5, 4.0);
/// Texts that are encoded together.
const TEXTS_AT_ONCE: usize = 16;

/// What the command line says.
pub struct Quick {
    /// The table.
    pub table: PathBuf,
    /// The folder for what comes out.
    pub out: PathBuf,
    /// The bundle to start from; the default one where none is named.
    pub from: Option<PathBuf>,
    /// How pleasant labels are.
    pub polarities: Vec<(String, f32)>,
    /// Where to compute.
    pub device: Device,
    /// Parts of a batch computed at the same time.
    pub shards: usize,
}

/// Adapts the bundle, writes the new one and tells what it is worth.
///
/// # Errors
/// What to tell the user; nothing is written before the whole table was read.
pub fn run(quick: Quick) -> Result<()> {
    let started = Instant::now();
    let Quick { table, out, from, polarities, device, shards } = quick;
    let [file, epochs] = ["bundle.safetensors", "metrics.jsonl"].map(|name| out.join(name));
    outputs::check(&[("--out", Some(&file)), ("--out", Some(&epochs))], &[&table])?;
    let (path, bytes) = bundle::read(from.as_deref())?;
    let named = || format!("bundle {}", path.display());
    let source = Bundle::parse(bytes.clone()).with_context(named)?;
    let known = ModelConfig::of_bundle(&source).with_context(named)?;
    let Posts { labels, rows } = Posts::read(&table, &known.labels, &polarities)?;
    let same_labels = labels == known.labels;
    let in_table = rows.len();
    let posts = split::sample(rows, SEED);
    let pictures = Pictures::read(&bytes, &known, &posts)?;
    let split = Split::of(&posts, &pictures, labels.len(), SEED)?;
    let (config, tensors) = start::start(&source, &known, &labels, !pictures.any()).with_context(named)?;
    let tokenizer = tokenizer_json(&source)?;
    let tokenizer =
        Tokenizer::from_json(tokenizer, config.max_tokens.min(TOKENS_OF_A_TEXT), config.text_preparation)?;
    let encode = |post: &LabelledPost| -> Result<Vec<u32>> {
        Ok(tokenizer.encode(&post.text).with_context(|| post.place.clone())?.ids)
    };
    let ids = posts.iter().map(encode).collect::<Result<Vec<_>>>()?;
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    // Who does not read it wants the bundle all the same.
    let begun = told::begin(&posts, in_table, &split, &labels);

    let parts = Parts {
        posts: &posts,
        split: &split,
        pictures: &pictures,
        config: &config,
        taught: Taught { both_alone: !same_labels },
        device: &device,
    };
    let mut record = Record::open(&epochs)?;
    record.run = Some((SEED, None));
    let tensors = Stages { parts, ids, shards, record }.learn(tensors)?;

    let mut writer = quantize::replace(&source, &config, &tensors)?;
    notes(&mut writer, &source, &bytes, &table, split.learned.len())?;
    let adapted = writer.finish()?;
    bundle::write(&file, &adapted)?;
    begun?;
    let before = same_labels.then_some(bytes);
    told::end(&file, before, adapted, (&posts, &split, &labels), started)
}

/// Where the new bundle comes from.
fn notes(
    writer: &mut BundleWriter,
    source: &Bundle,
    bytes: &[u8],
    table: &Path,
    learned: usize,
) -> Result<()> {
    for key in ["base", "licence"] {
        if let Some(value) = source.metadata(key) {
            writer.metadata(key, value)?;
        }
    }
    let table = table.file_name().unwrap_or(table.as_os_str()).to_string_lossy();
    writer.metadata("created_by", concat!("mixed-feelings ", env!("CARGO_PKG_VERSION"), " train --quick"))?;
    writer.metadata("adapted_from", &format!("the bundle with SHA-256 {}", digest::sha256(bytes)))?;
    Ok(writer.metadata("trained_on", &format!("{learned} posts of {table}"))?)
}

/// The two stages.
struct Stages<'a> {
    parts: Parts<'a>,
    ids: Vec<Vec<u32>>,
    shards: usize,
    record: Record,
}

impl Stages<'_> {
    /// Runs both, and returns what they changed.
    fn learn(mut self, tensors: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
        let Parts { posts, split, pictures, config, taught, device } = self.parts;
        let all = Parameters::new(SEED, Frozen::default());
        all.insert_all("", tensors, device)?;
        let mut stays: Vec<String> =
            ["contradiction.*", "temperature.*", "threshold.*"].map(str::to_owned).into();
        let texts_teach = taught.both_alone || (0..posts.len()).any(|post| !pictures.has(post));
        for (teaches, pattern) in [
            (texts_teach, "heads.text.*"),
            (taught.both_alone && pictures.any(), "heads.image.*"),
            (pictures.any(), "fusion.*"),
        ] {
            stays.extend((!teaches).then(|| pattern.to_owned()));
        }
        let with = |more: Vec<String>| Frozen::new(stays.iter().cloned().chain(more));

        let parameters = all.with_frozen(with(vec!["text.*".into()]));
        let bert = Bert::load(parameters.builder(device).pp("text"), &config.text)?;
        let task = PostTask::new("heads", self.kept(bert)?, &parameters, self.parts)?;
        let (most, rate) = if taught.both_alone { NEW_HEADS } else { KNOWN_HEADS };
        let epochs = (SHOWN / split.learned.len()).clamp(1, most);
        self.run(&task, &parameters, &learning(epochs, rate))?;
        let mut heads = task.heads()?;
        let mut changed = parameters.changing()?;
        if texts_teach {
            let layers = config.text.num_hidden_layers;
            let first = layers.saturating_sub(LAYERS);
            let frozen = (0..first).map(|layer| format!("text.encoder.layer.{layer}.*"));
            let frozen = frozen.chain(["text.embeddings.*".to_owned()]).collect();
            let parameters = all.with_frozen(with(frozen));
            let bert = Bert::load(parameters.builder(device).pp("text"), &config.text)?;
            let tokens: usize = split.learned.iter().map(|&post| self.ids[post].len()).sum();
            let epochs = (TOKENS / tokens.max(1)).clamp(1, MOST_EPOCHS);
            let live = EncodedText::Live { encoder: Box::new(bert), ids: std::mem::take(&mut self.ids) };
            let task = PostTask::new("text", live, &parameters, self.parts)?;
            self.run(&task, &parameters, &learning(epochs, RATE))?;
            heads = task.heads()?;
            changed = parameters.changing()?;
        }
        if taught.both_alone {
            // What other labels start with is not the bundle's, whether it learned or not.
            for (name, tensor) in all.all()? {
                if !name.starts_with("text.") {
                    changed.entry(name).or_insert(tensor);
                }
            }
        }
        calibrate(&heads, &mut changed, &all)?;
        Ok(changed)
    }

    fn run(&mut self, task: &PostTask<'_>, parameters: &Parameters, learning: &Learning) -> Result<()> {
        let learner = Learner { learning, parameters, file: None, seed: SEED, shards: self.shards };
        learner.run(task, &mut self.record, false)
    }

    /// The texts through the encoder as it is.
    fn kept(&self, bert: Bert) -> Result<EncodedText> {
        let Parts { config, device, .. } = self.parts;
        let live = EncodedText::Live { encoder: Box::new(bert), ids: self.ids.clone() };
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_by_key(|&post| self.ids[post].len());
        let bar = progress::bar(order.len(), "texts");
        let whole = config.fusion.kind == FusionKind::Tokens;
        let parts = in_parts(device, &order, TEXTS_AT_ONCE, |posts| {
            let features = live.get(posts, Mode::Infer, device)?;
            bar.inc(posts.len() as u64);
            let pooled = features.pooled()?.to_device(&Device::Cpu)?;
            let row = |(i, &post): (usize, &usize)| {
                let hidden = match whole {
                    true => {
                        features.hidden.get(i)?.narrow(0, 0, self.ids[post].len())?.to_device(&Device::Cpu)?
                    }
                    false => pooled.narrow(0, i, 1)?,
                };
                Ok((post, hidden.contiguous()?))
            };
            posts.iter().enumerate().map(row).collect::<Result<Vec<_>>>()
        });
        let mut rows = parts?.concat();
        bar.finish_and_clear();
        rows.sort_by_key(|(post, _)| *post);
        let hidden: Vec<Tensor> = rows.into_iter().map(|(_, hidden)| hidden).collect();
        let mut start = 0;
        let mut spans = Vec::with_capacity(hidden.len());
        for hidden in &hidden {
            let length = hidden.dim(0)?;
            spans.push((start, length));
            start += length;
        }
        Ok(EncodedText::Kept { hidden: Tensor::cat(&hidden, 0)?, rows: spans })
    }
}

/// Temperatures, and from where on an answer is sure, on what the heads said of val.
fn calibrate(heads: &Heads, changed: &mut HashMap<String, Tensor>, all: &Parameters) -> Result<()> {
    let Temperatures { text, image, fused } = heads.temperatures();
    let (least, most) = TEMPERATURES;
    let [text, image, mut fused] = [text, image, fused].map(|temperature| temperature.clamp(least, most));
    if heads.fused.is_empty() {
        // Where the text alone answers, the fused head says what it says.
        fused = text;
    }
    let mut put = |name: &str, value: f32| -> Result<()> {
        changed.insert(name.to_owned(), Tensor::new(&[value], &Device::Cpu)?);
        Ok(())
    };
    let late = all.get("fusion.late").is_some();
    for (name, rows, value) in [
        ("temperature.text", heads.text.len(), text),
        ("temperature.image", heads.image.len(), image),
        ("temperature.fused", heads.fused.len() + if late { heads.text.len() } else { 0 }, fused),
    ] {
        if rows > 0 {
            put(name, value)?;
        }
    }
    let at = |said: &[Said], temperature: f32| -> Vec<Said> {
        let row = |(logits, class): &Said| (logits.iter().map(|x| x / temperature).collect(), *class);
        said.iter().map(row).collect()
    };
    // What answers a post: both heads together where there is a picture.
    let answers = [at(&heads.fused, fused), at(&heads.text, text)].concat();
    let [_, confidence] = Thresholds::NAMES;
    put(confidence, thresholds::choose(&[], &answers, 1.0).confidence)
}

fn learning(epochs: usize, learning_rate: f64) -> Learning {
    Learning {
        epochs,
        learning_rate,
        layer_decay: 1.0,
        hardest: 1.0,
        precision: Precision::default(),
        batch_size: 16,
        warm_up: 0.1,
        weight_decay: 0.01,
        clip: 1.0,
        label_smoothing: 0.05,
        gce: 0.0,
        r_drop: 0.0,
        ogm_ge: 0.0,
        ema: 0.0,
        class_balance: 0.0,
        keep: Keep::Last,
        patience: 0,
        checkpoint_every: usize::MAX,
        freeze: vec![],
    }
}
