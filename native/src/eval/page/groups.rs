//! The pairs by how their halves relate, and by how strong the feeling is.

use super::parts::{Section, Table, figures, legend, share};
use crate::{
    eval::{
        evaluation::Found,
        intensity::{Intensity, THIRDS},
        measured::Measured,
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

/// The section by modality combination.
pub fn combination(found: &Found) -> Section {
    let report = &found.report;
    let mut accuracy =
        Table::new("Accuracy by what is read and how the halves relate", &with_first("relation"));
    let mut f1 = Table::new("Macro-F1 of the same", &with_first("relation"));
    let mut points = Vec::new();
    let all = ("all", report.rows, &report.readings);
    let relations = report.by_relation.iter().map(|r| (r.relation.name(), r.rows, &r.readings));
    for (name, rows, readings) in std::iter::once(all).chain(relations) {
        let name = name.replace('_', " ");
        accuracy.row(&name, &cells(rows, readings, |m| Some(m.accuracy())));
        f1.row(&name, &cells(rows, readings, Measured::macro_f1));
        points.extend(accuracy_points(&name, readings));
    }
    let caption = Caption {
        id: "combination-plot",
        title: "Accuracy by modality combination",
        description: "For each relation: both halves, the text alone and the picture alone, against the merged label.",
    };
    let mut body = accuracy.render() + &f1.render();
    body += &figures(&[(
        "Accuracy against the merged label",
        "percent, with 95 % intervals",
        whiskers(caption, &points),
    )]);
    body +=
        &legend(&[("c-whole", "text and picture"), ("c-text", "text alone"), ("c-image", "picture alone")]);
    Section {
        id: "combination",
        name: "Combination",
        title: "By modality combination".into(),
        lead: "The same posts read with both halves, and with one of them taken away, against the merged label; and each \
               head against the label of its own half. In <em>agree</em> both halves have the same label, in <em>one \
               neutral</em> one of them is neutral, in <em>conflict</em> they point opposite ways and there is no merged \
               label. A macro-F1 is left out where not all three classes occur."
            .into(),
        body,
    }
}

/// The section by sentiment intensity.
pub fn intensity(found: &Found) -> Option<Section> {
    let by = found.by_intensity.as_ref()?;
    let mut body = String::new();
    let mut plots = Vec::new();
    for (id, caption, small, groups) in [
        ("gold", "By the two gold labels", "accuracy against the merged label", &by.labels),
        ("valence", "By predicted valence", "accuracy against the merged label", &by.valence),
    ] {
        body += &table(caption, groups).render();
        let points: Vec<Whisker> =
            groups.iter().flat_map(|group| accuracy_points(group.name, &group.readings)).collect();
        let about = Caption {
            id: &format!("intensity-{id}"),
            title: caption,
            description: "Accuracy of both halves, the text alone and the picture alone at each intensity.",
        };
        plots.push((caption, small, whiskers(about, &points)));
    }
    body += &figures(&plots);
    body +=
        &legend(&[("c-whole", "text and picture"), ("c-text", "text alone"), ("c-image", "picture alone")]);
    Some(Section {
        id: "intensity",
        name: "Intensity",
        title: "By sentiment intensity".into(),
        lead: format!(
            "By gold labels: <em>strong</em> when both halves have the same label and it is not neutral, <em>mild</em> when \
             one half is neutral, <em>neutral</em> when both are; <em>conflict</em> stands apart. By prediction: \
             <em>neutral</em> where the magnitude of the predicted valence is below {:.2}, <em>strong</em> from {:.2} on, \
             <em>mild</em> between; the bounds are fixed thirds of its range, so that models can be compared.",
            THIRDS[0], THIRDS[1]
        ),
        body,
    })
}

fn table(caption: &str, groups: &[Intensity]) -> Table {
    let mut columns = with_first("intensity");
    columns.push("mean |valence|");
    let mut table = Table::new(caption, &columns);
    for group in groups {
        let mut cells = cells(group.rows, &group.readings, |m| Some(m.accuracy()));
        cells.push(format!("{:.2}", group.mean_magnitude));
        table.row(group.name, &cells);
    }
    table
}

fn with_first(name: &'static str) -> Vec<&'static str> {
    std::iter::once(name).chain(COLUMNS).collect()
}

fn cells(
    rows: usize,
    readings: &Readings,
    figure: fn(&Measured) -> Option<crate::eval::measured::Share>,
) -> Vec<String> {
    let readings = [
        &readings.whole,
        &readings.text,
        &readings.image,
        &readings.text_on_text_label,
        &readings.image_on_image_label,
    ];
    let figures = readings.map(|reading| share(reading.as_ref().and_then(figure)));
    std::iter::once(rows.to_string()).chain(figures).collect()
}

/// Both halves and each alone against the merged label, as far as there is one.
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
