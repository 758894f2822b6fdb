//! The float matrix product of attention: every element is summed in the order of depth, so no tiling changes its bits.

/// Rows of a float matrix, `stride` numbers apart.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// From the first row's first number on.
    pub data: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
}

const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// `out[m, n] = sum over k of a[m, k] * b[k, n]` for `m < rows`, `n < columns`, `k < depth`; `out` has rows
/// `out_stride` apart.
///
/// # Panics
/// When a matrix is too short.
pub fn matmul(
    a: Rows<'_>,
    b: Rows<'_>,
    out: &mut [f32],
    out_stride: usize,
    rows: usize,
    columns: usize,
    depth: usize,
) {
    let whole = columns / COLUMNS * COLUMNS;
    let mut row = 0;
    while row < rows {
        let count = if row + ROWS <= rows { ROWS } else { 1 };
        let a = Rows { data: &a.data[row * a.stride..], ..a };
        for column in (0..whole).step_by(COLUMNS) {
            let b = Rows { data: &b.data[column..], ..b };
            let out = &mut out[row * out_stride + column..];
            if count == ROWS {
                tile::<ROWS>(a, b, depth, out, out_stride);
            } else {
                tile::<1>(a, b, depth, out, out_stride);
            }
        }
        for r in 0..count {
            for column in whole..columns {
                let mut sum = 0.0;
                for (k, &x) in a.data[r * a.stride..][..depth].iter().enumerate() {
                    sum += x * b.data[k * b.stride + column];
                }
                out[(row + r) * out_stride + column] = sum;
            }
        }
        row += count;
    }
}

#[inline(always)]
fn tile<const R: usize>(a: Rows<'_>, b: Rows<'_>, depth: usize, out: &mut [f32], out_stride: usize) {
    let rows: [&[f32]; R] = std::array::from_fn(|r| &a.data[r * a.stride..][..depth]);
    let mut acc = [[0.0; COLUMNS]; R];
    for k in 0..depth {
        let b = &b.data[k * b.stride..][..COLUMNS];
        for (acc, row) in acc.iter_mut().zip(rows) {
            for (acc, &b) in acc.iter_mut().zip(b) {
                *acc += row[k] * b;
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        out[r * out_stride..][..COLUMNS].copy_from_slice(acc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_summed_in_order() {
        for (rows, columns, depth) in [(1, 1, 1), (4, 8, 3), (7, 19, 10), (9, 24, 33)] {
            let (a_stride, b_stride, out_stride) = (depth + 2, columns + 3, columns + 1);
            let a: Vec<f32> = (0..rows * a_stride).map(|i| (i * 31 % 17) as f32 * 0.37 - 2.0).collect();
            let b: Vec<f32> = (0..depth * b_stride).map(|i| (i * 13 % 23) as f32 * 0.21 - 2.0).collect();
            let mut out = vec![f32::NAN; rows * out_stride];
            matmul(
                Rows { data: &a, stride: a_stride },
                Rows { data: &b, stride: b_stride },
                &mut out,
                out_stride,
                rows,
                columns,
                depth,
            );
            for m in 0..rows {
                for n in 0..columns {
                    let sum = (0..depth).fold(0.0, |sum, k| sum + a[m * a_stride + k] * b[k * b_stride + n]);
                    assert_eq!(out[m * out_stride + n].to_bits(), sum.to_bits());
                }
                assert!(out[m * out_stride + columns].is_nan(), "what lies between rows is left alone");
            }
        }
    }
}
