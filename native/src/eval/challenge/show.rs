//! The report of a challenge as a person reads it.

use std::io::{self, Write};

use super::{ChallengeReport, Section, SwapReport, WordShift, Wrong};
use crate::eval::{
    measured::{Measured, Share},
    table::print_confusion,
};

/// Prints the whole report.
///
/// # Errors
/// Those of `out`.
pub fn print(report: &ChallengeReport, out: &mut impl Write) -> io::Result<()> {
    let sections = [("texts", &report.texts), ("pairs", &report.pairs)];
    for (name, section) in sections {
        if let Some(section) = section {
            print_section(name, section, out)?;
        }
    }
    if let Some(auc) = report.contradiction_auc {
        writeln!(out, "contradiction: AUC {auc:.3} of the pairs that conflict against those that agree\n")?;
    }
    report.swaps.iter().try_for_each(|swaps| print_swaps(swaps, out))
}

fn print_section(name: &str, section: &Section, out: &mut impl Write) -> io::Result<()> {
    let m = &section.all.metrics;
    writeln!(out, "{name}: {} rows, accuracy {:.3}, macro-F1 {:.3}", m.rows, m.accuracy, m.macro_f1)?;
    if let Some(Measured { metrics: m, .. }) = &section.image {
        writeln!(out, "image head on image_label: accuracy {:.3}, macro-F1 {:.3}", m.accuracy, m.macro_f1)?;
    }
    if let Some(Share { rows, share, .. }) = section.contradictions_found {
        writeln!(out, "contradicts: said of {share:.3} of the {rows} that contradict")?;
    }
    if let Some(Share { rows, share, .. }) = section.false_contradictions {
        writeln!(out, "contradicts: said of {share:.3} of the {rows} that agree")?;
    }
    print_confusion(&m.confusion, out)?;
    writeln!(out, "\n{:<18}{:>6}{:>10}{:>10}", "category", "rows", "accuracy", "macro-F1")?;
    for category in &section.categories {
        let m = &category.all.metrics;
        writeln!(out, "{:<18}{:>6}{:>10.3}{:>10.3}", category.category, m.rows, m.accuracy, m.macro_f1)?;
    }
    writeln!(out, "\nread wrongly: {} of {}", section.wrong.len(), m.rows)?;
    for wrong in &section.wrong {
        let Wrong { id, label, predicted, text, .. } = wrong;
        writeln!(out, "  {id:<18}{label} as {predicted}: {text}")?;
    }
    writeln!(out)
}

fn print_swaps(swaps: &SwapReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "swapped words that must not matter, in {} sentences each", swaps.templates)?;
    writeln!(
        out,
        "{:<14}{:>6}{:>12}{:>15}{:>8}{:>10}   words that shift most",
        "group", "words", "mean shift", "largest shift", "flips", "accuracy"
    )?;
    for group in &swaps.groups {
        let word = |w: &WordShift| format!("{} {:+.3}", w.word, w.mean_shift);
        let most: Vec<_> = group.words.iter().take(3).map(word).collect();
        writeln!(
            out,
            "{:<14}{:>6}{:>12.3}{:>15.3}{:>7.1}%{:>10.3}   {}",
            group.group,
            group.words.len(),
            group.mean_shift,
            group.largest_shift,
            100.0 * group.flips,
            group.accuracy,
            most.join(", ")
        )?;
    }
    Ok(())
}
