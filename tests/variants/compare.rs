//! Compares what this library makes of the pictures in a folder with what Pillow and Chromium make of them.
//!
//! ```text
//! cargo run --release --example variants -- FOLDER
//! ```
//!
//! Prints a table by kind and every picture that differs; see `tests/variants/README.md`.

use std::{collections::BTreeMap, error::Error, fs, path::Path, process::ExitCode};

use mixed_feelings::{
    Analyzer, Post,
    analyzer::ImageInput,
    image::{Decoded, ImageError, Limits, Picture, decode},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors");

/// Levels by which the mean of a picture may differ.
const TOLERANCE: f64 = 1.0;

/// Two labels whose scores are this near are as good as equal: a rounded pixel decides between them.
const TIE: f32 = 0.05;

/// What became of the pictures of a kind.
#[derive(Default)]
struct Row {
    files: usize,
    read: usize,
    incomplete: usize,
    /// For Pillow and Chromium: pictures compared, sum of the mean differences, labels that are equal, pictures beyond the
    /// tolerance.
    judges: [Judged; 2],
    /// Read by Chromium and not here, and the other way round.
    only: [usize; 2],
    worst: (f64, String),
    /// Largest difference of the valence from Chromium's.
    valence: f32,
}

#[derive(Default)]
struct Judged {
    compared: usize,
    differences: f64,
    labels: usize,
    /// Other labels between which a hair decided.
    ties: usize,
    beyond: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The number of pictures that differ.
fn run() -> Result<usize> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: variants FOLDER    (that generate.py and chromium.mjs wrote)")?;
    let folder = Path::new(&folder);
    let kinds = fs::read_to_string(folder.join("kinds.tsv"))?;
    fs::create_dir_all(folder.join("ours"))?;
    let mut analyzer = Analyzer::from_bundle(fs::read(BUNDLE)?)?;
    let mut rows = BTreeMap::<&str, Row>::new();
    let (mut failures, mut accepted) = (Vec::new(), Vec::new());
    for line in kinds.lines() {
        let [name, kind, known] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err("kinds.tsv has three columns".into());
        };
        let row = rows.entry(kind).or_default();
        let ours = decode(&fs::read(folder.join("files").join(name))?, &Limits::default());
        if let Ok(Decoded { picture, .. }) = &ours {
            let sides = [picture.width(), picture.height()].map(u32::to_le_bytes);
            fs::write(folder.join("ours").join(name), [sides.as_flattened(), picture.pixels()].concat())?;
        }
        let before = failures.len();
        compare(folder, name, &ours, row, &mut analyzer, &mut failures)?;
        if !known.is_empty() {
            accepted.extend(failures.drain(before..).map(|failure| format!("{failure}: {known}")));
        }
    }
    print_table(&rows);
    println!("\n{} pictures differ for a known reason", accepted.len());
    for failure in &accepted {
        println!("{failure}");
    }
    println!("\n{} pictures differ", failures.len());
    for failure in &failures {
        println!("{failure}");
    }
    Ok(failures.len())
}

