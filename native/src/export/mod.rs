//! `mixed-feelings export`: quantizes a checkpoint to the bundle that runs in the browser.

mod quantize;
mod sample;
mod shift;
mod sizes;
mod vocabulary;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use candle_core::Device;
use mixed_feelings::{Analyzer, bundle::BITS, model::Temperatures, quantize::Precision};
use sample::Sample;
use serde::Serialize;
use sizes::Part;
use vocabulary::{Pruned, Pruning};

use crate::{
    atomic, bundle,
    checkpoint::{self, Checkpoint},
    digest,
    engine::Engine,
    eval::{
        cases::{self, Case},
        compare::Comparison,
    },
    outputs,
    stdout::stdout,
};

/// Quantizes a checkpoint to the bundle that runs in the browser.
///
/// BatchNorm is folded into the convolutions, the ranges of the activations are measured on real pictures, weights become
/// int8, or fewer bits with --bits. The bundle and its SHA-256 appear whole or not at all. With --check, float and int8 are
/// compared first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The float checkpoint: a folder.
    #[arg(short, long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// The table of pairs whose pictures calibrate the activations.
    #[arg(long, value_name = "PAIRS.tsv")]
    calibration: PathBuf,
    /// Only the pairs whose column `split` says so.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// How many pictures calibrate, taken evenly from the table.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Bits of a weight: 8, or 2 to 6 in groups of 32 that share a multiplier. Small layers and depthwise convolutions stay at 8.
    #[arg(long, value_name = "BITS", default_value_t = 8, value_parser = bits)]
    bits: u32,
    /// Bits of the embeddings' weights, if others than --bits.
    #[arg(long, value_name = "BITS", value_parser = bits)]
    embedding_bits: Option<u32>,
    /// Bits of the 1x1 convolutions' weights, if others than --bits.
    #[arg(long, value_name = "BITS", value_parser = bits)]
    convolution_bits: Option<u32>,
    /// Leave out word pieces that stand less often than this in --vocabulary-texts. Single characters, the words of emoji and some words of
    /// today stay, so nothing becomes unreadable.
    #[arg(long, value_name = "TIMES", requires = "vocabulary_texts", value_parser = clap::value_parser!(u64).range(1..))]
    prune_vocabulary: Option<u64>,
    /// A table with a column `text`, such as one of the training; may be given several times.
    #[arg(long, value_name = "FILE.tsv", requires = "prune_vocabulary")]
    vocabulary_texts: Vec<PathBuf>,
    /// The bundle to write; by default `bundle.safetensors` in the checkpoint's folder.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A free-form entry for the bundle's metadata, such as `licence=Apache-2.0`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    note: Vec<(String, String)>,
    /// Compare float with int8 on this table of pairs.
    #[arg(long, value_name = "PAIRS.tsv")]
    check: Option<PathBuf>,
    /// Only the pairs whose column `split` says so.
    #[arg(long, value_name = "NAME", requires = "check")]
    check_split: Option<String>,
    /// Compare float with int8 on this table of texts.
    #[arg(long, value_name = "FILE.tsv")]
    check_texts: Option<PathBuf>,
    /// Fail, and write nothing, if a score of int8 is further below float's than this (0.01 is one point).
    #[arg(long, value_name = "SHARE")]
    max_loss: Option<f64>,
    /// Write what was compared as JSON.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings export --checkpoint runs/small/checkpoint --calibration pairs.tsv --split train
  mixed-feelings export --checkpoint runs/small/checkpoint --calibration pairs.tsv --bits 4 --embedding-bits 3 \\
      --prune-vocabulary 5 --vocabulary-texts tweets.tsv --vocabulary-texts reviews.tsv
  mixed-feelings export --checkpoint runs/small/checkpoint --calibration pairs.tsv --split train \\
      --check pairs.tsv --check-split val --check-texts tweets.tsv --max-loss 0.01";

fn bits(s: &str) -> Result<u32, String> {
    let bits = s.parse().map_err(|e| format!("{e}"))?;
    if bits == 8 || BITS.contains(&bits) {
        Ok(bits)
    } else {
        Err(format!("expected 8, or {} to {}", BITS.start(), BITS.end()))
    }
}

