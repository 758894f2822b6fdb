//! Float against int8 on the same posts.

use std::io::{self, Write};

use anyhow::{Result, bail};
use mixed_feelings::{Scores, analyzer::Answer};
use serde::Serialize;

use super::{answers::answers, cases::Case, contradiction, measured::Measured, report::Readings};
use crate::{engine::Engine, metrics::Metrics, stats::mcnemar::McNemar};

/// What int8 kept of float.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Posts.
    pub rows: usize,
    /// The readings that both models gave, one after the other.
    pub readings: Vec<Kept>,
    /// Of the contradiction, if the posts are such that there is one.
    pub contradiction_auc: Option<KeptArea>,
}

/// An area under the ROC curve with both models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeptArea {
    /// Float's.
    pub float: f64,
    /// int8's.
    pub int8: f64,
}

/// One reading of both models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// Which: the post, the text, the image.
    pub reading: &'static str,
    /// Share of the posts that both models give the same label.
    pub agreement: f64,
    /// Largest difference of a probability.
    pub largest_difference: f32,
    /// Float against the labels.
    pub float: Metrics,
    /// int8 against the labels.
    pub int8: Metrics,
    /// Whether they differ by more than chance: float is the first, int8 the second.
    pub mcnemar: McNemar,
}

impl Comparison {
    /// Asks both models about all cases.
    ///
    /// # Errors
    /// When a row or its picture is unreadable.
    pub fn of(float: &Engine, int8: &Engine, cases: &[Case]) -> Result<Self> {
        let float = answers(float, cases, "float")?;
        let int8 = answers(int8, cases, "int8")?;
        Ok(Comparison::new(cases, &float, &int8))
    }

    /// Of what both models answered to the cases.
    pub fn new(cases: &[Case], float: &[Answer], int8: &[Answer]) -> Self {
        let readings = [float, int8].map(|answers| {
            let rows: Vec<_> = cases.iter().zip(answers).collect();
            Readings::of(&rows, None)
        });
        let kept = |reading,
                    scores: fn(&Answer) -> Option<&Scores>,
                    label: fn(&Case) -> Option<usize>,
                    measured: fn(&Readings) -> &Option<Measured>| {
            let [float_measured, int8_measured] = readings.each_ref().map(measured);
            let right = |answer: &Answer, label| Some(scores(answer)?.class() == label);
            let rights = cases.iter().zip(float.iter().zip(int8)).filter_map(|(case, (float, int8))| {
                let label = label(case)?;
                right(float, label).zip(right(int8, label))
            });
            let pairs: Vec<_> =
                float.iter().zip(int8).filter_map(|(f, i)| scores(f).zip(scores(i))).collect();
            let same = pairs.iter().filter(|(f, i)| f.class() == i.class()).count();
            Some(Kept {
                reading,
                agreement: same as f64 / pairs.len() as f64,
                largest_difference: pairs.iter().map(|(f, i)| distance(f, i)).fold(0.0, f32::max),
                float: float_measured.as_ref()?.metrics.clone(),
                int8: int8_measured.as_ref()?.metrics.clone(),
                mcnemar: McNemar::of(rights),
            })
        };
        let readings = [
            kept("whole post on label", |a| Some(&a.post), |c| c.label, |r| &r.whole),
            kept("text on label", |a| a.text.as_ref(), |c| c.label, |r| &r.text),
            kept("image on label", |a| a.image.as_ref(), |c| c.label, |r| &r.image),
            kept("text on text_label", |a| a.text.as_ref(), |c| c.text_label, |r| &r.text_on_text_label),
            kept(
                "image on image_label",
                |a| a.image.as_ref(),
                |c| c.image_label,
                |r| &r.image_on_image_label,
            ),
        ];
        let area = |answers: &[Answer]| contradiction::area(cases.iter().zip(answers));
        Comparison {
            rows: cases.len(),
            readings: readings.into_iter().flatten().collect(),
            contradiction_auc: area(float).zip(area(int8)).map(|(float, int8)| KeptArea { float, int8 }),
        }
    }

