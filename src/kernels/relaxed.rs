//! WebAssembly relaxed SIMD: sixteen byte products in one instruction (`i32x4.relaxed_dot_i8x16_i7x16_add_s`).
//!
//! Engines may differ where the second operand has its top bit set. Ours is the activations, which never have it, and
//! two products always fit the 16 bits in between: so the sums are exact everywhere.
#![allow(unsafe_code)]

use core::arch::wasm32::*;

use super::{PANEL, Tile, check_tile};

/// See [`super::InstructionSet::tile`].
pub fn tile<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
    check_tile(a, stride, ROWS, panel);
    let mut acc = [[i32x4_splat(0); 2]; ROWS];
    for group in 0..panel.len() / (4 * PANEL) {
        // SAFETY: `check_tile` holds that the panel has 32 bytes a group, and `a` four bytes a group in each row.
        let (w0, w1) = unsafe {
            let w = panel.as_ptr().add(group * 4 * PANEL).cast::<v128>();
            (v128_load(w), v128_load(w.add(1)))
        };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { v128_load32_splat(a.as_ptr().add(r * stride + group * 4).cast()) };
            acc[0] = i32x4_relaxed_dot_i8x16_i7x16_add(w0, x, acc[0]);
            acc[1] = i32x4_relaxed_dot_i8x16_i7x16_add(w1, x, acc[1]);
        }
    }
    for (acc, out) in acc.iter().zip(out) {
        // SAFETY: the eight sums of a row, unaligned as wasm allows.
        unsafe {
            v128_store(out.as_mut_ptr().cast(), acc[0]);
            v128_store(out.as_mut_ptr().add(4).cast(), acc[1]);
        }
    }
}
