//! x86-64: AVX2 (`vpmaddubsw` then `vpmaddwd`) and AVX-512 VNNI (`vpdpbusd`), found at run time.
//!
//! `vpmaddubsw` saturates at 16 bits, but two products of a 7-bit activation with a weight never get there.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{PANEL, Tile, check_tile};

/// Whether [`tile_avx2`] may run.
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Whether [`tile_avx512_vnni`] may run.
pub fn has_avx512_vnni() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx512vl")
}

/// See [`super::InstructionSet::tile`].
pub fn tile_avx2<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
    check_tile(a, stride, ROWS, panel);
    assert!(has_avx2(), "AVX2 was not detected");
    // SAFETY: the features were detected and the lengths checked.
    unsafe { avx2::<ROWS>(a.as_ptr(), stride, panel, out) }
}

/// See [`super::InstructionSet::tile`].
pub fn tile_avx512_vnni<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
    check_tile(a, stride, ROWS, panel);
    assert!(has_avx512_vnni(), "AVX-512 VNNI was not detected");
    // SAFETY: the features were detected and the lengths checked.
    unsafe { avx512_vnni::<ROWS>(a.as_ptr(), stride, panel, out) }
}

/// # Safety
/// AVX2 must be there; `ROWS` rows `stride` apart must be readable at `a` for `panel.len() / 8` bytes each.
#[target_feature(enable = "avx2")]
unsafe fn avx2<const ROWS: usize>(a: *const u8, stride: usize, panel: &[i8], out: &mut Tile) {
    let ones = _mm256_set1_epi16(1);
    let mut acc = [_mm256_setzero_si256(); ROWS];
    for (group, w) in panel.chunks_exact(4 * PANEL).enumerate() {
        // SAFETY: a group is 32 bytes; four bytes of each row stand at `group * 4`, as the caller holds.
        let w = unsafe { _mm256_loadu_si256(w.as_ptr().cast()) };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: as above.
            let x =
                _mm256_set1_epi32(unsafe { a.add(r * stride + group * 4).cast::<i32>().read_unaligned() });
            *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
        }
    }
    for (acc, out) in acc.iter().zip(out) {
        // SAFETY: eight sums are 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *acc) };
    }
}

/// # Safety
/// AVX-512 VNNI and VL must be there; `a` as for [`avx2`].
#[target_feature(enable = "avx2,avx512vnni,avx512vl")]
unsafe fn avx512_vnni<const ROWS: usize>(a: *const u8, stride: usize, panel: &[i8], out: &mut Tile) {
    let mut acc = [_mm256_setzero_si256(); ROWS];
    for (group, w) in panel.chunks_exact(4 * PANEL).enumerate() {
        // SAFETY: a group is 32 bytes; four bytes of each row stand at `group * 4`, as the caller holds.
        let w = unsafe { _mm256_loadu_si256(w.as_ptr().cast()) };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: as above.
            let x =
                _mm256_set1_epi32(unsafe { a.add(r * stride + group * 4).cast::<i32>().read_unaligned() });
            *acc = _mm256_dpbusd_epi32(*acc, x, w);
        }
    }
    for (acc, out) in acc.iter().zip(out) {
        // SAFETY: eight sums are 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *acc) };
    }
}
