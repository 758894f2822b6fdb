//! The inner loops: int8 matrix products and convolutions, and the float functions around them.
//!
//! # The contract of every int8 kernel
//! - Activations are unsigned 7-bit numbers (`u8` in `0..=127`), weights are `i8`, sums are `i32`:
//!   `sum[m, n] = sum over k of a[m, k] * w[n, k]`.
//! - `k` is at most [`MAX_DEPTH`], so that no sum, zero point taken off, leaves `i32`. Two neighbouring products always
//!   fit `i16`, which is what makes the byte-dot instructions of AVX2 and of relaxed SIMD exact here.
//! - Zero points stay outside: `sum of (a - z) * w` is `sum of a * w` minus `z` times [`PackedMatrix::sums`].
//! - Every instruction set gives the same integers, and the float steps around them use only IEEE basic operations in a
//!   fixed order. So one bundle gives the same answer in every engine.
//!
//! One file an instruction set (`scalar`, `simd128`, `relaxed`, `x86`), chosen by [`InstructionSet::best`]: natively at
//! run time, in wasm when it is compiled. [`self_test`] holds the chosen one to the scalar one; a web page runs it before
//! it trusts an engine. A lane for NEON goes beside them.
//!
//! Lengths that do not fit are a bug of the caller, not an input of the user: these functions panic on them.

pub mod attention;
pub mod conv;
pub mod depthwise;
pub mod float;
pub mod layer_norm;
pub mod linear;
pub mod math;
pub mod pool;
pub mod quantize;
pub mod requantize;

mod gemm;
mod packed;
mod peak;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
mod scalar;
mod self_test;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use gemm::{gemm, gemm_with};
pub use packed::{MAX_DEPTH, PANEL, PackedMatrix, padded_depth};
pub use peak::{Peak, peak};
pub use self_test::{Mismatch, self_test, self_test_of};

/// Sums of one tile: up to [`MAX_ROWS`] rows of [`PANEL`] columns.
pub type Tile = [[i32; PANEL]; MAX_ROWS];

/// The most rows that a tile has on any instruction set.
pub const MAX_ROWS: usize = 8;

/// What computes a tile. Which of them exist depends on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Plain Rust: everywhere, the reference.
    Scalar,
    /// WebAssembly SIMD: 16-bit dots.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    /// WebAssembly relaxed SIMD: 8-bit dots.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSimd,
    /// AVX2: `vpmaddubsw`.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 VNNI on 256 bits: `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl InstructionSet {
    /// Every instruction set that this machine runs, the fastest last.
    pub fn available() -> Vec<InstructionSet> {
        #[allow(unused_mut, reason = "wasm without SIMD and other machines have no more")]
        let mut sets = vec![InstructionSet::Scalar];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        sets.push(InstructionSet::Simd128);
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        sets.push(InstructionSet::RelaxedSimd);
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx2() {
                sets.push(InstructionSet::Avx2);
            }
            if x86::has_avx512_vnni() {
                sets.push(InstructionSet::Avx512Vnni);
            }
        }
        sets
    }

    /// The fastest one that this machine runs.
    pub fn best() -> InstructionSet {
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx512_vnni() {
                return InstructionSet::Avx512Vnni;
            }
            if x86::has_avx2() {
                return InstructionSet::Avx2;
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        return InstructionSet::RelaxedSimd;
        #[cfg(all(
            target_arch = "wasm32",
            target_feature = "simd128",
            not(target_feature = "relaxed-simd")
        ))]
        return InstructionSet::Simd128;
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        InstructionSet::Scalar
    }

    /// A lower-case name: `scalar`, `simd128`, `relaxed-simd`, `avx2`, `avx512-vnni`.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Scalar => "scalar",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::Simd128 => "simd128",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedSimd => "relaxed-simd",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512Vnni => "avx512-vnni",
        }
    }

    /// Rows of the largest tile that stays in registers. Measured in wasm: 5 x 8 and more spill and run at half speed.
    fn tile_rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 | InstructionSet::Avx512Vnni => 8,
            _ => 4,
        }
    }

    /// Sums of `ROWS` rows of `a` (which start `stride` bytes apart) with one panel of packed weights.
    fn tile<const ROWS: usize>(self, a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
        match self {
            InstructionSet::Scalar => scalar::tile::<ROWS>(a, stride, panel, out),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::Simd128 => simd128::tile::<ROWS>(a, stride, panel, out),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedSimd => relaxed::tile::<ROWS>(a, stride, panel, out),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => x86::tile_avx2::<ROWS>(a, stride, panel, out),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512Vnni => x86::tile_avx512_vnni::<ROWS>(a, stride, panel, out),
        }
    }
}

/// Panics unless `rows` rows of `a` and the panel hold what a tile reads; every vector kernel relies on it.
#[inline(always)]
#[cfg_attr(not(any(target_arch = "x86_64", target_feature = "simd128")), allow(dead_code))]
fn check_tile(a: &[u8], stride: usize, rows: usize, panel: &[i8]) {
    assert!(panel.len().is_multiple_of(4 * PANEL), "a panel is whole groups of four by eight");
    let depth = panel.len() / PANEL;
    assert!((rows - 1) * stride + depth <= a.len(), "activations are shorter than the tile reads");
}
