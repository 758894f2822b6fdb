//! Elementary functions made of IEEE basic operations alone, in a fixed order, so that every engine gives the same bits.
//!
//! No `libm`, no fused multiply-add, no `min`/`max` instruction whose zeros differ. Each is written once, for one float
//! and for eight side by side ([`Float`]). Sums run in eight independent partial sums ([`sum`]).

use super::lanes::{Constant, F32x8, Float, LANES};

/// 1.5 * 2^23: adding it pushes the fraction out of a small float, rounding half to even.
const ROUNDER: f32 = 12_582_912.0;

/// ln 2 in two parts, of which the first has so few bits that an integer times it is exact.
const LN2_HIGH: f32 = 355.0 / 512.0;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// A constant of a formula in `F`.
macro_rules! constant {
    ($F:ident: $x:expr) => {
        $F::constant(const { &Constant::new($x) })
    };
}

/// The larger one; `b` if either is not a number.
#[inline(always)]
pub(crate) fn max<F: Float>(a: F, b: F) -> F {
    a.max(b)
}

/// The smaller one; `b` if either is not a number.
#[inline(always)]
pub(crate) fn min<F: Float>(a: F, b: F) -> F {
    a.min(b)
}

/// The nearest integer, halves to even, for magnitudes below 2^22.
#[inline(always)]
pub(crate) fn round<F: Float>(x: F) -> F {
    (x + F::splat(ROUNDER)) - F::splat(ROUNDER)
}

/// `x` rounded half to even and held to `low..=high`, which must lie in `0.0..=127.0`; `low` if it is not a number.
#[inline(always)]
pub(crate) fn round_to_u7(x: f32, low: f32, high: f32) -> u8 {
    // The low mantissa bits of the sum are the integer itself.
    ((min(max(x, low), high) + ROUNDER).to_bits() & 0x7f) as u8
}

/// [`round_to_u7`] of eight numbers, to as many levels as `out` has room for.
#[inline(always)]
pub(crate) fn store_u7(x: F32x8, low: F32x8, high: F32x8, out: &mut [u8]) {
    let rounder = constant!(F32x8: ROUNDER);
    let shifted = x.max(low).min(high) + rounder;
    (shifted.to_bits() - rounder.to_bits()).store_levels(out);
}

/// `e^x` to within 2 ulp. `x` is held to `-87..=88` first, so the result is never zero, subnormal or infinite.
#[inline(always)]
pub(crate) fn exp<F: Float>(x: F) -> F {
    exp_to_88(constant!(F: 88.0).min(x))
}

/// [`exp`] of what is at most 88.
#[inline(always)]
fn exp_to_88<F: Float>(x: F) -> F {
    // Taylor to the seventh power: |r| <= ln 2 / 2 leaves 6e-9.
    static TAYLOR: [Constant; 6] =
        Constant::all([0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
    // Cody and Waite: x = n ln 2 + r.
    let x = constant!(F: -87.0).max(x);
    let shifted = x * constant!(F: std::f32::consts::LOG2_E) + constant!(F: ROUNDER);
    let n = shifted - constant!(F: ROUNDER);
    let r = (x - n * constant!(F: LN2_HIGH)) - n * constant!(F: LN2_LOW);
    let r2 = r * r;
    let two = |i: usize| F::constant(&TAYLOR[2 * i]) + F::constant(&TAYLOR[2 * i + 1]) * r;
    let p = (two(0) + two(1) * r2) + two(2) * (r2 * r2);
    let p = p * r2 + r + constant!(F: 1.0);
    p * shifted.power_of_low_bits()
}

/// The natural logarithm to within 2 ulp or 1e-7, of a positive normal number.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    // x = 2^e m with m in sqrt(1/2)..sqrt(2); ln m = 2 artanh((m - 1) / (m + 1)), its series to the ninth power.
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let e = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x7f_ffff).wrapping_add(SQRT_HALF));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 2.0 / 9.0;
    p = p * z + 2.0 / 7.0;
    p = p * z + 2.0 / 5.0;
    p = p * z + 2.0 / 3.0;
    e * LN2_HIGH + (2.0 * s + (s * z * p + e * LN2_LOW))
}

