//! `mixed-feelings eval`: measures a model on labelled posts.

mod answers;
mod calibrated;
pub mod cases;
pub mod challenge;
pub mod compare;
mod contradiction;
mod curves;
mod evaluation;
mod intensity;
mod measured;
mod mistakes;
mod page;
pub mod report;
pub mod robustness;
mod selective;
mod shapley;
mod subject;
mod summary;
mod table;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use cases::Case;
use challenge::{Challenge, ChallengeReport};
use clap::{Args as _, error::ErrorKind};
use curves::curves;
use evaluation::{Asked, Evaluation, Found};
use mixed_feelings::{Labels, analyzer::Answer};
use report::Report;
use serde::Serialize;
use subject::Subject;

pub use answers::answers;

use crate::{
    atomic, checkpoint, device::DeviceChoice, engine::Engine, outputs, stats::bootstrap::Bootstrap,
    stdout::stdout,
};

/// Measures a model on labelled posts.
///
/// Tables name the labels that the model has.
///
/// Prints accuracy, macro-F1, weighted-F1, macro-recall with intervals, the scores of each class and the confusion
/// matrix; then by the modality used (text, image, both) and by relation. Rows whose label is `conflict` have no label
/// of their own: they count for the heads and for the contradiction.
///
/// With --report, a page with plots and `metrics.json` are written too and printed in short. What else excludes each
/// other may then be given together: pairs, texts and a challenge are all measured; the bundle is measured and compared
/// with the checkpoint that it was made from.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("posts").required(true).multiple(true).args(["pairs", "texts", "challenge"])))]
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
    /// A folder of hard posts by category and of swapped words: texts.tsv, pairs.tsv, swaps.tsv.
    #[arg(long, value_name = "DIR")]
    challenge: Option<PathBuf>,
    /// The int8 bundle to measure; by default the one that comes with the project.
    #[arg(short, long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The float checkpoint to measure: a folder. With --bundle, in a --report, the one to compare the bundle with.
    #[arg(short, long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Where the float model computes: cpu, cuda or cuda:N, the NVIDIA GPU with that number from 0 (in a build with `--features
    /// cuda`). A bundle is measured on the CPU.
    #[arg(long, default_value_t, requires = "checkpoint")]
    device: DeviceChoice,
    /// Write `report.html`, a page that needs nothing else, and `metrics.json` into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// How often the rows are drawn anew for the confidence intervals; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    resamples: u32,
    /// Leave out of the report what takes longest: the pairs with typos, noise, blur and JPEG.
    #[arg(long, requires = "report")]
    no_robustness: bool,
    /// What the intervals are drawn from; the same seed gives the same report.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the figures that are printed as JSON.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Write a table with the predicted label and the scores of each row.
    #[arg(long, value_name = "OUT.tsv")]
    predictions: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings eval --pairs pairs.tsv --split val
  mixed-feelings eval --pairs pairs.tsv --checkpoint runs/small/checkpoint --json figures.json
  mixed-feelings eval --pairs pairs.tsv --checkpoint runs/small/checkpoint --device cuda
  mixed-feelings eval --texts tweets.tsv --bundle model.safetensors --predictions predictions.tsv
  mixed-feelings eval --challenge tests/challenge
  mixed-feelings eval --pairs pairs.tsv --split val --report report/
  mixed-feelings eval --pairs pairs.tsv --split val --texts tweets.tsv --challenge tests/challenge \\
      --bundle model.safetensors --checkpoint runs/small/checkpoint --report report/

--json and --predictions are about the first that is given of pairs, texts, challenge.";

