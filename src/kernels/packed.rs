//! Weights laid out for the register tile, the same for every instruction set.

/// Output columns of a tile: eight `i32` sums are two wasm vectors or one of AVX2.
pub const PANEL: usize = 8;

/// Longest sum of products that cannot leave `i32`: `2 * 65536 * 127 * 128 < 2^31`.
pub const MAX_DEPTH: usize = 65_536;

/// `depth` rounded up to the groups of four that a tile reads: the least stride of activation rows. What stands in the
/// padding does not matter (as long as it is in `0..=127`): its weights are zero.
pub const fn padded_depth(depth: usize) -> usize {
    depth.next_multiple_of(4)
}

/// An `[columns, depth]` matrix of int8 weights, cut into panels of [`PANEL`] columns. Within a panel come groups of four
/// neighbours in depth, column by column: the 32 bytes that one step of a tile consumes lie together. Depth is padded to
/// a multiple of four and the columns to whole panels, with zeros.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    columns: usize,
    depth: usize,
    data: Vec<i8>,
    sums: Vec<i32>,
}

impl PackedMatrix {
    /// Packs `weights`, `[columns, depth]` row by row.
    ///
    /// # Panics
    /// When the length is not `columns * depth`, either is zero, or `depth` is above [`MAX_DEPTH`].
    pub fn new(weights: &[i8], columns: usize, depth: usize) -> Self {
        assert!(columns > 0 && (1..=MAX_DEPTH).contains(&depth), "a matrix has columns and a bounded depth");
        assert_eq!(weights.len(), columns * depth, "weights are [columns, depth]");
        let panels = columns.div_ceil(PANEL);
        let panel_len = padded_depth(depth) * PANEL;
        let mut data = vec![0; panels * panel_len];
        let mut sums = vec![0; panels * PANEL];
        for (column, row) in weights.chunks_exact(depth).enumerate() {
            let panel = &mut data[column / PANEL * panel_len..][..panel_len];
            for (k, &w) in row.iter().enumerate() {
                panel[(k / 4 * PANEL + column % PANEL) * 4 + k % 4] = w;
            }
            sums[column] = row.iter().map(|&w| i32::from(w)).sum();
        }
        PackedMatrix { columns, depth, data, sums }
    }

    /// Output columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Length of the sums, without padding.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The sum of each column's weights, padded with zeros to whole panels: what a zero point is multiplied with.
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// The packed panels, in order.
    pub(super) fn panels(&self) -> impl Iterator<Item = &[i8]> {
        self.data.chunks_exact(padded_depth(self.depth) * PANEL)
    }
}
