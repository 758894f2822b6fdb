//! The exact GELU.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::real::{Real, by_type, can_fuse, numbers};

/// `x Φ(x)`, Φ the distribution function of the normal distribution (Hendrycks & Gimpel 2016), of each element.
///
/// # Errors
/// Those of candle.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if can_fuse(x) { x.contiguous()?.apply_op1(Gelu) } else { x.gelu_erf() }
}

struct Gelu;

/// `dy (Φ(x) + x φ(x))` of `x` and the gradient `dy`.
struct GeluGradient;

fn forward<T: Real>(x: &[T]) -> Vec<T> {
    x.iter().map(|&x| x * x.normal_cdf()).collect()
}

fn backward<T: Real>(x: &[T], gradient: &[T]) -> Vec<T> {
    let peak = T::from_f64((2.0 * std::f64::consts::PI).sqrt().recip());
    let density = |x: T| peak * (x * x * T::from_f64(-0.5)).exp();
    x.iter().zip(gradient).map(|(&x, &dy)| dy * (x.normal_cdf() + x * density(x))).collect()
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = by_type!(x, self.name(), T => forward(numbers::<T>(x, layout)?));
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(x.apply_op2_no_bwd(&gradient.contiguous()?, &GeluGradient)?))
    }
}

impl CustomOp2 for GeluGradient {
    fn name(&self) -> &'static str {
        "gelu-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dx = by_type!(x, self.name(), T =>
            backward(numbers::<T>(x, layout)?, numbers(gradient, gradient_layout)?));
        Ok((dx, layout.shape().clone()))
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