/// Runs the subcommand.
///
/// # Errors
/// When the model, a row or an image cannot be read: then no file is written.
pub fn run(args: Args) -> Result<()> {
    if let Err(wrong) = args.check() {
        wrong.exit();
    }
    args.check_outputs()?;
    let bootstrap = Bootstrap { resamples: args.resamples as usize, seed: args.seed, ..Bootstrap::default() };
    let models = Models::open(&args)?;
    let labels = models.measured.0.labels();
    let tables = args.tables(labels)?;
    let challenge = args.challenge.as_deref().map(|dir| Challenge::read(dir, labels)).transpose()?;
    let asked = tables.iter().map(|table| models.ask(table)).collect::<Result<Vec<_>>>()?;
    let thresholds = models.measured.0.readout().thresholds;
    let reports: Vec<Report> = tables
        .iter()
        .zip(&asked)
        .map(|(table, asked)| Report::new(&table.cases, &asked.answers, thresholds, Some(&bootstrap)))
        .collect();
    let challenge = challenge.map(|challenge| challenge.ask(&models.measured.0, &bootstrap)).transpose()?;
    let mut written = None;
    if let Some(folder) = &args.report {
        let robustness = !args.no_robustness;
        let mut evaluation = models.evaluate(&tables, &asked, &reports, bootstrap, robustness)?;
        evaluation.challenge = challenge.clone();
        write_report(folder, &evaluation)?;
        written = Some((folder, evaluation));
    }
    if let Some(path) = &args.json {
        let json = reports.first().map(to_json).or_else(|| challenge.as_ref().map(to_json)).transpose()?;
        atomic::write(path, &json.unwrap_or_default())?;
    }
    if let (Some(path), Some(table), Some(asked)) = (&args.predictions, tables.first(), asked.first()) {
        write_predictions(path, &table.cases, &asked.answers)?;
    }
    let mut out = stdout();
    print(&reports, challenge.as_ref(), &mut out)?;
    if let Some((folder, evaluation)) = &written {
        summary::print(evaluation, folder, &mut out)?;
    }
    Ok(())
}

/// One after the other, with a line between them.
fn print(reports: &[Report], challenge: Option<&ChallengeReport>, out: &mut impl Write) -> io::Result<()> {
    for (i, report) in reports.iter().enumerate() {
        out.write_all(if i > 0 { b"\n" } else { b"" })?;
        table::print(report, out)?;
    }
    if let Some(challenge) = challenge {
        out.write_all(if reports.is_empty() { b"" } else { b"\n" })?;
        challenge::print(challenge, out)?;
    }
    Ok(())
}

impl Args {
    /// What clap cannot say: some arguments go together in a report alone.
    fn check(&self) -> Result<(), clap::Error> {
        let posts = [self.pairs.is_some(), self.texts.is_some(), self.challenge.is_some()];
        let several = posts.into_iter().filter(|given| *given).count() > 1;
        let both = self.bundle.is_some() && self.checkpoint.is_some();
        let no_table = self.pairs.is_none() && self.texts.is_none();
        let wrong = if several && self.report.is_none() {
            "--pairs, --texts and --challenge go together only with --report DIR"
        } else if both && self.report.is_none() {
            "--bundle and --checkpoint go together only with --report DIR"
        } else if no_table && self.predictions.is_some() {
            "--predictions takes --pairs or --texts"
        } else {
            return Ok(());
        };
        Err(Args::augment_args(clap::Command::new("mixed-feelings eval"))
            .error(ErrorKind::ArgumentConflict, wrong))
    }

    /// Refuses to write over what is read.
    fn check_outputs(&self) -> Result<()> {
        let checkpoint = self.checkpoint.as_deref().map(checkpoint::files);
        let challenge = self.challenge.as_deref().map(challenge::files);
        let inputs: Vec<&Path> = [&self.pairs, &self.texts, &self.bundle]
            .into_iter()
            .flatten()
            .chain(checkpoint.iter().flatten())
            .chain(challenge.iter().flatten())
            .map(PathBuf::as_path)
            .collect();
        let outputs = [("--json", self.json.as_deref()), ("--predictions", self.predictions.as_deref())];
        outputs::check(&outputs, &inputs)?;
        outputs::check_folder("--report", self.report.as_deref())
    }

    fn tables(&self, labels: &Labels) -> Result<Vec<Input>> {
        let mut tables = Vec::new();
        if let Some(path) = &self.pairs {
            let cases = cases::of_pairs(path, self.split.as_deref(), labels)?;
            tables.push(Input { name: file_name(path), split: self.split.clone(), cases });
        }
        if let Some(path) = &self.texts {
            let cases = cases::of_texts(path, labels)?;
            tables.push(Input { name: file_name(path), split: None, cases });
        }
        Ok(tables)
    }
}

