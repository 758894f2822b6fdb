//! How well predictions agree with labels: the usual scores of a problem with several classes, as scikit-learn defines them.

use mixed_feelings::Labels;
use serde::Serialize;

/// How often each label was predicted as each class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    /// The classes.
    #[serde(skip)]
    pub labels: Labels,
    /// `counts[label][prediction]`, in the order of the labels.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Of no predictions yet.
    pub fn new(labels: &Labels) -> Self {
        Confusion { labels: labels.clone(), counts: vec![vec![0; labels.len()]; labels.len()] }
    }

    /// From pairs of label and prediction.
    pub fn of(labels: &Labels, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Confusion::new(labels);
        pairs.into_iter().for_each(|(label, prediction)| confusion.record(label, prediction, 1));
        confusion
    }

    /// Counts a prediction so many times.
    pub fn record(&mut self, label: usize, prediction: usize, times: usize) {
        self.counts[label][prediction] += times;
    }

    /// How many were counted.
    pub fn rows(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// How many of them are right.
    pub fn right(&self) -> usize {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// All scores; `None` if nothing was counted.
    pub fn metrics(&self) -> Option<Metrics> {
        (self.rows() > 0).then(|| Metrics::of(self))
    }
}

/// The scores of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Its name.
    pub class: String,
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
    /// Mean F1 of the classes; one that never occurs counts as 0.
    pub macro_f1: f64,
    /// Mean F1 weighted by the support of the classes.
    pub weighted_f1: f64,
    /// Mean recall of the classes; one that never occurs counts as 0.
    pub macro_recall: f64,
    /// Class by class, in the order of the labels.
    pub classes: Vec<ClassMetrics>,
    /// Rows are labels, columns are predictions.
    pub confusion: Confusion,
}

impl Metrics {
    fn of(confusion: &Confusion) -> Self {
        let Confusion { labels, counts } = confusion;
        let rows = confusion.rows();
        let class = |(c, name): (usize, &str)| {
            let right = counts[c][c];
            let support = counts[c].iter().sum();
            let precision = ratio(right, counts.iter().map(|row| row[c]).sum());
            let recall = ratio(right, support);
            let sum = precision + recall;
            let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
            ClassMetrics { class: name.into(), precision, recall, f1, support }
        };
        let classes: Vec<_> = labels.names().enumerate().map(class).collect();
        let mean =
            |score: fn(&ClassMetrics) -> f64| classes.iter().map(score).sum::<f64>() / classes.len() as f64;
        Metrics {
            rows,
            accuracy: ratio(confusion.right(), rows),
            macro_f1: mean(|c| c.f1),
            weighted_f1: classes.iter().map(|c| c.f1 * ratio(c.support, rows)).sum(),
            macro_recall: mean(|c| c.recall),
            classes,
            confusion: confusion.clone(),
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
    /// From the posts, their texts alone and their pictures alone: all three on the same rows and labels.
    pub fn of(post: &Metrics, text: &Metrics, image: &Metrics) -> Self {
        let commonest = post.classes.iter().map(|class| class.support).max().unwrap_or(0);
        let baseline = ratio(commonest, post.rows);
        let share = |alone: &Metrics, other: &Metrics| {
            (alone.accuracy - baseline).midpoint(post.accuracy - other.accuracy)
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
        Confusion::of(&Labels::sentiment(), labels.iter().copied().zip(predictions.iter().copied()))
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
        assert_eq!(confusion.counts, [[9, 0, 2], [2, 6, 1], [4, 0, 16]]);
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
        assert_eq!(Confusion::new(&Labels::sentiment()).metrics(), None);
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
