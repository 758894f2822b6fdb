//! The exact GELU.

use candle_core::{Result, Tensor};

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    real::Real,
};

/// `x Φ(x)`, Φ the distribution function of the normal distribution (Hendrycks & Gimpel 2016), of each element.
///
/// # Errors
/// Those of candle.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if can_fuse(x) { x.contiguous()?.apply_op1(Op(Gelu)) } else { x.gelu_erf() }
}

struct Gelu;

impl Fused<1> for Gelu {
    const NAME: &'static str = "gelu";

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Vec<T> {
        x.iter().map(|&x| x * x.normal_cdf()).collect()
    }

    /// `dy (Φ(x) + x φ(x))`.
    fn backward<T: Real>(&self, [x]: [&[T]; 1], _: &[T], gradient: &[T]) -> [Gradient<T>; 1] {
        let peak = T::from_f64((2.0 * std::f64::consts::PI).sqrt().recip());
        let density = |x: T| peak * (x * x * T::from_f64(-0.5)).exp();
        let to_x = |(&x, &dy): (&T, &T)| dy * (x.normal_cdf() + x * density(x));
        [Gradient::Of(x.iter().zip(gradient).map(to_x).collect())]
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::VarMap;

    use super::*;
    use crate::layers::gradient_check::{assert_agree, assert_gradients, input};

    #[test]
    fn gradient() -> Result<()> {
        let x = input((4, 16), 1)?;
        assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || gelu(&x.affine(6.0, 0.0)?))
    }

    #[test]
    fn agrees_with_the_composed_form() -> Result<()> {
        let x = input((5, 33), 2)?;
        assert_agree(&[&x], 3e-6, |x| gelu(&x[0].affine(12.0, 0.0)?), |x| x[0].affine(12.0, 0.0)?.gelu_erf())
    }
}
