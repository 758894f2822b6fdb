//! Calibration of a probability by a scale and a bias on its logit.

/// The scale and bias with the highest likelihood of `rows` (logit, whether it is so), by Newton's method with Platt's
/// smoothed targets (Platt 1999; Lin, Lin & Weng 2007). The scale is never negative; without rows of both kinds it is
/// 1 and the bias 0.
pub fn fit(rows: &[(f32, bool)]) -> (f64, f64) {
    let positives = rows.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = rows.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return (1.0, 0.0);
    }
    let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
    let loss = |scale: f64, bias: f64| -> f64 {
        rows.iter()
            .map(|&(x, positive)| {
                let z = scale * f64::from(x) + bias;
                let target = if positive { high } else { low };
                z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
            })
            .sum()
    };
    let (mut scale, mut bias) = (0.0, (positives / negatives).ln());
    for _ in 0..100 {
        let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for &(x, positive) in rows {
            let x = f64::from(x);
            let p = 1.0 / (1.0 + (-(scale * x + bias)).exp());
            let d = p - if positive { high } else { low };
            let w = p * (1.0 - p);
            g = [g[0] + d * x, g[1] + d];
            h = [h[0] + w * x * x, h[1] + w * x, h[2] + w];
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        let now = loss(scale, bias);
        let mut length = 1.0;
        while length > 1e-10 && loss(scale - length * step[0], bias - length * step[1]) > now {
            length /= 2.0;
        }
        scale -= length * step[0];
        bias -= length * step[1];
        if length * (step[0].abs() + step[1].abs()) < 1e-9 {
            break;
        }
    }
    (scale.max(0.0), bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_probability_is_the_share_of_positives() {
        let rows: Vec<(f32, bool)> =
            (0..400).map(|i| (i as f32 / 100.0 - 5.0, (i * 7919) % 400 < i / 4)).collect();
        let (scale, bias) = fit(&rows);
        assert!(scale > 0.0);
        let mean =
            rows.iter().map(|(x, _)| 1.0 / (1.0 + (-(scale * f64::from(*x) + bias)).exp())).sum::<f64>()
                / rows.len() as f64;
        let share = rows.iter().filter(|(_, positive)| *positive).count() as f64 / rows.len() as f64;
        assert!((mean - share).abs() < 0.01, "{mean} against {share}");
    }

    /// Values of scikit-learn's `_sigmoid_calibration`, whose signs are the other way round.
    #[test]
    fn agrees_with_scikit_learn() {
        let logit = |i: i32| (i * 37 % 41) as f32 / 10.0 - 2.0;
        let rows: Vec<(f32, bool)> = (0..40).map(|i| (logit(i), (i * 7919) % 41 < i * 37 % 41)).collect();
        let (scale, bias) = fit(&rows);
        assert!((scale - 1.155_519_67).abs() < 1e-4, "{scale}");
        assert!((bias + 0.051_573_79).abs() < 1e-4, "{bias}");
    }

    #[test]
    fn one_kind_alone_changes_nothing() {
        assert_eq!(fit(&[(1.0, true), (2.0, true)]), (1.0, 0.0));
        assert_eq!(fit(&[]), (1.0, 0.0));
    }
}
