//! Looks through one table: what is in it, and what is wrong with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use mixed_feelings::{Labels, text::MAX_TEXT_BYTES};
use rayon::prelude::*;

use super::{
    duplicates::{Print, near_images, near_texts},
    pairs::{PairColumns, class},
    report::{Classes, Duplicates, Kind, Pictures, Problem, Problems, Spread, TableReport},
    table::{Table, TableRow},
};
use crate::{post, progress};

/// Most different values of a column that is counted as a class.
const CLASSES: usize = 12;
/// The split of rows that have none.
const WHOLE: &str = "all";

/// As [`inspect`], of a table that was asked for by its name: then it must be one that can be used. A folder may hold any.
pub fn inspect_named(path: &Path, labels: &Labels) -> TableReport {
    let mut report = inspect(path, labels);
    let place = path.display();
    if report.kind == Kind::Other && report.problems.is_empty() {
        let columns = report.columns.join(", ");
        report.add(Problems::Table, format!("{place}: no column `text`; it has {columns}"));
    }
    if report.kind == Kind::Texts && report.is_labelled() && !report.sentiments {
        let known = labels.names().collect::<Vec<_>>().join(", ");
        let message = format!("{place}: label: most are none of {known}: name the table's own with --labels");
        report.add(Problems::Table, message);
    }
    report
}

/// Looks through the table at `path`, whose classes are called as in `labels`.
pub fn inspect(path: &Path, labels: &Labels) -> TableReport {
    let mut report = TableReport::new(path);
    let (table, bad_rows) = match Table::read_leniently(path) {
        Ok(read) => read,
        Err(error) => {
            report.problems.push(Problem::new(Problems::Table, error));
            return report;
        }
    };
    report.columns = table.header().to_vec();
    report.problems.extend(bad_rows.into_iter().map(|error| Problem::new(Problems::Row, error)));
    let items = match kind(&table) {
        Kind::Pairs => pairs(&table, labels, &mut report),
        Kind::Texts => texts(&table, labels, &mut report),
        Kind::Other => return report,
    };
    if items.is_empty() && report.problems.is_empty() {
        report.add(Problems::Table, format!("{}: no rows below the header", path.display()));
    }
    report.rows = items.len();
    report.splits = count(&table, &items);
    check_ids(&table, &items, &mut report);
    check_groups(&table, &items, &mut report);
    let written: Vec<&str> = items.iter().map(|item| item.text).collect();
    report.words = Spread::of(written.iter().map(|text| text.split_whitespace().count()));
    report.characters = Spread::of(written.iter().map(|text| text.chars().count()));
    check_texts(&items, &mut report);
    report.empty_texts = written.iter().filter(|text| text.trim().is_empty()).count();
    report.text_duplicates = Some(duplicates(near_texts(&written), "text", &items, &mut report.problems));
    if report.kind == Kind::Pairs {
        let prints = read_pictures(&items, &mut report);
        report.image_duplicates =
            Some(duplicates(near_images(&prints), "image", &items, &mut report.problems));
    }
    report.texts = written.into_iter().map(str::to_owned).collect();
    report
}

/// A row that was read.
struct Item<'a> {
    row: TableRow<'a>,
    text: &'a str,
    image: Option<PathBuf>,
    split: &'a str,
}

fn kind(table: &Table) -> Kind {
    let has = |name| table.optional_column(name).is_some();
    match (has("image"), has("text")) {
        (true, true) => Kind::Pairs,
        (false, true) => Kind::Texts,
        _ => Kind::Other,
    }
}

fn split<'a>(table: &Table, row: &TableRow<'a>) -> &'a str {
    table.optional_column("split").map_or(WHOLE, |column| row.get(column))
}

fn pairs<'a>(table: &'a Table, labels: &Labels, report: &mut TableReport) -> Vec<Item<'a>> {
    report.kind = Kind::Pairs;
    let (columns, text) =
        match PairColumns::of(table, labels).and_then(|columns| Ok((columns, table.column("text")?))) {
            Ok(columns) => columns,
            Err(error) => {
                report.problems.push(Problem::new(Problems::Table, error));
                return Vec::new();
            }
        };
    let mut items = Vec::new();
    for row in table.rows() {
        match columns.read(&row) {
            Ok(pair) => items.push(Item {
                row,
                text: row.get(text),
                image: Some(pair.image),
                split: split(table, &row),
            }),
            Err(error) => report.problems.push(Problem::new(Problems::Row, error)),
        }
    }
    items
}

fn texts<'a>(table: &'a Table, labels: &Labels, report: &mut TableReport) -> Vec<Item<'a>> {
    report.kind = Kind::Texts;
    let Some(text) = table.optional_column("text") else { return Vec::new() };
    let item = |row: TableRow<'a>| Item { row, text: row.get(text), image: None, split: split(table, &row) };
    let Some(label) = table.optional_column("label") else { return table.rows().map(item).collect() };
    // Labels of another kind (irony, say) are counted as they are; a stray one among known ones is a mistake.
    let is_known = |row: &TableRow<'_>| labels.class(row.get(label)).is_some();
    let known = table.rows().filter(is_known).count();
    report.sentiments = 2 * known >= table.rows().count();
    let mut items = Vec::new();
    for row in table.rows() {
        match class(&row, "label", label, labels) {
            Err(error) if report.sentiments && row.get(label) != "conflict" => {
                report.problems.push(Problem::new(Problems::Row, error));
            }
            _ => items.push(item(row)),
        }
    }
    items
}