/// A table that was read.
struct Input {
    name: String,
    split: Option<String>,
    cases: Vec<Case>,
}

/// What the models answered to one table.
struct Answered {
    answers: Vec<Answer>,
    float: Option<Vec<Answer>>,
}

/// The model that is measured, and the float one that it is compared with.
struct Models {
    measured: (Engine, Subject),
    float: Option<(Engine, Subject)>,
}

impl Models {
    fn open(args: &Args) -> Result<Self> {
        let float = match &args.checkpoint {
            Some(dir) => Some(Subject::float(dir, &args.device.open()?)?),
            None => None,
        };
        match float {
            Some(measured) if args.bundle.is_none() => Ok(Models { measured, float: None }),
            float => {
                let measured = Subject::int8(args.bundle.as_deref())?;
                let alike = float.as_ref().is_none_or(|(float, _)| float.labels() == measured.0.labels());
                ensure!(
                    alike,
                    "--bundle and --checkpoint have other labels: compare a bundle with its own checkpoint"
                );
                Ok(Models { measured, float })
            }
        }
    }

    fn ask(&self, table: &Input) -> Result<Answered> {
        let answers = answers(&self.measured.0, &table.cases, &format!("evaluating {}", table.name))?;
        let float = match &self.float {
            Some((engine, _)) => {
                Some(self::answers(engine, &table.cases, &format!("float on {}", table.name))?)
            }
            None => None,
        };
        Ok(Answered { answers, float })
    }

    fn evaluate(
        &self,
        tables: &[Input],
        asked: &[Answered],
        reports: &[Report],
        bootstrap: Bootstrap,
        robustness: bool,
    ) -> Result<Evaluation> {
        let mut evaluation = Evaluation {
            version: env!("CARGO_PKG_VERSION"),
            model: self.measured.1.clone(),
            compared_with: self.float.as_ref().map(|(_, subject)| subject.clone()),
            bootstrap,
            pairs: None,
            texts: None,
            challenge: None,
        };
        for ((table, answered), report) in tables.iter().zip(asked).zip(reports) {
            let asked = Asked {
                table: &table.name,
                split: table.split.as_deref(),
                cases: &table.cases,
                answers: &answered.answers,
                float: answered.float.as_deref(),
            };
            let pairs = table.cases.iter().any(|case| case.relation.is_some());
            let robustness = match robustness && pairs {
                true => Some(curves(&self.measured.0, &table.cases, &answered.answers, &bootstrap)?),
                false => None,
            };
            let found = Found::new(asked, report.clone(), robustness, &evaluation.model, &bootstrap);
            *if pairs { &mut evaluation.pairs } else { &mut evaluation.texts } = Some(found);
        }
        Ok(evaluation)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Writes `metrics.json` and `report.html` into `folder`, made if need be. Both are made before either is written.
fn write_report(folder: &Path, evaluation: &Evaluation) -> Result<()> {
    let json = to_json(evaluation)?;
    let page = page::render(evaluation);
    fs::create_dir_all(folder).with_context(|| format!("--report {}", folder.display()))?;
    atomic::write(&folder.join("metrics.json"), &json)?;
    atomic::write(&folder.join("report.html"), page.as_bytes())
}

fn to_json(report: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    Ok(json)
}

/// A line a row: `id`, the predicted `label`, and the scores of the post.
fn write_predictions(path: &Path, cases: &[Case], answers: &[Answer]) -> Result<()> {
    atomic::write_with(path, |file| {
        let names: Vec<&str> = answers.iter().take(1).flat_map(|a| a.post.labels().names()).collect();
        writeln!(file, "id	label	{}", names.join("	"))?;
        for (case, Answer { post, .. }) in cases.iter().zip(answers) {
            write!(file, "{}	{}", case.id, post.label())?;
            post.probabilities().iter().try_for_each(|p| write!(file, "	{p:.6}"))?;
            writeln!(file)?;
        }
        Ok(())
    })
}
