//! How well predictions agree with labels: the usual scores of a three-class problem, as scikit-learn defines them.

use mixed_feelings::Sentiment;
use serde::Serialize;

/// How often each label was predicted as each class: `0[label][prediction]`, in the order of [`Sentiment::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion(pub [[usize; 3]; 3]);

impl Confusion {
    /// Counts one prediction.
    pub fn record(&mut self, label: Sentiment, prediction: Sentiment) {
        self.0[label as usize][prediction as usize] += 1;
    }

    /// How many were counted.
    pub fn rows(&self) -> usize {
        self.0.iter().flatten().sum()
    }

    /// All scores; `None` if nothing was counted.
    pub fn metrics(&self) -> Option<Metrics> {
        (self.rows() > 0).then(|| Metrics::of(self))
    }
}

impl FromIterator<(Sentiment, Sentiment)> for Confusion {
    /// From pairs of label and prediction.
    fn from_iter<I: IntoIterator<Item = (Sentiment, Sentiment)>>(pairs: I) -> Self {
        let mut confusion = Confusion::default();
        for (label, prediction) in pairs {
            confusion.record(label, prediction);
        }
        confusion
    }
}

/// The scores of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Which class.
    pub class: Sentiment,
    /// Share of the predictions of this class that are right; 0 if there are none.
    pub precision: f64,
    /// Share of the rows of this class that were found; 0 if there are none.
    pub recall: f64,
    /// Harmonic mean of both; 0 if both are 0.
    pub f1: f64,
    /// Rows of this class.
    pub support: usize,
}

/// The scores of a set of predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Rows.
    pub rows: usize,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Mean F1 of the three classes; a class that never occurs counts as 0.
    pub macro_f1: f64,
    /// Mean F1 weighted by the support of the classes.
    pub weighted_f1: f64,
    /// Mean recall of the three classes; a class that never occurs counts as 0.
    pub macro_recall: f64,
    /// Class by class, in the order of [`Sentiment::ALL`].
    pub classes: [ClassMetrics; 3],
    /// Rows are labels, columns are predictions.
    pub confusion: Confusion,
}

impl Metrics {
    fn of(confusion: &Confusion) -> Self {
        let counts = &confusion.0;
        let rows = confusion.rows();
        let classes = Sentiment::ALL.map(|class| {
            let c = class as usize;
            let right = counts[c][c];
            let support = counts[c].iter().sum();
            let precision = ratio(right, counts.iter().map(|row| row[c]).sum());
            let recall = ratio(right, support);
            let sum = precision + recall;
            let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
            ClassMetrics { class, precision, recall, f1, support }
        });
        let mean = |score: fn(&ClassMetrics) -> f64| classes.iter().map(score).sum::<f64>() / 3.0;
        Metrics {
            rows,
            accuracy: ratio((0..3).map(|c| counts[c][c]).sum(), rows),
            macro_f1: mean(|c| c.f1),
            weighted_f1: classes.iter().map(|c| c.f1 * ratio(c.support, rows)).sum(),
            macro_recall: mean(|c| c.recall),
            classes,
            confusion: *confusion,
        }
    }
}

/// Each modality's Shapley share of the accuracy over always answering the commonest label: the mean of what it adds
/// alone and what it adds to the other. They sum to accuracy minus `baseline`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShapleyShares {
    /// Accuracy of always answering the commonest label.
    pub baseline: f64,
    /// The text's share.
    pub text: f64,
    /// The picture's share.
    pub image: f64,
}

