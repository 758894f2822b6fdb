//! `mixed-feelings export-onnx`: a model as an ONNX file, for the runtimes that read those.

mod fusion;
mod graph;
mod image;
mod layers;
mod proto;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use clap::ValueEnum;
use graph::{Axis, GraphBuilder};
use layers::Layers;
use mixed_feelings::{Bundle, Sentiment, bundle::dequantize, config::ModelConfig, fusion::Temperatures};
use prost::Message;
use proto::{Entry, IR_VERSION, Model, OPSET, OperatorSet};

use crate::{atomic, bundle, checkpoint::Checkpoint};

/// What a protobuf message can hold: no runtime reads a longer file.
const MOST_BYTES: usize = i32::MAX as usize;

/// Writes the float model as an ONNX file.
///
/// Inputs: `input_ids` and `attention_mask` (int64, `[batch, tokens]`), `pixel_values` (float, `[batch, 3, side, side]`,
/// normalised), `has_text` and `has_image` (float, `[batch]`, 1 or 0; what is missing may hold anything finite). Outputs:
/// `text_logits`, `image_logits` and `fused_logits` (`[batch, 3]`: negative, neutral, positive) and
/// `contradiction_logit` (`[batch]`). The file's metadata have the labels, the temperatures by which logits are divided for
/// scores, the model's config and the tokenizer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The file to write; by default `model.onnx` (or `text.onnx`, `image.onnx`) in the checkpoint's folder or beside the
    /// bundle.
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
    /// A bundle: its int8 weights as the floats that they stand for, BatchNorm folded.
    #[arg(short, long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint --part text --out text.onnx
  mixed-feelings export-onnx --bundle pkg/mixed-feelings-small.safetensors --out model.onnx";

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
    let (named, folder, checkpoint) = args.source.open()?;
    let model = model(&checkpoint, args.part).with_context(|| format!("{named} as ONNX"))?;
    drop(checkpoint);
    check_size(model.encoded_len()).with_context(|| format!("{named} as ONNX"))?;
    let name = args.part.to_possible_value().map_or_else(String::new, |part| part.get_name().to_owned());
    let out = args.out.unwrap_or_else(|| folder.join(format!("{name}.onnx")));
    let bytes = model.encode_to_vec();
    atomic::write(&out, &bytes)?;
    println!("{}: {:.2} MB, ONNX opset {OPSET}", out.display(), bytes.len() as f64 / 1e6);
    Ok(())
}

impl Source {
    /// What to call it, its folder, and the float model.
    fn open(&self) -> Result<(String, PathBuf, Checkpoint)> {
        match (&self.checkpoint, &self.bundle) {
            (Some(dir), _) => {
                let named = format!("checkpoint {}", dir.display());
                Ok((named, dir.clone(), Checkpoint::load(dir, &Device::Cpu)?))
            }
            (None, file) => {
                let (path, bytes) = bundle::read(file.as_deref())?;
                let named = format!("bundle {}", path.display());
                let checkpoint = dequantized(bytes).with_context(|| named.clone())?;
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                Ok((named, folder, checkpoint))
            }
        }
    }
}

/// The float model of a bundle's bytes.
fn dequantized(bytes: Vec<u8>) -> mixed_feelings::Result<Checkpoint> {
    let bundle = Bundle::parse(bytes)?;
    let tensors = dequantize(&bundle)?;
    bundle.check_all_read()?;
    let (config, tokenizer) = (bundle.config().clone(), bundle.tokenizer_json().to_owned());
    Ok(Checkpoint { config, tokenizer, tensors })
}

fn check_size(bytes: usize) -> Result<()> {
    ensure!(
        bytes <= MOST_BYTES,
        "{:.2} GB, and an ONNX file holds 2.14 GB at most: write its encoders apart, with --part text and --part image",
        bytes as f64 / 1e9
    );
    Ok(())
}

fn model(checkpoint: &Checkpoint, part: Part) -> Result<Model> {
    let ModelConfig { text, preprocess, fusion, .. } = &checkpoint.config;
    // Holds every tensor to the shape that the config says.
    let float = checkpoint.model(&Device::Cpu)?;
    let mut layers = Layers { graph: GraphBuilder::new("mixed-feelings"), tensors: &checkpoint.tensors };
    match part {
        Part::Model => {
            let said = text::encode(&mut layers, text)?;
            let seen = image::encode(&mut layers, &float.image, preprocess.input_size)?;
            fusion::join(&mut layers, fusion.kind, (fusion.width, fusion.heads), said, &seen)?;
        }
        Part::Text => {
            let pooled = text::encode(&mut layers, text)?.pooled;
            let logits = layers.linear("heads.text", &pooled)?;
            encoder_outputs(&mut layers.graph, ("text_logits", &logits), &pooled, text.hidden_size);
        }
        Part::Image => {
            let pooled = image::encode(&mut layers, &float.image, preprocess.input_size)?.pooled;
            let logits = layers.linear("heads.image", &pooled)?;
            let channels = float.image.network().channels;
            encoder_outputs(&mut layers.graph, ("image_logits", &logits), &pooled, channels);
        }
    }
    Ok(Model {
        ir_version: Some(IR_VERSION),
        producer_name: "mixed-feelings".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(layers.graph.finish()),
        opset_import: vec![OperatorSet { domain: String::new(), version: Some(OPSET) }],
        metadata_props: metadata(checkpoint, float.temperatures)?,
    })
}

fn encoder_outputs(graph: &mut GraphBuilder, logits: (&str, &String), pooled: &String, features: usize) {
    let batch = Axis::Free("batch");
    graph.output(logits.0, logits.1, &[batch, Axis::Fixed(Sentiment::ALL.len())]);
    graph.output("pooled", pooled, &[batch, Axis::Fixed(features)]);
}

fn metadata(checkpoint: &Checkpoint, temperatures: Temperatures) -> Result<Vec<Entry>> {
    let entries = [
        ("labels", serde_json::to_string(&Sentiment::ALL.map(|class| class.name()))?),
        ("temperatures", serde_json::to_string(&temperatures)?),
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
