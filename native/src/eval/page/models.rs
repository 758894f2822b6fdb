//! Float against int8, and the worst mistakes.

use maud::{Markup, Render, html};
use mixed_feelings::Labels;

use super::parts::{Section, Table, class, percent};
use crate::eval::{
    compare::{Kept, KeptArea},
    evaluation::Evaluation,
    mistakes::Mistake,
};

/// The section of the comparison, if a float model was given beside the int8 one.
pub fn section(evaluation: &Evaluation) -> Option<Section> {
    let mut tables = Vec::new();
    for found in [&evaluation.pairs, &evaluation.texts].into_iter().flatten() {
        let Some(comparison) = &found.float_against_int8 else { continue };
        let mut table = Table::new(
            &format!("{}: float → int8", found.table),
            &[
                "reading",
                "rows",
                "same label",
                "accuracy",
                "macro-F1",
                "weighted F1",
                "macro-recall",
                "only float right",
                "only int8 right",
                "McNemar's p",
            ],
        );
        for Kept { reading, agreement, float, int8, mcnemar, .. } in &comparison.readings {
            let change = |float: f64, int8: f64| format!("{} → {}", percent(float), percent(int8));
            table.row(
                reading,
                &[
                    &float.rows,
                    &percent(*agreement),
                    &change(float.accuracy, int8.accuracy),
                    &change(float.macro_f1, int8.macro_f1),
                    &change(float.weighted_f1, int8.weighted_f1),
                    &change(float.macro_recall, int8.macro_recall),
                    &mcnemar.first_only,
                    &mcnemar.second_only,
                    &format!("{:.3}", mcnemar.p_value),
                ],
            );
        }
        tables.push(html! {
            (table)
            @if let Some(KeptArea { float, int8 }) = comparison.contradiction_auc {
                p.note { (format!("Contradiction, area under the ROC curve: {float:.3} → {int8:.3}.")) }
            }
        });
    }
    let float = evaluation.compared_with.as_ref()?;
    Some(Section {
        id: "int8",
        name: "Float and int8",
        title: "What int8 costs".into(),
        lead: html! {
            code { (float.name) } " (" (megabytes(float.bytes)) " MB of float weights) against "
            code { (evaluation.model.name) } " (" (megabytes(evaluation.model.bytes)) " MB) on the same rows. McNemar's exact "
            "test asks whether the rows that only one of them reads right are split more unevenly than chance would; a p near "
            "1 says that no difference can be seen."
        },
        body: html! { @for table in &tables { (table) } },
    })
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// The section of the worst mistakes, if there are any.
pub fn mistakes(evaluation: &Evaluation) -> Option<Section> {
    let mut tables = Vec::new();
    if let Some(pairs) = evaluation.pairs.as_ref().filter(|found| !found.worst_mistakes.is_empty()) {
        let mut table = Table::new(
            &format!("{}: surest of a wrong label", pairs.table),
            &[
                "id",
                "label",
                "read as",
                "sure",
                "text: label",
                "read as",
                "picture: label",
                "read as",
                "contradiction",
            ],
        );
        for mistake in &pairs.worst_mistakes {
            let Mistake { label, predicted, confidence, scores, .. } = mistake;
            let labels = scores.labels();
            table.row(
                &mistake.id,
                &[
                    &class(labels, label),
                    &class(labels, predicted),
                    &percent(f64::from(*confidence)),
                    &known(labels, &mistake.text_label),
                    &known(labels, &mistake.text_predicted),
                    &known(labels, &mistake.image_label),
                    &known(labels, &mistake.image_predicted),
                    &mistake.contradiction.map_or("–".into(), |p| percent(f64::from(p))),
                ],
            );
        }
        tables.push(table);
    }
    if let Some(texts) = evaluation.texts.as_ref().filter(|found| !found.worst_mistakes.is_empty()) {
        let names = texts.worst_mistakes.iter().take(1).flat_map(|mistake| mistake.scores.labels().names());
        let columns: Vec<&str> = ["row", "label", "read as"].into_iter().chain(names).collect();
        let mut table = Table::new(&format!("{}: surest of a wrong label", texts.table), &columns);
        for Mistake { id, label, predicted, scores, .. } in &texts.worst_mistakes {
            let labels = scores.labels();
            let cells = html! {
                td { (class(labels, label)) }
                td { (class(labels, predicted)) }
                @for p in scores.probabilities() { td { (percent(f64::from(*p))) } }
            };
            table.row_of(id, &cells);
        }
        tables.push(table);
    }
    (!tables.is_empty()).then(|| Section {
        id: "mistakes",
        name: "Mistakes",
        title: "The worst mistakes".into(),
        lead: "The rows with the highest confidence in a wrong label, by their id in the table alone: no text and no photo \
               is copied into this page."
            .render(),
        body: html! { @for table in &tables { (table) } },
    })
}

fn known(labels: &Labels, label: &Option<String>) -> Markup {
    label.as_ref().map_or_else(|| html! { "–" }, |label| class(labels, label))
}