/// `1 / (1 + e^-x)` to within 2e-7.
#[inline(always)]
pub(crate) fn sigmoid<F: Float>(x: F) -> F {
    constant!(F: 1.0) / (constant!(F: 1.0) + exp(F::splat(0.0) - x))
}

/// `x Φ(x)`, the exact GELU (Hendrycks & Gimpel 2016), to within 1.1e-6 times `1 + |x|`; exactly `x` from 5 on and 0 below
/// -5.
#[inline(always)]
pub(crate) fn gelu<F: Float>(x: F) -> F {
    x * normal_cdf(x)
}

/// `Φ(x)`, the distribution function of the normal distribution, to within 2e-6; exactly 1 from 5 on and 0 below -5.
///
/// No exponential and no division: `(Φ(x) - 1/2) / x` is even, and a polynomial of `t = 2 (x / 5)^2 - 1`, fitted so that
/// the larger of the errors of `Φ(x)` and `x Φ(x)` is least. In `t` rather than `x^2` its terms stay below 1/6, so none
/// cancels another. The last digits make it 1/10 at the ends, where `Φ - 1/2` comes to exactly 1/2. It is summed in pairs
/// (Estrin), because a chain of twenty-two steps would have to be waited for.
#[inline(always)]
pub(crate) fn normal_cdf<F: Float>(x: F) -> F {
    static P: [Constant; 12] = Constant::all([
        0.141_363_74,
        -0.070_298_54,
        0.051_526_137,
        -0.040_385_555,
        0.031_346_146,
        -0.023_659_071,
        0.016_957_995,
        -0.010_101_483,
        0.005_030_713,
        -0.003_925_1,
        0.003_241_848_7,
        -0.001_096_833_5,
    ]);
    let held = constant!(F: -5.0).max(constant!(F: 5.0).min(x));
    let t = (held * held) * constant!(F: 0.08) - constant!(F: 1.0);
    let t2 = t * t;
    let t4 = t2 * t2;
    let two = |i: usize| F::constant(&P[2 * i]) + F::constant(&P[2 * i + 1]) * t;
    let four = |i: usize| two(2 * i) + two(2 * i + 1) * t2;
    let p = four(0) + (four(1) + four(2) * t4) * t4;
    constant!(F: 0.5) + held * p
}

/// `x / 2 * (1 + tanh(sqrt(2 / π) (x + 0.044715 x³)))`, the GELU of GPT-2, to within 4e-7 times `1 + |x|`.
#[inline(always)]
pub(crate) fn gelu_new<F: Float>(x: F) -> F {
    // (1 + tanh u) / 2 = sigmoid(2 u)
    const TWICE: f32 = 1.595_769_2;
    x * sigmoid(constant!(F: TWICE) * (x + constant!(F: 0.044_715) * x * x * x))
}

/// The sum of `x` in eight interleaved partial sums, added up as [`F32x8::sum`] does.
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    sum_of(x, |x| x, 0.0)
}

/// The sum of `f` of each element, in the order of [`sum`]; `neutral` is what `f` makes zero of.
#[inline(always)]
fn sum_of(x: &[f32], f: impl Fn(F32x8) -> F32x8, neutral: f32) -> f32 {
    let mut partial = F32x8::splat(0.0);
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        partial = partial + f(F32x8::load(chunk));
    }
    if !rest.is_empty() {
        partial = partial + f(F32x8::load_partly(rest, neutral));
    }
    partial.sum()
}

/// The dot product of two equally long slices, in the order of [`sum`].
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut partial = F32x8::splat(0.0);
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        partial = partial + F32x8::load_partly(x, 0.0) * F32x8::load_partly(y, 0.0);
    }
    partial.sum()
}

