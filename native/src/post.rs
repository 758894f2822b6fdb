//! Reading the two modalities of a post from files, never more of them than the model is willing to look at.
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
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{
    Analysis, Analyzer, Post,
    analyzer::ImageInput,
    image::{Limits, Picture, decode},
    inference::Immediate,
};

/// Bytes read of a text: far more than the model takes, so that its error can tell the true size of most texts.
const READ_OF_A_TEXT: usize = 64 << 20;

/// Decodes the image file at `path`, whole: for training and for what looks at the pixels.
///
/// # Errors
/// When it cannot be read, or is no image, or a larger one than the limits allow, or a part of it is missing: nothing is
/// learned from or measured on half a picture. The message names it.
pub fn read_image(path: &Path) -> Result<Picture> {
    let bytes = image_bytes(path)?;
    let decoded = decode(&bytes, &Limits::default()).map_err(mixed_feelings::Error::from);
    let decoded = decoded.with_context(|| format!("image {}", path.display()))?;
    ensure!(!decoded.incomplete, "image {}: it is damaged, a part of it is missing", path.display());
    Ok(decoded.picture)
}

/// What the bundle says of a post. The image file is read as the browser's package reads it.
///
/// # Errors
/// When the image cannot be read; the message names the file. Those of the analyzer.
pub fn analyze<M: Immediate>(
    analyzer: &mut Analyzer<M>,
    text: Option<&str>,
    image: Option<&Path>,
) -> Result<Analysis> {
    let bytes = image.map(image_bytes).transpose()?;
    let post = Post { text, image: bytes.as_deref().map(ImageInput::Encoded) };
    of_image(analyzer.analyze(post), image)
}

/// What the bundle says of each post, in their order: as [`analyze`], in less time.
pub fn analyze_many<M: Immediate>(
    analyzer: &mut Analyzer<M>,
    posts: &[(Option<&str>, Option<&Path>)],
) -> Vec<Result<Analysis>> {
    let read = |(_, image): &(Option<&str>, Option<&Path>)| image.map(image_bytes).transpose();
    let files: Vec<Result<Option<Vec<u8>>>> = posts.iter().map(read).collect();
    let readable: Vec<Post<'_>> = posts
        .iter()
        .zip(&files)
        .filter_map(|((text, _), bytes)| {
            let bytes = bytes.as_ref().ok()?;
            Some(Post { text: *text, image: bytes.as_deref().map(ImageInput::Encoded) })
        })
        .collect();
    let mut analyses = analyzer.analyze_many(&readable).into_iter();
    drop(readable);
    let mut outcomes = Vec::with_capacity(posts.len());
    for ((_, image), bytes) in posts.iter().zip(files) {
        outcomes.push(bytes.and_then(|_| of_image(analyses.next().context("an analysis a post")?, *image)));
    }
    outcomes
}

/// An error of the image names its file.
fn of_image(analysis: mixed_feelings::Result<Analysis>, image: Option<&Path>) -> Result<Analysis> {
    match (&analysis, image) {
        (Err(mixed_feelings::Error::Image(_)), Some(path)) => {
            analysis.with_context(|| format!("image {}", path.display()))
        }
        _ => Ok(analysis?),
    }
}

/// The bytes of the image file at `path`, or one more than are allowed.
///
/// # Errors
/// When it cannot be read; the message names it.
pub fn image_bytes(path: &Path) -> Result<Vec<u8>> {
    File::open(path)
        .and_then(|file| read_at_most(file, Limits::default().max_bytes))
        .with_context(|| format!("image {}", path.display()))
}

/// Whether `path` is `-`, the name of standard input where a single post or a file of posts is read.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads the text file at `path`; `-` is standard input.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or is longer than a text may be.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = if is_dash(path) {
        read_at_most(io::stdin().lock(), READ_OF_A_TEXT)
    } else {
        File::open(path).and_then(|file| read_at_most(file, READ_OF_A_TEXT))
    };
    let bytes = bytes.with_context(|| format!("text {}", path.display()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            bail!("text {}: not UTF-8 at byte {at}: save it as UTF-8", path.display())
        }
    }
}

/// Reads up to one byte more than `limit`: enough for the reader of the bytes to see that they are too many.
fn read_at_most(source: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
