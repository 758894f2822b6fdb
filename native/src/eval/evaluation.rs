//! Everything that `eval --report` finds: what `metrics.json` holds and the page shows.

use mixed_feelings::analyzer::Answer;
use serde::Serialize;

use super::{
    calibrated::{self, HeadCalibration},
    cases::{Case, Row},
    challenge::ChallengeReport,
    compare::Comparison,
    curves::Curve,
    intensity::ByIntensity,
    mistakes::{self, Mistake},
    report::Report,
    subject::Subject,
};
use crate::stats::bootstrap::{Bootstrap, Groups};

/// Mistakes that are listed of each table.
const MISTAKES: usize = 25;

/// A model on everything that it was measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The program's version.
    pub version: &'static str,
    /// The model that was measured.
    pub model: Subject,
    /// The float model that it was compared with.
    pub compared_with: Option<Subject>,
    /// How the intervals were made.
    pub bootstrap: Bootstrap,
    /// Posts with text and picture.
    pub pairs: Option<Found>,
    /// Posts with text alone.
    pub texts: Option<Found>,
    /// Hard posts by category, and swapped words.
    pub challenge: Option<ChallengeReport>,
}

/// What was found on one table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The name of the table's file.
    pub table: String,
    /// The split that was measured, if not all rows.
    pub split: Option<String>,
    /// Groups of near-duplicates, which intervals are made of; single rows where the table has no `dup_group`.
    pub groups: usize,
    /// The figures by modality and relation, contradiction and Shapley shares.
    #[serde(flatten)]
    pub report: Report,
    /// The figures by the strength of the feeling; for pairs alone.
    pub by_intensity: Option<ByIntensity>,
    /// The calibration of each head.
    pub calibration: Vec<HeadCalibration>,
    /// The figures as the posts get worse, if that was measured.
    pub robustness: Option<Vec<Curve>>,
    /// Float against int8, if both were given.
    pub float_against_int8: Option<Comparison>,
    /// The highest confidences in a wrong label.
    pub worst_mistakes: Vec<Mistake>,
}

/// A table's posts with the answers to them.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The name of the table's file.
    pub table: &'a str,
    /// The split, if not all rows.
    pub split: Option<&'a str>,
    /// The posts.
    pub cases: &'a [Case],
    /// What the model answered.
    pub answers: &'a [Answer],
    /// What the float model answered, if there is one.
    pub float: Option<&'a [Answer]>,
}

impl Found {
    /// Holds the answers to the labels. `report` is theirs, with intervals.
    pub fn new(
        asked: Asked<'_>,
        report: Report,
        robustness: Option<Vec<Curve>>,
        model: &Subject,
        bootstrap: &Bootstrap,
    ) -> Self {
        let Asked { table, split, cases, answers, float } = asked;
        let rows: Vec<Row<'_>> = cases.iter().zip(answers).collect();
        let pairs = cases.iter().any(|case| case.relation.is_some());
        Found {
            table: table.to_owned(),
            split: split.map(str::to_owned),
            groups: Groups::new(cases.iter().map(|case| case.group.as_deref())).count(),
            report,
            by_intensity: pairs.then(|| ByIntensity::of(&rows, Some(bootstrap))),
            calibration: calibrated::of(&rows, model.temperatures),
            robustness,
            float_against_int8: float.map(|float| Comparison::new(cases, float, answers)),
            worst_mistakes: mistakes::worst(&rows, MISTAKES),
        }
    }
}