/// Replaces each `x` by `e^(x - m)`, where `m` is the largest of them, and gives their sum: together the softmax, each
/// element that is not below `e^-32` to within 4e-6 of itself. The sum of nothing is zero.
#[inline(always)]
pub(crate) fn exponentials(x: &mut [f32]) -> f32 {
    let mut largest = F32x8::splat(f32::NEG_INFINITY);
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        largest = F32x8::from_array(chunk).max(largest);
    }
    largest = F32x8::load_partly(rest, f32::NEG_INFINITY).max(largest);
    let largest = F32x8::splat(largest.to_array().into_iter().fold(f32::NEG_INFINITY, max));
    let mut total = F32x8::splat(0.0);
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        let y = exp_to_88(F32x8::from_array(chunk) - largest);
        y.store(chunk);
        total = total + y;
    }
    exp_to_88(F32x8::load_partly(rest, 0.0) - largest).store(rest);
    (total + F32x8::load_partly(rest, 0.0)).sum()
}

/// The softmax of logits that are divided by `temperature` first, a positive number.
pub(crate) fn softmax(x: &[f32], temperature: f32) -> Vec<f32> {
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = x.iter().map(|x| exp((x - largest) / temperature)).collect();
    let sum = exponentials.iter().fold(0.0, |sum, x| sum + x);
    exponentials.iter().map(|x| x / sum).collect()
}

