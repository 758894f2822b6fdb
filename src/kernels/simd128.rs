//! WebAssembly SIMD: bytes are widened to 16 bits and multiplied in pairs (`i32x4.dot_i16x8_s`).
//!
//! A dot leaves two half sums a column, so a row of eight columns takes four vectors; two rows at a time keep the
//! accumulators, the widened weights and the activations in 16 registers.
#![allow(unsafe_code)]

use core::arch::wasm32::*;

use super::{PANEL, Tile, check_tile};

/// See [`super::InstructionSet::tile`].
pub fn tile<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
    check_tile(a, stride, ROWS, panel);
    let mut row = 0;
    while row + 2 <= ROWS {
        rows::<2>(&a[row * stride..], stride, panel, &mut out[row..]);
        row += 2;
    }
    if row < ROWS {
        rows::<1>(&a[row * stride..], stride, panel, &mut out[row..]);
    }
}

#[inline(always)]
fn rows<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut [[i32; PANEL]]) {
    check_tile(a, stride, ROWS, panel);
    let mut acc = [[i32x4_splat(0); 4]; ROWS];
    for group in 0..panel.len() / (4 * PANEL) {
        // SAFETY: `check_tile` holds that the panel has 32 bytes a group, and `a` four bytes a group in each row.
        let (w0, w1) = unsafe {
            let w = panel.as_ptr().add(group * 4 * PANEL).cast::<v128>();
            (v128_load(w), v128_load(w.add(1)))
        };
        let w = [
            i16x8_extend_low_i8x16(w0),
            i16x8_extend_high_i8x16(w0),
            i16x8_extend_low_i8x16(w1),
            i16x8_extend_high_i8x16(w1),
        ];
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { v128_load32_splat(a.as_ptr().add(r * stride + group * 4).cast()) };
            let x = i16x8_extend_low_u8x16(x);
            for (acc, w) in acc.iter_mut().zip(w) {
                *acc = i32x4_add(*acc, i32x4_dot_i16x8(x, w));
            }
        }
    }
    for (acc, out) in acc.iter().zip(out) {
        for half in 0..2 {
            let even = i32x4_shuffle::<0, 2, 4, 6>(acc[2 * half], acc[2 * half + 1]);
            let odd = i32x4_shuffle::<1, 3, 5, 7>(acc[2 * half], acc[2 * half + 1]);
            // SAFETY: four of the eight sums, unaligned as wasm allows.
            unsafe { v128_store(out.as_mut_ptr().add(4 * half).cast(), i32x4_add(even, odd)) };
        }
    }
}
