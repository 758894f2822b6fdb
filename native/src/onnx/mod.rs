//! `mixed-feelings export-onnx`: a model as an ONNX file, for the runtimes that read those.

mod fusion;
mod graph;
mod nodes;
mod proto;
mod recorder;
mod weights;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use clap::ValueEnum;
use graph::{Axis, Value};
use mixed_feelings::{
    Bundle,
    model::{LinearParameter, ModelConfig, tokenizer_json},
    quantize::dequantize,
};
use prost::Message;
use proto::{Entry, IR_VERSION, Model, OPSET, OperatorSet};
use recorder::Recorder;
use weights::Weights;

use crate::{
    atomic, bundle,
    checkpoint::{self, Checkpoint},
    outputs,
    stdout::stdout,
};

/// What a protobuf message can hold: no runtime reads a longer file.
const MOST_BYTES: usize = i32::MAX as usize;

/// Writes a model as an ONNX file: in floats, or with --int8 in the integers of a bundle.
///
/// Inputs: `input_ids` and `attention_mask` (int64, `[batch, tokens]`), `pixel_values` (float, `[batch, 3, side, side]`,
/// normalised), `has_text` and `has_image` (float, `[batch]`, 1 or 0; what is missing may hold anything finite). Outputs:
/// `text_logits`, `image_logits` and `fused_logits` (`[batch, labels]`) and
/// `contradiction_logit` (`[batch]`). The file's metadata have the labels, the temperatures by which logits are divided for
/// scores, the model's config and the tokenizer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Write the bundle's integers: the file is about as large as the bundle, and computes what the quantized model computes.
    #[arg(long, conflicts_with = "checkpoint")]
    int8: bool,
    /// The file to write; by default `model.onnx` (or `text.onnx`, `image.onnx`; with --int8 `model-int8.onnx`, ...) in the
    /// checkpoint's folder or beside the bundle.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The whole model, or one of its encoders with its own head alone.
    #[arg(long, value_enum, default_value_t)]
    part: Part,
}

/// Where the weights are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The float checkpoint: a folder.
    #[arg(short, long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// A bundle: its dequantized weights, BatchNorm folded.
    #[arg(short, long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint --part text --out text.onnx
  mixed-feelings export-onnx --bundle pkg/mixed-feelings-small.safetensors --out model.onnx
  mixed-feelings export-onnx --bundle pkg/mixed-feelings-small.safetensors --int8 --out model-int8.onnx";

/// What is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Part {
    /// Both encoders, heads and fusion.
    #[default]
    Model,
    /// The text encoder and its head: `input_ids` and `attention_mask` to `pooled` and `text_logits`.
    Text,
    /// The image encoder and its head: `pixel_values` to `pooled` and `image_logits`.
    Image,
}

/// Runs the subcommand.
///
/// # Errors
/// When the checkpoint or bundle cannot be read, is too large for the format, or the file cannot be written.
pub fn run(args: Args) -> Result<()> {
    let files = args.source.checkpoint.as_deref().map(checkpoint::files);
    let inputs: Vec<&Path> =
        files.iter().flatten().chain(&args.source.bundle).map(PathBuf::as_path).collect();
    outputs::check(&[("--out", args.out.as_deref())], &inputs)?;
    let (named, folder, weights) = args.source.open(args.int8)?;
    let model = model(&weights, args.part).with_context(|| format!("{named} as ONNX"))?;
    drop(weights);
    check_size(model.encoded_len()).with_context(|| format!("{named} as ONNX"))?;
    let part = args.part.to_possible_value().map_or_else(String::new, |part| part.get_name().to_owned());
    let form = if args.int8 { "-int8" } else { "" };
    let out = args.out.unwrap_or_else(|| folder.join(format!("{part}{form}.onnx")));
    let bytes = model.encode_to_vec();
    atomic::write(&out, &bytes)?;
    let megabytes = bytes.len() as f64 / 1e6;
    Ok(writeln!(stdout(), "{}: {megabytes:.2} MB, ONNX opset {OPSET}", out.display())?)
}

