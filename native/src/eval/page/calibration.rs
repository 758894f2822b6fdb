//! Reliability diagrams and calibration errors.

use maud::{Markup, html};

use super::parts::{Section, Table, figure, figures, legend, percent};
use crate::{
    eval::{calibrated::HeadCalibration, evaluation::Found},
    plot::{Caption, Chart, Range},
    stats::calibration::{BINS, Bin, Calibration},
};

/// The section of the pairs, if a head has rows.
pub fn section(found: &Found) -> Option<Section> {
    (!found.calibration.is_empty()).then(|| Section {
        id: "calibration",
        name: "Calibration",
        title: "Is it as sure as it is right?".into(),
        lead: html! {
            "Of the answers given with 80 % confidence, 80 % should be right: bars on the diagonal. The expected calibration "
            "error (ECE) is the mean distance from it over " (BINS) " bins of equal width (Guo et al. 2017). "
            em { "Before" } " is with the logits as they are, " em { "after" } " with them divided by the head's temperature, "
            "which is how the model answers."
        },
        body: body(found, "pairs"),
    })
}

/// Diagrams and table, and where the temperatures come from; `what` tells the plots of several tables apart.
pub fn body(found: &Found, what: &str) -> Markup {
    let mut table = Table::new(
        "Calibration before → after temperature scaling",
        &["head", "against", "rows", "temperature", "ECE", "negative log-likelihood", "Brier score"],
    );
    let mut plots = Vec::new();
    for head in &found.calibration {
        let HeadCalibration { head: name, against, rows, temperature, before, after } = head;
        let change =
            |figure: fn(&Calibration) -> f64| format!("{:.3} → {:.3}", figure(before), figure(after));
        table.row(
            name,
            &[
                &html! { code { (against) } },
                rows,
                &format!("{temperature:.3}"),
                &format!("{} → {}", percent(before.ece), percent(after.ece)),
                &change(|c| c.nll),
                &change(|c| c.brier),
            ],
        );
        let small = format!("ECE {} % → {} %", percent(before.ece), percent(after.ece));
        plots.push(figure(&format!("Reliability of the {name}"), &small, &diagram(head, what)));
    }
    let entries =
        [("c-whole", "after, pale where a bin has fewer than 5 rows"), ("c-neutral dashed", "before")];
    html! {
        (figures(&plots))
        (legend(&entries))
        (table)
        // What the reader of an "after" must know.
        p.note {
            "A training fits the temperatures on the split " code { "val" } " of its pairs: on " code { "val" } " itself the "
            "figures " em { "after" } " flatter the model, and the temperature of the text head, which texts without a "
            "picture are divided by too, comes from the texts of pairs."
        }
    }
}

/// Bars are the accuracy of each bin after scaling, the fainter the fewer rows; the dashed line is before.
fn diagram(head: &HeadCalibration, what: &str) -> Markup {
    let colour = match head.head {
        "text" => "c-text",
        "image" => "c-image",
        _ => "c-whole",
    };
    let range = Range::percent;
    let mut chart = Chart::new(range(), "confidence, %", range(), "right, %");
    for (i, Bin { rows, confidence, accuracy }) in head.after.bins.iter().enumerate() {
        let between = (i as f64 / BINS as f64, (i + 1) as f64 / BINS as f64);
        let told = format!(
            "{rows} rows with a confidence of {} % on average: {} % are right",
            percent(*confidence),
            percent(*accuracy)
        );
        if *rows > 0 {
            let few = if *rows < 5 { " faint" } else { "" };
            chart = chart.bar(&format!("{colour}{few}"), between, *accuracy, &told);
        }
    }
    let line = |calibration: &Calibration| -> Vec<(f64, f64)> {
        calibration.bins.iter().filter(|bin| bin.rows > 0).map(|bin| (bin.confidence, bin.accuracy)).collect()
    };
    let chart = chart.reference((0.0, 0.0), (1.0, 1.0)).line("thin c-neutral", &line(&head.before));
    let description = format!(
        "Accuracy by confidence. The expected calibration error is {} % before and {} % after temperature scaling.",
        percent(head.before.ece),
        percent(head.after.ece)
    );
    let id = format!("reliability-{what}-{}", head.head);
    chart.render(Caption { id: &id, title: "Reliability diagram", description: &description })
}
