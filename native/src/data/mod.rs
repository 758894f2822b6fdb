//! `mixed-feelings data`: tables of posts and texts, read, checked and described.

pub mod duplicates;
mod inspect;
mod pairs;
mod report;
mod table;
mod texts;
mod valence;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use mixed_feelings::{Labels, model::Label};
pub use pairs::{PairColumns, PairRow, Relation, class, read_pairs};
use report::{Report, Shared, TableReport};
use table::refuse_dash;
pub use table::{Table, TableRow};
pub use texts::{TextRow, read_texts};
pub use valence::{ValenceRow, read_valence};

use crate::stdout::stdout;

/// Folders below the one given that are searched for tables.
const DEPTH: usize = 4;

/// Checks and describes a data folder: rows, class balance, lengths, near-duplicates, unreadable images.
///
/// Every `.tsv` in it is looked through. One with the columns `image` and `text` holds posts (`id`, `image`, `text`,
/// `text_label`, `image_label`, `label`, `relation`, and if you like `dup_group` and `split`; image paths start at the
/// table's folder); one with `text` alone holds texts (and usually their `label`).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mixed-feelings data posts/              every table in posts/ and below
  mixed-feelings data posts/pairs.tsv     one table
  mixed-feelings data posts --json | jq '.tables[].problems'

Exit codes: 0 nothing is wrong, 1 problems were found (tables without rows, bad rows, texts that are empty or too long,
unreadable images, ids that occur twice, near-duplicates in different splits; of a table that is named itself also that it
has no column `text`, or other labels than --labels), 2 wrong usage.")]
pub struct Args {
    /// A folder, or a table.
    path: PathBuf,
    /// The labels that the tables name.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "negative,neutral,positive")]
    labels: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// When there is nothing to look at, or problems were found.
pub fn run(args: Args) -> Result<()> {
    // Their polarities do not matter here.
    let labels = args.labels.into_iter().map(|name| Label { name, polarity: 0.0 });
    let report = describe(&args.path, &Labels::new(labels.collect()).context("--labels")?)?;
    let mut out = stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    match report.problems() {
        0 => Ok(()),
        1 => bail!("{}: 1 problem", args.path.display()),
        count => bail!("{}: {count} problems", args.path.display()),
    }
}

/// Looks through every table in `path`, which may be one itself.
fn describe(path: &Path, labels: &Labels) -> Result<Report> {
    refuse_dash(path)?;
    let mut tables = Vec::new();
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    if metadata.is_dir() {
        find_tables(path, DEPTH, &mut tables)?;
        if tables.is_empty() {
            bail!("{}: no table (*.tsv) in this folder", path.display());
        }
    } else {
        tables.push(path.to_owned());
    }
    let inspect = |table: &PathBuf| match metadata.is_dir() {
        true => inspect::inspect(table, labels),
        false => inspect::inspect_named(table, labels),
    };
    let tables: Vec<TableReport> = tables.iter().map(inspect).collect();
    let shared = shared(&tables);
    Ok(Report { path: path.to_owned(), tables, shared })
}

/// Adds the tables in `folder`, those of one folder in the order of their names, before those below it.
fn find_tables(folder: &Path, depth: usize, tables: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    tables.extend(
        files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "tsv")),
    );
    if depth > 0 {
        folders.iter().try_for_each(|folder| find_tables(folder, depth - 1, tables))?;
    }
    Ok(())
}

