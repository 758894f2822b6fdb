//! Spearman's rank correlation (1904): whether one number rises with another.

/// Of pairs of numbers; ties share the mean of their ranks. `None` where one of both never changes.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let a = ranks(pairs.iter().map(|pair| pair.0).collect());
    let b = ranks(pairs.iter().map(|pair| pair.1).collect());
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum() };
    let size = (product(&a, &a) * product(&b, &b)).sqrt();
    (size > 0.0).then(|| product(&a, &b) / size)
}

fn ranks(values: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = before as f64 + (ties.len() as f64 - 1.0) / 2.0;
        ties.iter().for_each(|&i| ranks[i] = rank);
        before += ties.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.stats.spearmanr`.
    #[test]
    fn agrees_with_scipy() {
        let a = [1.0, 2.0, 2.0, 5.0, 3.0, -1.0];
        let b = [0.3, 0.1, 0.4, 0.4, 0.9, -2.0];
        let pairs: Vec<(f64, f64)> = a.into_iter().zip(b).collect();
        let found = spearman(&pairs).expect("both change");
        assert!((found - 0.779_411_764_705_882_5).abs() < 1e-12, "{found}");
        let opposed: Vec<_> = (0..9).map(|i| (f64::from(i), -f64::from(i * i))).collect();
        assert_eq!(spearman(&opposed), Some(-1.0));
        assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(spearman(&[]), None);
    }
}
