//! `mixed-feelings eval`: measures a model on labelled posts.

mod answers;
pub mod cases;
pub mod report;
mod table;

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use cases::Case;
use report::Report;
use serde::Serialize;

pub use answers::answers;

use crate::{
    atomic, bundle,
    device::DeviceChoice,
    engine::{Answer, Engine},
};

/// Measures a model on labelled posts.
///
/// Prints accuracy, macro-F1, weighted-F1, macro-recall, the scores of each class and the confusion matrix; then by the
/// modality used (text, image, both) and by relation. Rows whose label is `conflict` have no label as a whole: they
/// count for the heads and for the contradiction.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("posts").required(true).args(["pairs", "texts"])))]
pub struct Args {
    /// A table of pairs: id, image, text, text_label, image_label, label, relation; image paths are relative to it.
    #[arg(long, value_name = "FILE.tsv")]
    pairs: Option<PathBuf>,
    /// Only the pairs whose column `split` says so.
    #[arg(long, value_name = "NAME", requires = "pairs")]
    split: Option<String>,
    /// A table of texts: label, text.
    #[arg(long, value_name = "FILE.tsv")]
    texts: Option<PathBuf>,
    /// The int8 bundle to measure; by default the one that comes with the project.
    #[arg(short, long, value_name = "FILE", conflicts_with = "checkpoint")]
    bundle: Option<PathBuf>,
    /// The float checkpoint to measure: a folder.
    #[arg(short, long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Where the float model computes: cpu, cuda, cuda:N.
    #[arg(long, default_value_t, requires = "checkpoint")]
    device: DeviceChoice,
    /// Write everything that was measured as JSON.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Write a table with the predicted label and the three scores of each row.
    #[arg(long, value_name = "OUT.tsv")]
    predictions: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings eval --pairs pairs.tsv --split val
  mixed-feelings eval --pairs pairs.tsv --checkpoint runs/small/best --json report.json
  mixed-feelings eval --texts tweets.tsv --bundle model.safetensors --predictions predictions.tsv";

/// Runs the subcommand.
///
/// # Errors
/// When the model, a row or an image cannot be read: then no file is written.
pub fn run(args: Args) -> Result<()> {
    let cases = match (&args.pairs, &args.texts) {
        (Some(pairs), _) => cases::of_pairs(pairs, args.split.as_deref())?,
        (None, Some(texts)) => cases::of_texts(texts)?,
        (None, None) => anyhow::bail!("give --pairs FILE.tsv or --texts FILE.tsv"),
    };
    let engine = match &args.checkpoint {
        Some(dir) => Engine::float(dir, &args.device.open()?)?,
        None => Engine::int8(bundle::open(args.bundle.as_deref())?),
    };
    let answers = answers(&engine, &cases, "evaluating")?;
    let report = Report::new(&cases, &answers);
    if let Some(path) = &args.json {
        write_json(path, &report)?;
    }
    if let Some(path) = &args.predictions {
        write_predictions(path, &cases, &answers)?;
    }
    Ok(table::print(&report, &mut io::stdout().lock())?)
}

fn write_json(path: &Path, report: &impl Serialize) -> Result<()> {
    atomic::write_with(path, |file| {
        serde_json::to_writer_pretty(&mut *file, report)?;
        Ok(writeln!(file)?)
    })
}

/// A line a row: `id`, the predicted `label`, and the scores of the whole post.
fn write_predictions(path: &Path, cases: &[Case], answers: &[Answer]) -> Result<()> {
    atomic::write_with(path, |file| {
        writeln!(file, "id\tlabel\tnegative\tneutral\tpositive")?;
        for (case, Answer { whole, .. }) in cases.iter().zip(answers) {
            let [negative, neutral, positive] = whole.to_array();
            let label = whole.label().name();
            writeln!(file, "{}\t{label}\t{negative:.6}\t{neutral:.6}\t{positive:.6}", case.id)?;
        }
        Ok(())
    })
}
