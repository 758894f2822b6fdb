//! The labelled texts of the text stage: tables of several tasks, without what stands in the tables that are kept out.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, Result, bail, ensure};
use mixed_feelings::{
    Labels,
    text::{MAX_TEXT_BYTES, TextError, Tokenizer},
};
use rayon::prelude::*;

use super::{
    config::{SENTIMENT, TextSection, TextTable},
    slots::Slots,
};
use crate::data::{Table, duplicates::near_texts};

/// A tokenized text.
#[derive(Clone, Debug)]
pub struct Row {
    /// WordPieces with `[CLS]` and `[SEP]`.
    pub ids: Vec<u32>,
    /// Which of [`Texts::tasks`] it belongs to.
    pub task: usize,
    /// Its class in that task.
    pub class: usize,
}

/// One thing that is learned of texts, with a head of its own.
#[derive(Clone, Debug)]
pub struct TextTask {
    /// Its name in the config.
    pub name: String,
    /// Its classes, in the order of the logits: those of the model for `sentiment`, else sorted by name.
    pub classes: Vec<String>,
    /// The weight of its loss.
    pub weight: f64,
}

/// All texts of the stage.
pub struct Texts {
    /// The first is `sentiment`.
    pub tasks: Vec<TextTask>,
    /// What is learned from.
    pub train: Vec<Row>,
    /// What the best epoch is chosen on; all of the task `sentiment`.
    pub val: Vec<Row>,
}

/// The tables of the stage as they stand on disk; each row has a class of its task and a text that can be read.
struct Tables {
    tasks: Vec<TextTask>,
    train: Vec<Vec<RawRow>>,
    val: Vec<RawRow>,
    /// The texts of `val` and `keep_out`.
    held_out: Vec<String>,
}

/// A row as it stands in its table.
struct RawRow {
    text: String,
    label: String,
    place: String,
}

impl RawRow {
    /// Its class in the task that its table is of.
    fn class(&self, task: &TextTask) -> Result<usize> {
        let class = task.classes.iter().position(|class| *class == self.label);
        class.with_context(|| format!("{}: `{}` is not {}", self.place, self.label, task.classes.join(", ")))
    }

    fn check(&self, task: &TextTask) -> Result<()> {
        self.class(task)?;
        check_length(&self.text).with_context(|| self.place.clone())
    }
}

/// Reads all tables that `section` names and forgets them.
///
/// # Errors
/// Those of [`Texts::read`] that do not take a tokenizer to find.
pub fn check(section: &TextSection, labels: &Labels) -> Result<()> {
    Tables::read(section, labels).map(drop)
}

/// Refuses a text that the tokenizer will refuse.
///
/// # Errors
/// Tells its length and the limit.
pub fn check_length(text: &str) -> Result<(), TextError> {
    match text.len() {
        bytes if bytes > MAX_TEXT_BYTES => Err(TextError::TooLong { bytes, limit: MAX_TEXT_BYTES }),
        _ => Ok(()),
    }
}

impl Tables {
    fn read(section: &TextSection, labels: &Labels) -> Result<Self> {
        let val = read(&section.val)?;
        ensure!(!val.is_empty(), "{} has no rows to choose on", section.val.file.display());
        ensure!(
            section.val.task == SENTIMENT,
            "val is of the task `{}`, not `{SENTIMENT}`",
            section.val.task
        );
        let mut held_out: Vec<String> = val.iter().map(|row| row.text.clone()).collect();
        for table in &section.keep_out {
            held_out.extend(read(table)?.into_iter().map(|row| row.text));
        }
        let train = section.train.iter().map(read).collect::<Result<Vec<_>>>()?;
        let tasks = tasks(&section.train, &train, labels)?;
        for (source, rows) in section.train.iter().zip(&train).chain([(&section.val, &val)]) {
            let (_, task) = find(&tasks, &source.task)?;
            rows.iter().try_for_each(|row| row.check(task))?;
        }
        Ok(Tables { tasks, train, val, held_out })
    }
}

impl Texts {
    /// Reads and tokenizes all tables that `section` names. A text of `train` that is, but for case, punctuation,
    /// mentions and links, nearly one of `val` or `keep_out` is left out: it must not be learned by heart.
    ///
    /// # Errors
    /// When a table or a row is unreadable, a label of `sentiment` is unknown, or nothing is left.
    pub fn read(section: &TextSection, labels: &Labels, tokenizer: &Tokenizer) -> Result<Self> {
        let Tables { tasks, train: tables, val, held_out } = Tables::read(section, labels)?;
        let known = resembling(&held_out, tables.iter().flatten().map(|row| row.text.as_str()));
        let mut train = Vec::new();
        let mut number = 0;
        for (table, rows) in section.train.iter().zip(tables) {
            let numbered = (number..).zip(rows);
            let kept: Vec<RawRow> = numbered
                .inspect(|(i, _)| number = i + 1)
                .filter(|(i, _)| !known.contains(i))
                .map(|(_, row)| row)
                .collect();
            tracing::info!("{}: {} texts for `{}`", table.file.display(), kept.len(), table.task);
            let rows = tokenized(&kept, &table.task, &tasks, tokenizer)?;
            // A filled template is another text each time.
            let times = if table.slots.is_some() { 1 } else { table.repeat };
            for _ in 0..times {
                train.extend(rows.iter().cloned());
            }
        }
        tracing::info!("{} texts left out, because they are nearly one that is kept out", known.len());
        ensure!(!train.is_empty(), "the text stage has nothing to learn from");
        let val = tokenized(&val, SENTIMENT, &tasks, tokenizer)?;
        Ok(Texts { tasks, train, val })
    }
}

