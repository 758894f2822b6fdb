//! Logit adjustment: a head that learned from many posts of one class calls that class too often for a score that counts all
//! classes alike. Menon et al. 2021, "Long-tail learning via logit adjustment".

/// What is added to the logit of each of `classes` classes: `-strength * ln(share)`, its share being that among `rows`, each the
/// number of a class. A class without a row counts as one with one.
pub fn offsets(rows: impl Iterator<Item = usize>, classes: usize, strength: f64) -> Vec<f32> {
    let mut counts = vec![0u32; classes];
    for class in rows {
        counts[class] += 1;
    }
    let all = f64::from(counts.iter().sum::<u32>().max(1));
    counts.into_iter().map(|count| (-strength * (f64::from(count.max(1)) / all).ln()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_a_class_the_more_its_logit_gains() {
        let rows = [0, 1, 1, 1, 1, 2, 2, 2].into_iter();
        let expected = [8f32.ln() / 2.0, 2f32.ln() / 2.0, (8f32 / 3.0).ln() / 2.0];
        let got = offsets(rows, 3, 0.5);
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?} {expected:?}");
    }

    #[test]
    fn a_class_without_a_row_stays_finite() {
        assert_eq!(offsets([0, 0].into_iter(), 2, 1.0), [0.0, 2f32.ln()]);
        assert_eq!(offsets([].into_iter(), 2, 1.0), [0.0, 0.0]);
    }
}
