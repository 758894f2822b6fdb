//! `mixed-feelings learn`: a profile from a table of labelled posts, or what such profiles are worth.

mod simulate;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use mixed_feelings::{
    Analyzer, Post,
    analyzer::{ImageInput, LearnReport, ReadExample},
};

use crate::{
    atomic, bundle,
    checkpoint::beside,
    data::{Table, class},
    outputs, post,
    stdout::stdout,
};

/// Learns from a few labelled posts what `predict --profile` goes on with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["out", "simulate"])))]
pub struct Args {
    /// The table: the columns `label` and `text`, `image`, or both; image paths are relative to it.
    table: PathBuf,
    /// Where to write the profile.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Instead of writing a profile, learn from this many rows of each label, drawn by chance, and measure on the others.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    simulate: Option<u32>,
    // clap lets `requires` pass where what it asks for conflicts with what is given: hence `conflicts_with` beside it.
    /// How often to draw.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "simulate", conflicts_with = "out", value_parser = clap::value_parser!(u32).range(1..))]
    draws: u32,
    /// What the draws follow from.
    #[arg(long, default_value_t = 7, requires = "simulate", conflicts_with = "out")]
    seed: u64,
    /// At most so many rows of the table, spread evenly over it.
    #[arg(long, value_name = "ROWS", default_value_t = 3000, requires = "simulate", conflicts_with = "out", value_parser = clap::value_parser!(u32).range(1..))]
    most: u32,
    /// Also measure on this table what is lost on posts of the kind that the model was made for: `text` with `text_label` or
    /// `label`; of one with a `split`, the rows of `val`.
    #[arg(long, value_name = "FILE", requires = "simulate", conflicts_with = "out")]
    home: Vec<PathBuf>,
    /// The bundle; by default the one that comes with the project.
    #[arg(short, long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings learn mine.tsv --out mine.profile
  mixed-feelings predict --profile mine.profile --text 'that drop was sick'
  mixed-feelings learn comments.tsv --simulate 20 --home tweets.tsv";

/// Runs the subcommand.
///
/// # Errors
/// When the bundle or a row cannot be read, the profile not be written, or the model cannot learn from the rows.
pub fn run(args: Args) -> Result<()> {
    let inputs: Vec<&Path> = [&args.table].into_iter().chain(&args.bundle).map(PathBuf::as_path).collect();
    outputs::check(&[("--out", args.out.as_deref())], &inputs)?;
    let mut analyzer = bundle::open(args.bundle.as_deref())?;
    if let Some(each) = args.simulate {
        return simulate::run(&args, each as usize, &analyzer);
    }
    let examples = examples(&args.table, &mut analyzer)?;
    let began = Instant::now();
    let report = analyzer.learn_from(&examples).with_context(|| args.table.display().to_string())?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    let mut written = None;
    if let (Some(path), Some(profile)) = (&args.out, analyzer.profile()) {
        let bytes = profile.to_bytes();
        atomic::write(path, &bytes)?;
        written = Some((path, bytes.len()));
    }
    let mut out = stdout();
    tell(&report, &mut out)?;
    writeln!(
        out,
        "learned in {took:.0} ms, with what it took to read sixty posts that keep the text head where it is"
    )?;
    if let Some((path, bytes)) = written {
        writeln!(out, "{}: {bytes} bytes, for predict --profile", path.display())?;
    }
    Ok(())
}

/// Reads every row of a table.
fn examples(path: &Path, analyzer: &mut Analyzer) -> Result<Vec<(ReadExample, usize)>> {
    let table = Table::read(path)?;
    let label = table.column("label")?;
    let (text, image) = (table.optional_column("text"), table.optional_column("image"));
    ensure!(text.or(image).is_some(), "{}: it needs a column `text` or `image`", path.display());
    let labels = analyzer.readout().labels.clone();
    let mut read = Vec::new();
    for row in table.rows() {
        let cell =
            |column: Option<usize>| column.map(|column| row.get(column)).filter(|cell| !cell.is_empty());
        let class = class(&row, "label", label, &labels)?;
        let bytes = cell(image).map(|name| post::image_bytes(&beside(path, name))).transpose();
        let bytes = bytes.with_context(|| row.place())?;
        let post = Post { text: cell(text), image: bytes.as_deref().map(ImageInput::Encoded) };
        read.push((analyzer.read_example(post).with_context(|| row.place())?, class));
    }
    Ok(read)
}

fn tell(report: &LearnReport, out: &mut impl Write) -> io::Result<()> {
    for head in &report.heads {
        let moved = if head.moved { "" } else { "; it stays as it is" };
        writeln!(
            out,
            "{} head: {} examples, {} as labelled before, {} after, each by a head that had not seen it{moved}",
            head.head, head.examples, head.before, head.after
        )?;
    }
    Ok(())
}