fn key_value(s: &str) -> Result<(String, String), String> {
    match s.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Exported {
    bundle: String,
    bytes: usize,
    sha256: String,
    parts: Vec<Part>,
    temperatures: Temperatures,
    pruned: Option<Pruned>,
    pairs: Option<Comparison>,
    texts: Option<Comparison>,
}

/// Runs the subcommand.
///
/// # Errors
/// When the checkpoint or a row cannot be read, or int8 loses more than `--max-loss`: then nothing is written.
pub fn run(args: Args) -> Result<()> {
    args.check_outputs()?;
    let mut checkpoint = Checkpoint::load(&args.checkpoint, &Device::Cpu)?;
    // What is compared with is the checkpoint as it is.
    let float = Engine::of_checkpoint(&checkpoint, &Device::Cpu)?;
    let pruned = match args.prune_vocabulary {
        Some(least) => Some(Pruning { least, tables: args.vocabulary_texts }.apply(&mut checkpoint)?),
        None => None,
    };
    let labels = &checkpoint.config.labels;
    let calibration = cases::of_pairs(&args.calibration, args.split.as_deref(), labels)?;
    let pairs = match &args.check {
        Some(path) => Some(cases::of_pairs(path, args.check_split.as_deref(), labels)?),
        None => None,
    };
    let texts = args.check_texts.as_deref().map(|path| cases::of_texts(path, labels)).transpose()?;

    let sample = Sample::of(&calibration, args.samples as usize);
    let read = sample::texts(&calibration);
    let precision = Precision {
        embeddings: args.embedding_bits.unwrap_or(args.bits),
        linears: args.bits,
        convolutions: args.convolution_bits.unwrap_or(args.bits),
    };
    let bytes = quantize::quantize(&checkpoint, &sample, &read, precision, &args.note)
        .with_context(|| format!("quantizing checkpoint {}", args.checkpoint.display()))?;
    let int8 = Analyzer::from_bundle(bytes.clone()).context("reading the new bundle back")?;
    let int8 = Engine::Int8(Box::new(int8));
    let compare =
        |cases: Option<Vec<Case>>| cases.map(|cases| Comparison::of(&float, &int8, &cases)).transpose();
    let (pairs, texts) = (compare(pairs)?, compare(texts)?);

    let out = args.out.unwrap_or_else(|| args.checkpoint.join("bundle.safetensors"));
    let exported = Exported {
        bundle: out.display().to_string(),
        bytes: bytes.len(),
        sha256: digest::sha256(&bytes),
        parts: sizes::parts(&bytes)?,
        temperatures: int8.readout().temperatures,
        pruned,
        pairs,
        texts,
    };
    let mut compared = exported.pairs.iter().chain(&exported.texts);
    let checked = args.max_loss.map_or(Ok(()), |most| compared.try_for_each(|of| of.check(most)));
    if checked.is_ok() {
        bundle::write(&out, &bytes)?;
        if let Some(path) = &args.json {
            atomic::write(path, &serde_json::to_vec_pretty(&exported)?)?;
        }
    }
    let printed = print(&exported, &mut stdout());
    checked?;
    Ok(printed?)
}

impl Args {
    /// Refuses to write over what is read.
    fn check_outputs(&self) -> Result<()> {
        let files = checkpoint::files(&self.checkpoint);
        let tables = self.vocabulary_texts.iter().chain(&self.check).chain(&self.check_texts);
        let inputs: Vec<&Path> =
            files.iter().chain([&self.calibration]).chain(tables).map(PathBuf::as_path).collect();
        outputs::check(&[("--out", self.out.as_deref()), ("--json", self.json.as_deref())], &inputs)
    }
}

fn print(exported: &Exported, out: &mut impl Write) -> io::Result<()> {
    for (what, comparison) in [("pairs", &exported.pairs), ("texts", &exported.texts)] {
        if let Some(comparison) = comparison {
            comparison.print(what, out)?;
        }
    }
    if let Some(Pruned { before, after, tokens, split }) = exported.pruned {
        let share = 100.0 * split as f64 / tokens.max(1) as f64;
        writeln!(
            out,
            "vocabulary: {before} -> {after} word pieces; {share:.2} % of the texts' tokens are split anew"
        )?;
    }
    let Temperatures { text, image, fused } = exported.temperatures;
    writeln!(out, "temperatures: text {text:.3}, image {image:.3}, both {fused:.3}")?;
    sizes::print(&exported.parts, out)?;
    let megabytes = exported.bytes as f64 / 1e6;
    writeln!(out, "{}: {} bytes ({megabytes:.2} MB)", exported.bundle, exported.bytes)?;
    writeln!(out, "SHA-256 {}", exported.sha256)
}
