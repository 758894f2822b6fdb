//! Matrix products that a GPU can compute too. candle's on the CPU reads matrices of any strides; its one on a GPU hands them to
//! cuBLAS and refuses what that cannot read, which would show on a GPU alone.

use candle_core::{Layout, Result, Tensor};

/// `a b`, of the last two dimensions. In a debug build the layouts must be such that a GPU takes them.
///
/// # Errors
/// When shapes do not fit.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    debug_assert!(reads(a.layout()), "no GPU reads a left side of {:?}", a.layout());
    debug_assert!(reads(b.layout()), "no GPU reads a right side of {:?}", b.layout());
    a.matmul(b)
}

/// Whether candle's product on a GPU (`gemm_config`) takes a matrix, or matrices, of this layout: each without gaps row by row or
/// column by column, and all of them equally far apart, which may be not at all.
fn reads(layout: &Layout) -> bool {
    let (dims, strides) = (layout.dims(), layout.stride());
    let Some(outer) = dims.len().checked_sub(2) else { return false };
    let ([rows, columns], [row, column]) =
        ([dims[outer], dims[outer + 1]], [strides[outer], strides[outer + 1]]);
    let by_rows = (column == 1 || columns == 1) && (row == columns || rows == 1);
    let by_columns = (column == rows || columns == 1) && (row == 1 || rows == 1);
    let even = match (&dims[..outer], &strides[..outer]) {
        ([] | [_], _) => true,
        ([a, b], [to_a, to_b]) => *to_a == to_b * b || *a == 1 || *b == 1,
        _ => false,
    };
    (by_rows || by_columns) && even
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn zeros(shape: &[usize]) -> Result<Tensor> {
        Tensor::zeros(shape, DType::F32, &Device::Cpu)
    }

    #[test]
    fn plain_turned_and_repeated_matrices_are_read() -> Result<()> {
        let heads = zeros(&[2, 3, 4, 5])?;
        let all = [
            zeros(&[4, 5])?,
            zeros(&[4, 5])?.t()?,
            zeros(&[4, 5])?.broadcast_left(3)?,
            zeros(&[4, 5])?.broadcast_left(3)?.t()?,
            heads.t()?,
            heads.narrow(1, 1, 1)?,
            heads,
            // A row and a column may begin anywhere.
            zeros(&[4, 5])?.narrow(0, 1, 1)?,
            zeros(&[4, 5])?.narrow(0, 1, 3)?,
        ];
        for x in all {
            assert!(reads(x.layout()), "{:?}", x.layout());
        }
        Ok(())
    }

    #[test]
    fn matrices_with_gaps_are_not_read() -> Result<()> {
        let all = [
            zeros(&[4, 5])?.narrow(1, 0, 3)?,
            // Heads that still lie between each other's numbers.
            zeros(&[2, 4, 3, 5])?.transpose(1, 2)?,
            zeros(&[6, 3, 4, 5])?.narrow(1, 0, 2)?,
            zeros(&[7])?,
        ];
        for x in all {
            assert!(!reads(x.layout()), "{:?}", x.layout());
        }
        Ok(())
    }
}
