//! What each modality adds to the accuracy, and where that lies.

use mixed_feelings::Scores;
use serde::Serialize;

use super::cases::Row;
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
        let labels = rows.first()?.1.post.labels();
        let rows = rows.iter().filter_map(|(case, answer)| {
            let said = [&answer.post, answer.text.as_ref()?, answer.image.as_ref()?];
            Some((case.label?, said.map(Scores::class), case.group.as_deref()))
        });
        let rows: Vec<(usize, [usize; 3], Option<&str>)> = rows.collect();
        let shares = |weights: &[u32]| {
            let mut confusions = [(); 3].map(|()| Confusion::new(labels));
            for ((label, said, _), weight) in rows.iter().zip(weights) {
                for (confusion, said) in confusions.iter_mut().zip(said) {
                    confusion.record(*label, *said, *weight as usize);
                }
            }
            let [post, text, image] = confusions.map(|confusion| confusion.metrics());
            Some(ShapleyShares::of(&post?, &text?, &image?))
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
    use mixed_feelings::analyzer::Answer;

    use super::*;
    use crate::eval::{answers::sure_of, cases::Case};

    #[test]
    fn shares_lie_in_their_intervals() {
        let row = |i: usize| {
            let label = if i.is_multiple_of(2) { 2 } else { 0 };
            let wrong_every =
                |nth: usize| sure_of(if i.is_multiple_of(nth) { 2 - label } else { label }, 9.0);
            let (text, image) = (Some(wrong_every(5)), Some(wrong_every(3)));
            let post = wrong_every(7);
            let answer =
                Answer { post, text, image, contradiction: None, truncated: false, incomplete: false };
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
