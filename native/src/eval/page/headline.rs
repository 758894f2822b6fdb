//! The headline figures, their scores by class, and the confusion matrices.

use maud::{Markup, Render, html};

use super::parts::{Section, Table, between, class, figure, figures, legend, percent, with_interval};
use crate::{
    eval::{
        evaluation::{Evaluation, Found},
        measured::Measured,
        shapley::Shapley,
    },
    plot::{Caption, Part, Whisker, heat_map, stack, whiskers},
    stats::bootstrap::Interval,
};

/// The figures at the top of the page.
pub fn cards(evaluation: &Evaluation) -> Markup {
    let mut cards = Vec::new();
    let mut card = |class: &str, name: &str, value: f64, interval: Option<Interval>| {
        let Interval { low, high } = interval.unwrap_or(Interval { low: value, high: value });
        let [low, high, at] = [low, high, value].map(|share| 100.0 * share);
        cards.push(html! {
            div.card.(class) {
                dt { (name) }
                dd {
                    span.figure { (percent(value)) }
                    span.gauge style=(format!("--low:{low:.2}%;--high:{high:.2}%;--value:{at:.2}%")) {}
                    (between(interval))
                }
            }
        });
    };
    if let Some(pairs) = &evaluation.pairs {
        if let Some(Measured { metrics, intervals }) = &pairs.report.readings.whole {
            card("c-whole", "Accuracy, text and picture", metrics.accuracy, intervals.map(|i| i.accuracy));
            card("c-whole", "Macro-F1, text and picture", metrics.macro_f1, intervals.map(|i| i.macro_f1));
            card(
                "c-whole",
                "Weighted F1, text and picture",
                metrics.weighted_f1,
                intervals.map(|i| i.weighted_f1),
            );
        }
        if let Some(contradiction) = &pairs.report.contradiction
            && let Some(auc) = contradiction.auc
        {
            card("c-negative", "Contradiction, area under ROC", auc, contradiction.interval);
        }
    }
    if let Some(texts) = &evaluation.texts
        && let Some(Measured { metrics, intervals }) = &texts.report.readings.text_on_text_label
    {
        card("c-text", "Macro-recall, texts", metrics.macro_recall, intervals.map(|i| i.macro_recall));
        card("c-text", "Accuracy, texts", metrics.accuracy, intervals.map(|i| i.accuracy));
    }
    html! { dl.cards { @for card in cards { (card) } } }
}

/// One head against its labels: where its plots are anchored, its names and its colour.
struct Head<'a> {
    id: &'a str,
    name: &'a str,
    against: &'a str,
    colour: &'static str,
    measured: &'a Measured,
}

/// The section of the pairs.
pub fn pairs(found: &Found) -> Section {
    let readings = &found.report.readings;
    let heads: Vec<Head<'_>> = [
        ("whole", "Whole post", "label", "c-whole", &readings.whole),
        ("text", "Text head", "text_label", "c-text", &readings.text_on_text_label),
        ("image", "Image head", "image_label", "c-image", &readings.image_on_image_label),
    ]
    .into_iter()
    .filter_map(|(id, name, against, colour, measured)| {
        Some(Head { id, name, against, colour, measured: measured.as_ref()? })
    })
    .collect();
    let shapley = found.report.shapley.as_ref().map(shapley);
    Section {
        id: "figures",
        name: "Figures",
        title: "Each head against its own label".into(),
        lead: "The whole post is held to the merged label, the text head to the label of the text alone, the image head \
               to that of the picture alone. Pairs whose modalities contradict each other have no merged label."
            .render(),
        body: html! { (figures_of(&heads, "pairs")) @if let Some(shares) = shapley { (shares) } },
    }
}

