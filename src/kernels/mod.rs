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
//! One file an instruction set (`scalar`, `simd128`, `relaxed`, `x86`, `neon`), chosen by [`InstructionSet::best`]:
//! natively at run time, in wasm when it is compiled and by what its byte dot does. [`self_test`] holds the chosen one to
//! the scalar one; a web page runs it before it trusts an engine.
//!
//! # Layout
//! A [`gemm()`] walks over [`Rows`] of levels (linear layers: one run a row; convolutions: windows where they lie in the
//! grid) and over the panels of a [`PackedMatrix`], computes a tile of up to 8 rows by [`PANEL`] columns in registers, and
//! hands it to a [`Sink`], which turns sums into floats or levels while they are still there. Floats are handled eight at
//! a time ([`lanes`]).
//!
//! Lengths that do not fit are a bug of the caller, not an input of the user: these functions panic on them.

use std::sync::OnceLock;

use gemm::Job;

pub mod attention;
pub mod conv;
pub mod depthwise;
pub mod float;
pub mod lanes;
pub mod layer_norm;
pub mod linear;
pub mod math;
pub mod pool;
pub mod quantize;
pub mod requantize;

mod collect;
mod gemm;
#[cfg(target_arch = "aarch64")]
mod neon;
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

pub use gemm::{Room, Rows, Sink, gemm, gemm_with};
pub use packed::{MAX_DEPTH, PANEL, PackedMatrix, SLACK, padded_depth};
pub use peak::{Peak, peak};
pub use self_test::{Mismatch, self_test, self_test_of};

/// What computes a tile. Which of them exist depends on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Plain Rust: everywhere, the reference.
    Scalar,
    /// WebAssembly SIMD: 16-bit dots.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    /// WebAssembly relaxed SIMD: 8-bit dots, added up in 16 bits first.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedPairs,
    /// WebAssembly relaxed SIMD: 8-bit dots, for engines that have them in one instruction.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedDot,
    /// AVX2: `vpmaddubsw`.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 VNNI on 256 bits: `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// NEON: `smull`.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with byte dots: `sdot`.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl InstructionSet {
    /// Every instruction set that this machine runs, the fastest last.
    pub fn available() -> Vec<InstructionSet> {
        #[allow(unused_mut, reason = "wasm without SIMD and other machines have no more")]
        let mut sets = vec![InstructionSet::Scalar];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        sets.push(InstructionSet::Simd128);
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        if relaxed::has_slow_dot() {
            sets.extend([InstructionSet::RelaxedDot, InstructionSet::RelaxedPairs]);
        } else {
            sets.extend([InstructionSet::RelaxedPairs, InstructionSet::RelaxedDot]);
        }
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx2() {
                sets.push(InstructionSet::Avx2);
            }
            if x86::has_avx512_vnni() {
                sets.push(InstructionSet::Avx512Vnni);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            sets.push(InstructionSet::Neon);
            if neon::has_dot() {
                sets.push(InstructionSet::NeonDot);
            }
        }
        sets
    }

    /// The fastest one that this machine runs.
    pub fn best() -> InstructionSet {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(InstructionSet::Scalar))
    }

    /// A lower-case name: `scalar`, `simd128`, `relaxed-pairs`, `relaxed-dot`, `avx2`, `avx512-vnni`, `neon`, `neon-dot`.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Scalar => "scalar",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::Simd128 => "simd128",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedPairs => "relaxed-pairs",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedDot => "relaxed-dot",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            InstructionSet::NeonDot => "neon-dot",
        }
    }

    /// Whether it adds two products of two groups up in 16 bits, which weights must be packed for.
    fn has_short_sums(self) -> bool {
        match self {
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedPairs => true,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => true,
            _ => false,
        }
    }

    /// Does `job` on this instruction set.
    fn run<J: Job>(self, job: J) -> J::Output {
        match self {
            InstructionSet::Scalar => job.run::<scalar::Scalar>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::Simd128 => job.run::<simd128::Simd128>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedPairs => job.run::<relaxed::RelaxedPairs>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedDot => job.run::<relaxed::RelaxedDot>(),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => x86::run_avx2(job),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512Vnni => x86::run_avx512_vnni(job),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => job.run::<neon::Neon>(),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::NeonDot => neon::run_dot(job),
        }
    }
}

/// Does `job` compiled for the widest vectors of this machine: for what is written in [`lanes`], whose results do not
/// depend on it.
#[inline]
fn vectorised<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    if x86::has_avx2() {
        return x86::run_avx2(job);
    }
    job.run::<scalar::Scalar>()
}
