//! Tab-separated tables: UTF-8, one header line, no quoting.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::checkpoint;

/// A whole table in memory. Every row has as many columns as the header.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8, has no header, or a row has another number of columns; file and line are
    /// named.
    pub fn read(path: &Path) -> Result<Self> {
        let text = checkpoint::read_text(path)?;
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
        let (_, header) =
            lines.next().with_context(|| format!("{}: empty, not even a header", path.display()))?;
        let header: Vec<String> =
            header.trim_start_matches('\u{feff}').split('\t').map(str::to_owned).collect();
        let rows = lines.map(|(i, line)| {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            if cells.len() != header.len() {
                let (is, wanted) = (cells.len(), header.len());
                bail!("{} line {}: {is} columns, the header has {wanted}", path.display(), i + 1);
            }
            Ok((i + 1, cells))
        });
        let rows = rows.collect::<Result<_>>()?;
        Ok(Table { path: path.to_owned(), header, rows })
    }

    /// The index of the column `name`.
    ///
    /// # Errors
    /// When there is none; the columns that are there are named.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.optional_column(name).with_context(|| {
            format!("{}: no column `{name}`; it has {}", self.path.display(), self.header.join(", "))
        })
    }

    /// The index of the column `name`, if it is there.
    pub fn optional_column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        self.rows.iter().map(|(line, cells)| TableRow { path: &self.path, line: *line, cells })
    }
}

/// One row of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct TableRow<'a> {
    path: &'a Path,
    line: usize,
    cells: &'a [String],
}

impl<'a> TableRow<'a> {
    /// The cell of a column that [`Table::column`] gave.
    pub fn get(&self, column: usize) -> &'a str {
        &self.cells[column]
    }

    /// Its line in the file, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The file and line, for messages.
    pub fn place(&self) -> String {
        format!("{} line {}", self.path.display(), self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, text)?;
        Table::read(file.path())
    }

    #[test]
    fn rows_are_read_by_column_name() -> Result<()> {
        let table = read("label\ttext\r\nneutral\ta \"b\"\npositive\tc\n")?;
        let text = table.column("text")?;
        let texts: Vec<_> = table.rows().map(|row| row.get(text).to_owned()).collect();
        assert_eq!(texts, ["a \"b\"", "c"]);
        Ok(())
    }

    #[test]
    fn a_bad_row_or_column_is_named() -> Result<()> {
        let short = format!("{:#}", read("a\tb\n1\t2\n3\n").expect_err("a short row"));
        assert!(short.contains("line 3: 1 columns, the header has 2"), "{short}");
        let missing = format!("{:#}", read("a\tb\n")?.column("c").expect_err("no such column"));
        assert!(missing.contains("no column `c`; it has a, b"), "{missing}");
        assert!(read("").is_err());
        Ok(())
    }
}
