//! The calibration of each head, before and after temperature scaling.

use mixed_feelings::{Scores, Sentiment, fusion::Temperatures};
use serde::Serialize;

use super::report::Row;
use crate::{
    engine::Answer,
    stats::calibration::{Calibration, sharpened},
};

use super::cases::Case;

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

/// Every head that has rows. The whole is held to posts with both halves alone: of the others a head speaks.
pub fn of(rows: &[Row<'_>], temperatures: Temperatures) -> Vec<HeadCalibration> {
    let whole = |answer: &Answer| answer.text.and(answer.image).map(|_| answer.whole);
    let head = |head,
                against,
                temperature,
                scores: fn(&Answer) -> Option<Scores>,
                label: fn(&Case) -> Option<Sentiment>| {
        let after: Vec<_> =
            rows.iter().filter_map(|(case, answer)| Some((scores(answer)?, label(case)?))).collect();
        let before: Vec<_> =
            after.iter().map(|(scores, label)| (sharpened(*scores, temperature), *label)).collect();
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
        head("whole", "label", temperatures.fused, whole, |case| case.label),
        head("text", "text_label", temperatures.text, |answer| answer.text, |case| case.text_label),
        head("image", "image_label", temperatures.image, |answer| answer.image, |case| case.image_label),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_is_the_answer_with_its_temperature_taken_back() {
        let case = Case {
            text_label: Some(Sentiment::Negative),
            label: Some(Sentiment::Negative),
            ..Case::default()
        };
        let text = Scores::from_logits([1.0, 0.0, 0.0]);
        let answer = Answer { whole: text, text: Some(text), image: None, contradiction: None };
        let found = of(&[(&case, &answer)], Temperatures { text: 2.0, ..Temperatures::default() });
        let [head] = found.as_slice() else { panic!("the text head alone: {found:?}") };
        assert_eq!((head.head, head.rows, head.temperature), ("text", 1, 2.0));
        let nll = |logit: f64| (1.0 + 2.0 * (-logit).exp()).ln();
        assert!((head.after.nll - nll(1.0)).abs() < 1e-5 && (head.before.nll - nll(2.0)).abs() < 1e-5);
    }
}
