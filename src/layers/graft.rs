//! Layers on other devices than the CPU, and in other types of number: their value is a chain of tensor operations outside of
//! the graph, and the graph has one node, with the gradient written down. A chain inside it would cost a node, a product, a
//! zeroed tensor and a sum for each link and input, and on a GPU it is the number of operations that takes the time.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Storage, Tensor,
    backend::BackendStorage, bail,
};

/// Makes `value` a function of `x` whose gradient is what `gradient` says of that of the value.
pub(super) fn graft1(
    name: &'static str,
    x: &Tensor,
    value: Tensor,
    gradient: impl Fn(&Tensor) -> Result<[Option<Tensor>; 1]> + Send + Sync + 'static,
) -> Result<Tensor> {
    if x.track_op() { x.apply_op1(Graft::new(name, value, gradient)?) } else { Ok(value) }
}

/// As [`graft1`], of three inputs.
pub(super) fn graft3(
    name: &'static str,
    [a, b, c]: [&Tensor; 3],
    value: Tensor,
    gradient: impl Fn(&Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync + 'static,
) -> Result<Tensor> {
    let tracked = a.track_op() || b.track_op() || c.track_op();
    if tracked { a.apply_op3(b, c, Graft::new(name, value, gradient)?) } else { Ok(value) }
}

/// A value that was computed already, and its gradient. The inputs that an operation is given serve the graph alone.
struct Graft<G> {
    name: &'static str,
    /// Taken by the only forward pass, so that it is not held twice.
    value: Mutex<Option<Tensor>>,
    gradient: G,
}

impl<G> Graft<G> {
    fn new(name: &'static str, value: Tensor, gradient: G) -> Result<Self> {
        // A storage is handed on as a whole: the value must be all of it.
        let value = if value.is_contiguous() && value.layout().start_offset() == 0 {
            value
        } else {
            value.force_contiguous()?
        };
        Ok(Graft { name, value: Mutex::new(Some(value.detach())), gradient })
    }

    fn take(&self) -> Result<Tensor> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| candle_core::Error::Msg(format!("{}: its value was taken before", self.name)))
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            _ => bail!("{}: its value and its inputs are on different devices", self.name),
        }
    }

    fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            _ => bail!("{}: its value and its inputs are on different devices", self.name),
        }
    }
}

macro_rules! custom_op {
    ($CustomOp:ident<$N:literal>, $($x:ident),+ => $Gradients:ty) => {
        impl<G: Fn(&Tensor) -> Result<[Option<Tensor>; $N]>> $CustomOp for Graft<G> {
            fn name(&self) -> &'static str {
                self.name
            }

            custom_op!(@forward cpu_fwd on_cpu CpuStorage, $($x),+);
            custom_op!(@forward cuda_fwd on_cuda CudaStorage, $($x),+);

            fn bwd(&self, $($x: &Tensor,)+ _: &Tensor, gradient: &Tensor) -> Result<$Gradients> {
                let _ = ($($x),+);
                let [$($x),+] = (self.gradient)(&gradient.contiguous()?)?;
                Ok(($($x),+))
            }
        }
    };
    (@forward $forward:ident $on:ident $Storage:ty, $a:ident) => {
        fn $forward(&self, _: &$Storage, _: &Layout) -> Result<($Storage, Shape)> {
            self.$on()
        }
    };
    (@forward $forward:ident $on:ident $Storage:ty, $a:ident, $b:ident, $c:ident) => {
        fn $forward(
            &self,
            _: &$Storage,
            _: &Layout,
            _: &$Storage,
            _: &Layout,
            _: &$Storage,
            _: &Layout,
        ) -> Result<($Storage, Shape)> {
            self.$on()
        }
    };
}

custom_op!(CustomOp1<1>, a => Option<Tensor>);
custom_op!(CustomOp3<3>, a, b, c => (Option<Tensor>, Option<Tensor>, Option<Tensor>));

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// `3 x` of a part of a tensor, which does not begin where its storage does.
    #[test]
    fn the_value_and_the_gradient_are_what_was_said() -> Result<()> {
        let x = Var::new(&[1f32, 2.0, 3.0], &Device::Cpu)?;
        let value = Tensor::new(&[0f32, 3.0, 6.0, 9.0], &Device::Cpu)?.narrow(0, 1, 3)?;
        let y = graft1("triple", &x, value, |gradient| Ok([Some((gradient * 3.0)?)]))?;
        assert_eq!(y.to_vec1::<f32>()?, [3.0, 6.0, 9.0]);
        let gradients = y.sqr()?.sum_all()?.backward()?;
        assert_eq!(gradients.get(&x).expect("a gradient").to_vec1::<f32>()?, [18.0, 36.0, 54.0]);
        Ok(())
    }

    #[test]
    fn without_a_variable_there_is_no_node() -> Result<()> {
        let x = Tensor::new(&[1f32], &Device::Cpu)?;
        let y = graft1("same", &x, x.clone(), |_| Ok([None]))?;
        assert!(!y.track_op());
        Ok(())
    }
}
