//! What `mixed-feelings data` found, as JSON and as a table for people.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Problems that are printed one by one; `--json` has them all.
const SHOWN: usize = 20;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was looked through.
    pub path: PathBuf,
    /// Each table in it.
    pub tables: Vec<TableReport>,
    /// Pairs of tables that hold nearly the same texts. No problem in itself; one if the two are used as splits.
    pub shared: Vec<Shared>,
}

/// Two tables that hold nearly the same texts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// The tables.
    pub tables: [PathBuf; 2],
    /// Groups of near-duplicate texts with rows in both.
    pub groups: usize,
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Posts with a picture: it has the columns `image` and `text`.
    Pairs,
    /// Texts: it has the column `text`.
    Texts,
    /// Something else; it is not looked into.
    Other,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct TableReport {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// Its columns.
    pub columns: Vec<String>,
    /// Rows that could be read.
    pub rows: usize,
    /// Whether its labels are known ones, so that `train` and `eval` can use it.
    pub sentiments: bool,
    /// For each split, its rows and classes.
    pub splits: BTreeMap<String, Classes>,
    /// Rows whose text is empty or white space.
    pub empty_texts: usize,
    /// Words a text.
    pub words: Option<Spread>,
    /// Characters a text.
    pub characters: Option<Spread>,
    /// Its pictures.
    pub pictures: Option<Pictures>,
    /// Near-duplicate texts.
    pub text_duplicates: Option<Duplicates>,
    /// Near-duplicate pictures.
    pub image_duplicates: Option<Duplicates>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The texts, to compare tables.
    #[serde(skip)]
    pub texts: Vec<String>,
}

/// The rows of a split.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// How many.
    pub rows: usize,
    /// For each column of classes, how often each class occurs.
    pub columns: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Pictures of a table.
#[derive(Debug, Serialize)]
pub struct Pictures {
    /// Those that are missing or cannot be decoded.
    pub unreadable: usize,
    /// Columns of the others.
    pub width: Option<Spread>,
    /// Rows of the others.
    pub height: Option<Spread>,
}

/// Groups of rows that are nearly the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Groups of two or more.
    pub groups: usize,
    /// Rows in them.
    pub rows: usize,
    /// Groups with rows in more than one split.
    pub crossing: usize,
}

/// How numbers are spread.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The least.
    pub least: usize,
    /// The one in the middle.
    pub median: usize,
    /// 95 of 100 are at most this.
    pub p95: usize,
    /// The greatest.
    pub most: usize,
}

