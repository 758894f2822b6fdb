//! x86-64: AVX2 and AVX-512 VNNI, found at run time. The whole loop over tiles is compiled with their features, so that
//! what follows the sums uses them too.
//!
//! - [`Avx2`] multiplies bytes and adds neighbors in 16 bits (`vpmaddubsw`), adds two groups there (the weights are packed
//!   so that this cannot overflow; see [`super::PackedMatrix`]), then widens (`vpmaddwd`): 5 instructions for 64 products.
//! - [`Avx512Vnni`] has one instruction for 32 products (`vpdpbusd`).
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{
    gemm::{Job, Kernel, Lhs, Workspace, check_tile},
    lanes::I32x8,
    packed::{GROUP, GROUP_BYTES, Panel},
};

/// See [`super::InstructionSet::Avx2`].
pub(super) struct Avx2;

/// See [`super::InstructionSet::Avx512Vnni`].
pub(super) struct Avx512Vnni;

/// Whether [`run_avx2`] may run.
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Whether [`run_avx512_vnni`] may run.
pub(super) fn has_avx512_vnni() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx512vl")
}

/// Does a job with AVX2.
pub(super) fn run_avx2<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx2")]
    fn with_features<J: Job>(job: J) -> J::Output {
        job.run::<Avx2>()
    }
    assert!(has_avx2(), "AVX2 was not detected");
    // SAFETY: it was.
    unsafe { with_features(job) }
}

/// Does a job with AVX-512 VNNI.
pub(super) fn run_avx512_vnni<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx2,avx512vnni,avx512vl")]
    fn with_features<J: Job>(job: J) -> J::Output {
        job.run::<Avx512Vnni>()
    }
    assert!(has_avx512_vnni(), "AVX-512 VNNI was not detected");
    // SAFETY: it was.
    unsafe { with_features(job) }
}

impl Kernel for Avx2 {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        check_tile(rows, starts, panel);
        // SAFETY: this kernel is only run by `run_avx2`; the lengths were checked.
        unsafe { avx2(rows, starts, panel) }
    }
}

impl Kernel for Avx512Vnni {
    const ROWS: usize = 8;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        check_tile(rows, starts, panel);
        // SAFETY: this kernel is only run by `run_avx512_vnni`; the lengths were checked.
        unsafe { avx512_vnni(rows, starts, panel) }
    }
}

/// # Safety
/// AVX2 must be there and [`check_tile`] must hold.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn avx2<const R: usize>(rows: &Lhs<'_>, starts: &[usize; R], panel: &Panel<'_>) -> [I32x8; R] {
    let ones = _mm256_set1_epi16(1);
    let mut acc = [_mm256_setzero_si256(); R];
    let mut w = panel.weights.as_ptr();
    for run in 0..panel.runs {
        // SAFETY: each row can be read for all groups of each run, and the panel holds 32 bytes for each of them.
        unsafe {
            let mut x = [rows.levels.as_ptr().add(run * rows.run_step); R];
            for (x, &start) in x.iter_mut().zip(starts) {
                *x = x.add(start);
            }
            for _ in 0..panel.groups / 2 {
                let (first, second) = (load(w), load(w.add(GROUP_BYTES)));
                for (x, acc) in x.iter_mut().zip(&mut acc) {
                    let products = _mm256_add_epi16(
                        _mm256_maddubs_epi16(broadcast(*x), first),
                        _mm256_maddubs_epi16(broadcast(x.add(GROUP)), second),
                    );
                    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(products, ones));
                    *x = x.add(2 * GROUP);
                }
                w = w.add(2 * GROUP_BYTES);
            }
            if panel.groups % 2 == 1 {
                let weights = load(w);
                for (x, acc) in x.iter().zip(&mut acc) {
                    let products = _mm256_maddubs_epi16(broadcast(*x), weights);
                    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(products, ones));
                }
                w = w.add(GROUP_BYTES);
            }
        }
    }
    for extra in panel.extras {
        let at = extra.run * rows.run_step + extra.group * GROUP;
        // SAFETY: an extra group lies within the runs and groups of the panel.
        unsafe {
            let weights = load(extra.weights.as_ptr());
            for (&start, acc) in starts.iter().zip(&mut acc) {
                let products = _mm256_maddubs_epi16(broadcast(rows.levels.as_ptr().add(start + at)), weights);
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(products, ones));
            }
        }
    }
    sums(acc)
}

/// # Safety
/// AVX-512 VNNI and VL must be there and [`check_tile`] must hold.
#[inline]
#[target_feature(enable = "avx2,avx512vnni,avx512vl")]
unsafe fn avx512_vnni<const R: usize>(rows: &Lhs<'_>, starts: &[usize; R], panel: &Panel<'_>) -> [I32x8; R] {
    let mut acc = [_mm256_setzero_si256(); R];
    let mut w = panel.weights.as_ptr();
    for run in 0..panel.runs {
        // SAFETY: each row can be read for all groups of each run, and the panel holds 32 bytes for each of them.
        unsafe {
            let mut x = [rows.levels.as_ptr().add(run * rows.run_step); R];
            for (x, &start) in x.iter_mut().zip(starts) {
                *x = x.add(start);
            }
            for _ in 0..panel.groups {
                let weights = load(w);
                for (x, acc) in x.iter_mut().zip(&mut acc) {
                    *acc = _mm256_dpbusd_epi32(*acc, broadcast(*x), weights);
                    *x = x.add(GROUP);
                }
                w = w.add(GROUP_BYTES);
            }
        }
    }
    sums(acc)
}

/// # Safety
/// 32 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(weights: *const i8) -> __m256i {
    // SAFETY: the caller's.
    unsafe { _mm256_loadu_si256(weights.cast()) }
}

/// # Safety
/// Four bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn broadcast(levels: *const u8) -> __m256i {
    // SAFETY: the caller's.
    _mm256_set1_epi32(unsafe { levels.cast::<i32>().read_unaligned() })
}

// A loop, because `map` of an array is compiled without these features and would not be inlined.
#[inline]
#[target_feature(enable = "avx2")]
fn sums<const R: usize>(acc: [__m256i; R]) -> [I32x8; R] {
    let mut all = [I32x8::splat(0); R];
    for (out, acc) in all.iter_mut().zip(acc) {
        let mut sums = [0; 8];
        // SAFETY: eight sums are 32 bytes.
        unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), acc) };
        *out = I32x8::from_array(&sums);
    }
    all
}
