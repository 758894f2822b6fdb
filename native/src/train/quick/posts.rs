//! The table that `--quick` learns from: texts with a label, some of them with a picture.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{Labels, model::Label};

use crate::{
    checkpoint::beside,
    data::{Table, TableRow},
    train::texts::check_length,
};

/// Rows that a label needs: with fewer there is none to measure on.
const LEAST: usize = 10;
/// More labels than this are no labels but, say, names of authors.
const MOST_LABELS: usize = 50;

/// A row of the table.
#[derive(Clone, Debug)]
pub struct LabelledPost {
    /// Where it is written, for messages.
    pub place: String,
    /// Its text.
    pub text: String,
    /// Its picture, if it has one.
    pub image: Option<PathBuf>,
    /// Its class.
    pub class: usize,
    /// What the column `split` says of it.
    pub split: Option<String>,
}

/// A whole table.
#[derive(Clone, Debug)]
pub struct Posts {
    /// What its labels are.
    pub labels: Labels,
    /// The rows.
    pub rows: Vec<LabelledPost>,
}

impl Posts {
    /// Reads and checks a table with the columns `text`, `label` and, if there are any, `image` (paths from the table's folder) and
    /// `split`. Where its labels are those of `known`, they have the same order; of others, a polarity comes from
    /// `polarities` or `known`, or is 0.
    ///
    /// # Errors
    /// When a column is missing, a row has no text, no label or no picture where it says one, or there is not enough to
    /// learn from; the row is named.
    pub fn read(table: &Path, known: &Labels, polarities: &[(String, f32)]) -> Result<Self> {
        let table = open(table)?;
        let [text, label] = ["text", "label"].map(|name| table.column(name));
        let (text, label) = (text?, label?);
        let [image, split] = ["image", "split"].map(|name| table.optional_column(name));
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for row in table.rows() {
            let name = row.get(label);
            ensure!(!name.trim().is_empty(), "{}: no label", row.place());
            counts.entry(name).or_insert((0, row.line())).0 += 1;
        }
        let labels = labels(table.path(), &counts, known, polarities)?;
        let read = |row: TableRow<'_>| -> Result<LabelledPost> {
            let (text, image) = (row.get(text), image.map(|column| row.get(column)));
            ensure!(
                !text.trim().is_empty(),
                "no text; a post that is a picture alone cannot be learned from"
            );
            check_length(text)?;
            let image = image.filter(|name| !name.trim().is_empty()).map(|name| beside(table.path(), name));
            if let Some(image) = &image {
                ensure!(image.is_file(), "image {}: there is no such file", image.display());
            }
            Ok(LabelledPost {
                place: row.place(),
                text: text.to_owned(),
                image,
                class: labels.class(row.get(label)).context("a label that was not counted")?,
                split: split.map(|column| row.get(column).to_owned()),
            })
        };
        let rows = table.rows().map(|row| read(row).with_context(|| row.place())).collect::<Result<_>>()?;
        Ok(Posts { labels, rows })
    }
}

fn open(path: &Path) -> Result<Table> {
    let table = Table::read(path)?;
    if let [only] = table.header()
        && (only.contains(',') || only.contains(';'))
    {
        bail!(
            "{}: its header is one column, `{only}`; columns are separated by tabs: save it as tab-separated text",
            path.display()
        );
    }
    Ok(table)
}

