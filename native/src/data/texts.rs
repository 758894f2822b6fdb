//! Texts with a label: the rows of a `--texts` table.
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

use std::path::Path;

use anyhow::Result;
use mixed_feelings::Labels;

use super::{
    pairs::class,
    table::{Table, TableRow},
};

/// A text and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRow {
    /// Its line in the table, from 1.
    pub line: usize,
    /// Its class.
    pub label: usize,
    /// The text.
    pub text: String,
}

/// Reads a table of texts: the columns `label` and `text`; others are ignored. Labels are named as in `labels`.
///
/// # Errors
/// When the table cannot be read, lacks a column or a row is wrong; file, line and column are named.
pub fn read_texts(path: &Path, labels: &Labels) -> Result<Vec<TextRow>> {
    let table = Table::read(path)?;
    let (label, text) = (table.column("label")?, table.column("text")?);
    let read = |row: TableRow<'_>| {
        let label = class(&row, "label", label, labels)?;
        Ok(TextRow { line: row.line(), label, text: row.get(text).to_owned() })
    };
    table.rows().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_wrong_ones_named() -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, "id\ttext\tlabel\n1\tso \"good\"\tpositive\n")?;
        let expected = TextRow { line: 2, label: 2, text: "so \"good\"".into() };
        assert_eq!(read_texts(file.path(), &Labels::sentiment())?, [expected]);
        std::fs::write(&file, "label\ttext\nirony\tsure\n")?;
        let error = read_texts(file.path(), &Labels::sentiment()).expect_err("no sentiment").to_string();
        assert!(error.contains("line 2: label: `irony` is none of"), "{error}");
        Ok(())
    }
}
