//! The pairs by how text and picture relate, and by how strong the feeling is.

use maud::{Markup, html};

use super::parts::{Section, Table, figure, figures, legend, share};
use crate::{
    eval::{
        evaluation::Found,
        intensity::{Intensity, THIRDS},
        measured::{Measured, Share},
        report::Readings,
    },
    plot::{Caption, Whisker, whiskers},
};

const COLUMNS: [&str; 6] = [
    "rows",
    "text and picture",
    "text alone",
    "picture alone",
    "text head on text_label",
    "image head on image_label",
];

const READ: [(&str, &str); 3] =
    [("c-whole", "text and picture"), ("c-text", "text alone"), ("c-image", "picture alone")];

/// The section by modality combination.
pub fn combination(found: &Found) -> Section {
    let report = &found.report;
    let mut accuracy =
        Table::new("Accuracy by what is read and how text and picture relate", &with_first("relation"));
    let mut f1 = Table::new("Macro-F1 of the same", &with_first("relation"));
    let mut points = Vec::new();
    let all = ("all", report.rows, &report.readings);
    let relations = report.by_relation.iter().map(|r| (r.relation.name(), r.rows, &r.readings));
    for (name, rows, readings) in std::iter::once(all).chain(relations) {
        let name = name.replace('_', " ");
        accuracy.row_of(&name, &cells(rows, readings, |m| Some(m.accuracy())));
        f1.row_of(&name, &cells(rows, readings, Measured::macro_f1));
        points.extend(accuracy_points(&name, readings));
    }
    let caption = Caption {
        id: "combination-plot",
        title: "Accuracy by modality combination",
        description: "For each relation: both, the text alone and the picture alone, against the merged label.",
    };
    let plot = figure(
        "Accuracy against the merged label",
        "percent, with 95 % intervals",
        &whiskers(caption, &points),
    );
    Section {
        id: "combination",
        name: "Combination",
        title: "By modality combination".into(),
        lead: html! {
            "The same posts read with both modalities, and with one of them taken away, against the merged label; and each head "
            "against the label of its own modality. In " em { "agree" } " text and picture have the same label, in "
            em { "one neutral" } " one of them is neutral, in " em { "conflict" } " they point opposite ways and there is no "
            "merged label. A macro-F1 is left out where not all classes occur."
        },
        body: html! { (accuracy) (f1) (figures(&[plot])) (legend(&READ)) },
    }
}

/// The section by sentiment intensity.
pub fn intensity(found: &Found) -> Option<Section> {
    let by = found.by_intensity.as_ref()?;
    let (mut plots, mut tables) = (Vec::new(), Vec::new());
    for (id, caption, groups) in
        [("gold", "By the two gold labels", &by.labels), ("valence", "By predicted valence", &by.valence)]
    {
        tables.push(table(caption, groups));
        let points: Vec<Whisker> =
            groups.iter().flat_map(|group| accuracy_points(group.name, &group.readings)).collect();
        let about = Caption {
            id: &format!("intensity-{id}"),
            title: caption,
            description: "Accuracy of both, the text alone and the picture alone at each intensity.",
        };
        plots.push(figure(caption, "accuracy against the merged label", &whiskers(about, &points)));
    }
    Some(Section {
        id: "intensity",
        name: "Intensity",
        title: "By sentiment intensity".into(),
        lead: html! {
            "By gold labels: " em { "strong" } " when text and picture have the same label and it is not neutral, " em { "mild" }
            " when one of them is neutral, " em { "neutral" } " when both are; " em { "conflict" } " stands apart. By "
            "prediction: " em { "neutral" } " where the magnitude of the predicted valence is below "
            (format!("{:.2}", THIRDS[0])) ", " em { "strong" } " from " (format!("{:.2}", THIRDS[1])) " on, " em { "mild" }
            " between; the bounds are fixed thirds of its range, so that models can be compared."
        },
        body: html! { @for table in &tables { (table) } (figures(&plots)) (legend(&READ)) },
    })
}

fn table(caption: &str, groups: &[Intensity]) -> Table {
    let mut columns = with_first("intensity");
    columns.push("mean |valence|");
    let mut table = Table::new(caption, &columns);
    for group in groups {
        let cells = cells(group.rows, &group.readings, |m| Some(m.accuracy()));
        table.row_of(group.name, &html! { (cells) td { (format!("{:.2}", group.mean_magnitude)) } });
    }
    table
}

fn with_first(name: &'static str) -> Vec<&'static str> {
    std::iter::once(name).chain(COLUMNS).collect()
}

/// How many rows there are, and a figure of each reading.
fn cells(rows: usize, readings: &Readings, figure: fn(&Measured) -> Option<Share>) -> Markup {
    let readings = [
        &readings.whole,
        &readings.text,
        &readings.image,
        &readings.text_on_text_label,
        &readings.image_on_image_label,
    ];
    html! {
        td { (rows) }
        @for reading in readings { td { (share(reading.as_ref().and_then(figure))) } }
    }
}

/// Both modalities and each alone against the merged label, as far as there is one.
fn accuracy_points(name: &str, readings: &Readings) -> Vec<Whisker> {
    let heads = [
        ("both", "c-whole", &readings.whole),
        ("text", "c-text", &readings.text),
        ("picture", "c-image", &readings.image),
    ];
    let point = |(head, class, reading): (&str, &'static str, &Option<Measured>)| {
        let share = reading.as_ref()?.accuracy();
        Some(Whisker { name: format!("{name}, {head}"), class, value: share.share, interval: share.interval })
    };
    heads.into_iter().filter_map(point).collect()
}
