//! What the fused layers share: the numbers that they compute in on the CPU, and the way to them.
//!
//! candle computes a layer as one tensor after another, and each costs a walk through memory, forward and again
//! backward. A fused layer walks once. Other devices and other types of number take the composed form beside it.

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType, bail};

use crate::backend::cpu::math;

/// A float32, with the polynomials of [`math`] that become vector code, or a float64, in which gradients are checked.
pub(super) trait Real: WithDType {
    fn from_f32(x: f32) -> Self;
    fn exp(self) -> Self;
    /// `Φ`, the distribution function of the normal distribution.
    fn normal_cdf(self) -> Self;
    fn sqrt(self) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn exp(self) -> Self {
        math::exp(self)
    }

    #[inline(always)]
    fn normal_cdf(self) -> Self {
        math::normal_cdf(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
}

impl Real for f64 {
    fn from_f32(x: f32) -> Self {
        f64::from(x)
    }

    fn exp(self) -> Self {
        f64::exp(self)
    }

    fn normal_cdf(self) -> Self {
        0.5 * (1.0 + candle_core::cpu::erf::erf_f64(self * std::f64::consts::FRAC_1_SQRT_2))
    }

    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

/// Whether a fused layer can compute with `x`.
pub(super) fn can_fuse(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// The numbers of a contiguous tensor.
pub(super) fn numbers<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("a fused layer needs contiguous tensors"),
    }
}

/// The sum of `term` of each pair of elements in eight interleaved partial sums, so that it becomes vector code.
#[inline(always)]
pub(super) fn sum<T: Real>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut partial = [T::zero(); 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (partial, (&a, &b)) in partial.iter_mut().zip(rest) {
        *partial += term(a, b);
    }
    for (a, b) in a_chunks.zip(b_chunks) {
        for (partial, (&a, &b)) in partial.iter_mut().zip(a.iter().zip(b)) {
            *partial += term(a, b);
        }
    }
    partial.into_iter().fold(T::zero(), |total, part| total + part)
}

/// Calls `$run::<T>` with the type of the numbers in `$storage`.
macro_rules! by_type {
    ($storage:expr, $name:expr, $T:ident => $run:expr) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => {
                type $T = f32;
                candle_core::CpuStorage::F32($run)
            }
            candle_core::CpuStorage::F64(_) => {
                type $T = f64;
                candle_core::CpuStorage::F64($run)
            }
            _ => candle_core::bail!("{} needs float32 or float64", $name),
        }
    };
}
pub(super) use by_type;
