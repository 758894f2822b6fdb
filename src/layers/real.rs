//! The numbers that the fused layers compute in.

use candle_core::{CpuStorage, Result, WithDType, bail};

use crate::backend::cpu::math;

/// A float32, with the polynomials of [`math`] that become vector code, or a float64, in which gradients are checked.
pub(super) trait Real: WithDType {
    fn from_f32(x: f32) -> Self;
    fn exp(self) -> Self;
    /// `Φ`, the distribution function of the normal distribution.
    fn normal_cdf(self) -> Self;
    fn sqrt(self) -> Self;
    /// All numbers of a storage of this type.
    fn numbers_mut(storage: &mut CpuStorage) -> Result<&mut [Self]>;
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

    fn numbers_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F32(numbers) => Ok(numbers),
            _ => bail!("no float32"),
        }
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

    fn numbers_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(numbers) => Ok(numbers),
            _ => bail!("no float64"),
        }
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
