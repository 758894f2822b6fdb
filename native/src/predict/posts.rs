//! A file of posts in, a line of JSON each out.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{Analysis, Analyzer, image::Limits, inference::Immediate};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;

use super::line::{BadLine, Kept, LONGEST_LINE, Post, read};
use crate::{checkpoint::beside, one_line, post, progress};

/// A line of the output.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Box<RawValue>>,
    #[serde(flatten)]
    outcome: Outcome,
    /// The post's further fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    post: BTreeMap<String, Box<RawValue>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Analysis(Box<Analysis>),
    Error { error: Refusal },
}

#[derive(Debug, Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

/// Posts that an analyzer is asked at once. Their texts are read in passes together.
const AT_ONCE: usize = 32;

/// Bytes of lines and image files that are held at once, unless one post has more.
const HELD: usize = 64 << 20;

/// A line of the input, where it is, what comes back of it, and its post or why it is none.
struct Asked {
    at: String,
    kept: Kept,
    post: Result<Post, BadLine>,
    image: Result<Option<PathBuf>>,
}

/// How many analyzers the file at `path` keeps busy, one at least. Of standard input and of a pipe, which can be read once,
/// nobody knows.
///
/// # Errors
/// When it cannot be read.
pub fn worth(path: &Path) -> Result<usize> {
    let told = || path.display().to_string();
    if post::is_dash(path) || !fs::metadata(path).with_context(told)?.is_file() {
        return Ok(usize::MAX);
    }
    let mut file = BufReader::new(File::open(path).with_context(told)?);
    let mut lines = 0usize;
    while file.skip_until(b'\n').with_context(told)? > 0 {
        lines += 1;
    }
    Ok(lines.div_ceil(AT_ONCE).max(1))
}

/// Prints one line for each line of the file at `path`, or of standard input for `-`, in their order. The analyzers, which
/// are all alike, share the posts.
///
/// # Errors
/// When the file cannot be read or the output not written. A bad post is a line of the output; after the last post the error
/// tells how many there were.
pub fn predict<M: Immediate + Send>(
    path: &Path,
    analyzers: &mut [Analyzer<M>],
    out: &mut impl Write,
) -> Result<()> {
    let name = if post::is_dash(path) { "standard input".to_owned() } else { path.display().to_string() };
    let (mut lines, length) = open(path).with_context(|| name.clone())?;
    let bar = progress::bar(usize::try_from(length).unwrap_or(usize::MAX), "bytes read");
    let (mut bytes, mut posts, mut refused) = (Vec::new(), 0usize, 0usize);
    let most = AT_ONCE * analyzers.len();
    let (mut asked, mut held) = (Vec::with_capacity(most), 0);
    for number in 1.. {
        bytes.clear();
        let at = || format!("{name} line {number}");
        let longest = LONGEST_LINE as u64 + 1;
        let read_bytes = lines.by_ref().take(longest).read_until(b'\n', &mut bytes).with_context(at)?;
        if read_bytes == 0 {
            break;
        }
        bar.inc(read_bytes as u64);
        if bytes.len() > LONGEST_LINE && !bytes.ends_with(b"\n") {
            lines.skip_until(b'\n').with_context(at)?;
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        posts += 1;
        let (kept, post) = read(&bytes);
        let image = post.as_ref().map_or(Ok(None), |post| image_of(post, path));
        let (image, length) = match image {
            Ok(Some((image, length))) => (Ok(Some(image)), length),
            Ok(None) => (Ok(None), 0),
            Err(error) => (Err(error), 0),
        };
        let own = bytes.len().saturating_add(length);
        if held + own > HELD {
            refused += answer(std::mem::take(&mut asked), analyzers, out)?;
            held = 0;
        }
        held += own;
        asked.push(Asked { at: at(), kept, post, image });
        if asked.len() == most {
            held = 0;
            refused += answer(std::mem::take(&mut asked), analyzers, out)?;
        }
    }
    refused += answer(asked, analyzers, out)?;
    bar.finish_and_clear();
    if refused > 0 {
        bail!("{name}: {refused} of {posts} posts could not be read; their lines say why");
    }
    Ok(())
}

/// The lines, and how many bytes they are where that is known.
fn open(path: &Path) -> io::Result<(Box<dyn BufRead>, u64)> {
    if post::is_dash(path) {
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let file = File::open(path)?;
    let length = file.metadata().map_or(0, |file| file.len());
    Ok((Box::new(BufReader::new(file)), length))
}

/// Prints a line for each of `asked`, and returns how many of them were refused.
fn answer<M: Immediate + Send>(
    asked: Vec<Asked>,
    analyzers: &mut [Analyzer<M>],
    out: &mut impl Write,
) -> Result<usize> {
    let share = asked.len().div_ceil(analyzers.len()).max(1);
    let shares = asked.par_chunks(share).zip(analyzers);
    let analyses: Vec<_> = shares.map(|(asked, analyzer)| analyses(asked, analyzer)).collect();
    let mut analyses = analyses.into_iter().flatten();
    let mut refused = 0;
    for Asked { at, kept: Kept { id, further }, post, image } in asked {
        let analysis = match post {
            Ok(_) => image.and_then(|_| analyses.next().context("an analysis a post")?),
            Err(bad) => Err(bad.into()),
        };
        let outcome = analysis.map_or_else(
            |error| {
                refused += 1;
                let message = format!("{at}: {}", one_line(&error));
                Outcome::Error { error: Refusal { code: code_of(&error), message } }
            },
            |analysis| Outcome::Analysis(Box::new(analysis)),
        );
        writeln!(out, "{}", serde_json::to_string(&Line { id, outcome, post: further })?)?;
    }
    Ok(refused)
}

/// What `analyzer` says of those that can be read.
fn analyses<M: Immediate>(asked: &[Asked], analyzer: &mut Analyzer<M>) -> Vec<Result<Analysis>> {
    let readable: Vec<(Option<&str>, Option<&Path>)> = asked
        .iter()
        .filter_map(|asked| match (&asked.post, &asked.image) {
            (Ok(post), Ok(image)) => Some((post.text.as_deref(), image.as_deref())),
            _ => None,
        })
        .collect();
    post::analyze_many(analyzer, &readable)
}

/// The image file of a post, and its length.
fn image_of(post: &Post, table: &Path) -> Result<Option<(PathBuf, usize)>> {
    let Some(image) = post.image.as_ref().map(|image| beside(table, image)) else { return Ok(None) };
    // A pipe would be waited for, a device never ends.
    let kind = fs::metadata(&image).with_context(|| format!("image {}", image.display()))?;
    ensure!(kind.is_file(), "image {}: not a file but a folder, a device or a pipe", image.display());
    // What is longer than an image may be is not read to its end.
    Ok(Some((image, usize::try_from(kind.len()).unwrap_or(usize::MAX).min(Limits::default().max_bytes))))
}

/// The library's code of an error; `bad-post` for a line that is no post, `unreadable` for a file.
fn code_of(error: &anyhow::Error) -> &'static str {
    let library = error.chain().find_map(|cause| cause.downcast_ref::<mixed_feelings::Error>());
    match library {
        Some(error) => error.code(),
        None if error.is::<BadLine>() => "bad-post",
        None => "unreadable",
    }
}
