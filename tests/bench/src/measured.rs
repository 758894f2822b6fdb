//! What was measured, as the drivers tell it and as the report keeps it.

use serde::{Deserialize, Serialize};

use crate::{
    cases::Case,
    facade::{Batch, Load, Soak, Start},
    stats::Summary,
    webgpu,
};

/// The contenders whose names the report needs to know.
pub mod names {
    /// Ours, in order of speed.
    pub const OURS: [&str; 3] = ["ours relaxed-simd", "ours simd128", "ours native"];
    /// onnxruntime.
    pub const ORT: [&str; 2] = ["ort f32", "ort int8"];
    /// The bare register tile of a program of ours.
    pub fn peak_of(ours: &str) -> String {
        ours.replacen("ours", "peak", 1)
    }
}

/// One sample, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Sample {
    /// What was measured.
    pub ms: f64,
    /// Whether the calibration beside it was undisturbed.
    pub good: bool,
}

/// All samples of one contender.
#[derive(Clone, Debug, Deserialize)]
pub struct Raw {
    /// Who.
    pub group: String,
    /// The fastest of its ways.
    pub name: String,
    /// How many ways were tried.
    pub ways: usize,
    /// Products of a run.
    pub macs: f64,
    /// Its probabilities of the three classes for the first question.
    pub answer: Option<Vec<f64>>,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One contender in one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contender {
    /// Who.
    pub group: String,
    /// The fastest of its ways.
    pub name: String,
    /// How many ways were tried.
    pub ways: usize,
    /// Milliseconds of a run.
    pub ms: Summary,
    /// Samples that were thrown away.
    pub dropped: usize,
    /// Whether none was undisturbed, so that all were kept.
    pub disturbed: bool,
    /// 10^9 products a second: by the median, but of a bare tile by its fastest sample.
    pub gmacs: f64,
    /// Its probabilities of the three classes for the first question.
    pub answer: Option<Vec<f64>>,
}

impl Contender {
    /// From its samples; nothing when there are none.
    pub fn of(raw: &Raw) -> Option<Self> {
        let all = |keep: fn(&Sample) -> bool| -> Vec<f64> {
            raw.samples.iter().filter(|sample| keep(sample)).map(|sample| sample.ms).collect()
        };
        let good = all(|sample| sample.good);
        let disturbed = good.is_empty();
        let kept = if disturbed { all(|_| true) } else { good };
        let ms = Summary::of(&kept)?;
        // A roof is what was reached at best; all else is what is reached as a rule.
        let time = if raw.group.starts_with("peak") { ms.least } else { ms.median };
        Some(Contender {
            group: raw.group.clone(),
            name: raw.name.clone(),
            ways: raw.ways,
            ms,
            dropped: raw.samples.len() - kept.len(),
            disturbed,
            gmacs: raw.macs / time / 1e6,
            answer: raw.answer.clone(),
        })
    }
}

/// Somebody who could not take part.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Failure {
    /// Who.
    #[serde(default)]
    pub group: String,
    /// In which way.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// One case in one engine.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case.
    pub id: String,
    /// What the table calls it.
    pub title: String,
    /// Products of a run of ours.
    pub macs: u64,
    /// Who took part.
    pub contenders: Vec<Contender>,
    /// Who could not.
    pub failures: Vec<Failure>,
}

impl Outcome {
    /// From the samples of a case.
    pub fn of(case: &Case, raw: &[Raw], failures: Vec<Failure>) -> Self {
        Outcome {
            id: case.id.into(),
            title: case.title.into(),
            macs: case.macs(),
            contenders: raw.iter().filter_map(Contender::of).collect(),
            failures,
        }
    }

    /// Somebody who took part.
    pub fn contender(&self, group: &str) -> Option<&Contender> {
        self.contenders.iter().find(|contender| contender.group == group)
    }

    /// The fastest of ours.
    pub fn ours(&self) -> Option<&Contender> {
        names::OURS.iter().find_map(|name| self.contender(name))
    }

