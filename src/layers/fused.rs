//! Layers that walk through memory once. candle computes a layer as one tensor after another, and each costs a walk,
//! forward and again backward. A fused layer has one loop each way, on the CPU; other devices and other types of number
//! take the composed form beside it.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor,
    backend::BackendStorage, bail,
};

use super::real::Real;

/// A layer of `N` contiguous inputs; an [`Op`] of it is candle's `CustomOpN`.
pub(super) trait Fused<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;

    /// The shape of the output, by default that of the first input.
    fn shape(&self, first: &Shape) -> Shape {
        first.clone()
    }

    /// The output.
    fn forward<T: Real>(&self, inputs: [&[T]; N]) -> Vec<T>;

    /// The gradient of each input, from the inputs, the output and its gradient.
    fn backward<T: Real>(&self, _inputs: [&[T]; N], _output: &[T], _gradient: &[T]) -> [Gradient<T>; N] {
        [const { Gradient::None }; N]
    }
}

/// What reaches an input.
pub(super) enum Gradient<T> {
    /// Nothing: it is a constant.
    None,
    /// These numbers, in the shape of the input.
    Of(Vec<T>),
}

/// Whether a fused layer can compute with `x`.
pub(super) fn can_fuse(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// A fused layer as an operation of candle.
pub(super) struct Op<F>(pub F);

macro_rules! custom_op {
    ($CustomOp:ident<$N:literal>, $($x:ident $layout:ident),+ => $Gradients:ty) => {
        impl<F: Fused<$N>> $CustomOp for Op<F> {
            fn name(&self) -> &'static str {
                F::NAME
            }

            fn cpu_fwd(&self, $($x: &CpuStorage, $layout: &Layout),+) -> Result<(CpuStorage, Shape)> {
                let inputs = [$(($x, $layout)),+];
                match inputs[0].0.dtype() {
                    DType::F32 => forward::<f32, F, $N>(&self.0, inputs),
                    _ => forward::<f64, F, $N>(&self.0, inputs),
                }
            }

            fn bwd(&self, $($x: &Tensor,)+ output: &Tensor, gradient: &Tensor) -> Result<$Gradients> {
                let [$($x),+] = match output.dtype() {
                    DType::F32 => backward::<f32, F, $N>(&self.0, [$($x),+], output, gradient)?,
                    _ => backward::<f64, F, $N>(&self.0, [$($x),+], output, gradient)?,
                };
                Ok(($($x),+))
            }
        }
    };
}

custom_op!(CustomOp1<1>, a a_layout => Option<Tensor>);
custom_op!(CustomOp2<2>, a a_layout, b b_layout => (Option<Tensor>, Option<Tensor>));
custom_op!(CustomOp3<3>, a a_layout, b b_layout, c c_layout => (Option<Tensor>, Option<Tensor>, Option<Tensor>));

fn forward<T: Real, F: Fused<N>, const N: usize>(
    layer: &F,
    inputs: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    let mut slices: [&[T]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(inputs) {
        *slice = numbers(storage, layout)?;
    }
    Ok((T::to_cpu_storage_owned(layer.forward(slices)), layer.shape(inputs[0].1.shape())))
}

fn backward<T: Real, F: Fused<N>, const N: usize>(
    layer: &F,
    inputs: [&Tensor; N],
    output: &Tensor,
    gradient: &Tensor,
) -> Result<[Option<Tensor>; N]> {
    let gradient = gradient.contiguous()?;
    let held = inputs.map(Tensor::storage_and_layout);
    let [output, of_output] = [output, &gradient].map(Tensor::storage_and_layout);
    let mut slices: [&[T]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&held) {
        *slice = numbers(on_cpu(storage)?, layout)?;
    }
    let [output, of_output] =
        [&output, &of_output].map(|(storage, layout)| numbers(on_cpu(storage)?, layout));
    let found = layer.backward(slices, output?, of_output?);
    let mut gradients = [const { None }; N];
    for ((to, found), x) in gradients.iter_mut().zip(found).zip(inputs) {
        *to = match found {
            Gradient::None => None,
            Gradient::Of(numbers) => Some(Tensor::from_vec(numbers, x.shape(), x.device())?),
        };
    }
    Ok(gradients)
}

fn on_cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("a fused layer needs tensors on the CPU"),
    }
}

/// The numbers of a contiguous tensor.
fn numbers<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("a fused layer needs contiguous tensors"),
    }
}
