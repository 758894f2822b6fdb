//! Tab-separated tables: UTF-8, one header line, no quoting.
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

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::{checkpoint, post};

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
    /// When it cannot be read, has no header, a line is not UTF-8 or a row has another number of columns; file and
    /// line are named.
    pub fn read(path: &Path) -> Result<Self> {
        let (table, bad_rows) = Self::read_leniently(path)?;
        match bad_rows.into_iter().next() {
            Some(bad_row) => Err(bad_row),
            None => Ok(table),
        }
    }

    /// Reads a file and leaves out its bad rows, one error for each of them.
    ///
    /// # Errors
    /// When it cannot be read or has no header that makes sense.
    pub fn read_leniently(path: &Path) -> Result<(Self, Vec<anyhow::Error>)> {
        refuse_dash(path)?;
        let bytes = checkpoint::read(path)?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let lines = bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut lines = (1..).zip(lines).filter(|(_, line)| !line.is_empty());
        let (number, header) =
            lines.next().with_context(|| format!("{}: empty, not even a header", path.display()))?;
        let header = cells(path, number, header)?;
        if let Some(name) = header
            .iter()
            .enumerate()
            .find_map(|(i, name)| header.iter().take(i).any(|other| other == name).then_some(name))
        {
            bail!("{}: two columns are called `{name}`", path.display());
        }
        let (mut rows, mut bad_rows) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            match cells(path, number, line) {
                Ok(cells) if cells.len() == header.len() => rows.push((number, cells)),
                Ok(cells) => {
                    let (is, wanted) = (cells.len(), header.len());
                    let place = path.display();
                    bad_rows.push(anyhow!("{place} line {number}: {is} columns, the header has {wanted}"));
                }
                Err(error) => bad_rows.push(error),
            }
        }
        Ok((Table { path: path.to_owned(), header, rows }, bad_rows))
    }

    /// The columns' names.
    pub fn header(&self) -> &[String] {
        &self.header
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

/// A table is named in messages, and its images lie beside it: standard input goes by a name that says so.
///
/// # Errors
/// When `path` is `-`.
pub fn refuse_dash(path: &Path) -> Result<()> {
    if post::is_dash(path) {
        bail!(
            "-: a table is not read from standard input by this name: say /dev/stdin, or ./- for a file that is called so"
        );
    }
    Ok(())
}

fn cells(path: &Path, number: usize, line: &[u8]) -> Result<Vec<String>> {
    let Ok(line) = str::from_utf8(line) else {
        bail!("{} line {number}: not UTF-8: save the file as UTF-8", path.display())
    };
    Ok(line.split('\t').map(str::to_owned).collect())
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
        self.cells.get(column).map_or("", String::as_str)
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
        let twice = read("a\ta\n").expect_err("a column twice").to_string();
        assert!(twice.contains("two columns are called `a`"), "{twice}");
        Ok(())
    }

    #[test]
    fn all_bad_rows_are_found() -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, b"\xEF\xBB\xBFa\tb\r\n1\t2\n3\n\n\xFF\t5\n6\t7")?;
        let (table, bad_rows) = Table::read_leniently(file.path())?;
        assert_eq!(table.header(), ["a", "b"]);
        assert_eq!(table.rows().map(|row| row.get(1)).collect::<Vec<_>>(), ["2", "7"]);
        let bad_rows: Vec<_> = bad_rows.iter().map(ToString::to_string).collect();
        assert!(bad_rows[0].ends_with("line 3: 1 columns, the header has 2"), "{bad_rows:?}");
        assert!(bad_rows[1].ends_with("line 5: not UTF-8: save the file as UTF-8"), "{bad_rows:?}");
        assert!(Table::read(file.path()).is_err());
        Ok(())
    }
}
