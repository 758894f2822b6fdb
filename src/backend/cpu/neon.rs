//! Arm NEON: on every 64-bit Arm, and its byte dots where the processor has them.
//!
//! Levels are below 128, so they are signed bytes as they stand.
//! - [`Neon`] multiplies bytes to 16 bits (`smull`) and adds neighbors to the sums (`sadalp`): 8 instructions for 32
//!   products.
//! - [`NeonDot`] has one instruction for 16 products (`sdot`).
#![allow(unsafe_code)]

use core::arch::{aarch64::*, asm};

use super::{
    gemm::{Job, Kernel, Lhs, Workspace, check_tile},
    lanes::I32x8,
    packed::{GROUP, GROUP_BYTES, Panel},
};

/// See [`super::InstructionSet::Neon`].
pub struct Neon;

/// See [`super::InstructionSet::NeonDot`].
pub struct NeonDot;

/// Whether [`run_dot`] may run.
pub fn has_dot() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

/// Does a job with byte dots.
pub fn run_dot<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "neon,dotprod")]
    fn with_features<J: Job>(job: J) -> J::Output {
        job.run::<NeonDot>()
    }
    assert!(has_dot(), "byte dots were not detected");
    // SAFETY: they were.
    unsafe { with_features(job) }
}

impl Kernel for Neon {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        // SAFETY: every 64-bit Arm has NEON.
        tile(rows, starts, panel, |acc, x, w| unsafe {
            let (low, high) = (vmull_s8(vget_low_s8(x), vget_low_s8(w)), vmull_high_s8(x, w));
            // Two products of a column are neighbors, and its other two follow: added up, they are one sum.
            vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))
        })
    }
}

impl Kernel for NeonDot {
    const ROWS: usize = 8;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        tile(rows, starts, panel, |mut acc, x, w| {
            // SAFETY: this kernel is only run by `run_dot`. The intrinsic is not stable yet, the instruction is.
            unsafe {
                asm!(
                    ".arch_extension dotprod",
                    "sdot {acc:v}.4s, {x:v}.16b, {w:v}.16b",
                    acc = inout(vreg) acc,
                    x = in(vreg) x,
                    w = in(vreg) w,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            acc
        })
    }
}

#[inline(always)]
fn tile<const R: usize>(
    rows: &Lhs<'_>,
    starts: &[usize; R],
    panel: &Panel<'_>,
    dot: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> [I32x8; R] {
    check_tile(rows, starts, panel);
    // SAFETY: every 64-bit Arm has NEON.
    let mut acc = [[unsafe { vdupq_n_s32(0) }; 2]; R];
    let mut w = panel.weights.as_ptr();
    for run in 0..panel.runs {
        // SAFETY: each row can be read for all groups of each run, and the panel holds 32 bytes for each of them.
        unsafe {
            let mut x = starts.map(|start| rows.levels.as_ptr().add(start + run * rows.run_step));
            for _ in 0..panel.groups {
                let weights = [vld1q_s8(w), vld1q_s8(w.add(16))];
                for (x, acc) in x.iter_mut().zip(&mut acc) {
                    let levels = vreinterpretq_s8_s32(vdupq_n_s32(x.cast::<i32>().read_unaligned()));
                    for (acc, w) in acc.iter_mut().zip(weights) {
                        *acc = dot(*acc, levels, w);
                    }
                    *x = x.add(GROUP);
                }
                w = w.add(GROUP_BYTES);
            }
        }
    }
    acc.map(|[low, high]| {
        let mut sums = [0; 8];
        // SAFETY: each half is four sums.
        unsafe {
            vst1q_s32(sums.as_mut_ptr(), low);
            vst1q_s32(sums.as_mut_ptr().add(4), high);
        }
        I32x8::from_array(&sums)
    })
}
