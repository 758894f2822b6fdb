//! Hard posts by category, and words that must not move the score.

use maud::{Markup, html};

use super::parts::{Section as Shown, Table, class, figure, figures, legend, percent, share};
use crate::{
    eval::{
        challenge::{GroupShift, Section, WordShift},
        evaluation::Evaluation,
        measured::{Measured, Share},
    },
    plot::{Caption, Whisker, whiskers},
};

/// Words that are shown of each group.
const WORDS: usize = 3;

/// The section of the hard posts.
pub fn posts(evaluation: &Evaluation) -> Option<Shown> {
    let challenge = evaluation.challenge.as_ref()?;
    let (mut plots, mut tables) = (Vec::new(), Vec::new());
    let parts = [
        ("texts", "Hard texts", "c-text", &challenge.texts),
        ("pairs", "Hard pairs", "c-whole", &challenge.pairs),
    ];
    for (id, name, colour, section) in parts {
        let Some(section) = section else { continue };
        tables.push(categories(name, section));
        tables.extend(modalities(name, section));
        let point = |name: &str, measured: &Measured| {
            let Share { share, interval, .. } = measured.accuracy();
            Whisker { name: name.into(), class: colour, value: share, interval }
        };
        let mut points = vec![point("all", &section.all)];
        points.extend(section.categories.iter().map(|c| point(&c.category, &c.all)));
        let caption = Caption {
            id: &format!("challenge-{id}"),
            title: &format!("{name} by category"),
            description: "Accuracy of each category with its confidence interval.",
        };
        plots.push(figure(name, "accuracy by category, percent", &whiskers(caption, &points)));
    }
    if plots.is_empty() {
        return None;
    }
    Some(Shown {
        id: "challenge",
        name: "Challenge",
        title: "Hard posts, written by hand".into(),
        lead: html! {
            "Posts in the project's own words, by what makes them hard. With two dozen rows or fewer a category is a hint, "
            "not a measurement. Intervals draw single posts, though pairs share photos."
            @if let Some(auc) = challenge.contradiction_auc {
                " The contradiction's area under the ROC curve on the hard pairs is " (format!("{auc:.3}")) "."
            }
        },
        body: html! {
            (figures(&plots))
            @for table in &tables { (table) }
            @for (_, name, _, section) in parts {
                @if let Some(section) = section { (wrong(name, section)) }
            }
        },
    })
}

fn categories(name: &str, section: &Section) -> Table {
    let mut table = Table::new(name, &["category", "rows", "accuracy", "macro-F1", "read wrongly"]);
    let mut row = |name: &str, measured: &Measured| {
        let m = &measured.metrics;
        let wrong = ((1.0 - m.accuracy) * m.rows as f64).round();
        let (accuracy, f1) = (share(Some(measured.accuracy())), share(measured.macro_f1()));
        table.row(name, &[&m.rows, &accuracy, &f1, &wrong]);
    };
    row("all", &section.all);
    section.categories.iter().for_each(|category| row(&category.category, &category.all));
    table
}

/// The pictures alone, and the contradictions; `None` for posts without pictures.
fn modalities(name: &str, section: &Section) -> Option<Table> {
    let image = section.image.as_ref()?;
    let mut table = Table::new(&format!("{name}: picture and contradiction"), &["what", "rows", "share"]);
    let mut row = |name: &str, of: Share| table.row(name, &[&of.rows, &share(Some(of))]);
    row("image head says image_label", image.accuracy());
    if let Some(found) = section.contradictions_found {
        row("contradictory pairs: it says contradicts", found);
    }
    if let Some(alarms) = section.false_contradictions {
        row("agreeing pairs: it says contradicts", alarms);
    }
    Some(table)
}

/// The posts that were read wrongly: they are the project's own, so their text may be shown.
fn wrong(name: &str, section: &Section) -> Markup {
    let labels = &section.all.metrics.confusion.labels;
    let caption = format!("{name} that were read wrongly");
    let mut table = Table::new(&caption, &["id", "category", "label", "read as", "text"]);
    for wrong in &section.wrong {
        let cells = html! {
            td.words { (wrong.category) }
            td { (class(labels, &wrong.label)) }
            td { (class(labels, &wrong.predicted)) }
            td.words { (wrong.text) }
        };
        table.row_of(&wrong.id, &cells);
    }
    let rows = (section.wrong.len(), section.all.metrics.rows);
    html! {
        @if rows.0 > 0 {
            details { summary { (caption) ": " (rows.0) " of " (rows.1) } (table) }
        }
    }
}

/// The section of the swapped words.
pub fn swaps(evaluation: &Evaluation) -> Option<Shown> {
    let swaps = evaluation.challenge.as_ref()?.swaps.as_ref()?;
    let mut table = Table::new(
        "What swapping a word does to the valence, from −1 to 1",
        &[
            "group",
            "words",
            "sentences",
            "mean shift",
            "largest shift",
            "label flips",
            "accuracy",
            "words that shift most",
        ],
    );
    let mut points = Vec::new();
    for group in &swaps.groups {
        let GroupShift {
            group: name,
            sentences,
            accuracy,
            mean_shift,
            largest_shift,
            flips,
            words: shifts,
            ..
        } = group;
        let shift = |WordShift { word, mean_shift }: &WordShift| format!("{word} {mean_shift:+.3}");
        let most: Vec<String> = shifts.iter().take(WORDS).map(shift).collect();
        let cells = html! {
            td { (shifts.len()) }
            td { (sentences) }
            td { (format!("{mean_shift:.3}")) }
            td { (format!("{largest_shift:.3}")) }
            td { (percent(*flips)) " %" }
            td { (percent(*accuracy)) }
            td.words { (most.join(", ")) }
        };
        table.row_of(name, &cells);
        points.push(Whisker { name: name.clone(), class: "c-text", value: 1.0 - flips, interval: None });
    }
    let caption = Caption {
        id: "swaps",
        title: "Labels that stay the same when a word is swapped",
        description: "For each group, the share of sentences that keep the commonest label of their template.",
    };
    let plot = whiskers(caption, &points);
    Some(Shown {
        id: "swaps",
        name: "Swaps",
        title: "Words that must not move the score".into(),
        lead: html! {
            (swaps.templates) " sentences in which one word for a person is swapped for another of its group. The shift of a "
            "sentence is its valence less the mean of the same sentence over the group; it should be near 0, and no label "
            "should flip. Small shifts here are no proof of fairness."
        },
        body: html! {
            (figures(&[figure("Labels that stay", "share of the sentences, percent", &plot)]))
            (legend(&[("c-text", "100 is what it should be")]))
            (table)
        },
    })
}
