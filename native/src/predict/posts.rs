//! A file of posts in, a line of JSON each out.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
};

use anyhow::{Context, Result};
use mixed_feelings::{Analysis, Analyzer};
use serde::{Deserialize, Serialize};

use crate::{checkpoint::beside, one_line, post};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    image: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Line {
    Analysis(Box<Analysis>),
    Error { error: Refusal },
}

#[derive(Debug, Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

/// Prints one line for each line of the file at `path`, in their order.
///
/// # Errors
/// When the file cannot be read or the output not written; a bad post is a line of the output.
pub fn predict(path: &Path, analyzer: &mut Analyzer, out: &mut impl Write) -> Result<()> {
    let at = |number: usize| format!("{} line {}", path.display(), number + 1);
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| at(number))?;
        if line.trim().is_empty() {
            continue;
        }
        let line = match one(&line, path, analyzer) {
            Ok(analysis) => Line::Analysis(Box::new(analysis)),
            Err(error) => {
                let code = code_of(&error);
                Line::Error {
                    error: Refusal { code, message: format!("{}: {}", at(number), one_line(&error)) },
                }
            }
        };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}

fn one(line: &str, table: &Path, analyzer: &mut Analyzer) -> Result<Analysis> {
    let post: Post = serde_json::from_str(line)
        .context("not a post, which is {\"text\": string or null, \"image\": path or null}")?;
    let image = post.image.map(|image| beside(table, &image));
    post::analyze(analyzer, post.text.as_deref(), image.as_deref())
}

/// The library's code of an error; `bad-post` for a line that is no post, `unreadable` for a file.
fn code_of(error: &anyhow::Error) -> &'static str {
    let library = error.chain().find_map(|cause| cause.downcast_ref::<mixed_feelings::Error>());
    match library {
        Some(error) => error.code(),
        None if error.downcast_ref::<serde_json::Error>().is_some() => "bad-post",
        None => "unreadable",
    }
}