/// What each modality adds, as a bar and as a table.
fn shapley(Shapley { shares, intervals }: &Shapley) -> Markup {
    let caption = Caption {
        id: "shapley",
        title: "Shapley shares of the accuracy",
        description: &format!(
            "Always answering the commonest label gives {}, the text adds {:+.1} and the picture {:+.1} points.",
            percent(shares.baseline),
            100.0 * shares.text,
            100.0 * shares.image
        ),
    };
    let bar = stack(
        caption,
        &[
            Part { name: "the commonest label", class: "c-muted", value: shares.baseline },
            Part { name: "text", class: "c-text", value: shares.text },
            Part { name: "picture", class: "c-image", value: shares.image },
        ],
    );
    let mut table = Table::new("Shapley shares of the accuracy, in points", &["share", "points"]);
    table.row("the commonest label", &[&percent(shares.baseline)]);
    table.row("text", &[&with_interval(shares.text, intervals.map(|i| i.text))]);
    table.row("picture", &[&with_interval(shares.image, intervals.map(|i| i.image))]);
    let (what, over) = (
        "What each modality adds to the accuracy",
        "Shapley shares over always answering the commonest label",
    );
    html! { (figures(&[figure(what, over, &bar)])) (table) }
}

/// The section of the texts.
pub fn texts(found: &Found) -> Section {
    let measured = found.report.readings.text_on_text_label.as_ref();
    let heads: Vec<Head<'_>> = measured
        .map(|measured| Head { id: "texts", name: "Text head", against: "label", colour: "c-text", measured })
        .into_iter()
        .collect();
    Section {
        id: "texts",
        name: "Texts",
        title: "Texts without a picture".into(),
        lead: html! {
            "The text head on " code { (found.table) } ". Macro-recall, the mean of the three recalls, is what TweetEval "
            "ranks by."
        },
        body: html! { (figures_of(&heads, "texts")) (super::calibration::body(found, "texts")) },
    }
}

fn figures_of(heads: &[Head<'_>], what: &str) -> Markup {
    let mut table = Table::new(
        "Headline figures",
        &["head", "against", "rows", "accuracy", "macro-F1", "weighted F1", "macro-recall"],
    );
    let mut classes = Table::new("By class", &["head", "class", "precision", "recall", "F1", "rows"]);
    let mut plots = Vec::new();
    let mut points = Vec::new();
    for Head { id, name, against, colour, measured } in heads {
        let Measured { metrics: m, intervals: i } = measured;
        table.row(
            name,
            &[
                &html! { code { (against) } },
                &m.rows,
                &with_interval(m.accuracy, i.map(|i| i.accuracy)),
                &with_interval(m.macro_f1, i.map(|i| i.macro_f1)),
                &with_interval(m.weighted_f1, i.map(|i| i.weighted_f1)),
                &with_interval(m.macro_recall, i.map(|i| i.macro_recall)),
            ],
        );
        for (figure, value, interval) in [
            ("accuracy", m.accuracy, i.map(|i| i.accuracy)),
            ("macro-F1", m.macro_f1, i.map(|i| i.macro_f1)),
            ("macro-recall", m.macro_recall, i.map(|i| i.macro_recall)),
        ] {
            let name = format!("{}, {figure}", name.to_lowercase());
            points.push(Whisker { name, class: colour, value, interval });
        }
        for c in &m.classes {
            let [precision, recall, f1] = [c.precision, c.recall, c.f1].map(percent);
            classes.row(name, &[&class(&m.confusion.labels, &c.class), &precision, &recall, &f1, &c.support]);
        }
        let caption = Caption {
            id: &format!("confusion-{id}"),
            title: &format!("Confusion matrix: {name}"),
            description: &format!(
                "Rows are labels, columns predictions; {} of {} rows are on the diagonal.",
                m.confusion.right(),
                m.rows
            ),
        };
        let names: Vec<&str> = m.confusion.labels.names().collect();
        let map = heat_map(caption, &names, "label", "read as", &m.confusion.counts);
        plots.push(figure(name, &format!("confusion matrix, against {against}"), &map));
    }
    let caption = Caption {
        id: &format!("figures-{what}"),
        title: "Figures with intervals",
        description: "Accuracy, macro-F1 and macro-recall of each head with its confidence interval.",
    };
    let forest = whiskers(caption, &points);
    plots.insert(0, figure("Figures and where they lie", "percent, with 95 % intervals", &forest));
    let shades = [("c-right", "read right, the darker the more of the row"), ("c-wrong", "read wrong")];
    html! { (table) (figures(&plots)) (legend(&shades)) (classes) }
}
