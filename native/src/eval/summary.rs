//! What a report holds besides the plain figures, in short, as a person reads it in a terminal.

use std::{
    io::{self, Write},
    path::Path,
};

use super::{
    contradiction::{AtThreshold, Contradiction},
    curves::Curve,
    evaluation::{Evaluation, Found},
    intensity::{ByIntensity, Intensity},
    measured::{Measured, Share},
    table::between,
};
use crate::stats::{bootstrap::Interval, roc::Operating};

/// Mistakes that are named of each table; the report has more.
const MISTAKES: usize = 5;

/// Prints what was measured of each table, and where the whole report is.
///
/// # Errors
/// Those of `out`.
pub fn print(evaluation: &Evaluation, folder: &Path, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    for found in evaluation.pairs.iter().chain(&evaluation.texts) {
        print_found(found, out)?;
    }
    writeln!(out, "report: {}", folder.join("report.html").display())
}

/// Each part ends with an empty line.
fn print_found(found: &Found, out: &mut impl Write) -> io::Result<()> {
    let split = found.split.as_ref().map(|split| format!(", split {split}")).unwrap_or_default();
    writeln!(out, "more about {}{split}\n", found.table)?;
    if let Some(by) = &found.by_intensity {
        print_intensity(by, out)?;
    }
    if let Some(contradiction) = &found.report.contradiction {
        print_contradiction(contradiction, out)?;
    }
    writeln!(out, "{:<34}   rows  temperature  ECE before  ECE after", "calibration by temperature")?;
    for head in &found.calibration {
        let name = format!("{}, on {}", head.head, head.against);
        let (before, after) = (head.before.ece, head.after.ece);
        writeln!(out, "{name:<34}{:>7}{:>13.3}{before:>12.3}{after:>11.3}", head.rows, head.temperature)?;
    }
    writeln!(out)?;
    if let Some(curves) = &found.robustness {
        print_robustness(curves, out)?;
    }
    if let Some(comparison) = &found.float_against_int8 {
        comparison.print("rows", out)?;
    }
    let worst: Vec<&str> = found.worst_mistakes.iter().take(MISTAKES).map(|m| m.id.as_str()).collect();
    if !worst.is_empty() {
        writeln!(out, "worst mistakes, by id: {}\n", worst.join(", "))?;
    }
    Ok(())
}

fn print_intensity(by: &ByIntensity, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<34}   rows     both     text    image  text_label  image_label  |valence|",
        "accuracy by intensity"
    )?;
    for (how, groups) in [("two gold labels", &by.labels), ("predicted valence", &by.valence)] {
        for Intensity { name, rows, mean_magnitude, readings } in groups {
            let accuracy = |reading: &Option<Measured>| {
                reading.as_ref().map_or("–".into(), |m| format!("{:.3}", m.metrics.accuracy))
            };
            writeln!(
                out,
                "{:<34}{rows:>7}{:>9}{:>9}{:>9}{:>12}{:>13}{mean_magnitude:>11.2}",
                format!("{name}, by {how}"),
                accuracy(&readings.whole),
                accuracy(&readings.text),
                accuracy(&readings.image),
                accuracy(&readings.text_on_text_label),
                accuracy(&readings.image_on_image_label)
            )?;
        }
    }
    writeln!(out)
}

fn print_contradiction(contradiction: &Contradiction, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<34}     at  precision{:<18}  recall", "contradiction from a threshold on", "")?;
    let best = contradiction.best.map(|best| ("largest Youden's J", best));
    for (name, at) in
        best.into_iter().chain([("one half", contradiction.at_half), ("the model's own", contradiction.own)])
    {
        let AtThreshold { found: Operating { threshold, precision, recall, .. }, intervals } = at;
        let precision = with_interval(precision, intervals.map(|i| i.precision));
        let recall = with_interval(recall, intervals.map(|i| i.recall));
        writeln!(out, "{name:<34}{threshold:>7.3}  {precision:<27}  {recall}")?;
    }
    writeln!(out, "\n{:<34}   rows  share", "right on contradictory pairs")?;
    for (name, right) in [
        ("text head, on text_label", contradiction.text_right),
        ("image head, on image_label", contradiction.image_right),
        ("both", contradiction.both_right),
    ] {
        if let Some(Share { rows, share, interval }) = right {
            writeln!(out, "{name:<34}{rows:>7}  {}", with_interval(share, interval))?;
        }
    }
    writeln!(out)
}

/// Of each curve its two ends.
fn print_robustness(curves: &[Curve], out: &mut impl Write) -> io::Result<()> {
    let heading = "robustness, from strength 0 to 1";
    writeln!(out, "{heading:<34}accuracy of the whole   its macro-F1   accuracy of the head")?;
    for Curve { damage, points, .. } in curves {
        let [Some(first), Some(last)] = [points.first(), points.last()] else { continue };
        let change = |reading: [&Option<Measured>; 2], score: fn(&Measured) -> f64| match reading {
            [Some(first), Some(last)] => format!("{:.3} → {:.3}", score(first), score(last)),
            _ => "–".into(),
        };
        let whole = [&first.whole, &last.whole];
        writeln!(
            out,
            "{damage:<34}{:>21}{:>15}{:>23}",
            change(whole, |m| m.metrics.accuracy),
            change(whole, |m| m.metrics.macro_f1),
            change([&first.head, &last.head], |m| m.metrics.accuracy)
        )?;
    }
    writeln!(out)
}

fn with_interval(value: f64, interval: Option<Interval>) -> String {
    match interval {
        Some(interval) => format!("{value:.3} ({})", between(interval)),
        None => format!("{value:.3}"),
    }
}
