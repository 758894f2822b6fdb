//! The CPU: int8 matrix products and convolutions, and the float functions around them.
//!
//! # The contract of every int8 kernel
//! - Activations are unsigned 7-bit numbers (`u8` in `0..=127`), weights are `i8`, sums are `i32`:
//!   `sum[m, n] = sum over k of a[m, k] * w[n, k]`.
//! - `k` is at most `MAX_DEPTH`, so that no sum, zero point taken off, leaves `i32`. Two neighboring products always
//!   fit `i16`, which is what makes the byte-dot instructions of AVX2 and of relaxed SIMD exact here.
//! - Zero points stay outside: `sum of (a - z) * w` is `sum of a * w` minus `z` times `PackedMatrix::sums`.
//! - Every instruction set gives the same integers, and the float steps around them use only IEEE basic operations in a
//!   fixed order. So one bundle gives the same answer in every engine.
//!
//! One file an instruction set (`scalar`, `simd128`, `relaxed`, `x86`, `neon`), chosen by [`InstructionSet::best`]:
//! natively at run time, in wasm when it is compiled and by what its byte dot does. [`self_test`] holds the chosen one to
//! the scalar one; a web page runs it before it trusts an engine.
//!
//! # Layout
//! A `gemm()` walks over `Lhs` of levels (linear layers: one run a row; convolutions: windows where they lie in the
//! grid) and over the panels of a `PackedMatrix`, computes a tile of up to 8 rows by `PANEL` columns in registers, and
//! hands it to an `Epilogue`, which turns sums into floats or levels while they are still in registers. Floats are handled eight at
//! a time (`lanes`).
//!
//! Lengths that do not fit are a bug of the caller, not an input of the user: these functions panic on them.

pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod float;
pub(crate) mod lanes;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod math;
pub(crate) mod pool;
pub(crate) mod quantize;
pub(crate) mod requantize;

mod collect;
mod gemm;
pub(super) mod image;
mod instruction_set;
#[cfg(target_arch = "aarch64")]
mod neon;
mod operations;
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

pub(crate) use gemm::{Epilogue, Lhs, Workspace, gemm};
pub use image::pixel_range;
pub use instruction_set::InstructionSet;
pub use operations::Cpu;
pub(crate) use packed::{PANEL, PackedMatrix, SLACK, padded_depth};
pub use peak::{Peak, peak};
pub use self_test::{Mismatch, self_test, self_test_of};