impl Spread {
    /// That of `numbers`, if there are any.
    pub fn of(numbers: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut numbers: Vec<usize> = numbers.into_iter().collect();
        numbers.sort_unstable();
        let last = numbers.len().checked_sub(1)?;
        let at = |percent: usize| numbers[last * percent / 100];
        Some(Spread { least: at(0), median: at(50), p95: at(95), most: at(100) })
    }
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: Problems,
    /// Where and what.
    pub message: String,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problems {
    /// The table as a whole cannot be used.
    Table,
    /// A row cannot be read.
    Row,
    /// An id occurs twice.
    Id,
    /// A picture is missing or cannot be decoded.
    Image,
    /// Near-duplicates stand in different splits.
    Leak,
}

impl Problem {
    /// With the error and its causes as the message.
    pub fn new(kind: Problems, error: anyhow::Error) -> Self {
        Problem { kind, message: format!("{error:#}") }
    }
}

impl TableReport {
    /// Of a table that has not been looked into yet.
    pub fn new(path: &Path) -> Self {
        TableReport {
            path: path.to_owned(),
            kind: Kind::Other,
            columns: Vec::new(),
            rows: 0,
            sentiments: false,
            splits: BTreeMap::new(),
            empty_texts: 0,
            words: None,
            characters: None,
            pictures: None,
            text_duplicates: None,
            image_duplicates: None,
            problems: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// Notes something that is wrong.
    pub fn add(&mut self, kind: Problems, message: String) {
        self.problems.push(Problem { kind, message });
    }

    /// Whether it says what its texts feel.
    pub fn is_labelled(&self) -> bool {
        self.columns.iter().any(|column| column == "label")
    }
}

impl Problems {
    /// As in JSON.
    fn name(self) -> &'static str {
        match self {
            Problems::Table => "table",
            Problems::Row => "row",
            Problems::Id => "id",
            Problems::Image => "image",
            Problems::Leak => "leak",
        }
    }
}

impl Report {
    /// How many problems there are.
    pub fn problems(&self) -> usize {
        self.tables.iter().map(|table| table.problems.len()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        for Shared { tables: [a, b], groups } in &self.shared {
            writeln!(f, "{} and {} share {groups} near-duplicate texts", a.display(), b.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (self.kind, self.sentiments) {
            (Kind::Pairs, _) => "pairs of text and image",
            (Kind::Texts, true) => "texts with a label",
            (Kind::Texts, false) if self.is_labelled() => "texts, labelled otherwise",
            (Kind::Texts, false) => "texts without a label",
            (Kind::Other, _) => "no column `text`, not looked into",
        };
        writeln!(
            f,
            "{}\n  {kind}: {} rows; columns {}",
            self.path.display(),
            self.rows,
            self.columns.join(", ")
        )?;
        for (split, classes) in &self.splits {
            writeln!(f, "  {split}: {} rows", classes.rows)?;
            for (column, counts) in &classes.columns {
                let share = |count: usize| 100.0 * count as f64 / classes.rows.max(1) as f64;
                let counts: Vec<String> = counts
                    .iter()
                    .map(|(class, &count)| format!("{class} {count} ({:.1} %)", share(count)))
                    .collect();
                writeln!(f, "    {column:<12} {}", counts.join(", "))?;
            }
        }
        let spread = |f: &mut fmt::Formatter<'_>, what: &str, spread: &Option<Spread>| match spread {
            None => Ok(()),
            Some(Spread { least, median, p95, most }) => {
                writeln!(f, "  {what:<14} {least} to {most}, median {median}, 95 % at most {p95}")
            }
        };
        spread(f, "words", &self.words)?;
        spread(f, "characters", &self.characters)?;
        if self.empty_texts > 0 {
            writeln!(f, "  empty texts    {}", self.empty_texts)?;
        }
        if let Some(pictures) = &self.pictures {
            spread(f, "image width", &pictures.width)?;
            spread(f, "image height", &pictures.height)?;
            writeln!(f, "  unreadable     {} images", pictures.unreadable)?;
        }
        for (what, duplicates) in [("texts", &self.text_duplicates), ("images", &self.image_duplicates)] {
            if let Some(Duplicates { groups, rows, crossing }) = duplicates {
                let crossing =
                    if *crossing > 0 { format!(", {crossing} across splits") } else { String::new() };
                writeln!(f, "  near-duplicate {what}: {rows} rows in {groups} groups{crossing}")?;
            }
        }
        if !self.problems.is_empty() {
            let mut counts: BTreeMap<Problems, usize> = BTreeMap::new();
            for problem in &self.problems {
                *counts.entry(problem.kind).or_default() += 1;
            }
            let counts: Vec<String> =
                counts.into_iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
            writeln!(f, "  problems: {} ({})", self.problems.len(), counts.join(", "))?;
        }
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "    {}", problem.message)?;
        }
        if self.problems.len() > SHOWN {
            writeln!(f, "    and {} more (--json has them all)", self.problems.len() - SHOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_of_numbers() {
        let hundred = Spread { least: 1, median: 51, p95: 96, most: 101 };
        assert_eq!(Spread::of((1..=101).rev()), Some(hundred));
        assert_eq!(Spread::of([7]), Some(Spread { least: 7, median: 7, p95: 7, most: 7 }));
        assert_eq!(Spread::of([]), None);
    }
}