/// Which tables hold nearly the same texts.
fn shared(tables: &[TableReport]) -> Vec<Shared> {
    if tables.len() < 2 {
        return Vec::new();
    }
    let (mut owners, mut texts) = (Vec::new(), Vec::new());
    for (owner, table) in tables.iter().enumerate() {
        owners.extend(table.texts.iter().map(|_| owner));
        texts.extend(table.texts.iter().map(String::as_str));
    }
    let mut counts: BTreeMap<[usize; 2], usize> = BTreeMap::new();
    for group in duplicates::near_texts(&texts) {
        let mut members: Vec<usize> = group.into_iter().map(|i| owners[i]).collect();
        members.sort_unstable();
        members.dedup();
        for (i, &a) in members.iter().enumerate() {
            for &b in &members[i + 1..] {
                *counts.entry([a, b]).or_default() += 1;
            }
        }
    }
    let shared =
        |(pair, groups): ([usize; 2], usize)| Shared { tables: pair.map(|i| tables[i].path.clone()), groups };
    counts.into_iter().map(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        report::{Kind, Problems},
        *,
    };

    const HEADER: &str = "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tsplit\n";
    const LONG: &str = "Perfect solitude on the beach this morning";

    /// A 32 x 32 BMP of stripes.
    fn stripes(period: u32) -> Vec<u8> {
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\0\0\0\x20\0\0\0\x01\0\x18\0".to_vec();
        bmp.resize(54, 0);
        bmp.extend((0..32 * 32).flat_map(|i| [((i % 32) / period * 60 % 256) as u8; 3]));
        bmp
    }

    fn folder(files: &[(&str, &[u8])]) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().context("a parent")?)?;
            fs::write(path, bytes)?;
        }
        Ok(folder)
    }

    #[test]
    fn a_good_folder_is_described() -> Result<()> {
        let pairs = format!(
            "{HEADER}1\ta.bmp\t{LONG}\tpositive\tnegative\tconflict\tconflict\ttrain\n\
             2\tsub/b.bmp\tso it rains again, all day long\tnegative\tnegative\tnegative\tagree\tval\n"
        );
        let folder = folder(&[
            ("pairs.tsv", pairs.as_bytes()),
            ("a.bmp", &stripes(4)),
            ("sub/b.bmp", &stripes(9)),
            (
                "sub/texts.tsv",
                format!("label\ttext\npositive\tRT @me: {LONG}!\nneutral\tSunday\n").as_bytes(),
            ),
            ("sub/irony.tsv", b"label\ttext\nirony\tsure\n"),
            ("authors.tsv", b"file\tauthor\na.bmp\tme\n"),
        ])?;
        let report = describe(folder.path(), &Labels::sentiment())?;
        assert_eq!(report.problems(), 0, "{report}");
        let names: Vec<_> = report
            .tables
            .iter()
            .map(|table| table.path.file_name().context("a name"))
            .collect::<Result<_>>()?;
        assert_eq!(names, ["authors.tsv", "pairs.tsv", "irony.tsv", "texts.tsv"]);
        let [authors, pairs, irony, texts] = report.tables.as_slice() else { bail!("four tables") };
        assert_eq!((authors.kind, irony.sentiments, texts.sentiments), (Kind::Other, false, true));
        assert_eq!((pairs.kind, pairs.rows), (Kind::Pairs, 2));
        assert_eq!(pairs.splits["train"].columns["label"]["conflict"], 1);
        assert_eq!(pairs.splits["val"].columns["text_label"]["negative"], 1);
        let [shared] = report.shared.as_slice() else { bail!("one pair of tables shares a text: {report}") };
        assert_eq!(shared.groups, 1);
        let json = serde_json::to_value(&report)?;
        assert_eq!(json["tables"][1]["pictures"]["width"]["median"], 32);
        Ok(())
    }

    #[test]
    fn every_problem_is_named() -> Result<()> {
        let cut = &stripes(4)[..500];
        let rows = [
            format!("1\ta.bmp\t{LONG}\tpositive\tpositive\tpositive\tagree\ttrain"),
            format!("2\tb.bmp\tRT @you: {LONG} :)\tpositive\tpositive\tpositive\tagree\tval"),
            "3\tlost.bmp\tno picture\tneutral\tneutral\tneutral\tagree\ttrain".into(),
            "4\tcut.bmp\thalf a picture\tneutral\tneutral\tneutral\tagree\ttrain".into(),
            "4\tsame.bmp\tthe same picture and id\tneutral\tneutral\tneutral\tagree\tval".into(),
            "6\ta.bmp\tbad label\tgood\tneutral\tneutral\tagree\ttrain".into(),
            "7\ta.bmp".into(),
        ];
        let pairs = HEADER.to_owned() + &rows.join("\n");
        let folder = folder(&[
            ("pairs.tsv", pairs.as_bytes()),
            ("a.bmp", &stripes(4)),
            ("b.bmp", &stripes(9)),
            ("same.bmp", &stripes(4)),
            ("cut.bmp", cut),
        ])?;
        let report = describe(folder.path(), &Labels::sentiment())?;
        let problems = &report.tables[0].problems;
        let has = |kind: Problems, message: &str| {
            let found =
                problems.iter().any(|problem| problem.kind == kind && problem.message.contains(message));
            assert!(found, "no {kind:?} that says `{message}` in {problems:#?}");
        };
        has(Problems::Row, "line 8: 2 columns, the header has 8");
        has(Problems::Row, "line 7: text_label: `good`");
        has(Problems::Id, "line 6: id `4` is also on line 5");
        has(Problems::Image, "lost.bmp");
        has(Problems::Image, "cut.bmp: it is damaged");
        has(Problems::Leak, "line 2 (train): nearly the text of line 3 (val)");
        has(Problems::Leak, "line 2 (train): nearly the image of line 6 (val)");
        assert_eq!(problems.len(), 7, "{problems:#?}");
        assert!(
            run(Args {
                path: folder.path().to_owned(),
                labels: Labels::sentiment().names().map(str::to_owned).collect(),
                json: true
            })
            .is_err()
        );
        Ok(())
    }

    #[test]
    fn nothing_to_look_at_is_an_error() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(describe(folder.path(), &Labels::sentiment()).is_err());
        let missing =
            describe(&folder.path().join("no.tsv"), &Labels::sentiment()).expect_err("no such file");
        assert!(format!("{missing:#}").contains("no.tsv"), "{missing:#}");
        Ok(())
    }
}
