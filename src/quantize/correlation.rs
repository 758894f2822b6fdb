//! Rounding that knows what a layer reads: of the codes near the weights those that change the layer's output least.
//!
//! The squared change of an output is `e^T C e`, where `e` is what rounding did to a row and `C` the covariance of the inputs (the
//! mean of the change goes into the bias). With `C = R^T R` and `R` upper triangular, each weight from the last to the first is
//! rounded where the errors behind it are made up for best: Babai's nearest plane, which is GPTQ (Frantar et al. 2022) written backwards.

/// What is added to each variance, as a share of their mean: inputs that were never seen still want their weight.
const DAMPING: f64 = 0.01;

/// The factor of an input's covariance, with the inputs in the order of their variance.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    /// The inputs, from the least variance to the greatest.
    order: Vec<usize>,
    /// `R`, row by row.
    factor: Vec<f64>,
    /// The variance of each input.
    variances: Vec<f32>,
}

impl Correlation {
    /// Of a covariance `[width, width]`; `None` if it is none, or all of its inputs are constant.
    pub fn new(covariance: &[f64], width: usize) -> Option<Self> {
        let variance = |i: usize| covariance[i * width + i];
        let damping = DAMPING * (0..width).map(variance).sum::<f64>() / width.max(1) as f64;
        if damping.is_nan() || damping <= 0.0 {
            return None;
        }
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|&a, &b| variance(a).total_cmp(&variance(b)));
        // Cholesky: `C = L L^T`, row by row, and `R` is `L^T`.
        let mut lower = vec![0.0_f64; width * width];
        for (i, &input) in order.iter().enumerate() {
            let (above, rest) = lower.split_at_mut(i * width);
            let row = &mut rest[..=i];
            for (j, &other) in order[..i].iter().enumerate() {
                let known = &above[j * width..=j * width + j];
                let sum = dot(&row[..j], &known[..j]);
                row[j] = (covariance[input * width + other] - sum) / known[j];
            }
            let square = variance(input) + damping - dot(&row[..i], &row[..i]);
            row[i] = square.max(damping / 2.0).sqrt();
        }
        let mut factor = vec![0.0; width * width];
        for i in 0..width {
            for j in i..width {
                factor[i * width + j] = lower[j * width + i];
            }
        }
        let variances = (0..width).map(|i| (variance(i) + damping) as f32).collect();
        let finite = factor.iter().all(|x| f64::is_finite(*x));
        finite.then_some(Correlation { order, factor, variances })
    }

    /// The variance of each input: how much it matters.
    pub fn variances(&self) -> &[f32] {
        &self.variances
    }

    /// The codes of a row. `code` is the nearest of an input's codes to a weight and what that code stands for.
    pub fn round(&self, row: &[f32], code: impl Fn(usize, f32) -> (i8, f32)) -> Vec<i8> {
        let width = row.len();
        let mut codes = vec![0; width];
        let mut errors = vec![0.0_f64; width];
        for (i, &input) in self.order.iter().enumerate().rev() {
            let factors = &self.factor[i * width + i..(i + 1) * width];
            let behind = dot(&factors[1..], &errors[i + 1..]) / factors[0];
            let (nearest, value) = code(input, row[input] + behind as f32);
            codes[input] = nearest;
            errors[i] = f64::from(row[input] - value);
        }
        codes
    }

    /// The scale that brings `levels` nearest to `row`, in what the layer gives; not a number if they are all 0.
    pub fn scale(&self, row: &[f32], levels: &[f32]) -> f32 {
        let width = row.len();
        let [row, levels] =
            [row, levels].map(|x| self.order.iter().map(|&i| f64::from(x[i])).collect::<Vec<f64>>());
        let (mut product, mut square) = (0.0_f64, 0.0_f64);
        for i in 0..width {
            let factors = &self.factor[i * width + i..(i + 1) * width];
            let (of_row, of_levels) = (dot(factors, &row[i..]), dot(factors, &levels[i..]));
            product += of_row * of_levels;
            square += of_levels * of_levels;
        }
        (product / square) as f32
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 4;
    let mut sums = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        (0..LANES).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    sums.iter().sum::<f64>() + rest
}
