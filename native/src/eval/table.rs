//! The report as a person reads it.

use std::io::{self, Write};

use super::{
    measured::Measured,
    report::{Readings, Report},
    selective::{COVERAGE, Selective},
    shapley::Shapley,
};
use crate::{
    metrics::Confusion,
    stats::{bootstrap::Interval, roc::Operating, selective::Covered},
};

/// Prints the whole report.
///
/// # Errors
/// Those of `out`.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match headline(&report.readings) {
        Some((what, measured)) => {
            writeln!(out, "{what}: {} of {} rows", measured.metrics.rows, report.rows)?;
            print_measured(measured, out)?;
        }
        None => writeln!(out, "{} rows, none with a label to hold the answers to", report.rows)?,
    }

    writeln!(out, "\nby modality used{:<18}{HEADINGS}", "")?;
    print_readings(&report.readings, out)?;
    for relation in &report.by_relation {
        writeln!(
            out,
            "\n{:<34}{HEADINGS}",
            format!("relation {} ({} rows)", relation.relation.name(), relation.rows)
        )?;
        print_readings(&relation.readings, out)?;
    }

    if let Some(contradiction) = &report.contradiction {
        let auc = match (contradiction.auc, contradiction.interval) {
            (Some(auc), Some(interval)) => format!("{auc:.3} ({})", between(interval)),
            (Some(auc), None) => format!("{auc:.3}"),
            (None, _) => "unknown (it takes both kinds)".into(),
        };
        writeln!(
            out,
            "\ncontradiction: AUC {auc} on {} conflict against {} agree rows",
            contradiction.conflict, contradiction.agree
        )?;
        let Operating { threshold, recall, specificity, .. } = contradiction.own.found;
        writeln!(
            out,
            "contradicts, from {threshold:.3} on: says so of {recall:.3} of the conflict and {:.3} of the agree rows",
            1.0 - specificity
        )?;
    }
    if let Some(Selective { area, least_area, at_coverage, sure, .. }) = &report.selective {
        let interval =
            at_coverage.interval.map(|interval| format!(" ({})", between(interval))).unwrap_or_default();
        writeln!(
            out,
            "accuracy of the most confident {:.0} %: {:.3}{interval}; area under risk-coverage {area:.4} (least possible {least_area:.4})",
            100.0 * COVERAGE,
            at_coverage.share
        )?;
        if let Some(Covered { threshold, coverage, accuracy }) = sure {
            writeln!(
                out,
                "sure, from {threshold:.3} on: {coverage:.3} of the rows, {accuracy:.3} of these right"
            )?;
        }
    }
    if let Some(Shapley { shares, .. }) = report.shapley {
        writeln!(
            out,
            "Shapley shares of the accuracy over the commonest label's {:.3}: text {:+.3}, image {:+.3}",
            shares.baseline, shares.text, shares.image
        )?;
    }
    Ok(())
}

const HEADINGS: &str = "   rows  accuracy  macro-F1  weighted-F1  macro-recall";

fn headline(readings: &Readings) -> Option<(&'static str, &Measured)> {
    let whole = readings.whole.as_ref().map(|m| ("whole post against label", m));
    let text = readings.text_on_text_label.as_ref().map(|m| ("text against text_label", m));
    let image = readings.image_on_image_label.as_ref().map(|m| ("image against image_label", m));
    whole.or(text).or(image)
}

/// The headline, class by class, and the confusion matrix.
fn print_measured(Measured { metrics: m, intervals }: &Measured, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "accuracy {:.3}   macro-F1 {:.3}   weighted-F1 {:.3}   macro-recall {:.3}",
        m.accuracy, m.macro_f1, m.weighted_f1, m.macro_recall
    )?;
    if let Some(i) = intervals {
        let [accuracy, f1, weighted, recall] =
            [i.accuracy, i.macro_f1, i.weighted_f1, i.macro_recall].map(between);
        writeln!(out, "95 % intervals: {accuracy}; {f1}; {weighted}; {recall}")?;
    }
    writeln!(out, "\n{:<10}precision  recall     F1  support", "class")?;
    for c in &m.classes {
        let name = &c.class;
        writeln!(out, "{name:<10}{:>9.3}{:>8.3}{:>7.3}{:>9}", c.precision, c.recall, c.f1, c.support)?;
    }
    print_confusion(&m.confusion, out)
}

/// A row a label, a column a prediction.
pub(super) fn print_confusion(
    Confusion { labels, counts }: &Confusion,
    out: &mut impl Write,
) -> io::Result<()> {
    write!(out, "\n{:<18}", "label \\ predicted")?;
    labels.names().try_for_each(|name| write!(out, "{name:>10}"))?;
    writeln!(out)?;
    for (name, row) in labels.names().zip(counts) {
        write!(out, "{name:<18}")?;
        row.iter().try_for_each(|count| write!(out, "{count:>10}"))?;
        writeln!(out)?;
    }
    Ok(())
}

fn print_readings(readings: &Readings, out: &mut impl Write) -> io::Result<()> {
    let lines = [
        ("text and image, against label", &readings.whole),
        ("text, against label", &readings.text),
        ("image, against label", &readings.image),
        ("text, against text_label", &readings.text_on_text_label),
        ("image, against image_label", &readings.image_on_image_label),
    ];
    for (what, metrics) in lines {
        if let Some(Measured { metrics: m, .. }) = metrics {
            writeln!(
                out,
                "{what:<34}{:>7}{:>10.3}{:>10.3}{:>13.3}{:>14.3}",
                m.rows, m.accuracy, m.macro_f1, m.weighted_f1, m.macro_recall
            )?;
        }
    }
    Ok(())
}

/// An interval in words.
pub(super) fn between(Interval { low, high }: Interval) -> String {
    format!("{low:.3} to {high:.3}")
}
