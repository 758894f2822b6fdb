//! The float matrix product of attention: every element is summed in the order of depth, so no tiling changes its bits.
//!
//! The right side is packed into panels of eight columns, which are read one after the other: attention's rows lie
//! kilobytes apart, where they would push each other out of the first cache. A tile of four rows by eight columns costs 8
//! products and 8 sums of four for 6 loads.

use super::lanes::{F32x8, LANES};

/// Rows of a float matrix, `stride` numbers apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// From the first row's first number on.
    pub data: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
}

/// A `[depth, columns]` matrix in panels of eight columns, zeros where the last one has none. Used again and again: it
/// grows to the largest use and allocates no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panels {
    data: Vec<[f32; LANES]>,
    depth: usize,
    columns: usize,
}

/// Rows of a tile.
const ROWS: usize = 4;

impl Panels {
    /// Packs `columns` neighboring numbers of each of `depth` rows.
    ///
    /// # Panics
    /// When the rows are too short.
    #[inline(always)]
    pub(crate) fn pack(&mut self, rows: Rows<'_>, depth: usize, columns: usize) {
        self.reset(depth, columns);
        for (panel, out) in self.data.chunks_exact_mut(depth.max(1)).enumerate() {
            let column = panel * LANES;
            let width = LANES.min(columns - column);
            for (k, out) in out.iter_mut().enumerate() {
                let x = &rows.data[k * rows.stride + column..][..width];
                F32x8::load_partly(x, 0.0).store(out);
            }
        }
    }

    /// Packs the transpose of `columns` rows of `depth` numbers.
    ///
    /// # Panics
    /// When the rows are too short.
    #[inline(always)]
    pub(crate) fn pack_transposed(&mut self, rows: Rows<'_>, depth: usize, columns: usize) {
        self.reset(depth, columns);
        for column in 0..columns {
            let panel = &mut self.data[column / LANES * depth..][..depth];
            for (out, &x) in panel.iter_mut().zip(&rows.data[column * rows.stride..][..depth]) {
                out[column % LANES] = x;
            }
        }
    }

    fn reset(&mut self, depth: usize, columns: usize) {
        (self.depth, self.columns) = (depth, columns);
        self.data.resize(columns.div_ceil(LANES) * depth, [0.0; LANES]);
        if !columns.is_multiple_of(LANES) {
            let last = self.data.len() - depth;
            self.data[last..].fill([0.0; LANES]);
        }
    }
}

/// `out[m, n] = factor(m) * sum over k of a[m, k] * b[k, n]` for `m < rows`; `out` has rows `out_stride` apart.
///
/// # Panics
/// When a matrix is too short.
#[inline(always)]
pub(crate) fn matmul(
    a: Rows<'_>,
    b: &Panels,
    factor: impl Fn(usize) -> f32,
    out: &mut [f32],
    out_stride: usize,
    rows: usize,
) {
    let Panels { data, depth, columns } = b;
    for (panel, b) in data.chunks_exact((*depth).max(1)).enumerate() {
        let column = panel * LANES;
        let width = LANES.min(columns - column);
        let mut row = 0;
        while row < rows {
            let a = |r: usize| &a.data[(row + r) * a.stride..][..*depth];
            let out = &mut out[row * out_stride + column..];
            if row + ROWS <= rows {
                let sums = four_rows([a(0), a(1), a(2), a(3)], b);
                for (r, sums) in sums.into_iter().enumerate() {
                    (F32x8::splat(factor(row + r)) * sums).store(&mut out[r * out_stride..][..width]);
                }
                row += ROWS;
            } else {
                (F32x8::splat(factor(row)) * one_row(a(0), b)).store(&mut out[..width]);
                row += 1;
            }
        }
    }
}

/// The rows and the panel are equally long, and walked in step: so no access needs a check.
#[inline(always)]
fn four_rows([a, b, c, d]: [&[f32]; ROWS], panel: &[[f32; LANES]]) -> [F32x8; ROWS] {
    let mut sums = [F32x8::splat(0.0); ROWS];
    for ((((w, &a), &b), &c), &d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
        let w = F32x8::from_array(w);
        for (sum, x) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = *sum + F32x8::splat(x) * w;
        }
    }
    sums
}

#[inline(always)]
fn one_row(row: &[f32], panel: &[[f32; LANES]]) -> F32x8 {
    panel.iter().zip(row).fold(F32x8::splat(0.0), |sum, (w, &x)| sum + F32x8::splat(x) * F32x8::from_array(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_summed_in_order() {
        let mut panels = Panels::default();
        for (rows, columns, depth) in [(9, 24, 33), (1, 1, 1), (4, 8, 3), (7, 19, 10), (5, 3, 4)] {
            let (a_stride, b_stride, out_stride) = (depth + 2, columns + 3, columns + 1);
            let a: Vec<f32> = (0..rows * a_stride).map(|i| (i * 31 % 17) as f32 * 0.37 - 2.0).collect();
            let b: Vec<f32> = (0..depth * b_stride).map(|i| (i * 13 % 23) as f32 * 0.21 - 2.0).collect();
            let transposed: Vec<f32> =
                (0..columns * depth).map(|i| b[i % depth * b_stride + i / depth]).collect();
            for is_transposed in [false, true] {
                if is_transposed {
                    panels.pack_transposed(Rows { data: &transposed, stride: depth }, depth, columns);
                } else {
                    panels.pack(Rows { data: &b, stride: b_stride }, depth, columns);
                }
                let mut out = vec![f32::NAN; rows * out_stride];
                matmul(
                    Rows { data: &a, stride: a_stride },
                    &panels,
                    |m| m as f32 - 1.0,
                    &mut out,
                    out_stride,
                    rows,
                );
                for m in 0..rows {
                    for n in 0..columns {
                        let sum =
                            (0..depth).fold(0.0, |sum, k| sum + a[m * a_stride + k] * b[k * b_stride + n]);
                        assert_eq!(out[m * out_stride + n].to_bits(), ((m as f32 - 1.0) * sum).to_bits());
                    }
                    assert!(out[m * out_stride + columns].is_nan(), "what lies between rows is left alone");
                }
            }
        }
    }
}
