//! An analysis as a person reads it.

use std::{
    io::{self, Write},
    time::Duration,
};

use mixed_feelings::{
    Analysis, Scores,
    analyzer::{Reading, RegionWeights, WordWeight},
};

/// Characters of a full bar.
const BAR: usize = 24;
/// Words shown of those that weighed most.
const WORDS: usize = 6;

/// Prints the analysis, with a bar for each probability.
///
/// # Errors
/// Those of `out`.
pub fn analysis(a: &Analysis, took: Duration, out: &mut impl Write) -> io::Result<()> {
    let unsure = if a.sure { "" } else { ", unsure" };
    writeln!(out, "{} (valence {:+.2}{unsure})", a.label, a.valence)?;
    bars(&a.scores, out)?;
    for (name, reading) in [("text", &a.text), ("image", &a.image)] {
        if let Some(Reading { label, scores, valence }) = reading {
            writeln!(out, "\n{name} alone: {label} (valence {valence:+.2})")?;
            bars(scores, out)?;
        }
    }
    if let Some(contradiction) = a.contradiction {
        let found = if a.contradicts == Some(true) { " (they contradict each other)" } else { "" };
        writeln!(out, "\ncontradiction {}{found}", line(contradiction))?;
    }
    if let Some(words) = &a.explanation.words {
        top_words(words, out)?;
    }
    if let Some(regions) = &a.explanation.regions {
        grid(regions, out)?;
    }
    if a.incomplete {
        writeln!(out, "\nA part of the image file is missing or damaged: the rest was read.")?;
    }
    if a.truncated {
        writeln!(out, "\nThe text is longer than the model reads: its end was not read.")?;
    }
    writeln!(out, "\n{:.1} ms", took.as_secs_f64() * 1e3)
}

fn bars(scores: &Scores, out: &mut impl Write) -> io::Result<()> {
    for (name, probability) in scores.labels().names().zip(scores.probabilities()) {
        writeln!(out, "  {name:<9}   {}", line(*probability))?;
    }
    Ok(())
}

/// `0.25 ██████`, to an eighth of a character.
fn line(probability: f32) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (probability.clamp(0.0, 1.0) * (8 * BAR) as f32).round() as usize;
    format!("{probability:.3} {}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn top_words(words: &[WordWeight], out: &mut impl Write) -> io::Result<()> {
    let mut words: Vec<_> = words.iter().collect();
    words.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    words.truncate(WORDS);
    let shown: Vec<_> = words.iter().map(|w| format!("{} {:+.2}", printable(&w.text), w.weight)).collect();
    if shown.is_empty() { Ok(()) } else { writeln!(out, "\nwords that weighed most: {}", shown.join(", ")) }
}

/// A post's words may hold control characters, which a terminal must not obey.
fn printable(word: &str) -> String {
    word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The cells that spoke for the label: the larger their share of its logit, the darker.
fn grid(regions: &RegionWeights, out: &mut impl Write) -> io::Result<()> {
    const SHADES: [&str; 5] = ["· ", "░░", "▒▒", "▓▓", "██"];
    if regions.columns == 0 {
        return Ok(());
    }
    writeln!(out, "\nparts of the image that spoke for it:")?;
    let most = regions.weights.iter().fold(f32::MIN_POSITIVE, |most, weight| most.max(weight.abs()));
    for row in regions.weights.chunks(regions.columns) {
        let row: String =
            row.iter().map(|w| SHADES[((w / most).clamp(0.0, 1.0) * 4.0).round() as usize]).collect();
        writeln!(out, "  {}", row.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_probability() {
        assert_eq!(line(0.0), "0.000 ");
        assert_eq!(line(0.5), format!("0.500 {}", "█".repeat(BAR / 2)));
        assert_eq!(line(1.0), format!("1.000 {}", "█".repeat(BAR)));
        assert_eq!(line(1.0 / 16.0), "0.062 █▌");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }
}
