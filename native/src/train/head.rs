//! The image head, fitted to the features of a finished encoder: a strongly penalised logistic regression on the classes,
//! and a ridge regression on what people said of other photos, which moves the extreme classes' logits apart.

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};

/// Steps of the logistic regression at the most.
const STEPS: usize = 2_000;
/// Steps that find the largest curvature.
const POWER_STEPS: usize = 30;
/// The regression is done when no gradient is larger, in parts of the rows' weight.
const TOLERANCE: f64 = 1e-6;

/// A linear layer: weights `[outputs][inputs]` and biases.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// A row an output.
    pub weights: Vec<Vec<f64>>,
    /// One an output.
    pub biases: Vec<f64>,
}

impl Layer {
    /// What it makes of these features.
    pub fn apply(&self, features: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(&self.biases).map(|(row, bias)| dot(row, features) + bias).collect()
    }

    /// Weight and bias as tensors.
    pub fn tensors(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let inputs = self.weights.first().map_or(0, Vec::len);
        let weights: Vec<f32> = self.weights.iter().flatten().map(|&w| w as f32).collect();
        let biases: Vec<f32> = self.biases.iter().map(|&b| b as f32).collect();
        let shape = (self.weights.len(), inputs);
        Ok((Tensor::from_vec(weights, shape, device)?, Tensor::new(biases, device)?))
    }

    /// Adds `step * score` to each output, `score` being another layer's only output.
    pub fn lean(&mut self, score: &Layer, steps: &[f64]) {
        for ((row, bias), step) in self.weights.iter_mut().zip(&mut self.biases).zip(steps) {
            row.iter_mut().zip(&score.weights[0]).for_each(|(w, s)| *w += step * s);
            *bias += step * score.biases[0];
        }
    }
}

/// Labelled rows of features.
pub struct Labelled<'a> {
    /// A row of numbers each.
    pub features: &'a [Vec<f64>],
    /// Its class.
    pub labels: &'a [usize],
    /// How much it counts.
    pub weights: &'a [f64],
}

/// The multinomial logistic regression that minimises `sum of weight * cross-entropy + penalty / 2 * squared weights`; biases
/// cost nothing (scikit-learn's `LogisticRegression(C = 1 / penalty)`). By accelerated gradients (Nesterov 1983), on
/// centred features.
pub fn logistic(rows: &Labelled<'_>, classes: usize, penalty: f64) -> Result<Layer> {
    let Labelled { features, labels, weights } = *rows;
    let total: f64 = weights.iter().sum();
    ensure!(!features.is_empty() && total > 0.0, "no labelled rows to fit a head to");
    let (centred, means) = centre(features, weights);
    let inputs = means.len();
    // The curvature of the cross-entropy is at most half of that of the squares.
    let steepest = 0.5 * largest_curvature(&centred, weights).max(total) + penalty;
    let mut at = Layer { weights: vec![vec![0.0; inputs]; classes], biases: vec![0.0; classes] };
    let mut ahead = at.clone();
    let mut momentum = 1.0f64;
    for _ in 0..STEPS {
        let mut slope = Layer {
            weights: ahead.weights.iter().map(|row| row.iter().map(|w| penalty * w).collect()).collect(),
            biases: vec![0.0; classes],
        };
        for ((x, &label), &weight) in centred.iter().zip(labels).zip(weights) {
            let probabilities = softmax(&ahead.apply(x));
            for (class, p) in probabilities.into_iter().enumerate() {
                let error = weight * (p - f64::from(u8::from(class == label)));
                slope.biases[class] += error;
                slope.weights[class].iter_mut().zip(x).for_each(|(s, x)| *s += error * x);
            }
        }
        let largest = slope.weights.iter().flatten().chain(&slope.biases).fold(0.0f64, |m, s| m.max(s.abs()));
        if largest < TOLERANCE * total {
            break;
        }
        let next = combined(&ahead, &slope, -1.0 / steepest);
        let next_momentum = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
        let moved = combined(&next, &at, -1.0);
        ahead = combined(&next, &moved, (momentum - 1.0) / next_momentum);
        (at, momentum) = (next, next_momentum);
    }
    for (row, bias) in at.weights.iter().zip(&mut at.biases) {
        *bias -= dot(row, &means);
    }
    Ok(at)
}

/// The ridge regression that minimises `sum of weight * (score - target) ^ 2 + penalty * squared weights`, its bias free.
/// There are fewer rows than features: it is solved row by row (Saunders et al. 1998).
pub fn ridge(features: &[Vec<f64>], targets: &[f64], weights: &[f64], penalty: f64) -> Result<Layer> {
    let total: f64 = weights.iter().sum();
    ensure!(!features.is_empty() && total > 0.0, "no rated rows to fit a head to");
    let (centred, means) = centre(features, weights);
    let mean = dot(targets, weights) / total;
    let mut products: Vec<Vec<f64>> =
        centred.iter().map(|a| centred.iter().map(|b| dot(a, b)).collect()).collect();
    for (row, weight) in weights.iter().enumerate() {
        products[row][row] += penalty / weight;
    }
    let shares = solve(products, targets.iter().map(|target| target - mean).collect())?;
    let mut row = vec![0.0; means.len()];
    for (x, share) in centred.iter().zip(shares) {
        row.iter_mut().zip(x).for_each(|(w, x)| *w += share * x);
    }
    let bias = mean - dot(&row, &means);
    Ok(Layer { weights: vec![row], biases: vec![bias] })
}

