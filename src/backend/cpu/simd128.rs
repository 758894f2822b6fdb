//! WebAssembly SIMD: products of 16-bit numbers, added in pairs (`i32x4.dot_i16x8_s`).
//!
//! The levels are widened once a product and the panel once a block of rows; within the tile it would cost a fifth. A dot
//! leaves two half sums a column, so a row of eight columns takes four accumulators; two rows at a time keep them, the
//! weights and the activations in 16 registers. Costs 8 dots and 8 sums for 64 products.
#![allow(unsafe_code)]

use core::arch::wasm32::*;

use super::{
    gemm::{Kernel, Lhs, Workspace, check_tile},
    lanes::I32x8,
    packed::{GROUP, GROUP_BYTES, Panel},
};

/// See [`super::InstructionSet::Simd128`].
pub struct Simd128;

impl Kernel for Simd128 {
    const ROWS: usize = 4;
    const WIDENS: bool = true;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        workspace: &Workspace,
    ) -> [I32x8; R] {
        let mut out = [I32x8::splat(0); R];
        for (starts, out) in starts.chunks(2).zip(out.chunks_mut(2)) {
            match *starts {
                [a, b] => out.copy_from_slice(&two_rows(rows, &[a, b], panel, workspace)),
                [a] => out.copy_from_slice(&two_rows(rows, &[a], panel, workspace)),
                _ => {}
            }
        }
        out
    }
}

#[inline(always)]
fn two_rows<const R: usize>(
    rows: &Lhs<'_>,
    starts: &[usize; R],
    panel: &Panel<'_>,
    workspace: &Workspace,
) -> [I32x8; R] {
    check_tile(rows, starts, panel);
    assert!(
        workspace.weights.len() == panel.weights.len() && workspace.levels.len() == rows.levels.len(),
        "levels and weights were widened"
    );
    let mut acc = [[i32x4_splat(0); 4]; R];
    let mut w = workspace.weights.as_ptr().cast::<v128>();
    for run in 0..panel.runs {
        // SAFETY: `check_tile` holds that each row can be read for all groups of each run.
        let mut x = starts.map(|start| unsafe { workspace.levels.as_ptr().add(start + run * rows.run_step) });
        for _ in 0..panel.groups {
            // SAFETY: a widened group is 64 bytes, and there are as many as the loops have steps.
            let weights: [v128; 4] = std::array::from_fn(|i| unsafe { v128_load(w.add(i)) });
            for (x, acc) in x.iter_mut().zip(&mut acc) {
                // SAFETY: as above.
                let levels = unsafe { v128_load64_splat(x.cast()) };
                for (acc, w) in acc.iter_mut().zip(weights) {
                    *acc = i32x4_add(*acc, i32x4_dot_i16x8(levels, w));
                }
                // SAFETY: to the next group, or to the end of the run.
                *x = unsafe { x.add(GROUP) };
            }
            // SAFETY: to the next group, or to the end of the panel.
            w = unsafe { w.add(2 * GROUP_BYTES / size_of::<v128>()) };
        }
    }
    acc.map(|[a, b, c, d]| {
        let low = i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b));
        let high = i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(c, d), i32x4_shuffle::<1, 3, 5, 7>(c, d));
        I32x8::from_halves(low, high)
    })
}
