//! The contradiction: its ROC curve, its threshold, and the heads on contradictory pairs.

use maud::{Markup, html};

use super::parts::{Section, Table, figure, figures, percent, share, with_interval};
use crate::{
    eval::{
        contradiction::{AtThreshold, Contradiction},
        evaluation::Found,
        measured::Share,
    },
    plot::{Caption, Chart, Range, Whisker, whiskers},
    stats::roc::Operating,
};

/// The section, if there are pairs to tell apart.
pub fn section(found: &Found) -> Option<Section> {
    let contradiction = found.report.contradiction.as_ref()?;
    let mut plots = Vec::new();
    plots.extend(roc(contradiction));
    let heads: Vec<Whisker> = [
        ("text head", "c-text", contradiction.text_right),
        ("image head", "c-image", contradiction.image_right),
        ("both heads", "c-whole", contradiction.both_right),
    ]
    .into_iter()
    .filter_map(|(name, class, of): (&str, &'static str, Option<Share>)| {
        let Share { share, interval, .. } = of?;
        Some(Whisker { name: name.into(), class, value: share, interval })
    })
    .collect();
    if !heads.is_empty() {
        let caption = Caption {
            id: "conflict-heads",
            title: "The heads on contradictory pairs",
            description: "The share of contradictory pairs in which each head says the label of its own modality.",
        };
        plots.push(figure(
            "Contradictory pairs in which each head is right",
            "share that matches the label of its own modality, percent",
            &whiskers(caption, &heads),
        ));
    }
    let mut table = Table::new(
        "What a threshold finds",
        &["threshold", "at", "precision", "recall", "specificity", "F1"],
    );
    let mut row = |name: &str, AtThreshold { found, intervals }: &AtThreshold| {
        let Operating { threshold, precision, recall, specificity, f1 } = *found;
        table.row(
            name,
            &[
                &format!("{threshold:.3}"),
                &with_interval(precision, intervals.map(|i| i.precision)),
                &with_interval(recall, intervals.map(|i| i.recall)),
                &percent(specificity),
                &percent(f1),
            ],
        );
    };
    if let Some(best) = &contradiction.best {
        row("largest Youden's J", best);
    }
    row("one half", &contradiction.at_half);
    row("the model's own: contradicts", &contradiction.own);
    let own = contradiction.own.found;
    let mut heads = Table::new("Contradictory pairs", &["right", "share", "rows"]);
    for (name, of) in [
        ("text head says text_label", contradiction.text_right),
        ("image head says image_label", contradiction.image_right),
        ("both", contradiction.both_right),
    ] {
        heads.row(name, &[&share(of), &of.map_or(0, |of| of.rows)]);
    }
    Some(Section {
        id: "contradiction",
        name: "Contradiction",
        title: "Do text and picture contradict each other?".into(),
        lead: html! {
            "The probability of a contradiction, on " (contradiction.conflict) " pairs of opposite labels (to be found) "
            "against " (contradiction.agree) " whose labels agree; pairs with one neutral modality do not count. The threshold "
            "with the largest Youden's J (true minus false positive rate) was chosen on these same rows, so its figures are "
            "a little flattered; their intervals hold it fixed."
        },
        body: html! {
            (figures(&plots))
            p.note {
                "From its own threshold on the model says " code { "contradicts" } ": of " (percent(own.recall)) " % of the opposed pairs, and of "
                (percent(1.0 - own.specificity)) " % of those that agree."
            }
            (table)
            (heads)
        },
    })
}

fn roc(contradiction: &Contradiction) -> Option<Markup> {
    let (points, auc) = (contradiction.curve.as_ref()?, contradiction.auc?);
    let points: Vec<_> = points.iter().map(|p| (p.false_positive_rate, p.true_positive_rate)).collect();
    let mut chart =
        Chart::new(Range::percent(), "false positive rate, %", Range::percent(), "true positive rate, %")
            .reference((0.0, 0.0), (1.0, 1.0))
            .area("c-negative", &points)
            .line("c-negative", &points);
    if let Some(AtThreshold { found: best, .. }) = &contradiction.best {
        let told = format!("threshold {:.3}: recall {} %", best.threshold, percent(best.recall));
        chart = chart.dot("c-whole", (1.0 - best.specificity, best.recall), &told);
    }
    let description = format!("Area under the curve {auc:.3}. The dashed line is what chance would give.");
    let caption = Caption { id: "roc", title: "ROC curve of the contradiction", description: &description };
    Some(figure("ROC curve", "the dot is the threshold with the largest Youden's J", &chart.render(caption)))
}
