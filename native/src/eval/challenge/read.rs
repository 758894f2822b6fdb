//! Reading a challenge's folder. Everything in it is checked before a model is asked.
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
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use mixed_feelings::Labels;

use super::{
    Challenge, Question, Swaps,
    swaps::{SLOT, Template},
};
use crate::{
    data::{PairColumns, Table, TableRow, class},
    eval::cases::Case,
};

const TEXTS: &str = "texts.tsv";
const PAIRS: &str = "pairs.tsv";
const SWAPS: &str = "swaps.tsv";

/// The tables of the challenge in the folder `dir`.
pub fn files(dir: &Path) -> [PathBuf; 3] {
    [TEXTS, PAIRS, SWAPS].map(|name| dir.join(name))
}

impl Challenge {
    /// Reads the folder `dir`. Labels are named as in `labels`.
    ///
    /// # Errors
    /// When none of the three tables is there, one cannot be read or a row is wrong; file, line and column are named.
    pub fn read(dir: &Path, labels: &Labels) -> Result<Self> {
        let table = |name: &str| -> Result<Option<Table>> {
            let path = dir.join(name);
            if path.try_exists()? { Table::read(&path).map(Some) } else { Ok(None) }
        };
        let (texts, pairs, swaps) = (table(TEXTS)?, table(PAIRS)?, table(SWAPS)?);
        if texts.is_none() && pairs.is_none() && swaps.is_none() {
            bail!("{}: a challenge has texts.tsv, pairs.tsv or swaps.tsv; none is there", dir.display());
        }
        Ok(Challenge {
            texts: texts.map(|table| read_texts(&table, labels)).transpose()?.unwrap_or_default(),
            pairs: pairs.map(|table| read_pairs(&table, labels)).transpose()?.unwrap_or_default(),
            swaps: swaps.map(|table| read_swaps(&table, labels)).transpose()?.unwrap_or_default(),
        })
    }
}

fn read_texts(table: &Table, labels: &Labels) -> Result<Vec<Question>> {
    let (id, category) = (table.column("id")?, table.column("category")?);
    let (label, text) = (table.column("label")?, table.column("text")?);
    let mut ids = HashSet::new();
    let read = |row: TableRow<'_>| {
        let case = Case {
            id: unique(&row, "id", id, &mut ids)?,
            place: row.place(),
            text: filled(&row, "text", text)?,
            text_label: Some(class(&row, "label", label, labels)?),
            ..Case::default()
        };
        Ok(Question { category: filled(&row, "category", category)?, case })
    };
    not_empty(table, table.rows().map(read).collect::<Result<_>>()?)
}

fn read_pairs(table: &Table, labels: &Labels) -> Result<Vec<Question>> {
    let (id, category, text) = (table.column("id")?, table.column("category")?, table.column("text")?);
    let columns = PairColumns::of(table, labels)?;
    let mut ids = HashSet::new();
    let read = |row: TableRow<'_>| {
        unique(&row, "id", id, &mut ids)?;
        filled(&row, "text", text)?;
        let case = Case::of_pair(table.path(), columns.read(&row)?);
        Ok(Question { category: filled(&row, "category", category)?, case })
    };
    not_empty(table, table.rows().map(read).collect::<Result<_>>()?)
}

fn read_swaps(table: &Table, labels: &Labels) -> Result<Swaps> {
    let (kind, group) = (table.column("kind")?, table.column("group")?);
    let (label, text) = (table.column("label")?, table.column("text")?);
    let mut swaps = Swaps::default();
    let mut templates = HashSet::new();
    for row in table.rows() {
        let place = row.place();
        match row.get(kind) {
            "template" => {
                let text = unique(&row, "text", text, &mut templates)?;
                if text.matches(SLOT).count() != 1 {
                    bail!("{place}: text: a template has the slot {SLOT} once");
                }
                swaps.templates.push(Template { place, label: class(&row, "label", label, labels)?, text });
            }
            "filler" => {
                let (group, word) = (filled(&row, "group", group)?, filled(&row, "text", text)?);
                if word.contains(SLOT) {
                    bail!("{place}: text: a filler has no slot {SLOT}");
                }
                let words = swaps.group(&group);
                if words.contains(&word) {
                    bail!("{place}: text: `{word}` is in the group {group} already");
                }
                words.push(word);
            }
            other => bail!("{place}: kind: `{other}` is none of template, filler"),
        }
    }
    let path = table.path().display();
    if swaps.templates.is_empty() || swaps.groups.is_empty() {
        bail!("{path}: it takes at least a template and a group of fillers");
    }
    if let Some((group, _)) = swaps.groups.iter().find(|(_, words)| words.len() < 2) {
        bail!("{path}: the group {group} has a single filler: nothing to swap it with");
    }
    Ok(swaps)
}