fn compare(
    folder: &Path,
    name: &str,
    ours: &std::result::Result<Decoded, ImageError>,
    row: &mut Row,
    analyzer: &mut Analyzer,
    failures: &mut Vec<String>,
) -> Result<()> {
    row.files += 1;
    let mut shown = ["pillow", "chromium"].map(|judge| picture(&folder.join(judge).join(name)));
    // An `<img>` that shows nothing at all of a damaged file is no judge of what could be shown.
    shown[1].take_if(|picture| picture.pixels().iter().all(|&value| value == 255) && shows_something(ours));
    let decoded = match ours {
        Ok(decoded) => decoded,
        Err(error) => {
            if shown[1].is_some() {
                row.only[0] += 1;
                failures.push(format!("{name}: Chromium shows it: {error}"));
            } else if shown[0].is_some() {
                failures.push(format!("{name}: Pillow reads it: {error}"));
            }
            return Ok(());
        }
    };
    row.read += 1;
    row.incomplete += usize::from(decoded.incomplete);
    row.only[1] += usize::from(shown[1].is_none());
    for ((judge, shown), judged) in ["Pillow", "Chromium"].into_iter().zip(&shown).zip(&mut row.judges) {
        let Some(shown) = shown else { continue };
        judged.compared += 1;
        let Some(difference) = mean_difference(&decoded.picture, shown) else {
            judged.beyond += 1;
            let sides = |picture: &Picture| format!("{}x{}", picture.width(), picture.height());
            failures.push(format!("{name}: {}, {judge} has {}", sides(&decoded.picture), sides(shown)));
            continue;
        };
        judged.differences += difference;
        if difference > row.worst.0 {
            row.worst = (difference, format!("{name} ({judge})"));
        }
        if difference > TOLERANCE {
            judged.beyond += 1;
            failures.push(format!("{name}: {difference:.2} levels from {judge}"));
        }
        let labels = if decoded.picture == *shown {
            None
        } else {
            Some((label(analyzer, &decoded.picture)?, label(analyzer, shown)?))
        };
        if let (Some(((.., ours), (.., theirs))), "Chromium") = (&labels, judge) {
            row.valence = row.valence.max((ours - theirs).abs());
        }
        match labels {
            Some(((ours, lead, _), (theirs, ..)))
                if ours != theirs && lead <= TIE && difference <= TOLERANCE =>
            {
                judged.ties += 1;
            }
            Some(((ours, ..), (theirs, ..))) if ours != theirs => {
                failures
                    .push(format!("{name}: {ours}, {theirs} as {judge} shows it ({difference:.2} levels)"));
            }
            _ => judged.labels += 1,
        }
    }
    Ok(())
}

fn shows_something(ours: &std::result::Result<Decoded, ImageError>) -> bool {
    ours.as_ref().is_ok_and(|decoded| decoded.picture.pixels().iter().any(|&value| value != 255))
        || ours.is_err()
}

/// The label, by how much its score is above the next, and the valence.
fn label(analyzer: &mut Analyzer, picture: &Picture) -> Result<(String, f32, f32)> {
    let image = Some(ImageInput::Picture(picture));
    let analysis = analyzer.analyze(Post { image, ..Post::default() })?;
    let mut scores = analysis.scores.probabilities().to_vec();
    scores.sort_by(|a, b| b.total_cmp(a));
    Ok((analysis.label, scores.first().unwrap_or(&0.0) - scores.get(1).unwrap_or(&0.0), analysis.valence))
}

/// A file of width, height and RGB; `None` where a judge wrote none.
fn picture(path: &Path) -> Option<Picture> {
    let bytes = fs::read(path).ok()?;
    let (width, rest) = bytes.split_first_chunk()?;
    let (height, pixels) = rest.split_first_chunk()?;
    Picture::from_rgb(u32::from_le_bytes(*width), u32::from_le_bytes(*height), pixels.to_vec()).ok()
}

/// In levels; `None` when the sides differ.
fn mean_difference(a: &Picture, b: &Picture) -> Option<f64> {
    let sides = |picture: &Picture| (picture.width(), picture.height());
    let sum = || a.pixels().iter().zip(b.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
    (sides(a) == sides(b)).then(|| sum() as f64 / a.pixels().len() as f64)
}

fn print_table(rows: &BTreeMap<&str, Row>) {
    println!(
        "| kind | files | read | incomplete | Pillow | mean | labels | Chromium | mean | labels | valence | only it | only we | worst |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (kind, row) in rows {
        let [pillow, chromium] = row.judges.each_ref().map(|judged| {
            let mean = judged.differences / judged.compared.max(1) as f64;
            format!("{} | {mean:.3} | {} + {}", judged.compared, judged.labels, judged.ties)
        });
        let Row { files, read, incomplete, only: [they, we], worst: (worst, name), valence, .. } = row;
        println!(
            "| {kind} | {files} | {read} | {incomplete} | {pillow} | {chromium} | {valence:.3} | {they} | {we} | {worst:.2} {name} |"
        );
    }
}
