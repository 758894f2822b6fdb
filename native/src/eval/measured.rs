//! Metrics with their confidence intervals.

use mixed_feelings::Scores;
use serde::Serialize;

use crate::{
    metrics::{Confusion, Metrics},
    stats::bootstrap::{Bootstrap, Groups, Interval},
};

/// The scores of a set of predictions, and where they lie.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The scores.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Their intervals, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Intervals>,
}

/// The intervals of the scores of [`Metrics`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Intervals {
    /// Of the accuracy.
    pub accuracy: Interval,
    /// Of the mean F1.
    pub macro_f1: Interval,
    /// Of the weighted F1.
    pub weighted_f1: Interval,
    /// Of the mean recall.
    pub macro_recall: Interval,
}

/// A share of rows, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Rows that count.
    pub rows: usize,
    /// The share of them of which it is so.
    pub share: f64,
    /// Its interval, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// A prediction held to its label.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The class that is right.
    pub label: usize,
    /// What was said.
    pub said: &'a Scores,
    /// The group of near-duplicates that the row belongs to.
    pub group: Option<&'a str>,
}

impl Measured {
    /// The scores of some outcomes, with intervals if `bootstrap` is given; `None` if there are no outcomes.
    pub fn of(outcomes: &[Outcome<'_>], bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let labels = outcomes.first()?.said.labels();
        let pairs: Vec<_> = outcomes.iter().map(|outcome| (outcome.label, outcome.said.class())).collect();
        let metrics = Confusion::of(labels, pairs.iter().copied()).metrics()?;
        let groups = Groups::new(outcomes.iter().map(|outcome| outcome.group));
        let intervals = bootstrap.and_then(|bootstrap| {
            bootstrap.intervals(&groups, |weights| {
                let mut confusion = Confusion::new(labels);
                for ((label, prediction), weight) in pairs.iter().zip(weights) {
                    confusion.record(*label, *prediction, *weight as usize);
                }
                let m = confusion.metrics()?;
                Some([m.accuracy, m.macro_f1, m.weighted_f1, m.macro_recall])
            })
        });
        let intervals = intervals.map(|[accuracy, macro_f1, weighted_f1, macro_recall]| Intervals {
            accuracy,
            macro_f1,
            weighted_f1,
            macro_recall,
        });
        Some(Measured { metrics, intervals })
    }

    /// The accuracy alone.
    pub fn accuracy(&self) -> Share {
        let interval = self.intervals.map(|intervals| intervals.accuracy);
        Share { rows: self.metrics.rows, share: self.metrics.accuracy, interval }
    }

    /// The mean F1 alone, if every class has rows: else a class counts as 0 that nobody could have found.
    pub fn macro_f1(&self) -> Option<Share> {
        let all = self.metrics.classes.iter().all(|class| class.support > 0);
        let interval = self.intervals.map(|intervals| intervals.macro_f1);
        all.then_some(Share { rows: self.metrics.rows, share: self.metrics.macro_f1, interval })
    }
}

impl Share {
    /// How many of the rows (whether it is so, and their group) it is; `None` without rows.
    pub fn of(rows: &[(bool, Option<&str>)], bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let share = |weights: &[u32]| {
            let all: u32 = weights.iter().sum();
            let so: u32 = rows.iter().zip(weights).filter(|((so, _), _)| *so).map(|(_, weight)| weight).sum();
            (all > 0).then(|| [f64::from(so) / f64::from(all)])
        };
        let [value] = share(&vec![1; rows.len()])?;
        let groups = Groups::new(rows.iter().map(|(_, group)| *group));
        let interval = bootstrap.and_then(|bootstrap| bootstrap.intervals(&groups, share)).map(|[of]| of);
        Some(Share { rows: rows.len(), share: value, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::answers::sure_of;

    fn measured(rows: usize, bootstrap: Option<&Bootstrap>) -> Option<Measured> {
        let said = [0, 1, 2].map(|class| sure_of(class, 1.0));
        let outcome = |i: usize| {
            let label = i % 3;
            let prediction = if i.is_multiple_of(4) { 1 } else { label };
            Outcome { label, said: &said[prediction], group: None }
        };
        Measured::of(&(0..rows).map(outcome).collect::<Vec<_>>(), bootstrap)
    }

    #[test]
    fn a_figure_lies_in_its_interval_and_more_rows_narrow_it() {
        let few = measured(60, Some(&Bootstrap::default())).expect("rows");
        let many = measured(600, Some(&Bootstrap::default())).expect("rows");
        let width = |m: &Measured| m.intervals.map(|i| i.accuracy.high - i.accuracy.low).expect("intervals");
        for m in [&few, &many] {
            let intervals = m.intervals.expect("intervals");
            for (value, interval) in [
                (m.metrics.accuracy, intervals.accuracy),
                (m.metrics.macro_f1, intervals.macro_f1),
                (m.metrics.weighted_f1, intervals.weighted_f1),
                (m.metrics.macro_recall, intervals.macro_recall),
            ] {
                assert!(interval.low < value && value < interval.high, "{value} {interval:?}");
            }
        }
        assert!(width(&many) < 0.5 * width(&few));
        assert_eq!(measured(6, None).expect("rows").intervals, None);
        assert_eq!(Measured::of(&[], Some(&Bootstrap::default())), None);
    }

    #[test]
    fn the_mean_f1_of_two_classes_is_not_told() {
        let said = [0, 1, 2].map(|class| sure_of(class, 1.0));
        let of = |label: usize| Outcome { label, said: &said[label], group: None };
        let two = Measured::of(&[of(0), of(2)], None).expect("rows");
        assert_eq!((two.macro_f1(), two.accuracy().share), (None, 1.0));
        let three = Measured::of(&[of(0), of(1), of(2)], None).expect("rows");
        assert_eq!(three.macro_f1().map(|f1| f1.share), Some(1.0));
    }

    #[test]
    fn shares_are_counted() {
        let share = Share::of(&[(true, None), (false, None), (true, Some("a")), (true, Some("a"))], None);
        assert_eq!(share, Some(Share { rows: 4, share: 0.75, interval: None }));
        assert_eq!(Share::of(&[], None), None);
    }
}
