//! The report as a page: one file, nothing loaded from anywhere, readable without scripts, in light and dark, on paper.

mod calibration;
mod challenge;
mod contradiction;
mod groups;
mod headline;
mod models;
mod parts;
mod robustness;

use std::fmt::Write;

use parts::{Section, percent, thousands};

use super::{
    evaluation::{Evaluation, Found},
    measured::Measured,
    subject::Subject,
};
use crate::markup::Escaped;

const STYLE: &str = include_str!("style.css");

/// The page. Everything in it comes from `evaluation`, so that the same evaluation gives the same bytes.
pub fn render(evaluation: &Evaluation) -> String {
    let sections = sections(evaluation);
    let contents: String =
        sections.iter().map(|s| format!("<li><a href=\"#{}\">{}</a></li>", s.id, Escaped(s.name))).collect();
    let rendered: String = sections.iter().map(Section::render).collect();
    let name = Escaped(&evaluation.model.name);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{name}: evaluation</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the figures</a>\n<div class=\"page\">\n\
         <header>\n<p class=\"brand\">mixed-feelings · evaluation report</p>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}</p>\n</header>\n\
         <nav aria-label=\"Contents\"><ul>{contents}</ul></nav>\n<main id=\"main\">\n{}{rendered}</main>\n\
         <footer><p>Written by mixed-feelings {}. All numbers of this page, and more digits, are in \
         <code>metrics.json</code> beside it.</p></footer>\n</div>\n</body>\n</html>\n",
        title(evaluation),
        lead(evaluation),
        headline::cards(evaluation),
        Escaped(evaluation.version),
    )
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

fn lead(evaluation: &Evaluation) -> String {
    let mut parts = Vec::new();
    if let Some(pairs) = &evaluation.pairs {
        parts.push(format!("{} posts with text and picture", thousands(pairs.report.rows)));
    }
    if let Some(texts) = &evaluation.texts {
        parts.push(format!("{} texts", thousands(texts.report.rows)));
    }
    format!(
        "<code>{}</code>, the {} model of {} megabytes, on {}.",
        Escaped(&evaluation.model.name),
        evaluation.model.form,
        format_args!("{:.1}", evaluation.model.bytes as f64 / 1e6),
        parts.join(" and ")
    )
}

/// What was measured, on what, and how the intervals came about.
fn about(evaluation: &Evaluation) -> Section {
    let mut facts = String::from("<dl class=\"facts\">\n");
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(facts, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value));
    };
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
    facts += "</dl>\n";
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
        lead: format!("{intervals} All shares and F1 scores are in percent."),
        body: facts,
    }
}