    /// Refuses int8 if a score is more than `most` below float's.
    ///
    /// # Errors
    /// Names the score.
    pub fn check(&self, most: f64) -> Result<()> {
        let refuse = |what: &str, score: &str, float: f64, int8: f64| {
            if float - int8 > most {
                bail!(
                    "{what}: {score} falls from {float:.4} to {int8:.4} with int8, by more than {most}: \
                     calibrate with more --samples, or allow more with --max-loss"
                );
            }
            Ok(())
        };
        for Kept { reading, float, int8, .. } in &self.readings {
            refuse(reading, "accuracy", float.accuracy, int8.accuracy)?;
            refuse(reading, "macro-F1", float.macro_f1, int8.macro_f1)?;
            refuse(reading, "weighted-F1", float.weighted_f1, int8.weighted_f1)?;
            refuse(reading, "macro-recall", float.macro_recall, int8.macro_recall)?;
        }
        let area = self.contradiction_auc;
        area.map_or(Ok(()), |KeptArea { float, int8 }| refuse("contradiction", "AUC", float, int8))
    }

    /// A line a reading, and one of the contradiction.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print(&self, what: &str, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{} {what}, float → int8\n\
             {:<24}agreement        accuracy        macro-F1     weighted-F1    macro-recall  McNemar's p",
            self.rows, ""
        )?;
        for Kept { reading, agreement, float, int8, mcnemar, .. } in &self.readings {
            let change = |score: fn(&Metrics) -> f64| format!("{:.3} → {:.3}", score(float), score(int8));
            writeln!(
                out,
                "{reading:<24}{agreement:>9.3}{:>16}{:>16}{:>16}{:>16}{:>13.3}",
                change(|m| m.accuracy),
                change(|m| m.macro_f1),
                change(|m| m.weighted_f1),
                change(|m| m.macro_recall),
                mcnemar.p_value
            )?;
        }
        if let Some(KeptArea { float, int8 }) = self.contradiction_auc {
            writeln!(out, "contradiction: AUC {float:.3} → {int8:.3}")?;
        }
        writeln!(out)
    }
}

fn distance(a: &Scores, b: &Scores) -> f32 {
    a.probabilities().iter().zip(b.probabilities()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Relation,
        eval::answers::{of_text, sure_of},
    };

    fn says(class: usize) -> Answer {
        of_text(sure_of(class, 1.0))
    }

    #[test]
    fn a_loss_is_measured_and_refused() {
        let case = |label| Case { text_label: Some(label), ..Case::default() };
        let cases = [case(2), case(0)];
        let float = [2, 0].map(says);
        let int8 = [2, 1].map(says);
        let comparison = Comparison::new(&cases, &float, &int8);
        assert_eq!(comparison.readings.len(), 1, "texts have one label");
        let kept = &comparison.readings[0];
        assert_eq!((kept.reading, kept.agreement), ("text on text_label", 0.5));
        assert_eq!((kept.mcnemar.first_only, kept.mcnemar.second_only), (1, 0));
        assert!((kept.float.accuracy, kept.int8.accuracy) == (1.0, 0.5));
        assert!((kept.largest_difference - (1f32.exp() - 1.0) / (1f32.exp() + 2.0)).abs() < 1e-6);
        assert!(comparison.check(0.5).is_ok());
        let told = comparison.check(0.01).expect_err("half is lost").to_string();
        assert!(told.contains("text on text_label: accuracy falls from 1.0000 to 0.5000"), "{told}");
        assert!(Comparison::new(&cases, &float, &float).check(0.0).is_ok());
    }

    /// One post is read right either way: one of the common class by float, that of the rare class by int8.
    #[test]
    fn a_loss_of_weighted_f1_alone_is_refused() {
        let case = |label| Case { text_label: Some(label), ..Case::default() };
        let cases = [1, 2, 2].map(case);
        let float = [0, 2, 1].map(says);
        let int8 = [1, 1, 0].map(says);
        let told = Comparison::new(&cases, &float, &int8).check(0.1).expect_err("half is lost").to_string();
        assert!(told.contains("text on text_label: weighted-F1 falls from 0.4444 to 0.2222"), "{told}");
    }

    #[test]
    fn a_loss_of_the_contradiction_is_refused() {
        let case = |relation| Case { relation: Some(relation), ..Case::default() };
        let cases = [Relation::Conflict, Relation::Agree].map(case);
        let says = |contradiction| Answer { contradiction: Some(contradiction), ..says(0) };
        let (float, int8) = ([0.9, 0.1].map(says), [0.1, 0.9].map(says));
        let comparison = Comparison::new(&cases, &float, &int8);
        assert_eq!(comparison.contradiction_auc, Some(KeptArea { float: 1.0, int8: 0.0 }));
        let told = comparison.check(0.5).expect_err("all is lost").to_string();
        assert!(told.contains("contradiction: AUC falls from 1.0000 to 0.0000"), "{told}");
        assert!(comparison.check(1.0).is_ok());
    }
}