/// A text must be there where there is no picture, and be no longer than a text may be.
fn check_texts(items: &[Item<'_>], report: &mut TableReport) {
    for Item { row, text, image, .. } in items {
        if image.is_none() && text.trim().is_empty() {
            report.add(Problems::Row, format!("{}: text: it is empty", row.place()));
        } else if text.len() > MAX_TEXT_BYTES {
            let bytes = text.len();
            let message = format!("{}: text: {bytes} bytes, at most {MAX_TEXT_BYTES} are read", row.place());
            report.add(Problems::Row, message);
        }
    }
}

/// For each split, how often each class of each column of classes occurs.
fn count(table: &Table, items: &[Item<'_>]) -> BTreeMap<String, Classes> {
    let free = ["id", "image", "text", "dup_group", "split"];
    let mut splits: BTreeMap<String, Classes> = BTreeMap::new();
    for item in items {
        splits.entry(item.split.to_owned()).or_default().rows += 1;
    }
    for (column, name) in table.header().iter().enumerate().filter(|(_, name)| !free.contains(&name.as_str()))
    {
        let values: HashSet<&str> = items.iter().map(|item| item.row.get(column)).collect();
        if values.len() > CLASSES {
            continue;
        }
        for item in items {
            let classes = splits.entry(item.split.to_owned()).or_default();
            let counts = classes.columns.entry(name.clone()).or_default();
            *counts.entry(item.row.get(column).to_owned()).or_default() += 1;
        }
    }
    splits
}

fn check_ids(table: &Table, items: &[Item<'_>], report: &mut TableReport) {
    let Some(id) = table.optional_column("id") else { return };
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for item in items {
        let (written, line) = (item.row.get(id), item.row.line());
        if let Some(first) = lines.insert(written, line) {
            let message = format!("{}: id `{written}` is also on line {first}", item.row.place());
            report.add(Problems::Id, message);
        }
    }
}

/// A `dup_group` must lie in one split.
fn check_groups(table: &Table, items: &[Item<'_>], report: &mut TableReport) {
    let Some(column) = table.optional_column("dup_group") else { return };
    let mut splits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in items.iter().filter(|item| !item.row.get(column).is_empty()) {
        splits.entry(item.row.get(column)).or_default().insert(item.split);
    }
    for (group, splits) in splits.into_iter().filter(|(_, splits)| splits.len() > 1) {
        let splits = splits.into_iter().collect::<Vec<_>>().join(" and ");
        let message = format!("{}: dup_group {group} is in the splits {splits}", report.path.display());
        report.add(Problems::Leak, message);
    }
}

/// Counts `groups`; those that cross splits are problems.
fn duplicates(
    groups: Vec<Vec<usize>>,
    what: &str,
    items: &[Item<'_>],
    problems: &mut Vec<Problem>,
) -> Duplicates {
    let mut found = Duplicates { groups: groups.len(), rows: groups.iter().map(Vec::len).sum(), crossing: 0 };
    for group in groups {
        let members = || group.iter().filter_map(|&i| items.get(i));
        let Some(first) = members().next() else { continue };
        if let Some(other) = members().find(|other| other.split != first.split) {
            found.crossing += 1;
            let (place, line) = (first.row.place(), other.row.line());
            let message =
                format!("{place} ({}): nearly the {what} of line {line} ({})", first.split, other.split);
            problems.push(Problem { kind: Problems::Leak, message });
        }
    }
    found
}

/// Decodes every picture; gives a print of each that can be read.
fn read_pictures(items: &[Item<'_>], report: &mut TableReport) -> Vec<Option<Print>> {
    let bar = progress::bar(items.len(), "pictures");
    let read = |item: &Item<'_>| -> Result<Option<(Print, usize, usize)>> {
        let Some(path) = &item.image else { return Ok(None) };
        let place = || item.row.place();
        let picture = post::read_image(path).with_context(place)?;
        let print = Print::of(&picture).with_context(place)?;
        Ok(Some((print, picture.width() as usize, picture.height() as usize)))
    };
    let read: Vec<_> = items.par_iter().map(|item| (read(item), bar.inc(1)).0).collect();
    bar.finish_and_clear();
    let (mut prints, mut widths, mut heights) = (Vec::with_capacity(read.len()), Vec::new(), Vec::new());
    for picture in read {
        match picture {
            Ok(picture) => prints.push(picture.map(|(print, width, height)| {
                widths.push(width);
                heights.push(height);
                print
            })),
            Err(error) => {
                report.problems.push(Problem::new(Problems::Image, error));
                prints.push(None);
            }
        }
    }
    let unreadable = items.len() - widths.len();
    report.pictures = Some(Pictures { unreadable, width: Spread::of(widths), height: Spread::of(heights) });
    prints
}
