//! `mixed-feelings predict`: reads one post, or a file of posts.

mod line;
pub mod posts;
mod show;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use mixed_feelings::{
    Analyzer,
    backend::Backend,
    fusion::profile::Profile,
    inference::{Immediate, QuantizedModel},
};

use rayon::current_num_threads;

use crate::{bundle, checkpoint, device::DeviceChoice, gpu, post, stdout::stdout};

/// Tells what a post feels: its text, its image, or both.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("post").required(true).multiple(true)
    .args(["text", "text_file", "image", "posts", "list_devices"])))]
pub struct Args {
    /// The text; `-` reads it from standard input.
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "text_file")]
    text: Option<String>,
    /// A file with the text.
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// The image: JPEG, PNG, WebP, GIF or BMP.
    #[arg(short, long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// A file of posts, one `{"text": .., "image": PATH}` a line, either may be null; image paths are relative to the
    /// file. `-` reads standard input, whose image paths are relative to the current folder. Prints one analysis a line; for a post that cannot be read that line is `{"error": {code, message}}`, and the
    /// exit status is 1 after the last post. An `id` comes back with the answer, other fields come back in `post`. Many posts
    /// are read by as many threads as there are cores, or as RAYON_NUM_THREADS says.
    #[arg(long, value_name = "FILE", requires = "json", conflicts_with_all = ["text", "text_file", "image"])]
    posts: Option<PathBuf>,
    /// The bundle; by default the one that comes with the project.
    #[arg(short, long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A profile that `mixed-feelings learn` or the browser's `exportProfile()` wrote, to go on with what it learned.
    #[arg(short, long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Print the analysis as JSON.
    #[arg(long)]
    json: bool,
    /// Where the encoders run: cpu, gpu, gpu:N.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Print which GPUs there are, and nothing else.
    #[arg(long)]
    list_devices: bool,
}

const EXAMPLES: &str = "Examples:
  mixed-feelings predict --text 'Perfect solitude' --image beach.jpg
  mixed-feelings predict --image beach.jpg --json
  mixed-feelings predict --text - < post.txt
  mixed-feelings predict --posts posts.jsonl --json > analyses.jsonl
  jq -c '{text, id}' comments.json | mixed-feelings predict --posts - --json
  mixed-feelings predict --posts posts.jsonl --json --device gpu > analyses.jsonl";

/// Runs the subcommand.
///
/// # Errors
/// When the bundle or the post cannot be read.
pub fn run(args: Args) -> Result<()> {
    let bundle = args.bundle.as_deref();
    match args.device {
        _ if args.list_devices => gpu::list(&mut stdout()),
        DeviceChoice::Cpu => {
            let analyzer = taught(bundle::open(bundle)?, &args)?;
            match &args.posts {
                // A clone is tens of megabytes: as many as there are threads, if each has a pass to read.
                Some(posts) => {
                    many(posts, &mut vec![analyzer; posts::worth(posts)?.min(current_num_threads())])
                }
                None => one(&args, analyzer),
            }
        }
        DeviceChoice::Gpu(index) => {
            let analyzer = taught(gpu::open(bundle, index)?, &args)?;
            match &args.posts {
                Some(posts) => many(posts, &mut [analyzer]),
                None => one(&args, analyzer),
            }
        }
        DeviceChoice::Cuda(_) => {
            bail!("--device {}: it computes float models; for a bundle use --device cpu or gpu", args.device)
        }
    }
}

fn many<M: Immediate + Send>(posts: &Path, analyzers: &mut [Analyzer<M>]) -> Result<()> {
    posts::predict(posts, analyzers, &mut stdout())
}

fn one<M: Immediate>(args: &Args, mut analyzer: Analyzer<M>) -> Result<()> {
    let text = match (&args.text, &args.text_file) {
        (Some(text), _) if text != "-" => Some(text.clone()),
        (Some(dash), _) => Some(post::read_text(dash.as_ref())?),
        (None, Some(file)) => Some(post::read_text(file)?),
        (None, None) => None,
    };
    let mut out = stdout();
    let start = Instant::now();
    let analysis = post::analyze(&mut analyzer, text.as_deref(), args.image.as_deref())?;
    let took = start.elapsed();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&analysis)?)?;
    } else {
        show::analysis(&analysis, took, &mut out)?;
    }
    Ok(())
}

/// With the profile, if there is one.
fn taught<B: Backend>(
    mut analyzer: Analyzer<QuantizedModel<B>>,
    args: &Args,
) -> Result<Analyzer<QuantizedModel<B>>>
where
    mixed_feelings::Error: From<B::Error>,
{
    let Some(path) = &args.profile else { return Ok(analyzer) };
    let bytes = checkpoint::read(path)?;
    let profile = Profile::from_bytes(&bytes).map_err(mixed_feelings::Error::Profile);
    let told = || format!("profile {}", path.display());
    analyzer.set_profile(profile.with_context(told)?).with_context(told)?;
    Ok(analyzer)
}
