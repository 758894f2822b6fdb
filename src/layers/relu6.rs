//! ReLU that ends at 6.

use candle_core::{Result, Tensor};

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    graft::graft1,
    real::Real,
};

/// `min(max(x, 0), 6)` of each element (Krizhevsky 2010).
///
/// # Errors
/// Those of candle.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    if can_fuse(x) { x.contiguous()?.apply_op1(Op(Relu6)) } else { composed(x) }
}

/// For any device.
fn composed(x: &Tensor) -> Result<Tensor> {
    let seen = x.detach();
    graft1("relu6", x, seen.clamp(0.0, 6.0)?, move |gradient| {
        let [above, below] = [seen.gt(0.0)?, seen.lt(6.0)?].map(|kept| kept.to_dtype(gradient.dtype()));
        Ok([Some((gradient * (above? * below?)?)?)])
    })
}

struct Relu6;

impl Fused<1> for Relu6 {
    const NAME: &'static str = "relu6";

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Vec<T> {
        let six = T::from_f64(6.0);
        let above = |x: T| if x > T::zero() { x } else { T::zero() };
        x.iter().map(|&x| above(if x < six { x } else { six })).collect()
    }

    /// The gradient where the output is inside `0..6`, and 0 elsewhere.
    fn backward<T: Real>(&self, _: [&[T]; 1], y: &[T], gradient: &[T]) -> [Gradient<T>; 1] {
        let six = T::from_f64(6.0);
        let passes = |y: T| (y > T::zero()) & (y < six);
        let to_x = |(&y, &dy): (&T, &T)| if passes(y) { dy } else { T::zero() };
        [Gradient::Of(y.iter().zip(gradient).map(to_x).collect())]
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
        assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || relu6(&x.affine(20.0, 0.0)?))
    }

    #[test]
    fn gradient_of_the_composed_form() -> Result<()> {
        let x = input((4, 16), 1)?;
        assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || composed(&x.affine(20.0, 0.0)?))
    }

    #[test]
    fn agrees_with_the_composed_form_and_with_candle() -> Result<()> {
        let x = input((5, 33), 2)?;
        let wide = |x: &[&Tensor]| x[0].affine(20.0, 0.0);
        assert_agree(&[&x], 0.0, |x| relu6(&wide(x)?), |x| composed(&wide(x)?))?;
        assert_agree(&[&x], 0.0, |x| relu6(&wide(x)?), |x| wide(x)?.clamp(0.0, 6.0))
    }
}
