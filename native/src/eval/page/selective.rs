//! Accuracy over coverage.

use maud::{Markup, html};

use super::parts::{Section, Table, figure, figures, percent, share};
use crate::{
    eval::{
        evaluation::Evaluation,
        selective::{COVERAGE, Selective},
    },
    plot::{Caption, Chart, Range},
    stats::selective::Covered,
};

/// The section, if there are labelled posts.
pub fn section(evaluation: &Evaluation) -> Option<Section> {
    let mut table = Table::new(
        "When the least confident answers are withheld",
        &[
            "posts",
            "rows",
            "accuracy of all",
            &format!("at {} % coverage", whole_percent()),
            "sure: coverage",
            "sure: accuracy",
            "area under risk-coverage",
            "least possible",
        ],
    );
    let mut plots = Vec::new();
    let parts = [
        ("pairs", "text and picture", "c-whole", &evaluation.pairs),
        ("texts", "texts", "c-text", &evaluation.texts),
    ];
    for (id, name, colour, found) in parts {
        let Some(selective) = found.as_ref().and_then(|found| found.report.selective.as_ref()) else {
            continue;
        };
        let Selective { rows, area, least_area, at_coverage, sure, curve } = selective;
        let of_sure =
            |figure: fn(&Covered) -> f64| sure.as_ref().map_or("–".into(), |sure| percent(figure(sure)));
        table.row(
            name,
            &[
                rows,
                &curve.last().map_or("–".into(), |all| percent(all.accuracy)),
                &share(Some(*at_coverage)),
                &of_sure(|sure| sure.coverage),
                &of_sure(|sure| sure.accuracy),
                &format!("{area:.4}"),
                &format!("{least_area:.4}"),
            ],
        );
        plots.push(figure(
            &format!("Accuracy of the most confident answers, {name}"),
            "the dot is where the model calls itself sure",
            &plot(id, colour, selective),
        ));
    }
    (!plots.is_empty()).then(|| Section {
        id: "selective",
        name: "Withholding",
        title: "How right is it when it may say “I am not sure”?".into(),
        lead: html! {
            "Answers are given from the most confident on (selective prediction, El-Yaniv & Wiener 2010). Coverage is the share that is "
            "given, risk the share of these that is wrong; the area under the risk-coverage curve is the mean risk over all "
            "coverages. The model itself is " em { "sure" } " from a confidence on that its bundle carries, chosen for about "
            (whole_percent()) " % of the split " code { "val" } " of its pairs; a bundle without one is sure of everything."
        },
        body: html! { (figures(&plots)) (table) },
    })
}

/// [`COVERAGE`] in percent.
fn whole_percent() -> String {
    format!("{:.0}", 100.0 * COVERAGE)
}

fn plot(id: &str, colour: &str, selective: &Selective) -> Markup {
    let Selective { curve, at_coverage, sure, .. } = selective;
    // Of the first few answers the curve says nothing but noise.
    let few = (curve.len() / 50).min(20);
    let points: Vec<(f64, f64)> = curve.iter().skip(few).map(|p| (p.coverage, p.accuracy)).collect();
    let least = points.iter().map(|(_, accuracy)| *accuracy).fold(1.0, f64::min);
    let all = curve.last().map_or(0.0, |all| all.accuracy);
    let mut chart = Chart::new(Range::percent(), "coverage, %", Range::percent_from(least), "accuracy, %")
        .reference((0.0, all), (1.0, all))
        .line(colour, &points);
    if let Some(sure) = sure {
        let told = format!(
            "sure from a confidence of {:.2} on: {} % of the posts, {} % of these right",
            sure.threshold,
            percent(sure.coverage),
            percent(sure.accuracy)
        );
        chart = chart.dot(colour, (sure.coverage, sure.accuracy), &told);
    }
    let description = format!(
        "Accuracy over coverage: {} % of all answers are right, {} % of the {} % most confident.",
        percent(all),
        percent(at_coverage.share),
        whole_percent()
    );
    let id = format!("selective-{id}");
    chart.render(Caption { id: &id, title: "Accuracy over coverage", description: &description })
}
