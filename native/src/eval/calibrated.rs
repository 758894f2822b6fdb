//! The calibration of each head, before and after temperature scaling.

use mixed_feelings::{Scores, analyzer::Answer, model::Temperatures};
use serde::Serialize;

use super::cases::{Case, Row};
use crate::stats::calibration::{Calibration, sharpened};

/// One head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadCalibration {
    /// Which: `whole`, `text` or `image`.
    pub head: &'static str,
    /// The labels it is held to: `label`, `text_label` or `image_label`.
    pub against: &'static str,
    /// Rows that have both.
    pub rows: usize,
    /// What its logits are divided by.
    pub temperature: f32,
    /// With the logits as they are.
    pub before: Calibration,
    /// As the model answers.
    pub after: Calibration,
}

/// Every head that has rows. The fused head is held to the posts with both modalities: of the others another head speaks.
pub fn of(rows: &[Row<'_>], temperatures: Temperatures) -> Vec<HeadCalibration> {
    fn fused(answer: &Answer) -> Option<&Scores> {
        answer.text.as_ref().and(answer.image.as_ref()).map(|_| &answer.post)
    }
    let head = |head,
                against,
                temperature,
                scores: fn(&Answer) -> Option<&Scores>,
                label: fn(&Case) -> Option<usize>| {
        let after: Vec<_> =
            rows.iter().filter_map(|(case, answer)| Some((scores(answer)?, label(case)?))).collect();
        let before: Vec<_> =
            after.iter().map(|(scores, label)| (sharpened(scores, temperature), *label)).collect();
        let before: Vec<_> = before.iter().map(|(scores, label)| (scores, *label)).collect();
        Some(HeadCalibration {
            head,
            against,
            rows: after.len(),
            temperature,
            before: Calibration::of(&before)?,
            after: Calibration::of(&after)?,
        })
    };
    [
        head("whole", "label", temperatures.fused, fused, |case| case.label),
        head("text", "text_label", temperatures.text, |answer| answer.text.as_ref(), |case| case.text_label),
        head(
            "image",
            "image_label",
            temperatures.image,
            |answer| answer.image.as_ref(),
            |case| case.image_label,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use mixed_feelings::Labels;

    use super::*;
    use crate::eval::answers::of_text;

    #[test]
    fn before_is_the_answer_with_its_temperature_taken_back() {
        let case = Case { text_label: Some(0), label: Some(0), ..Case::default() };
        let answer = of_text(Scores::at_temperature(&Labels::sentiment(), &[1.0, 0.0, 0.0], 1.0));
        let found = of(&[(&case, &answer)], Temperatures { text: 2.0, ..Temperatures::default() });
        let [head] = found.as_slice() else { panic!("the text head alone: {found:?}") };
        assert_eq!((head.head, head.rows, head.temperature), ("text", 1, 2.0));
        let nll = |logit: f64| (1.0 + 2.0 * (-logit).exp()).ln();
        assert!((head.after.nll - nll(1.0)).abs() < 1e-5 && (head.before.nll - nll(2.0)).abs() < 1e-5);
    }
}