/// The text of a cell that must not be blank.
fn filled(row: &TableRow<'_>, name: &str, column: usize) -> Result<String> {
    let text = row.get(column).trim();
    if text.is_empty() {
        bail!("{}: {name}: empty", row.place());
    }
    Ok(text.to_owned())
}

/// The text of a cell that must not be blank nor occur twice.
fn unique(row: &TableRow<'_>, name: &str, column: usize, seen: &mut HashSet<String>) -> Result<String> {
    let text = filled(row, name, column)?;
    if !seen.insert(text.clone()) {
        bail!("{}: {name}: `{text}` occurs twice", row.place());
    }
    Ok(text)
}

fn not_empty(table: &Table, questions: Vec<Question>) -> Result<Vec<Question>> {
    if questions.is_empty() {
        bail!("{}: no rows below the header", table.path().display());
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::{data::Relation, post};

    const TEXTS: &str = "id\tcategory\tlabel\ttext\n";
    const PAIRS: &str = "id\tcategory\timage\ttext\ttext_label\timage_label\tlabel\trelation\n";
    const SWAPS: &str = "kind\tgroup\tlabel\ttext\n";

    fn read(file: &str, table: &str) -> Result<Challenge> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join(file), table)?;
        Challenge::read(dir.path(), &Labels::sentiment())
    }

    #[test]
    fn wrong_rows_are_named() {
        let says = |file: &str, header: &str, rows: &str, message: &str| {
            let error = format!("{:#}", read(file, &format!("{header}{rows}")).expect_err(rows));
            assert!(error.contains(file) && error.contains(message), "{error}");
        };
        says("texts.tsv", TEXTS, "1\ta\tgood\thi\n", "line 2: label: `good` is none of");
        says("texts.tsv", TEXTS, "1\t\tneutral\thi\n", "line 2: category: empty");
        says("texts.tsv", TEXTS, "1\ta\tneutral\t \n", "line 2: text: empty");
        says("texts.tsv", TEXTS, "1\ta\tneutral\thi\n1\ta\tneutral\tho\n", "line 3: id: `1` occurs twice");
        says("texts.tsv", TEXTS, "", "no rows");
        says("pairs.tsv", PAIRS, "1\ta\tx.jpg\thi\tneutral\tneutral\tneutral\tbad\n", "relation: `bad`");
        says("pairs.tsv", PAIRS, "1\ta\tx.jpg\t\tneutral\tneutral\tneutral\tagree\n", "text: empty");
        says("swaps.tsv", SWAPS, "word\tg\t-\ta man\n", "line 2: kind: `word` is none of");
        says("swaps.tsv", SWAPS, "template\t-\tneutral\tno slot\n", "line 2: text: a template has the slot");
        says("swaps.tsv", SWAPS, "template\t-\tneutral\t{} and {}\n", "has the slot {} once");
        says("swaps.tsv", SWAPS, "filler\tg\t-\t{}\n", "a filler has no slot");
        says("swaps.tsv", SWAPS, "filler\tg\t-\ta man\n", "at least a template");
        says("swaps.tsv", SWAPS, "filler\tg\t-\ta\nfiller\tg\t-\ta\n", "`a` is in the group g already");
        says("swaps.tsv", SWAPS, "template\t-\tneutral\t{} is in\nfiller\tg\t-\ta\n", "a single filler");
        says("texts.tsv", "id\tlabel\ttext\n", "1\tneutral\thi\n", "no column `category`");
        let nothing = read("other.tsv", TEXTS).expect_err("no table").to_string();
        assert!(nothing.contains("texts.tsv, pairs.tsv or swaps.tsv"), "{nothing}");
    }

    /// What the README of the set promises.
    #[test]
    fn the_projects_own_challenge_is_sound() -> Result<()> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/challenge");
        let Challenge { texts, pairs, swaps } = Challenge::read(&dir, &Labels::sentiment())?;
        assert!(texts.len() >= 220 && pairs.len() >= 40 && swaps.templates.len() >= 25);
        assert!(swaps.groups.len() >= 8);
        let mut rows = BTreeMap::<&str, usize>::new();
        for question in texts.iter().chain(&pairs) {
            *rows.entry(&question.category).or_default() += 1;
        }
        assert!(rows.len() >= 13 && rows.values().all(|&rows| rows >= 15), "{rows:?}");
        for Question { category, case } in &pairs {
            let expected = match category.as_str() {
                "contradict" => Relation::Conflict,
                "agree" => Relation::Agree,
                _ => Relation::OneNeutral,
            };
            assert_eq!(case.relation, Some(expected), "{}", case.id);
            let neutral = |label| label == Some(1);
            assert_eq!(
                neutral(case.text_label) != neutral(case.image_label),
                expected == Relation::OneNeutral,
                "{}",
                case.id
            );
            post::read_image(case.image.as_deref().expect("a pair has a picture"))?;
        }
        Ok(())
    }
}
