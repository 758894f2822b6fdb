//! The loop over tiles, shared by every instruction set: it blocks for the caches, the tiles do the arithmetic.

use super::{InstructionSet, MAX_ROWS, PANEL, PackedMatrix, Tile, padded_depth};

/// Bytes of activations that stay in the first cache while the panels pass over them.
const BLOCK_BYTES: usize = 24 * 1024;

/// `a` times the transposed weights, on the fastest instruction set.
///
/// `a` has `rows` rows, `stride` bytes apart, each at least [`padded_depth`] long and in `0..=127`. `sink(row, column,
/// sums)` receives eight sums at a time, of `column..column + 8`; those beyond the matrix's columns are zero.
///
/// # Panics
/// When `a` is shorter than `rows` rows, or `stride` than a row.
pub fn gemm(
    a: &[u8],
    stride: usize,
    rows: usize,
    weights: &PackedMatrix,
    sink: impl FnMut(usize, usize, &[i32; PANEL]),
) {
    gemm_with(InstructionSet::best(), a, stride, rows, weights, sink);
}

/// [`gemm`] on a given instruction set.
///
/// # Panics
/// As [`gemm`].
pub fn gemm_with(
    set: InstructionSet,
    a: &[u8],
    stride: usize,
    rows: usize,
    weights: &PackedMatrix,
    mut sink: impl FnMut(usize, usize, &[i32; PANEL]),
) {
    let depth = padded_depth(weights.depth());
    assert!(
        stride >= depth && (rows == 0 || a.len() >= (rows - 1) * stride + depth),
        "activations are too short"
    );
    let block = (BLOCK_BYTES / stride).max(1).next_multiple_of(MAX_ROWS);
    let mut tile: Tile = [[0; PANEL]; MAX_ROWS];
    for start in (0..rows).step_by(block) {
        let end = rows.min(start + block);
        for (index, panel) in weights.panels().enumerate() {
            let mut row = start;
            while row < end {
                let a = &a[row * stride..];
                let count = match (end - row).min(set.tile_rows()) {
                    8.. => {
                        set.tile::<8>(a, stride, panel, &mut tile);
                        8
                    }
                    4.. => {
                        set.tile::<4>(a, stride, panel, &mut tile);
                        4
                    }
                    2.. => {
                        set.tile::<2>(a, stride, panel, &mut tile);
                        2
                    }
                    _ => {
                        set.tile::<1>(a, stride, panel, &mut tile);
                        1
                    }
                };
                for (offset, sums) in tile[..count].iter().enumerate() {
                    sink(row + offset, index * PANEL, sums);
                }
                row += count;
            }
        }
    }
}
