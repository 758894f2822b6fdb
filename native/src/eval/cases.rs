//! What an evaluation asks, and the labels that it holds the answers to.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use mixed_feelings::{Labels, analyzer::Answer};

use crate::data::{PairRow, Relation, TextRow, read_pairs, read_texts};

/// A post and its labels, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// Its name: the `id` of a pair, the row number of a text.
    pub id: String,
    /// Where it is written, for messages.
    pub place: String,
    /// Its text.
    pub text: String,
    /// Its picture, if it has one.
    pub image: Option<PathBuf>,
    /// The label of the text alone.
    pub text_label: Option<usize>,
    /// The label of the picture alone.
    pub image_label: Option<usize>,
    /// The label of the post.
    pub label: Option<usize>,
    /// How the labels of text and picture stand to each other.
    pub relation: Option<Relation>,
    /// The group of near-duplicates that it belongs to, if the table tells.
    pub group: Option<String>,
}

/// A case and what the model answered to it.
pub type Row<'a> = (&'a Case, &'a Answer);

/// Reads a table of pairs, all rows or those of one split. Labels are named as in `labels`.
///
/// # Errors
/// When the table or a row is unreadable, or nothing is left.
pub fn of_pairs(path: &Path, split: Option<&str>, labels: &Labels) -> Result<Vec<Case>> {
    let rows = read_pairs(path, labels)?;
    if let Some(split) = split
        && !rows.iter().any(|row| row.split.as_deref() == Some(split))
    {
        bail!("{}: no row of the split `{split}`", path.display());
    }
    let chosen = rows.into_iter().filter(|row| split.is_none() || row.split.as_deref() == split);
    let cases: Vec<Case> = chosen.map(|row| Case::of_pair(path, row)).collect();
    not_empty(path, cases)
}

/// Reads a table of texts. Their label is that of the text.
///
/// # Errors
/// When the table or a row is unreadable, or there are no rows.
pub fn of_texts(path: &Path, labels: &Labels) -> Result<Vec<Case>> {
    let rows = read_texts(path, labels)?.into_iter().enumerate();
    not_empty(path, rows.map(|(i, row)| Case::of_text(path, i + 1, row)).collect())
}

fn not_empty(path: &Path, cases: Vec<Case>) -> Result<Vec<Case>> {
    if cases.is_empty() {
        bail!("{}: no rows below the header", path.display());
    }
    Ok(cases)
}

impl Case {
    /// From a row of the table of pairs at `table`.
    pub(super) fn of_pair(table: &Path, row: PairRow) -> Self {
        Case {
            id: row.id,
            place: format!("{} line {}", table.display(), row.line),
            text: row.text,
            image: Some(row.image),
            text_label: Some(row.text_label),
            image_label: Some(row.image_label),
            label: row.label,
            relation: Some(row.relation),
            group: row.dup_group,
        }
    }

    fn of_text(table: &Path, number: usize, row: TextRow) -> Self {
        Case {
            id: number.to_string(),
            place: format!("{} line {}", table.display(), row.line),
            text: row.text,
            text_label: Some(row.label),
            ..Case::default()
        }
    }
}
