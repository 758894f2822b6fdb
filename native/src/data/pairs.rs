//! Posts with a picture: the rows of a `pairs.tsv`.
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
use mixed_feelings::Labels;
use serde::Serialize;

use super::table::{Table, TableRow};
use crate::checkpoint::beside;

/// How the label of the text and that of the picture stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Equal, or at least polarities of the same sign.
    Agree,
    /// One of them has no polarity, the other has.
    OneNeutral,
    /// Polarities of opposite signs.
    Conflict,
}

impl Relation {
    /// All, in the order in which tables print them.
    pub const ALL: [Relation; 3] = [Relation::Agree, Relation::OneNeutral, Relation::Conflict];

    /// As it is written in a table: `agree`, `one_neutral`, `conflict`.
    pub fn name(self) -> &'static str {
        match self {
            Relation::Agree => "agree",
            Relation::OneNeutral => "one_neutral",
            Relation::Conflict => "conflict",
        }
    }

    /// The relation with this [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.name() == name)
    }
}

/// A post with a picture and its labels, each the index of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRow {
    /// Its line in the table, from 1.
    pub line: usize,
    /// Its name in the table.
    pub id: String,
    /// Where its picture is: the table's folder and the path in the table.
    pub image: PathBuf,
    /// Its text.
    pub text: String,
    /// The label of the text alone.
    pub text_label: usize,
    /// The label of the picture alone.
    pub image_label: usize,
    /// The label of the post; none where text and picture conflict.
    pub label: Option<usize>,
    /// How the two labels stand to each other.
    pub relation: Relation,
    /// The group of near-duplicates that it belongs to, if the table has such a column.
    pub dup_group: Option<String>,
    /// The split that it belongs to, if the table has such a column.
    pub split: Option<String>,
}

/// Reads a table of pairs: the columns `id`, `image`, `text`, `text_label`, `image_label`, `label`, `relation`, and
/// where they are there `dup_group` and `split`. Labels are named as in `labels`.
///
/// # Errors
/// When the table cannot be read, lacks a column or a row is wrong; file, line and column are named.
pub fn read_pairs(path: &Path, labels: &Labels) -> Result<Vec<PairRow>> {
    let table = Table::read(path)?;
    let columns = PairColumns::of(&table, labels)?;
    table.rows().map(|row| columns.read(&row)).collect()
}

/// Where the columns of a [`PairRow`] are.
pub struct PairColumns {
    labels: Labels,
    table: PathBuf,
    id: usize,
    image: usize,
    text: usize,
    text_label: usize,
    image_label: usize,
    label: usize,
    relation: usize,
    dup_group: Option<usize>,
    split: Option<usize>,
}

impl PairColumns {
    /// Finds them.
    ///
    /// # Errors
    /// Names the column that is not there.
    pub fn of(table: &Table, labels: &Labels) -> Result<Self> {
        Ok(PairColumns {
            labels: labels.clone(),
            table: table.path().to_owned(),
            id: table.column("id")?,
            image: table.column("image")?,
            text: table.column("text")?,
            text_label: table.column("text_label")?,
            image_label: table.column("image_label")?,
            label: table.column("label")?,
            relation: table.column("relation")?,
            dup_group: table.optional_column("dup_group"),
            split: table.optional_column("split"),
        })
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When a cell is wrong; file, line and column are named.
    pub fn read(&self, row: &TableRow<'_>) -> Result<PairRow> {
        let place = row.place();
        let label = match row.get(self.label) {
            "conflict" => None,
            _ => Some(class(row, "label", self.label, &self.labels)?),
        };
        let written = row.get(self.relation);
        let Some(relation) = Relation::from_name(written) else {
            bail!("{place}: relation: `{written}` is none of agree, one_neutral, conflict");
        };
        if label.is_none() != (relation == Relation::Conflict) {
            bail!("{place}: label `{}` does not go with relation `{written}`", row.get(self.label));
        }
        if row.get(self.image).is_empty() {
            bail!("{place}: image: no path");
        }
        let cell = |column: Option<usize>| column.map(|column| row.get(column).to_owned());
        Ok(PairRow {
            line: row.line(),
            id: row.get(self.id).to_owned(),
            image: beside(&self.table, row.get(self.image)),
            text: row.get(self.text).to_owned(),
            text_label: class(row, "text_label", self.text_label, &self.labels)?,
            image_label: class(row, "image_label", self.image_label, &self.labels)?,
            label,
            relation,
            dup_group: cell(self.dup_group),
            split: cell(self.split),
        })
    }
}

/// The class that a cell of the column called `name` names.
///
/// # Errors
/// When there is none; file, line and column are named, and the classes that there are.
pub fn class(row: &TableRow<'_>, name: &str, column: usize, labels: &Labels) -> Result<usize> {
    let written = row.get(column);
    let Some(class) = labels.class(written) else {
        let known: Vec<&str> = labels.names().collect();
        bail!("{}: {name}: `{written}` is none of {}", row.place(), known.join(", "));
    };
    Ok(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id\timage\ttext\ttext_label\timage_label\tlabel\trelation";

    fn read(header: &str, row: &str) -> Result<Vec<PairRow>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("pairs.tsv");
        std::fs::write(&path, format!("{header}\n{row}\n"))?;
        let mut rows = read_pairs(&path, &Labels::sentiment())?;
        for row in &mut rows {
            row.image = row.image.strip_prefix(folder.path())?.to_owned();
        }
        Ok(rows)
    }

    #[test]
    fn a_row_is_read() -> Result<()> {
        let row = "7\timages/7.jpg\tPerfect solitude\tpositive\tnegative\tconflict\tconflict\t12\tval";
        let rows = read(&format!("{HEADER}\tdup_group\tsplit"), row)?;
        let expected = PairRow {
            line: 2,
            id: "7".into(),
            image: "images/7.jpg".into(),
            text: "Perfect solitude".into(),
            text_label: 2,
            image_label: 0,
            label: None,
            relation: Relation::Conflict,
            dup_group: Some("12".into()),
            split: Some("val".into()),
        };
        assert_eq!(rows, [expected]);
        let rows = read(HEADER, "7\t7.jpg\thi\tneutral\tneutral\tneutral\tagree")?;
        assert_eq!((rows[0].label, &rows[0].split), (Some(1), &None));
        Ok(())
    }

    #[test]
    fn a_wrong_cell_is_named() {
        let says = |row: &str, message: &str| {
            let error = read(HEADER, row).expect_err(row).to_string();
            assert!(error.contains("pairs.tsv line 2") && error.contains(message), "{error}");
        };
        says(
            "1\t1.jpg\thi\tgood\tneutral\tneutral\tagree",
            "text_label: `good` is none of negative, neutral, positive",
        );
        says("1\t1.jpg\thi\tneutral\tneutral\tneutral\tfriends", "relation: `friends` is none of");
        says("1\t1.jpg\thi\tpositive\tnegative\tpositive\tconflict", "does not go with relation `conflict`");
        says("1\t\thi\tneutral\tneutral\tneutral\tagree", "image: no path");
        says("1\t1.jpg\thi", "3 columns, the header has 7");
    }
}
