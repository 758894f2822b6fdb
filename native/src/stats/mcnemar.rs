//! McNemar's exact test (McNemar 1947): do two models differ on the same rows by more than chance?

use serde::Serialize;

/// The rows on which exactly one of two models is right, and how likely a split at least as uneven is if both are
/// equally good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Rows that only the first model reads right.
    pub first_only: usize,
    /// Rows that only the second model reads right.
    pub second_only: usize,
    /// Two-sided, from the binomial distribution itself.
    pub p_value: f64,
}

impl McNemar {
    /// From whether each model is right, row by row.
    pub fn of(rows: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let (mut first_only, mut second_only) = (0, 0);
        for (first, second) in rows {
            first_only += usize::from(first && !second);
            second_only += usize::from(second && !first);
        }
        McNemar { first_only, second_only, p_value: two_sided(first_only, second_only) }
    }
}

/// Twice the smaller tail of a fair coin that falls `a` times on one side and `b` times on the other, at most 1.
fn two_sided(a: usize, b: usize) -> f64 {
    let (few, all) = (a.min(b), a + b);
    // Logarithms, since 2^-n is 0 from 1,075 rows on.
    let mut ln_ways = 0.0;
    let mut tail = 0.0;
    for k in 0..=few {
        tail += f64::exp(ln_ways - all as f64 * std::f64::consts::LN_2);
        ln_ways += ((all - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scipy 1.17.1, `stats.binomtest(k, n, 0.5).pvalue`.
    #[test]
    fn agrees_with_scipy() {
        for (k, n, expected) in [
            (3, 10, 0.343_75),
            (5, 10, 1.0),
            (10, 25, 0.424_356_222_152_709_96),
            (0, 6, 0.031_25),
            (40, 100, 0.056_887_933_640_980_89),
            (480, 1000, 0.217_448_293_204_141_1),
            (1, 2001, 0.0),
        ] {
            assert!((two_sided(k, n - k) - expected).abs() < 1e-9, "{k} of {n}");
            assert!((two_sided(n - k, k) - expected).abs() < 1e-9, "{k} of {n}, turned round");
        }
    }

    #[test]
    fn only_rows_that_tell_the_models_apart_count() {
        let rows = [(true, true), (false, false), (true, false), (true, false), (false, true)];
        let test = McNemar::of(rows);
        assert_eq!((test.first_only, test.second_only, test.p_value), (2, 1, 1.0));
        assert_eq!(McNemar::of([]).p_value, 1.0);
    }
}