/// `ln softmax(x)` of logits, to within 1e-6.
pub(crate) fn log_softmax(x: &[f32]) -> Vec<f32> {
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, max);
    let centred: Vec<f32> = x.iter().map(|x| x - largest).collect();
    let log_sum = ln(centred.iter().fold(0.0, |sum, &x| sum + exp(x)));
    centred.iter().map(|x| x - log_sum).collect()
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` in place (Ba et al. 2016), each element to within 1e-5 of the
/// largest. All three have the same length.
#[inline(always)]
pub(crate) fn layer_norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    let count = x.len() as f32;
    let mean = sum(x) / count;
    let centre = F32x8::splat(mean);
    let variance = sum_of(x, |x| (x - centre) * (x - centre), mean) / count;
    let scale = F32x8::splat(1.0 / (variance + eps).sqrt());
    let normal = |x: &[f32], weight: &[f32], bias: &[f32]| {
        let [y, weight, bias] = [x, weight, bias].map(|part| F32x8::load_partly(part, 0.0));
        (y - centre) * scale * weight + bias
    };
    let (chunks, x_rest) = x.as_chunks_mut::<LANES>();
    let ((weights, weight_rest), (biases, bias_rest)) =
        (weight.as_chunks::<LANES>(), bias.as_chunks::<LANES>());
    for ((x, weight), bias) in chunks.iter_mut().zip(weights).zip(biases) {
        normal(x, weight, bias).store(x);
    }
    normal(x_rest, weight_rest, bias_rest).store(x_rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` numbers from `low` to `high`.
    fn steps(low: f32, high: f32, count: usize) -> impl Iterator<Item = f32> {
        (0..=count).map(move |i| low + (high - low) * (i as f32 / count as f32))
    }

    /// Φ(x) by its series in f64 (Marsaglia 2004), good far beyond f32.
    fn phi(x: f64) -> f64 {
        let (mut term, mut total, mut i) = (x, x, 1.0);
        for _ in 0..400 {
            i += 2.0;
            term *= x * x / i;
            total += term;
        }
        0.5 + total * (-0.5 * x * x - 0.918_938_533_204_672_8).exp()
    }

    #[test]
    fn exp_is_within_two_ulp() {
        for x in steps(-87.0, 88.0, 200_003) {
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.0 * f64::from(f32::EPSILON), "exp({x}) is off by {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
        assert_eq!(exp(1e9), exp(88.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn ln_is_within_its_bound() {
        for x in steps(-30.0, 30.0, 100_003).map(|x| x.exp()).chain(steps(0.5, 2.0, 100_003)) {
            let exact = f64::from(x).ln();
            let error = (f64::from(ln(x)) - exact).abs();
            assert!(
                error < f64::max(1e-7, 2.0 * f64::from(f32::EPSILON) * exact.abs()),
                "ln({x}) is off by {error}"
            );
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sigmoid_and_both_gelus_are_within_their_bounds() {
        for x in steps(-7.0, 7.0, 50_001) {
            let wide = f64::from(x);
            let bound = 4e-7 * (1.0 + wide.abs());
            assert!((f64::from(normal_cdf(x)) - phi(wide)).abs() < 2e-6, "normal_cdf({x})");
            let error = (f64::from(gelu(x)) - wide * phi(wide)).abs();
            assert!(error < 1.1e-6 * (1.0 + wide.abs()), "gelu({x}) is off by {error}");
            let u = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
            assert!((f64::from(gelu_new(x)) - 0.5 * wide * (1.0 + u.tanh())).abs() < bound, "gelu_new({x})");
            assert!((f64::from(sigmoid(x)) - 1.0 / (1.0 + (-wide).exp())).abs() < 2e-7, "sigmoid({x})");
        }
        for x in [5.0, 6.1, 1e9] {
            assert_eq!((gelu(x), gelu(-x)), (x, 0.0));
        }
        assert!(gelu(f32::NAN).is_nan());
        assert_eq!(gelu_new(1e9), 1e9);
    }

    #[test]
    fn rounding_is_half_to_even() {
        for (x, y) in [(0.5, 0), (1.5, 2), (2.5, 2), (126.5, 126), (127.4, 127), (-3.0, 0), (999.0, 127)] {
            assert_eq!(round_to_u7(x, 0.0, 127.0), y, "{x}");
        }
        assert_eq!(round_to_u7(5.0, 17.0, 90.0), 17);
        assert_eq!(round_to_u7(95.0, 17.0, 90.0), 90);
        assert_eq!(round(-2.5), -2.0);
        assert_eq!(round(-3.5), -4.0);
    }

    #[test]
    fn softmax_and_layer_norm_agree_with_f64() {
        for len in [1, 3, 8, 31, 128] {
            let x: Vec<f32> = (0..len).map(|i| ((i * 37 % 29) as f32 - 11.0) * 0.7).collect();
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();

            let mut probabilities = x.clone();
            let sum = exponentials(&mut probabilities);
            let total: f64 = wide.iter().map(|x| x.exp()).sum();
            for (p, x) in probabilities.iter().zip(&wide) {
                let exact = x.exp() / total;
                assert!((f64::from(p / sum) - exact).abs() <= 4e-6 * exact);
            }

            let weight: Vec<f32> = (0..len).map(|i| 1.0 + i as f32 * 0.01).collect();
            let bias: Vec<f32> = (0..len).map(|i| i as f32 * 0.1 - 1.0).collect();
            let mut normed = x.clone();
            layer_norm(&mut normed, &weight, &bias, 1e-5);
            let mean = wide.iter().sum::<f64>() / len as f64;
            let variance = wide.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / len as f64;
            for i in 0..len {
                let exact =
                    (wide[i] - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]) + f64::from(bias[i]);
                assert!((f64::from(normed[i]) - exact).abs() < 1e-4, "{} for {exact}", normed[i]);
            }
        }
        assert_eq!(exponentials(&mut []), 0.0);
    }

    #[test]
    fn log_softmax_is_the_logarithm_of_softmax() {
        let logits = [2.0, -1.0, 0.5];
        let mut p = logits;
        let sum = exponentials(&mut p);
        for (log, p) in log_softmax(&logits).into_iter().zip(p) {
            assert!((log - (p / sum).ln()).abs() < 1e-6);
        }
    }
}
