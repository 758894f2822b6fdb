//! Which instruction sets there are, which of them this machine runs, and the way into their code.

use std::sync::OnceLock;

use super::gemm::Job;
#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use super::relaxed;
use super::scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd128;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// An implementation of the register tile. Which variants exist depends on the target.
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
    pub(super) fn has_short_sums(self) -> bool {
        match self {
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            InstructionSet::RelaxedPairs => true,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => true,
            _ => false,
        }
    }

    /// Does `job` compiled for the widest vectors that go with this instruction set: for what is written in
    /// [`lanes`](super::lanes), whose results do not depend on it.
    #[inline]
    pub(super) fn vectorised<J: Job>(self, job: J) -> J::Output {
        #[cfg(target_arch = "x86_64")]
        if self != InstructionSet::Scalar {
            return x86::run_avx2(job);
        }
        job.run::<scalar::Scalar>()
    }

    /// Does `job` on this instruction set.
    pub(super) fn run<J: Job>(self, job: J) -> J::Output {
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

/// [`InstructionSet::best`].
impl Default for InstructionSet {
    fn default() -> Self {
        Self::best()
    }
}
