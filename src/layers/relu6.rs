//! ReLU that ends at 6.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::real::{Real, by_type, can_fuse, numbers};

/// `min(max(x, 0), 6)` of each element (Krizhevsky 2010).
///
/// # Errors
/// Those of candle.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    if can_fuse(x) { x.contiguous()?.apply_op1(Relu6) } else { x.clamp(0.0, 6.0) }
}

struct Relu6;

/// The gradient where the output is inside `0..6`, and 0 elsewhere.
struct Relu6Gradient;

fn forward<T: Real>(x: &[T]) -> Vec<T> {
    let six = T::from_f64(6.0);
    let above = |x: T| if x > T::zero() { x } else { T::zero() };
    x.iter().map(|&x| above(if x < six { x } else { six })).collect()
}

fn backward<T: Real>(y: &[T], gradient: &[T]) -> Vec<T> {
    let six = T::from_f64(6.0);
    let passes = |y: T| (y > T::zero()) & (y < six);
    y.iter().zip(gradient).map(|(&y, &dy)| if passes(y) { dy } else { T::zero() }).collect()
}

impl CustomOp1 for Relu6 {
    fn name(&self) -> &'static str {
        "relu6"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = by_type!(x, self.name(), T => forward(numbers::<T>(x, layout)?));
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(y.apply_op2_no_bwd(&gradient.contiguous()?, &Relu6Gradient)?))
    }
}

impl CustomOp2 for Relu6Gradient {
    fn name(&self) -> &'static str {
        "relu6-gradient"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dx = by_type!(y, self.name(), T =>
            backward(numbers::<T>(y, layout)?, numbers(gradient, gradient_layout)?));
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
        assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || relu6(&x.affine(20.0, 0.0)?))
    }

    #[test]
    fn agrees_with_the_composed_form() -> Result<()> {
        let x = input((5, 33), 2)?;
        assert_agree(
            &[&x],
            0.0,
            |x| relu6(&x[0].affine(20.0, 0.0)?),
            |x| x[0].affine(20.0, 0.0)?.clamp(0.0, 6.0),
        )
    }
}
