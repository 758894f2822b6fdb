//! WebAssembly relaxed SIMD: sixteen byte products in one instruction.
//!
//! Engines may differ where the second operand has its top bit set. Ours is the activations, which never have it, and
//! two products always fit the 16 bits in between: so the sums are exact everywhere. Two tiles, for two kinds of machine:
//!
//! - [`RelaxedDot`] uses `i32x4.relaxed_dot_i8x16_i7x16_add_s`: one instruction (`vpdpbusd`, `sdot`) where the machine
//!   has one that the engine uses, 8 of them for 128 products.
//! - [`RelaxedPairs`] is for engines that make three of it (`vpmaddubsw`, `vpmaddwd`, `vpaddd`). Two groups are added in 16
//!   bits before they are widened: 5 instructions instead of 6, 3 of them multiplications instead of 4. The weights are
//!   packed so that this cannot overflow; see [`super::PackedMatrix`]. Three rows, not four, keep all sums, both groups'
//!   weights and what is in between in the 15 registers that V8 has: 18 multiplications for 192 products, which is what
//!   bounds it.
#![allow(unsafe_code)]

use core::arch::wasm32::*;

use super::{
    gemm::{Kernel, Lhs, Workspace, check_tile},
    lanes::I32x8,
    packed::{GROUP, GROUP_BYTES, Panel},
};

/// See [`super::InstructionSet::RelaxedDot`].
pub struct RelaxedDot;

/// See [`super::InstructionSet::RelaxedPairs`].
pub struct RelaxedPairs;

/// Whether the engine computes a byte dot by way of 16-bit sums, told by what it does where the standard leaves it free:
/// four products of 255 and 127 are 129,540 for `vpdpbusd` and -508 for `sdot`, but saturate for `vpmaddubsw`.
pub fn has_slow_dot() -> bool {
    // `black_box` keeps the compiler from choosing an answer of its own.
    let (w, x) = core::hint::black_box((i8x16_splat(127), u8x16_splat(255)));
    let sum = i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(w, x, i32x4_splat(0)));
    !matches!(sum, 129_540 | -508)
}

impl Kernel for RelaxedDot {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        check_tile(rows, starts, panel);
        let mut acc = [[i32x4_splat(0); 2]; R];
        let mut w = panel.weights.as_ptr();
        for run in 0..panel.runs {
            // SAFETY: `check_tile` holds that each row can be read for all groups of each run.
            let mut x = starts.map(|start| unsafe { rows.levels.as_ptr().add(start + run * rows.run_step) });
            for _ in 0..panel.groups {
                // SAFETY: a group is 32 bytes, and there are as many as the loops have steps.
                let weights = unsafe { load_group(w) };
                for (x, acc) in x.iter_mut().zip(&mut acc) {
                    // SAFETY: as above.
                    dot(weights, unsafe { v128_load32_splat(x.cast()) }, acc);
                    // SAFETY: to the next group, or to the end of the run.
                    *x = unsafe { x.add(GROUP) };
                }
                // SAFETY: to the next group, or to the end of the panel.
                w = unsafe { w.add(GROUP_BYTES) };
            }
        }
        acc.map(|[low, high]| I32x8::from_halves(low, high))
    }
}

impl Kernel for RelaxedPairs {
    const ROWS: usize = 3;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        check_tile(rows, starts, panel);
        // `i32x4.extadd_pairwise_i16x8_s` says the same and was measured 5 % slower. V8 would make a constant anew in each
        // step; what it cannot see through it keeps.
        let ones = core::hint::black_box(i16x8_splat(1));
        let mut acc = [[i32x4_splat(0); 2]; R];
        let mut w = panel.weights.as_ptr();
        for run in 0..panel.runs {
            // SAFETY: `check_tile` holds that each row can be read for all groups of each run.
            let mut x = starts.map(|start| unsafe { rows.levels.as_ptr().add(start + run * rows.run_step) });
            for _ in 0..panel.groups / 2 {
                // SAFETY: a pair of groups is 64 bytes, and there are as many as the loops have steps.
                let (first, second) = unsafe { (load_group(w), load_group(w.add(GROUP_BYTES))) };
                for (x, acc) in x.iter_mut().zip(&mut acc) {
                    // SAFETY: as above; then to the next pair, or to the end of the run's pairs.
                    let (a, b) = unsafe {
                        let pair = (v128_load32_splat(x.cast()), v128_load32_splat(x.add(GROUP).cast()));
                        *x = x.add(2 * GROUP);
                        pair
                    };
                    for i in 0..2 {
                        let products = i16x8_add(
                            i16x8_relaxed_dot_i8x16_i7x16(first[i], a),
                            i16x8_relaxed_dot_i8x16_i7x16(second[i], b),
                        );
                        acc[i] = i32x4_add(acc[i], i32x4_dot_i16x8(products, ones));
                    }
                }
                // SAFETY: to the next pair, or to the end of the run's pairs.
                w = unsafe { w.add(2 * GROUP_BYTES) };
            }
            if panel.groups % 2 == 1 {
                // SAFETY: one more group is left in this run.
                let weights = unsafe { load_group(w) };
                for (x, acc) in x.iter().zip(&mut acc) {
                    // SAFETY: as above.
                    dot(weights, unsafe { v128_load32_splat(x.cast()) }, acc);
                }
                // SAFETY: to the next run, or to the end of the panel.
                w = unsafe { w.add(GROUP_BYTES) };
            }
        }
        for extra in panel.extras {
            let at = extra.run * rows.run_step + extra.group * GROUP;
            // SAFETY: an extra group lies within the runs and groups of the panel, which `check_tile` holds readable.
            unsafe {
                let weights = load_group(extra.weights.as_ptr());
                for (&start, acc) in starts.iter().zip(&mut acc) {
                    dot(weights, v128_load32_splat(rows.levels.as_ptr().add(start + at).cast()), acc);
                }
            }
        }
        acc.map(|[low, high]| I32x8::from_halves(low, high))
    }
}

/// # Safety
/// 32 bytes must be readable.
#[inline(always)]
unsafe fn load_group(weights: *const i8) -> [v128; 2] {
    // SAFETY: the caller's.
    unsafe { [v128_load(weights.cast()), v128_load(weights.add(16).cast())] }
}

#[inline(always)]
fn dot(weights: [v128; 2], levels: v128, acc: &mut [v128; 2]) {
    for (acc, w) in acc.iter_mut().zip(weights) {
        *acc = i32x4_relaxed_dot_i8x16_i7x16_add(w, levels, *acc);
    }
}