impl Source {
    /// What to call it, its folder, and the weights: with `int8` the bundle's integers.
    fn open(&self, int8: bool) -> Result<(String, PathBuf, Weights)> {
        let (named, folder, checkpoint, bundle) = if let Some(dir) = &self.checkpoint {
            let named = format!("checkpoint {}", dir.display());
            (named, dir.clone(), Checkpoint::load(dir, &Device::Cpu)?, None)
        } else {
            let (path, bytes) = bundle::read(self.bundle.as_deref())?;
            let named = format!("bundle {}", path.display());
            let (bundle, checkpoint) = dequantized(bytes).with_context(|| named.clone())?;
            (named, path.parent().unwrap_or(Path::new("")).to_owned(), checkpoint, Some(bundle))
        };
        let weights = Weights::new(checkpoint, bundle.filter(|_| int8));
        Ok((named.clone(), folder, weights.with_context(|| format!("{named} as ONNX"))?))
    }
}

/// A bundle, and its dequantized weights.
fn dequantized(bytes: Vec<u8>) -> mixed_feelings::Result<(Bundle, Checkpoint)> {
    let bundle = Bundle::parse(bytes)?;
    let config = ModelConfig::of_bundle(&bundle)?;
    let tensors = dequantize(&bundle, &config)?;
    bundle.check_all_read()?;
    let tokenizer = tokenizer_json(&bundle)?.to_owned();
    Ok((bundle, Checkpoint { config, tokenizer, tensors }))
}

fn check_size(bytes: usize) -> Result<()> {
    ensure!(
        bytes <= MOST_BYTES,
        "{:.2} GB, and an ONNX file holds 2.14 GB at most: write its encoders apart, with --part text and --part image",
        bytes as f64 / 1e9
    );
    Ok(())
}

fn model(weights: &Weights, part: Part) -> Result<Model> {
    let mut recorder = Recorder::new();
    let heads = &weights.parameters.heads;
    match part {
        Part::Model => {
            let encoded = [recorder.text(weights)?, recorder.image(weights)?];
            fusion::fuse(&mut recorder, weights, encoded)?;
        }
        Part::Text => {
            let pooled = recorder.text(weights)?.pooled;
            alone(&mut recorder, weights, &heads.text, ("text_logits", &pooled))?;
        }
        Part::Image => {
            let pooled = recorder.image(weights)?.pooled;
            alone(&mut recorder, weights, &heads.image, ("image_logits", &pooled))?;
        }
    }
    Ok(Model {
        ir_version: Some(IR_VERSION),
        producer_name: "mixed-feelings".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(recorder.graph.finish()),
        opset_import: vec![OperatorSet { domain: String::new(), version: Some(OPSET) }],
        metadata_props: metadata(weights)?,
    })
}

/// The head and the outputs of one encoder.
fn alone(
    recorder: &mut Recorder,
    weights: &Weights,
    head: &LinearParameter,
    (name, pooled): (&str, &Value),
) -> Result<()> {
    let logits = recorder.classify(weights, head, pooled)?;
    let batch = Axis::Free("batch");
    recorder.graph.output(name, &logits, &[batch, Axis::Fixed(head.outputs)]);
    recorder.graph.output("pooled", pooled, &[batch, Axis::Fixed(head.inputs)]);
    Ok(())
}

fn metadata(Weights { checkpoint, readout, .. }: &Weights) -> Result<Vec<Entry>> {
    let entries = [
        ("labels", serde_json::to_string(&readout.labels)?),
        ("temperatures", serde_json::to_string(&readout.temperatures)?),
        ("config", serde_json::to_string(&checkpoint.config)?),
        ("tokenizer", checkpoint.tokenizer.clone()),
    ];
    Ok(entries.into_iter().map(|(key, value)| Entry { key: key.into(), value }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_runtime_could_read_is_refused() {
        assert!(check_size(MOST_BYTES).is_ok());
        let told = check_size(MOST_BYTES + 1).map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.contains("2.15 GB") && told.contains("--part")));
    }
}
