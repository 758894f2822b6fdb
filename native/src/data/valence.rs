//! Photos with what people said of them on average: the rows of a `valence` table.
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

use anyhow::{Result, bail};

use super::table::{Table, TableRow};
use crate::checkpoint::beside;

/// The lowest and the highest rating.
const RATINGS: [f64; 2] = [1.0, 7.0];

/// A photo and its rating.
#[derive(Clone, Debug, PartialEq)]
pub struct ValenceRow {
    /// Its line in the table, from 1.
    pub line: usize,
    /// Where it is: the table's folder and the path in the table.
    pub image: PathBuf,
    /// What it shows; photos of one theme resemble each other.
    pub theme: String,
    /// The mean rating, from -1 (unpleasant) to 1 (pleasant).
    pub valence: f64,
    /// The standard deviation of the ratings, on the table's own scale.
    pub spread: f64,
}

/// Reads a table of rated photos: the columns `image`, `theme`, `valence` (a mean from 1 to 7) and `valence_sd`; others are
/// ignored.
///
/// # Errors
/// When the table cannot be read, lacks a column or a row is wrong; file, line and column are named.
pub fn read_valence(path: &Path) -> Result<Vec<ValenceRow>> {
    let table = Table::read(path)?;
    let column = |name| Ok::<_, anyhow::Error>((name, table.column(name)?));
    let [image, theme, valence, spread] =
        [column("image")?, column("theme")?, column("valence")?, column("valence_sd")?];
    let read = |row: TableRow<'_>| {
        for (name, column) in [image, theme] {
            if row.get(column).is_empty() {
                bail!("{}: {name}: nothing", row.place());
            }
        }
        let [low, high] = RATINGS;
        let rating = number(&row, valence, low..=high)?;
        Ok(ValenceRow {
            line: row.line(),
            image: beside(path, row.get(image.1)),
            theme: row.get(theme.1).to_owned(),
            valence: (2.0 * rating - low - high) / (high - low),
            spread: number(&row, spread, f64::MIN_POSITIVE..=high - low)?,
        })
    };
    table.rows().map(read).collect()
}

fn number(
    row: &TableRow<'_>,
    (name, column): (&str, usize),
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64> {
    let written = row.get(column);
    match written.parse() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => bail!(
            "{}: {name}: `{written}` is no number from {:.0} to {:.0}",
            row.place(),
            range.start(),
            range.end()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Result<Vec<ValenceRow>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("photos.tsv");
        std::fs::write(&path, format!("id\timage\ttheme\tvalence\tvalence_sd\traters\n{row}\n"))?;
        let mut rows = read_valence(&path)?;
        for row in &mut rows {
            row.image = row.image.strip_prefix(folder.path())?.to_owned();
        }
        Ok(rows)
    }

    #[test]
    fn a_row_is_read() -> Result<()> {
        let expected = ValenceRow {
            line: 2,
            image: "images/I1.jpg".into(),
            theme: "Acorns".into(),
            valence: 0.25,
            spread: 0.954,
        };
        assert_eq!(read("I1\timages/I1.jpg\tAcorns\t4.75\t0.954\t102")?, [expected]);
        Ok(())
    }

    #[test]
    fn a_wrong_cell_is_named() {
        for (row, message) in [
            ("1\ta.jpg\tSky\t7.5\t1\t9", "line 2: valence: `7.5` is no number from 1 to 7"),
            ("1\ta.jpg\tSky\tgood\t1\t9", "valence: `good`"),
            ("1\ta.jpg\tSky\t4\t0\t9", "valence_sd: `0`"),
            ("1\ta.jpg\tSky\t4\tNaN\t9", "valence_sd: `NaN`"),
            ("1\t\tSky\t4\t1\t9", "image: nothing"),
            ("1\ta.jpg\t\t4\t1\t9", "theme: nothing"),
        ] {
            let error = read(row).expect_err(row).to_string();
            assert!(error.contains("photos.tsv line 2") && error.contains(message), "{error}");
        }
    }
}