/// Solves `matrix x = right` for a symmetric positive definite matrix (Cholesky).
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Result<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let sum = matrix[i][j] - dot(&matrix[i][..j], &matrix[j][..j]);
            if i == j {
                ensure!(sum > 0.0, "a regression without a penalty has no single solution");
                matrix[i][i] = sum.sqrt();
            } else {
                matrix[i][j] = sum / matrix[j][j];
            }
        }
        right[i] = (right[i] - dot(&matrix[i][..i], &right[..i])) / matrix[i][i];
    }
    for i in (0..n).rev() {
        let later: f64 = (i + 1..n).map(|j| matrix[j][i] * right[j]).sum();
        right[i] = (right[i] - later) / matrix[i][i];
    }
    Ok(right)
}

/// Rows less their weighted mean, and the mean.
fn centre(features: &[Vec<f64>], weights: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let total: f64 = weights.iter().sum();
    let mut means = vec![0.0; features.first().map_or(0, Vec::len)];
    for (x, weight) in features.iter().zip(weights) {
        means.iter_mut().zip(x).for_each(|(mean, x)| *mean += weight * x / total);
    }
    let centred = features.iter().map(|x| x.iter().zip(&means).map(|(x, mean)| x - mean).collect());
    (centred.collect(), means)
}

/// The largest eigenvalue of `sum of weight * x x'`, by the power method, a little more to be safe.
fn largest_curvature(rows: &[Vec<f64>], weights: &[f64]) -> f64 {
    let inputs = rows.first().map_or(0, Vec::len);
    let mut direction: Vec<f64> = (0..inputs).map(|i| 1.0 + (i % 7) as f64).collect();
    let mut value = 0.0;
    for _ in 0..POWER_STEPS {
        let size = dot(&direction, &direction).sqrt().max(f64::MIN_POSITIVE);
        direction.iter_mut().for_each(|d| *d /= size);
        let mut next = vec![0.0; inputs];
        for (x, weight) in rows.iter().zip(weights) {
            let along = weight * dot(x, &direction);
            next.iter_mut().zip(x).for_each(|(n, x)| *n += along * x);
        }
        value = dot(&next, &direction);
        direction = next;
    }
    1.1 * value
}

/// `a + factor * b`.
fn combined(a: &Layer, b: &Layer, factor: f64) -> Layer {
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + factor * b).collect();
    Layer {
        weights: a.weights.iter().zip(&b.weights).map(|(a, b)| sum(a, b)).collect(),
        biases: sum(&a.biases, &b.biases),
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
    let powers: Vec<f64> = logits.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<Vec<f64>>, Vec<usize>, Vec<f64>, Vec<f64>) {
        let features =
            (0..30).map(|i| (0..4).map(|j| f64::from((i * 7 + j * 13) % 11) / 5.0 - 1.0).collect()).collect();
        let labels = (0..30).map(|i| (i * 5 + i / 3) % 3).collect();
        let weights = (0..30).map(|i| 1.0 + f64::from(i % 3) * 0.5).collect();
        let targets = (0..30).map(|i| f64::from((i * 11) % 17) / 8.0 - 1.0).collect();
        (features, labels, weights, targets)
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-4, "{found:?} against {expected:?}");
        }
    }

    /// Values of scikit-learn's `LogisticRegression(C=0.5)`.
    #[test]
    fn the_logistic_regression_agrees_with_scikit_learn() -> Result<()> {
        let (features, labels, weights, _) = rows();
        let rows = Labelled { features: &features, labels: &labels, weights: &weights };
        let head = logistic(&rows, 3, 2.0)?;
        assert_close(&head.weights[0], &[-0.341445, -0.198125, 0.285059, -0.31673]);
        assert_close(&head.weights[2], &[0.30618, 0.01754, -0.335854, 0.320967]);
        assert_close(&head.biases, &[-0.061222, 0.068236, -0.007013]);
        Ok(())
    }

    /// Values of scikit-learn's `Ridge(alpha=2)`.
    #[test]
    fn the_ridge_regression_agrees_with_scikit_learn() -> Result<()> {
        let (features, _, weights, targets) = rows();
        let score = ridge(&features, &targets, &weights, 2.0)?;
        assert_close(&score.weights[0], &[0.210359, 0.636729, 0.026678, -0.107139]);
        assert_close(&score.biases, &[-0.008075]);
        Ok(())
    }

    #[test]
    fn a_head_leans_by_the_score() {
        let mut head = Layer { weights: vec![vec![1.0, 2.0], vec![3.0, 4.0]], biases: vec![0.5, -0.5] };
        let score = Layer { weights: vec![vec![0.2, -0.1]], biases: vec![0.3] };
        let x = [2.0, 5.0];
        let before = head.apply(&x);
        head.lean(&score, &[-1.5, 2.0]);
        let by = score.apply(&x)[0];
        assert_close(&head.apply(&x), &[before[0] - 1.5 * by, before[1] + 2.0 * by]);
    }

    #[test]
    fn nothing_to_fit_is_said() {
        assert!(ridge(&[], &[], &[], 1.0).is_err());
        let twice = [vec![1.0], vec![1.0]];
        assert!(ridge(&twice, &[0.0, 1.0], &[1.0, 1.0], 0.0).is_err());
        assert!(logistic(&Labelled { features: &[], labels: &[], weights: &[] }, 3, 1.0).is_err());
    }
}