/// Which of `texts`, by their number, are near-duplicates of one that is held out.
fn resembling<'a>(held_out: &'a [String], texts: impl Iterator<Item = &'a str>) -> HashSet<usize> {
    let all: Vec<&str> = held_out.iter().map(String::as_str).chain(texts).collect();
    // The very same text counts however short it is.
    let same: HashSet<&str> = held_out.iter().map(|text| text.trim()).collect();
    let exact = (held_out.len()..all.len()).filter(|&i| same.contains(all[i].trim()));
    let groups = near_texts(&all);
    let touched = groups.iter().filter(|group| group.iter().any(|&i| i < held_out.len()));
    let near = touched.flatten().copied().filter(|&i| i >= held_out.len());
    near.chain(exact).map(|i| i - held_out.len()).collect()
}

/// The tasks that the tables name, `sentiment` first, and their classes.
fn tasks(sources: &[TextTable], tables: &[Vec<RawRow>], labels: &Labels) -> Result<Vec<TextTask>> {
    let sentiment = labels.names().map(str::to_owned).collect();
    let mut tasks = vec![TextTask { name: SENTIMENT.into(), classes: sentiment, weight: 1.0 }];
    let others: BTreeSet<&str> =
        sources.iter().map(|t| t.task.as_str()).filter(|&t| t != SENTIMENT).collect();
    for name in others {
        let of_task = || sources.iter().zip(tables).filter(|(source, _)| source.task == name);
        let labels: BTreeSet<&String> =
            of_task().flat_map(|(_, rows)| rows.iter().map(|row| &row.label)).collect();
        ensure!(
            (2..=MOST_CLASSES).contains(&labels.len()),
            "the task `{name}` has {} different labels: it takes 2 to {MOST_CLASSES}",
            labels.len()
        );
        let weight = of_task().map(|(source, _)| source.weight).next().unwrap_or(1.0);
        if of_task().any(|(source, _)| source.weight != weight) {
            bail!("the tables of the task `{name}` must have the same weight");
        }
        tasks.push(TextTask { name: name.into(), classes: labels.into_iter().cloned().collect(), weight });
    }
    Ok(tasks)
}

/// More classes than this are no labels but, say, the column of texts.
const MOST_CLASSES: usize = 64;

fn tokenized(rows: &[RawRow], task: &str, tasks: &[TextTask], tokenizer: &Tokenizer) -> Result<Vec<Row>> {
    let (number, task) = find(tasks, task)?;
    let row = |row: &RawRow| -> Result<Row> {
        let class = row.class(task)?;
        let ids = tokenizer.encode(&row.text).with_context(|| row.place.clone())?.ids;
        Ok(Row { ids, task: number, class })
    };
    rows.par_iter().map(row).collect()
}

/// The task of this name and its number.
fn find<'a>(tasks: &'a [TextTask], name: &str) -> Result<(usize, &'a TextTask)> {
    tasks.iter().enumerate().find(|(_, task)| task.name == name).with_context(|| format!("no task `{name}`"))
}

/// The rows of a table. Pairs whose modalities are opposed have no merged label: they are left out.
fn read(source: &TextTable) -> Result<Vec<RawRow>> {
    let table = Table::read(&source.file)?;
    let (text, label) = (table.column("text")?, table.column(&source.label)?);
    let split = source.split.as_ref().map(|name| Ok::<_, anyhow::Error>((table.column("split")?, name)));
    let split = split.transpose()?;
    let chosen =
        table.rows().filter(|row| split.as_ref().is_none_or(|&(column, name)| row.get(column) == name));
    let labelled = chosen.filter(|row| source.task != SENTIMENT || row.get(label) != "conflict");
    let rows = labelled.map(|row| RawRow {
        text: row.get(text).to_owned(),
        label: row.get(label).to_owned(),
        place: row.place(),
    });
    match &source.slots {
        None => Ok(rows.collect()),
        Some(slots) => filled(rows, &Slots::read(slots)?, source.repeat),
    }
}

/// Each text `times` times, its slots filled.
fn filled(templates: impl Iterator<Item = RawRow>, slots: &Slots, times: usize) -> Result<Vec<RawRow>> {
    let mut rows = Vec::new();
    for template in templates {
        for number in 0..times {
            let text = slots.fill(&template.text, number).with_context(|| template.place.clone())?;
            rows.push(RawRow { text, label: template.label.clone(), place: template.place.clone() });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_resembles_a_held_out_text_is_found() {
        let held_out = ["What a lovely day at the seaside with all of you".to_owned(), "ok".to_owned()];
        let texts = [
            "RT @you: what a lovely day at the seaside, with all of you! http://t.co/x",
            "What a dreadful night in the city",
            "ok",
            "okay",
        ];
        let found = resembling(&held_out, texts.into_iter());
        assert_eq!(found, HashSet::from([0, 2]));
    }
}
