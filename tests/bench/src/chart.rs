//! The plot: a group of bars a case, each as long as its time is beside that of the fastest onnxruntime.

use std::fmt::Write;

use crate::{
    machine::Machine,
    measured::{Contender, Engine, Outcome},
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 390.0;
const RIGHT: f64 = 120.0;
const BAR: f64 = 15.0;
const STEP: f64 = 18.0;
const GROUP: f64 = 20.0;
const TOP: f64 = 92.0;

/// The longest bar, in times of the fastest onnxruntime; longer ones are cut off and say so.
const LONGEST: f64 = 3.0;

/// Who is drawn, in this order, and in which colour.
const SERIES: [(&str, &str, &str); 8] = [
    ("ours relaxed-simd", "mixed-feelings, relaxed SIMD", "ours"),
    ("ours simd128", "mixed-feelings, simd128", "ours-too"),
    ("ours native", "mixed-feelings", "ours"),
    ("ort int8", "onnxruntime int8", "ort"),
    ("ort f32", "onnxruntime f32", "ort-too"),
    ("rten int8", "rten int8", "other"),
    ("rten f32", "rten f32", "other"),
    ("candle f32", "candle f32", "other"),
];

/// Its own colours, in light and in dark: a README shows it on either.
const STYLE: &str = "\
svg{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px}\
.ground{fill:#fff}text{fill:#1f2328}.quiet{fill:#656d76}.title{font-size:18px;font-weight:600}\
.case{font-weight:600;font-size:13px}.win{font-weight:600}.line{stroke:#9aa1a9;stroke-dasharray:3 3}\
.ours{fill:#0f766e}.ours-too{fill:#4fb3a9}.ort{fill:#b45309}.ort-too{fill:#e0a458}.other{fill:#a8b0b8}\
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.quiet{fill:#8d96a0}\
.line{stroke:#59636e}.ours{fill:#2dd4bf}.ours-too{fill:#14857a}.ort{fill:#f0a04b}.ort-too{fill:#a2651f}\
.other{fill:#57606a}}";

/// The plot of all engines, one below the other; a whole SVG file.
pub fn svg(machine: &Machine, engines: &[Engine]) -> String {
    let mut y = TOP;
    let mut marks = String::new();
    for engine in engines.iter().filter(|engine| !engine.outcomes.is_empty()) {
        text(&mut marks, (24.0, y), "case", &format!("{} {}", capital(&engine.name), engine.version));
        text(&mut marks, (LEFT + unit(), y), "quiet\" text-anchor=\"middle", "fastest onnxruntime = 1");
        y += 14.0;
        let top = y;
        for outcome in &engine.outcomes {
            y = group(&mut marks, outcome, y);
        }
        let x = LEFT + unit();
        let _ =
            write!(marks, "<line class=\"line\" x1=\"{x}\" x2=\"{x}\" y1=\"{top}\" y2=\"{}\"/>", y - GROUP);
        y += 30.0;
    }
    let about = format!("{}, {}. One thread; shorter is faster.", machine.processor, machine.date);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" \
         role=\"img\"><title>Time of an analysis beside other runtimes</title><style>{STYLE}</style>\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{y}\"/>\
         <text class=\"title\" x=\"24\" y=\"36\">Time of an analysis, beside other runtimes</text>\
         <text class=\"quiet\" x=\"24\" y=\"58\">{}</text>{marks}</svg>\n",
        escaped(&about)
    )
}

/// Pixels of the fastest onnxruntime's time.
fn unit() -> f64 {
    (WIDTH - LEFT - RIGHT) / LONGEST
}

fn group(marks: &mut String, outcome: &Outcome, top: f64) -> f64 {
    let Some(opponent) = outcome.opponent().map(|opponent| opponent.ms.median) else { return top };
    let mut y = top + 18.0;
    text(marks, (24.0, y), "case", &outcome.title);
    if let Some(times) = outcome.ours().and_then(|ours| outcome.speed_up(ours)) {
        text(marks, (24.0, y + 17.0), "quiet", &format!("{times:.2} × as fast"));
    }
    for (name, shown, class) in SERIES {
        let Some(contender) = outcome.contender(name) else { continue };
        bar(marks, contender, (shown, class), contender.ms.median / opponent, y);
        y += STEP;
    }
    y + GROUP
}

fn bar(marks: &mut String, contender: &Contender, (shown, class): (&str, &str), length: f64, y: f64) {
    let wide = unit() * length.min(LONGEST);
    let ms = contender.ms;
    let more = if length > LONGEST { " →" } else { "" };
    let digits = if ms.median < 10.0 { 2 } else { 1 };
    let _ = write!(
        marks,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{wide:.1}\" height=\"{BAR}\" rx=\"2\">\
         <title>{}, {}: median {:.3} ms, quartiles {:.3} and {:.3}, {} samples</title></rect>",
        y - BAR + 3.0,
        escaped(shown),
        escaped(&contender.name),
        ms.median,
        ms.lower,
        ms.upper,
        ms.count
    );
    text(marks, (LEFT - 8.0, y), "quiet\" text-anchor=\"end", shown);
    let win = if class.starts_with("ours") { "win" } else { "" };
    text(marks, (LEFT + wide + 6.0, y), win, &format!("{:.digits$} ms{more}", ms.median));
}

fn text(marks: &mut String, (x, y): (f64, f64), class: &str, shown: &str) {
    let _ = write!(marks, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(shown));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::tests::{engine, outcome};

    fn machine() -> Machine {
        Machine {
            processor: "A & B".into(),
            threads: 2,
            load: None,
            system: "linux".into(),
            date: "today".into(),
        }
    }

    #[test]
    fn bars_are_as_long_as_their_times() {
        let plot = svg(&machine(), &[engine("chromium", vec![outcome("lite0")])]);
        let width = |class: &str| {
            let (_, rest) = plot.split_once(&format!("<rect class=\"{class}\"")).unwrap();
            let (_, rest) = rest.split_once("width=\"").unwrap();
            rest.split_once('"').unwrap().0.parse::<f64>().unwrap()
        };
        assert!((width("ort") / width("ours") - 3.0).abs() < 0.01, "{plot}");
        for part in ["A &amp; B", "3.00 × as fast", "10.0 ms", "EfficientNet-Lite0"] {
            assert!(plot.contains(part), "no {part} in {plot}");
        }
        assert!(!plot.contains("rten"), "who was not measured is not drawn");
    }

    #[test]
    fn a_long_bar_is_cut_off_and_says_so() {
        let mut outcome = outcome("lite0");
        outcome.contenders[3].ms.median = 900.0;
        let plot = svg(&machine(), &[engine("chromium", vec![outcome])]);
        assert!(plot.contains("900.0 ms →"), "{plot}");
    }
}
