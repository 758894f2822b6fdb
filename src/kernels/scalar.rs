//! The reference tile: plain Rust, correct by inspection. Every other instruction set gives these very integers.

use super::{PANEL, Tile};

/// See [`super::InstructionSet::tile`].
pub fn tile<const ROWS: usize>(a: &[u8], stride: usize, panel: &[i8], out: &mut Tile) {
    for (r, sums) in out.iter_mut().enumerate().take(ROWS) {
        *sums = [0; PANEL];
        let row = &a[r * stride..][..panel.len() / PANEL];
        for (four, group) in row.chunks_exact(4).zip(panel.chunks_exact(4 * PANEL)) {
            for (sum, w) in sums.iter_mut().zip(group.chunks_exact(4)) {
                for (&x, &w) in four.iter().zip(w) {
                    *sum += i32::from(x) * i32::from(w);
                }
            }
        }
    }
}
