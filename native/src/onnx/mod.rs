//! `mixed-feelings export-onnx`: a checkpoint as an ONNX file, for the runtimes that read those.

mod fusion;
mod graph;
mod image;
mod layers;
mod proto;
mod text;

use std::path::PathBuf;

use anyhow::{Context, Result};
use candle_core::Device;
use clap::ValueEnum;
use graph::{Axis, GraphBuilder};
use layers::Layers;
use mixed_feelings::{Sentiment, config::ModelConfig, fusion::Temperatures, image::cnn::Cnn};
use prost::Message;
use proto::{Entry, IR_VERSION, Model, OPSET, OperatorSet};

use crate::{atomic, checkpoint::Checkpoint};

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
    /// The float checkpoint: a folder.
    #[arg(short, long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// The file to write; by default `model.onnx` (or `text.onnx`, `image.onnx`) in the checkpoint's folder.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The whole model, or one of its encoders with its own head alone.
    #[arg(long, value_enum, default_value_t)]
    part: Part,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint
  mixed-feelings export-onnx --checkpoint runs/small/checkpoint --part text --out text.onnx";

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
/// When the checkpoint cannot be read or the file cannot be written.
pub fn run(args: Args) -> Result<()> {
    let checkpoint = Checkpoint::load(&args.checkpoint, &Device::Cpu)?;
    let model = model(&checkpoint, args.part)
        .with_context(|| format!("checkpoint {} as ONNX", args.checkpoint.display()))?;
    let name = args.part.to_possible_value().map_or_else(String::new, |part| part.get_name().to_owned());
    let out = args.out.unwrap_or_else(|| args.checkpoint.join(format!("{name}.onnx")));
    let bytes = model.encode_to_vec();
    atomic::write(&out, &bytes)?;
    println!("{}: {:.2} MB, ONNX opset {OPSET}", out.display(), bytes.len() as f64 / 1e6);
    Ok(())
}

fn model(checkpoint: &Checkpoint, part: Part) -> Result<Model> {
    let ModelConfig { text, image, preprocess, fusion, .. } = &checkpoint.config;
    let builder = checkpoint.var_builder(&Device::Cpu);
    let mut layers = Layers { graph: GraphBuilder::new("mixed-feelings"), tensors: &checkpoint.tensors };
    let cnn = || Cnn::load(builder.pp("image"), image.architecture);
    match part {
        Part::Model => {
            let said = text::encode(&mut layers, text)?;
            let seen = image::encode(&mut layers, &cnn()?, preprocess.input_size)?;
            fusion::join(&mut layers, fusion.kind, (fusion.width, fusion.heads), said, &seen)?;
        }
        Part::Text => {
            let pooled = text::encode(&mut layers, text)?.pooled;
            let logits = layers.linear("heads.text", &pooled)?;
            encoder_outputs(&mut layers.graph, ("text_logits", &logits), &pooled, text.hidden_size);
        }
        Part::Image => {
            let cnn = cnn()?;
            let pooled = image::encode(&mut layers, &cnn, preprocess.input_size)?.pooled;
            let logits = layers.linear("heads.image", &pooled)?;
            let channels = cnn.network().channels;
            encoder_outputs(&mut layers.graph, ("image_logits", &logits), &pooled, channels);
        }
    }
    Ok(Model {
        ir_version: Some(IR_VERSION),
        producer_name: "mixed-feelings".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(layers.graph.finish()),
        opset_import: vec![OperatorSet { domain: String::new(), version: Some(OPSET) }],
        metadata_props: metadata(checkpoint)?,
    })
}

fn encoder_outputs(graph: &mut GraphBuilder, logits: (&str, &String), pooled: &String, features: usize) {
    let batch = Axis::Free("batch");
    graph.output(logits.0, logits.1, &[batch, Axis::Fixed(Sentiment::ALL.len())]);
    graph.output("pooled", pooled, &[batch, Axis::Fixed(features)]);
}

fn metadata(checkpoint: &Checkpoint) -> Result<Vec<Entry>> {
    let temperatures = Temperatures::of_checkpoint(&checkpoint.var_builder(&Device::Cpu))?;
    let entries = [
        ("labels", serde_json::to_string(&Sentiment::ALL.map(|class| class.name()))?),
        ("temperatures", serde_json::to_string(&temperatures)?),
        ("config", serde_json::to_string(&checkpoint.config)?),
        ("tokenizer", checkpoint.tokenizer.clone()),
    ];
    Ok(entries.into_iter().map(|(key, value)| Entry { key: key.into(), value }).collect())
}