/// The labels that were counted, each with its number of rows and the line of the first.
fn labels(
    table: &Path,
    counts: &BTreeMap<&str, (usize, usize)>,
    known: &Labels,
    polarities: &[(String, f32)],
) -> Result<Labels> {
    let place = table.display();
    let told = || {
        let told: Vec<String> = counts.iter().map(|(name, (count, _))| format!("{name} {count}")).collect();
        told.join(", ")
    };
    match counts.len() {
        0 => bail!("{place}: no rows below the header"),
        1 => {
            bail!("{place}: every row has the same label ({}); two or more are needed to tell apart", told())
        }
        many if many > MOST_LABELS => {
            bail!(
                "{place}: {many} different labels, --quick takes {MOST_LABELS}: is `label` the right column?"
            )
        }
        _ => {}
    }
    if let Some((name, (count, line))) = counts.iter().find(|(_, (count, _))| *count < LEAST) {
        bail!(
            "{place}: the label `{name}` stands on {count} row{} (the first is line {line}), and needs {LEAST}; \
             the labels are {}",
            if *count == 1 { "" } else { "s" },
            told()
        );
    }
    if let Some((name, _)) = polarities.iter().find(|(name, _)| !counts.contains_key(name.as_str())) {
        bail!("--polarity {name}: no row of {place} has this label; the labels are {}", told());
    }
    let names: BTreeSet<&str> = counts.keys().copied().collect();
    if polarities.is_empty() && known.names().collect::<BTreeSet<_>>() == names {
        return Ok(known.clone());
    }
    let polarity = |name: &str| {
        let said = polarities.iter().find(|(said, _)| said == name).map(|(_, polarity)| *polarity);
        said.or_else(|| known.iter().find(|label| label.name == name).map(|label| label.polarity))
    };
    let label = |name: &&str| Label { name: (*name).to_owned(), polarity: polarity(name).unwrap_or(0.0) };
    Labels::new(names.iter().map(label).collect()).context("--polarity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str, polarities: &[(&str, f32)]) -> Result<Posts> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("posts.tsv");
        std::fs::write(&path, table)?;
        let polarities: Vec<_> = polarities.iter().map(|(name, p)| ((*name).to_owned(), *p)).collect();
        Posts::read(&path, &Labels::sentiment(), &polarities)
    }

    fn told(table: &str) -> String {
        read(table, &[]).map_or_else(|error| format!("{error:#}"), |posts| format!("{:?}", posts.labels))
    }

    /// So many rows of each label.
    fn rows(counts: &[(&str, usize)]) -> String {
        let row = |label: &str, i| format!("{label}\tpost {i}\n");
        let rows = counts.iter().flat_map(|(label, count)| (0..*count).map(move |i| row(label, i)));
        "label\ttext\n".to_owned() + &rows.collect::<String>()
    }

    #[test]
    fn every_mistake_is_told() {
        let all = |count| rows(&[("positive", count), ("negative", count), ("neutral", count)]);
        assert!(told("").contains("empty"));
        assert!(told("text,label\nso good,positive\n").contains("separated by tabs"));
        assert!(told("text\tfeeling\na\tb\n").contains("no column `label`; it has text, feeling"));
        assert!(told("text\tlabel\n").contains("no rows"));
        assert!(told(&rows(&[("ham", 30)])).contains("every row has the same label (ham 30)"));
        let misspelt = told(&(all(10) + "postive\tso good\n"));
        assert!(misspelt.contains("`postive` stands on 1 row (the first is line 32)"), "{misspelt}");
        assert!(misspelt.contains("negative 10, neutral 10, positive 10, postive 1"), "{misspelt}");
        assert!(told(&(all(10) + "\tso good\n")).contains("line 32: no label"));
        assert!(told(&(all(10) + "neutral\t \n")).contains("line 32: no text"));
        let many: Vec<String> = (0..60).map(|i| format!("author {i}")).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|name| (name.as_str(), 10)).collect();
        assert!(told(&rows(&many)).contains("60 different labels"));
        let lost =
            "label\ttext\timage\n".to_owned() + &"ham\ta\t\nspam\tb\t\n".repeat(10) + "ham\tc\tlost.jpg\n";
        let lost = told(&lost);
        assert!(lost.contains("line 22") && lost.contains("lost.jpg: there is no such file"), "{lost}");
    }

    #[test]
    fn labels_are_the_models_or_their_own() -> Result<()> {
        let same = rows(&[("positive", 10), ("neutral", 12), ("negative", 10)]);
        assert!(read(&same, &[])?.labels.is_sentiment(), "in the model's order");
        let other = rows(&[("positive", 10), ("angry", 12), ("curious", 10)]);
        let labels = read(&other, &[("angry", -0.8)])?.labels;
        let found: Vec<_> = labels.iter().map(|label| (label.name.as_str(), label.polarity)).collect();
        assert_eq!(found, [("angry", -0.8), ("curious", 0.0), ("positive", 1.0)]);
        let error = read(&other, &[("anger", -1.0)]).expect_err("no such label").to_string();
        assert!(error.contains("--polarity anger") && error.contains("angry 12"), "{error}");
        assert!(
            format!("{:#}", read(&other, &[("angry", -2.0)]).expect_err("too much")).contains("polarity")
        );
        Ok(())
    }
}
