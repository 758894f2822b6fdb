//! The report as a page: one file, nothing loaded from anywhere, readable without scripts, in light and dark, on paper.

mod calibration;
mod challenge;
mod contradiction;
mod groups;
mod headline;
mod models;
mod parts;
mod robustness;
mod selective;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::{Section, percent, thousands};

use super::{
    evaluation::{Evaluation, Found},
    measured::Measured,
    subject::Subject,
};

const STYLE: &str = include_str!("style.css");

/// The page. Everything in it comes from `evaluation`, so that the same evaluation gives the same bytes.
pub fn render(evaluation: &Evaluation) -> String {
    let sections = sections(evaluation);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (evaluation.model.name) ": evaluation" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the figures" }
                div.page {
                    header {
                        p.brand { "mixed-feelings · evaluation report" }
                        h1 { (title(evaluation)) }
                        p.lead { (lead(evaluation)) }
                    }
                    nav aria-label="Contents" {
                        ul { @for s in &sections { li { a href={ "#" (s.id) } { (s.name) } } } }
                    }
                    main #main {
                        (headline::cards(evaluation))
                        @for section in &sections { (section) }
                    }
                    footer {
                        p {
                            "Written by mixed-feelings " (evaluation.version) ". All numbers of this page, and more digits, "
                            "are in " code { "metrics.json" } " beside it."
                        }
                    }
                }
            }
        }
    };
    without_controls(&page.into_string()) + "\n"
}

/// Control characters, which an id or a file's name may have, are no text in HTML.
fn without_controls(page: &str) -> String {
    page.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}")
}

fn sections(evaluation: &Evaluation) -> Vec<Section> {
    let mut sections = vec![about(evaluation)];
    if let Some(pairs) = &evaluation.pairs {
        sections.push(headline::pairs(pairs));
        sections.push(groups::combination(pairs));
        sections.extend(groups::intensity(pairs));
        sections.extend(contradiction::section(pairs));
        sections.extend(calibration::section(pairs));
        sections.extend(robustness::section(pairs));
    }
    sections.extend(evaluation.texts.as_ref().map(headline::texts));
    sections.extend(selective::section(evaluation));
    sections.extend(challenge::posts(evaluation));
    sections.extend(challenge::swaps(evaluation));
    sections.extend(models::section(evaluation));
    sections.extend(models::mistakes(evaluation));
    sections
}

/// The figure that the page opens with.
fn title(evaluation: &Evaluation) -> String {
    let of = |found: &Option<Found>, reading: fn(&Found) -> Option<&Measured>| {
        found.as_ref().and_then(|found| Some(percent(reading(found)?.metrics.accuracy)))
    };
    match (
        of(&evaluation.pairs, |pairs| pairs.report.readings.whole.as_ref()),
        of(&evaluation.texts, |texts| texts.report.readings.text_on_text_label.as_ref()),
    ) {
        (Some(right), _) => format!("{right} % of posts read right"),
        (None, Some(right)) => format!("{right} % of texts read right"),
        (None, None) => "What the model reads".into(),
    }
}

fn lead(evaluation: &Evaluation) -> Markup {
    let mut parts = Vec::new();
    if let Some(pairs) = &evaluation.pairs {
        parts.push(format!("{} posts with text and picture", thousands(pairs.report.rows)));
    }
    if let Some(texts) = &evaluation.texts {
        parts.push(format!("{} texts", thousands(texts.report.rows)));
    }
    let model = &evaluation.model;
    html! {
        code { (model.name) } ", the " (model.form) " model of " (format!("{:.1}", model.bytes as f64 / 1e6))
        " megabytes, on " (parts.join(" and ")) "."
    }
}

/// What was measured, on what, and how the intervals came about.
fn about(evaluation: &Evaluation) -> Section {
    let mut facts = Vec::new();
    let mut fact = |name: &'static str, value: String| facts.push((name, value));
    let Subject { form, bytes, sha256, text, image, fusion, temperatures, .. } = &evaluation.model;
    fact("Weights", format!("{form}, {} bytes", thousands(*bytes)));
    fact("Text encoder", text.clone());
    fact("Image encoder", image.clone());
    fact("Fusion", fusion.clone());
    fact(
        "Temperatures",
        format!(
            "text {:.2}, image {:.2}, both {:.2}",
            temperatures.text, temperatures.image, temperatures.fused
        ),
    );
    for (name, found) in [("Pairs", &evaluation.pairs), ("Texts", &evaluation.texts)] {
        if let Some(found) = found {
            let split = found.split.as_ref().map(|split| format!(", split {split}")).unwrap_or_default();
            let (rows, groups) = (thousands(found.report.rows), thousands(found.groups));
            let groups = if groups == rows { String::new() } else { format!(" in {groups} groups") };
            fact(name, format!("{}{split}: {rows} rows{groups}", found.table));
        }
    }
    if let Some(float) = &evaluation.compared_with {
        fact("Compared with", format!("{}, {} bytes", float.name, thousands(float.bytes)));
    }
    fact("SHA-256", sha256.clone());
    let bootstrap = &evaluation.bootstrap;
    let intervals = if bootstrap.resamples == 0 {
        "Intervals were left out.".to_owned()
    } else {
        format!(
            "Ranges in grey are {:.0} % confidence intervals: the percentile bootstrap over {} resamples (seed {}), drawing \
             whole groups of near-duplicates where the table names them.",
            100.0 * bootstrap.level,
            thousands(bootstrap.resamples),
            bootstrap.seed
        )
    };
    Section {
        id: "about",
        name: "Model",
        title: "What was measured".into(),
        lead: html! { (intervals) " All shares and F1 scores are in percent." },
        body: html! { dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(super::without_controls("a\0\u{9b}\r\n\té"), "a\u{fffd}\u{fffd}\u{fffd}\n\té");
    }
}
