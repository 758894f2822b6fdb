//! What each modality adds to the accuracy, and where that lies.

use mixed_feelings::{Scores, Sentiment};
use serde::Serialize;

use super::report::Row;
use crate::{
    metrics::{Confusion, ShapleyShares},
    stats::bootstrap::{Bootstrap, Groups, Interval},
};

/// The shares of text and picture, on the rows that have both and a label.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shapley {
    /// The shares.
    #[serde(flatten)]
    pub shares: ShapleyShares,
    /// Their intervals, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<ShareIntervals>,
}

/// The intervals of the shares; the baseline is found anew in each resample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShareIntervals {
    /// Of the text's share.
    pub text: Interval,
    /// Of the picture's share.
    pub image: Interval,
}

impl Shapley {
    /// Of the rows that have text, picture and label; `None` if there are none.
    pub fn of(rows: &[Row<'_>], bootstrap: Option<&Bootstrap>) -> Option<Self> {
        let rows = rows.iter().filter_map(|(case, answer)| {
            let said = [answer.whole, answer.text?, answer.image?].map(Scores::label);
            Some((case.label?, said, case.group.as_deref()))
        });
        let rows: Vec<(Sentiment, [Sentiment; 3], Option<&str>)> = rows.collect();
        let shares = |weights: &[u32]| {
            let mut confusions = [Confusion::default(); 3];
            for ((label, said, _), weight) in rows.iter().zip(weights) {
                for (confusion, said) in confusions.iter_mut().zip(said) {
                    confusion.0[*label as usize][*said as usize] += *weight as usize;
                }
            }
            let [whole, text, image] = confusions.map(|confusion| confusion.metrics());
            Some(ShapleyShares::of(&whole?, &text?, &image?))
        };
        let groups = Groups::new(rows.iter().map(|(_, _, group)| *group));
        let intervals = bootstrap.and_then(|bootstrap| {
            bootstrap.intervals(&groups, |weights| shares(weights).map(|s| [s.text, s.image]))
        });
        let intervals = intervals.map(|[text, image]| ShareIntervals { text, image });
        Some(Shapley { shares: shares(&vec![1; rows.len()])?, intervals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Answer, eval::cases::Case};
    use Sentiment::{Negative, Positive};

    #[test]
    fn shares_lie_in_their_intervals() {
        let row = |i: usize| {
            let label = if i.is_multiple_of(2) { Positive } else { Negative };
            let wrong_every = |nth: usize| {
                let positive = f32::from(u8::from((label == Positive) != i.is_multiple_of(nth)));
                Scores { negative: 1.0 - positive, neutral: 0.0, positive }
            };
            let (text, image) = (Some(wrong_every(5)), Some(wrong_every(3)));
            let answer = Answer { whole: wrong_every(7), text, image, contradiction: None };
            (Case { label: Some(label), ..Case::default() }, answer)
        };
        let rows: Vec<_> = (0..210).map(row).collect();
        let rows: Vec<Row<'_>> = rows.iter().map(|(case, answer)| (case, answer)).collect();
        let found = Shapley::of(&rows, Some(&Bootstrap::default())).expect("rows");
        let ShapleyShares { baseline, text, image } = found.shares;
        // Right alone: text 4/5, picture 2/3; together 6/7, where a coin gives 1/2.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        close(baseline, 0.5);
        close(text, (0.3 + 6.0 / 7.0 - 2.0 / 3.0) / 2.0);
        close(image, (1.0 / 6.0 + 6.0 / 7.0 - 0.8) / 2.0);
        let intervals = found.intervals.expect("asked for");
        for (value, Interval { low, high }) in [(text, intervals.text), (image, intervals.image)] {
            assert!(low < value && value < high && high - low < 0.2, "{value} in {low} to {high}");
        }
        assert_eq!(Shapley::of(&[], Some(&Bootstrap::default())), None);
    }
}
