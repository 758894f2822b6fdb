//! Float against int8, and the worst mistakes.

use mixed_feelings::Sentiment;

use super::parts::{Section, Table, class, percent};
use crate::{
    eval::{
        compare::{Kept, KeptArea},
        evaluation::Evaluation,
        mistakes::Mistake,
    },
    markup::Escaped,
};

/// The section of the comparison, if a float model was given beside the int8 one.
pub fn section(evaluation: &Evaluation) -> Option<Section> {
    let tables = [&evaluation.pairs, &evaluation.texts];
    let mut body = String::new();
    for found in tables.into_iter().flatten() {
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
                    float.rows.to_string(),
                    percent(*agreement),
                    change(float.accuracy, int8.accuracy),
                    change(float.macro_f1, int8.macro_f1),
                    change(float.weighted_f1, int8.weighted_f1),
                    change(float.macro_recall, int8.macro_recall),
                    mcnemar.first_only.to_string(),
                    mcnemar.second_only.to_string(),
                    format!("{:.3}", mcnemar.p_value),
                ],
            );
        }
        body += &table.render();
        if let Some(KeptArea { float, int8 }) = comparison.contradiction_auc {
            body += &format!(
                "<p class=\"note\">Contradiction, area under the ROC curve: {float:.3} → {int8:.3}.</p>\n"
            );
        }
    }
    let float = evaluation.compared_with.as_ref()?;
    Some(Section {
        id: "int8",
        name: "Float and int8",
        title: "What int8 costs".into(),
        lead: format!(
            "<code>{}</code> ({:.1} MB of float weights) against <code>{}</code> ({:.1} MB) on the same rows. McNemar's \
             exact test asks whether the rows that only one of them reads right are split more unevenly than chance would; a \
             p near 1 says that no difference can be seen.",
            Escaped(&float.name),
            float.bytes as f64 / 1e6,
            Escaped(&evaluation.model.name),
            evaluation.model.bytes as f64 / 1e6
        ),
        body,
    })
}

/// The section of the worst mistakes, if there are any.
pub fn mistakes(evaluation: &Evaluation) -> Option<Section> {
    let mut body = String::new();
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
            let Mistake { label, predicted, confidence, .. } = mistake;
            table.row(
                &mistake.id,
                &[
                    class(*label),
                    class(*predicted),
                    percent(f64::from(*confidence)),
                    known(mistake.text_label),
                    known(mistake.text_predicted),
                    known(mistake.image_label),
                    known(mistake.image_predicted),
                    mistake.contradiction.map_or("–".into(), |p| percent(f64::from(p))),
                ],
            );
        }
        body += &table.render();
    }
    if let Some(texts) = evaluation.texts.as_ref().filter(|found| !found.worst_mistakes.is_empty()) {
        let mut table = Table::new(
            &format!("{}: surest of a wrong label", texts.table),
            &["row", "label", "read as", "negative", "neutral", "positive"],
        );
        for Mistake { id, label, predicted, scores, .. } in &texts.worst_mistakes {
            let mut cells = vec![class(*label), class(*predicted)];
            cells.extend(scores.to_array().map(|score| percent(f64::from(score))));
            table.row(id, &cells);
        }
        body += &table.render();
    }
    (!body.is_empty()).then(|| Section {
        id: "mistakes",
        name: "Mistakes",
        title: "The worst mistakes".into(),
        lead: "The rows with the highest confidence in a wrong label, by their id in the table alone: no text and no photo \
               is copied into this page."
            .into(),
        body,
    })
}

fn known(label: Option<Sentiment>) -> String {
    label.map_or("–".into(), class)
}
