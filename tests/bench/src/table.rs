//! The tables of the report, in Markdown: they can be read in a terminal and pasted into a README.

use crate::{
    bars::Bar,
    measured::{Contender, Engine, Outcome, names},
};

/// A table of texts, its columns aligned, the numbers to the right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().enumerate().map(|(column, &width)| {
        if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
    });
    let mut out = line(head);
    out += &format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
    for row in rows {
        out += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    out
}

/// Who stands in which column, in this order, if anybody measured has that name.
const COLUMNS: [&str; 8] = [
    "ours relaxed-simd",
    "ours simd128",
    "ours native",
    "ort int8",
    "ort f32",
    "rten int8",
    "rten f32",
    "candle f32",
];

/// The medians of an engine, in milliseconds, and what follows from them.
pub fn of_engine(engine: &Engine) -> String {
    let present = |name: &&&str| engine.outcomes.iter().any(|outcome| outcome.contender(name).is_some());
    let columns: Vec<&str> = COLUMNS.iter().filter(present).copied().collect();
    let mut head = vec!["ms (± half the quartiles' distance)"];
    head.extend(&columns);
    head.extend(["times faster", "GMAC/s", "of the peak", "from ort f32", "dropped"]);
    let rows: Vec<Vec<String>> = engine.outcomes.iter().map(|outcome| row(outcome, &columns)).collect();
    table(&head, &rows)
}

fn row(outcome: &Outcome, columns: &[&str]) -> Vec<String> {
    let mut cells = vec![outcome.title.clone()];
    cells.extend(columns.iter().map(|name| outcome.contender(name).map_or("–".into(), time)));
    let ours = outcome.ours();
    let of_ours = |value: Option<f64>, shown: fn(f64) -> String| value.map_or("–".into(), shown);
    cells.push(of_ours(ours.and_then(|ours| outcome.speed_up(ours)), |x| format!("{x:.2}")));
    cells.push(of_ours(ours.map(|ours| ours.gmacs), |x| format!("{x:.1}")));
    cells.push(of_ours(ours.and_then(|ours| outcome.share_of_peak(ours)), |x| format!("{:.0} %", 100.0 * x)));
    cells.push(of_ours(ours.and_then(|ours| outcome.difference(ours)), |x| format!("{x:.3}")));
    let dropped: usize = outcome.contenders.iter().map(|contender| contender.dropped).sum();
    let kept: usize = outcome.contenders.iter().map(|contender| contender.ms.count).sum();
    cells.push(format!("{dropped} of {}", dropped + kept));
    cells
}

/// `12.3 ± 0.1`; with an exclamation mark when nothing undisturbed was measured.
fn time(contender: &Contender) -> String {
    let Contender { ms, disturbed, .. } = contender;
    let digits = if ms.median < 10.0 { 2 } else { 1 };
    let half = (ms.upper - ms.lower) / 2.0;
    format!("{:.digits$} ± {half:.digits$}{}", ms.median, if *disturbed { " !" } else { "" })
}

/// The speed of the bare tiles, a line an instruction set: the median over the cases.
pub fn peaks(engine: &Engine) -> String {
    let mut lines = Vec::new();
    for ours in names::OURS {
        let name = names::peak_of(ours);
        let mut all: Vec<f64> =
            engine.outcomes.iter().filter_map(|o| o.contender(&name)).map(|c| c.gmacs).collect();
        all.sort_by(f64::total_cmp);
        if let Some(middle) = all.get(all.len() / 2) {
            lines.push(format!("{} {middle:.1}", name.trim_start_matches("peak ")));
        }
    }
    format!("Peak of the int8 tile, GMAC/s: {}.\n", lines.join(", "))
}

/// Whether the same weights were measured everywhere: the float models must agree, and ours nearly.
pub fn agreement(engine: &Engine) -> String {
    let largest = |name: &str| {
        let all = engine.outcomes.iter().filter_map(|o| Some((o.difference(o.contender(name)?)?, &o.title)));
        all.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let lines = ["candle f32", "ours relaxed-simd", "ours simd128", "ours native", "ort int8", "rten f32"]
        .into_iter()
        .filter_map(|name| largest(name).map(|(most, title)| format!("{name} {most:.4} ({title})")));
    format!("Largest difference of a probability from ort f32: {}.\n", lines.collect::<Vec<_>>().join(", "))
}

/// Every promise.
pub fn of_bars(bars: &[Bar]) -> String {
    let rows: Vec<Vec<String>> = bars
        .iter()
        .map(|bar| {
            let measured = bar.measured.map_or("–".into(), |x| format!("{x:.2}"));
            let met = if bar.met { "yes" } else { "no" };
            vec![bar.what.clone(), format!("{:.2}", bar.wanted), measured, met.into()]
        })
        .collect();
    table(&["bar", "wanted", "measured", "met"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::tests::{engine, outcome};

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".into(), "1.5".into()], vec!["ßé".into(), "–".into()]];
        let lines = ["| x   | long |", "| --- | ---: |", "| a   |  1.5 |", "| ßé  |    – |", ""];
        assert_eq!(table(&["x", "long"], &rows), lines.join("\n"));
    }

    #[test]
    fn a_case_is_a_line() {
        let engine = engine("chromium", vec![outcome("lite0")]);
        let shown = of_engine(&engine);
        let cells = ["10.0 ± 0.0", "30.0 ± 0.0", "3.00", "100.0", "80 %", "0.050", "1 of 8"];
        assert!(cells.iter().all(|cell| shown.contains(cell)), "{shown}");
        assert!(!shown.contains("rten"), "{shown}");
        let expected = "ours relaxed-simd 0.0500 (EfficientNet-Lite0), ours simd128 0.0500";
        assert!(agreement(&engine).contains(expected), "{}", agreement(&engine));
        assert_eq!(peaks(&engine), "Peak of the int8 tile, GMAC/s: relaxed-simd 125.0.\n");
    }
}
