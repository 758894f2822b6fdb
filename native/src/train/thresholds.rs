//! From where on an answer says that text and picture contradict each other, and that it is sure: chosen on val.

use mixed_feelings::model::Thresholds;

use super::temperature::Said;

/// The share of the pairs that are not opposed which may be called so.
const FALSE_ALARMS: f64 = 0.05;
/// The share of the answers that are to be sure.
const COVERAGE: f64 = 0.7;

/// Those for contradictions of these probabilities, each with whether it is one, and for what the fused head said, at its
/// `temperature`.
pub fn choose(contradictions: &[(f64, bool)], said: &[Said], temperature: f32) -> Thresholds {
    let quiet = contradictions.iter().filter(|(_, opposed)| !opposed).map(|(p, _)| *p).collect();
    let confidences = said.iter().map(|(logits, _)| confidence(logits, temperature.into())).collect();
    let default = Thresholds::default();
    Thresholds {
        // Above the last one that is called wrongly, not at it: ties are on the quiet side.
        contradiction: quantile(quiet, 1.0 - FALSE_ALARMS)
            .map_or(default.contradiction, |p| (p as f32).next_up().min(1.0)),
        confidence: quantile(confidences, 1.0 - COVERAGE).map_or(default.confidence, |p| p as f32),
    }
}

/// The value that a `share` of the others is below.
fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = (share * values.len() as f64) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied()
}

/// The probability of the likeliest class.
fn confidence(logits: &[f32], temperature: f64) -> f64 {
    let scaled = || logits.iter().map(|&logit| f64::from(logit) / temperature);
    let most = scaled().fold(f64::NEG_INFINITY, f64::max);
    1.0 / scaled().map(|x| (x - most).exp()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn false_alarms_and_coverage_are_what_was_asked_for() {
        let contradictions: Vec<_> = (0..200).map(|i| (f64::from(i) / 200.0, i % 2 == 1)).collect();
        let said: Vec<Said> = (0..100).map(|i| (vec![0.0, i as f32 / 20.0], 1)).collect();
        let found = choose(&contradictions, &said, 2.0);
        let alarms =
            contradictions.iter().filter(|(p, opposed)| !opposed && *p as f32 >= found.contradiction);
        assert_eq!(alarms.count(), 4);
        let sure = said.iter().filter(|(logits, _)| confidence(logits, 2.0) as f32 >= found.confidence);
        assert_eq!(sure.count(), 70);
        assert_eq!(choose(&[], &[], 1.0), Thresholds::default());
    }
}