    /// The faster of onnxruntime's.
    pub fn opponent(&self) -> Option<&Contender> {
        let all = names::ORT.iter().filter_map(|name| self.contender(name));
        all.min_by(|a, b| a.ms.median.total_cmp(&b.ms.median))
    }

    /// How many times faster than [`opponent`](Self::opponent) somebody is.
    pub fn speed_up(&self, contender: &Contender) -> Option<f64> {
        Some(self.opponent()?.ms.median / contender.ms.median)
    }

    /// The share of the bare tile's speed, in the same engine at the same time, that one of ours reaches.
    pub fn share_of_peak(&self, ours: &Contender) -> Option<f64> {
        Some(ours.gmacs / self.contender(&names::peak_of(&ours.group))?.gmacs)
    }

    /// The largest difference between the probabilities of somebody and those of onnxruntime's floats.
    pub fn difference(&self, contender: &Contender) -> Option<f64> {
        let expected = self.contender(names::ORT[0])?.answer.as_ref()?;
        let answer = contender.answer.as_ref()?;
        Some(answer.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
    }
}

/// Everything that was measured in one engine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Engine {
    /// `chromium`, `firefox` or `native`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The cases.
    pub outcomes: Vec<Outcome>,
    /// Long use.
    pub soak: Option<Soak>,
    /// The way to the first answer.
    pub load: Option<Load>,
    /// Many posts.
    pub batch: Option<Batch>,
    /// What looking for a GPU costs the first answer.
    pub starts: Option<Vec<Start>>,
    /// The GPU beside the processor.
    pub webgpu: Option<Vec<webgpu::Part>>,
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cases::CASES;

    /// A contender with samples `(ms, good)`.
    pub fn raw(group: &str, samples: &[(f64, bool)], answer: [f64; 3]) -> Raw {
        Raw {
            group: group.into(),
            name: "a way".into(),
            ways: 1,
            macs: 1e9,
            answer: Some(answer.into()),
            samples: samples.iter().map(|&(ms, good)| Sample { ms, good }).collect(),
        }
    }

    /// A case in which ours takes 10 ms, onnxruntime 30 and 40, and the tile does the same products in 8.
    pub fn outcome(id: &str) -> Outcome {
        let case = CASES.iter().find(|case| case.id == id).unwrap();
        let all = [
            raw("peak relaxed-simd", &[(9.0, true), (8.0, true), (12.0, true)], [0.0; 3]),
            raw("ours relaxed-simd", &[(10.0, true), (90.0, false)], [0.2, 0.3, 0.5]),
            raw("ours simd128", &[(20.0, true)], [0.2, 0.3, 0.5]),
            raw("ort f32", &[(40.0, true)], [0.2, 0.35, 0.45]),
            raw("ort int8", &[(30.0, true)], [0.3, 0.3, 0.4]),
        ];
        Outcome::of(case, &all, vec![])
    }

    /// An engine in which this was measured.
    pub fn engine(name: &str, outcomes: Vec<Outcome>) -> Engine {
        Engine { name: name.into(), version: "1".into(), outcomes, ..Engine::default() }
    }

    #[test]
    fn disturbed_samples_do_not_count() {
        let outcome = outcome("lite0");
        let ours = outcome.ours().unwrap();
        assert_eq!((ours.ms.median, ours.ms.count, ours.dropped, ours.disturbed), (10.0, 1, 1, false));
        assert_eq!(ours.gmacs, 100.0);
        let all = Contender::of(&raw("x", &[(3.0, false), (5.0, false)], [0.0; 3])).unwrap();
        assert_eq!((all.ms.median, all.dropped, all.disturbed), (4.0, 0, true));
        assert_eq!(Contender::of(&raw("x", &[], [0.0; 3])), None);
    }

    #[test]
    fn ours_is_held_to_the_faster_one() {
        let outcome = outcome("lite0");
        let ours = outcome.ours().unwrap();
        assert_eq!(outcome.opponent().unwrap().group, "ort int8");
        assert_eq!(outcome.speed_up(ours), Some(3.0));
        assert_eq!(outcome.share_of_peak(ours), Some(0.8));
        assert!((outcome.difference(ours).unwrap() - 0.05).abs() < 1e-12);
    }
}