impl ShapleyShares {
    /// From the whole posts, their texts alone and their pictures alone: all three on the same rows and labels.
    pub fn of(whole: &Metrics, text: &Metrics, image: &Metrics) -> Self {
        let commonest = whole.classes.iter().map(|class| class.support).max().unwrap_or(0);
        let baseline = ratio(commonest, whole.rows);
        let share = |alone: &Metrics, other: &Metrics| {
            (alone.accuracy - baseline).midpoint(whole.accuracy - other.accuracy)
        };
        ShapleyShares { baseline, text: share(text, image), image: share(image, text) }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half
/// (Mann & Whitney 1947). `None` without rows of both kinds, or if a score is not a number.
pub fn auc(rows: &[(f32, bool)]) -> Option<f64> {
    if rows.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives_below, mut wins) = (0usize, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let positives = ties.iter().filter(|(_, positive)| *positive).count();
        let negatives = ties.len() - positives;
        wins += positives as f64 * (negatives_below as f64 + negatives as f64 / 2.0);
        negatives_below += negatives;
    }
    let pairs = negatives_below * (rows.len() - negatives_below);
    (pairs > 0).then(|| wins / pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(labels: &[usize], predictions: &[usize]) -> Confusion {
        labels.iter().zip(predictions).map(|(l, p)| (Sentiment::ALL[*l], Sentiment::ALL[*p])).collect()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    /// Expected values: scikit-learn 1.x, `precision_recall_fscore_support`, `f1_score`, `recall_score`.
    #[test]
    fn agrees_with_scikit_learn() {
        let labels = [
            0, 2, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 0, 0, 2, 2, 0, 0, 1, 2, 2, 2, 2, 2, 2, 1, 1, 0, 0, 2,
            2, 0, 0, 1, 1, 2, 2, 2,
        ];
        let predictions = [
            0, 2, 0, 0, 1, 0, 2, 0, 2, 2, 0, 2, 2, 1, 2, 0, 2, 2, 0, 0, 1, 2, 2, 2, 2, 2, 0, 1, 0, 0, 2, 0,
            2, 0, 0, 1, 1, 2, 2, 2,
        ];
        let confusion = confusion(&labels, &predictions);
        assert_eq!(confusion.0, [[9, 0, 2], [2, 6, 1], [4, 0, 16]]);
        let m = confusion.metrics().expect("40 rows");
        assert_eq!(m.rows, 40);
        close(m.accuracy, 0.775);
        close(m.macro_f1, 0.770_940_170_940_170_9);
        close(m.weighted_f1, 0.780_641_025_641_025_7);
        close(m.macro_recall, 0.761_616_161_616_161_7);
        let expected = [
            (0.6, 9.0 / 11.0, 9.0 / 13.0, 11),
            (1.0, 2.0 / 3.0, 0.8, 9),
            (16.0 / 19.0, 0.8, 32.0 / 39.0, 20),
        ];
        for (class, (precision, recall, f1, support)) in m.classes.iter().zip(expected) {
            close(class.precision, precision);
            close(class.recall, recall);
            close(class.f1, f1);
            assert_eq!(class.support, support);
        }
    }

    /// As scikit-learn with `labels=[0, 1, 2], zero_division=0`.
    #[test]
    fn an_absent_class_counts_as_zero() {
        let m = confusion(&[0, 0, 2, 2, 2, 0], &[0, 2, 2, 2, 2, 2]).metrics().expect("6 rows");
        close(m.macro_f1, 5.0 / 12.0);
        close(m.weighted_f1, 0.625);
        close(m.macro_recall, 4.0 / 9.0);
        assert_eq!((m.classes[1].precision, m.classes[1].recall, m.classes[1].f1), (0.0, 0.0, 0.0));
    }

    #[test]
    fn nothing_has_no_scores() {
        assert_eq!(Confusion::default().metrics(), None);
        assert_eq!(auc(&[]), None);
        assert_eq!(auc(&[(0.1, true)]), None);
        assert_eq!(auc(&[(f32::NAN, true), (0.0, false)]), None);
    }

    /// Expected value: scikit-learn's `roc_auc_score`, with ties across both kinds.
    #[test]
    fn auc_agrees_with_scikit_learn() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.2, 0.9];
        let positive = [false, false, true, true, false, true, false, true];
        let rows: Vec<_> = scores.into_iter().zip(positive).collect();
        close(auc(&rows).expect("both kinds"), 0.8125);
    }
}
