//! What was promised, and whether it is kept. Only told: the program succeeds either way.

use serde::Serialize;

use crate::{
    cases::{CASES, Case, NATIVE_BAR, SIMD128_BAR},
    measured::{Contender, Engine, Outcome, names},
};

/// One promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What is promised.
    pub what: String,
    /// The least (or, natively, the most) that will do.
    pub wanted: f64,
    /// What was measured.
    pub measured: Option<f64>,
    /// Whether it will do.
    pub met: bool,
}

impl Bar {
    fn at_least(what: String, wanted: f64, measured: Option<f64>) -> Self {
        Bar { what, wanted, measured, met: measured.is_some_and(|measured| measured >= wanted) }
    }

    fn at_most(what: String, wanted: f64, measured: Option<f64>) -> Self {
        Bar { what, wanted, measured, met: measured.is_some_and(|measured| measured <= wanted) }
    }
}

/// The promises of the cases that were measured; those of browsers hold in Chromium.
pub fn bars(engines: &[Engine]) -> Vec<Bar> {
    let mut all = Vec::new();
    for engine in engines {
        for outcome in &engine.outcomes {
            let Some(case) = CASES.iter().find(|case| case.id == outcome.id) else { continue };
            match engine.name.as_str() {
                "chromium" => in_chromium(case, outcome, &mut all),
                "native" => natively(outcome, &mut all),
                _ => {}
            }
        }
    }
    all
}

fn in_chromium(case: &Case, outcome: &Outcome, all: &mut Vec<Bar>) {
    let [relaxed, simd128] = [0, 1].map(|i| outcome.contender(names::OURS[i]));
    let speed_up = |ours: Option<&Contender>| ours.and_then(|ours| outcome.speed_up(ours));
    if let Some(wanted) = case.speed_bar {
        all.push(Bar::at_least(format!("{}: times faster", case.title), wanted, speed_up(relaxed)));
        let what = format!("{}: times faster, simd128 alone", case.title);
        all.push(Bar::at_least(what, SIMD128_BAR, speed_up(simd128)));
    }
    if let Some(wanted) = case.peak_bar {
        let share = relaxed.and_then(|ours| outcome.share_of_peak(ours));
        all.push(Bar::at_least(format!("{}: share of the tile's peak", case.title), wanted, share));
    }
}

fn natively(outcome: &Outcome, all: &mut Vec<Bar>) {
    let [ours, int8] = [names::OURS[2], names::ORT[1]].map(|name| outcome.contender(name));
    let times = ours.zip(int8).map(|(ours, int8)| ours.ms.median / int8.ms.median);
    let what = format!("{}, native: times the time of onnxruntime int8", outcome.title);
    all.push(Bar::at_most(what, NATIVE_BAR, times));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{
        Raw,
        tests::{engine, outcome, raw},
    };

    #[test]
    fn promises_of_the_browser() {
        let bars =
            bars(&[engine("chromium", vec![outcome("resnet50")]), engine("firefox", vec![outcome("lite0")])]);
        let told: Vec<_> = bars.iter().map(|bar| (bar.wanted, bar.measured, bar.met)).collect();
        assert_eq!(told, [(2.7, Some(3.0), true), (1.15, Some(1.5), true), (0.7, Some(0.8), true)]);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let mut outcome = outcome("lite0");
        outcome.contenders.retain(|contender| !contender.group.starts_with("ort"));
        let bars = bars(&[engine("chromium", vec![outcome])]);
        assert!(bars.iter().all(|bar| !bar.met && bar.measured.is_none()));
    }

    #[test]
    fn natively_less_is_better() {
        let native = |ours: f64| -> Vec<Raw> {
            vec![raw("ours native", &[(ours, true)], [0.0; 3]), raw("ort int8", &[(10.0, true)], [0.0; 3])]
        };
        for (ours, met) in [(14.0, true), (16.0, false)] {
            let outcome = Outcome::of(&CASES[0], &native(ours), vec![]);
            assert_eq!(bars(&[engine("native", vec![outcome])])[0].met, met);
        }
    }
}
