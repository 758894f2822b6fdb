//! Holds each instruction set to the scalar one. The same function is a unit test natively and a probe in a web page.

use super::{InstructionSet, PANEL, PackedMatrix, gemm_with, padded_depth};

/// An instruction set gave other sums than the scalar reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} sums differ from the reference for {rows} rows, {columns} columns, depth {depth}", set.name())]
pub struct Mismatch {
    /// The instruction set.
    pub set: InstructionSet,
    /// Rows of the product that differed.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Its depth.
    pub depth: usize,
}

/// Holds the instruction set that this build uses to the scalar one, and returns it. Takes a few milliseconds.
///
/// # Errors
/// [`Mismatch`]: do not use this build in this engine.
pub fn self_test() -> Result<InstructionSet, Mismatch> {
    let set = InstructionSet::best();
    self_test_of(set).map(|()| set)
}

/// Holds `set` to the scalar one over odd sizes, extreme values, and strides with rubbish behind each row.
///
/// # Errors
/// [`Mismatch`] for the first product that differs.
pub fn self_test_of(set: InstructionSet) -> Result<(), Mismatch> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    };
    for (rows, columns, depth) in
        [(1, 1, 1), (1, 8, 4), (3, 9, 5), (5, 3, 31), (7, 17, 64), (13, 24, 147), (33, 8, 27), (2, 16, 1536)]
    {
        for extremes in [false, true] {
            let stride = padded_depth(depth) + 4 * (random() as usize % 3);
            let a: Vec<u8> = (0..rows * stride)
                .map(|_| if extremes { 127 * (random() % 4 != 0) as u8 } else { (random() % 128) as u8 })
                .collect();
            let weights: Vec<i8> = (0..columns * depth)
                .map(|_| match random() {
                    r if extremes => [-128, -127, 127, 127][r as usize % 4],
                    r => r as i8,
                })
                .collect();
            let packed = PackedMatrix::new(&weights, columns, depth);
            let sums = |set| {
                let mut out = vec![0; rows * columns];
                gemm_with(set, &a, stride, rows, &packed, |row, column, sums: &[i32; PANEL]| {
                    let width = PANEL.min(columns - column);
                    out[row * columns + column..][..width].copy_from_slice(&sums[..width]);
                });
                out
            };
            if sums(set) != sums(InstructionSet::Scalar) {
                return Err(Mismatch { set, rows, columns, depth });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_reference_sums() {
        for set in InstructionSet::available() {
            assert_eq!(self_test_of(set), Ok(()), "{}", set.name());
        }
        assert_eq!(self_test(), Ok(InstructionSet::best()));
    }

    #[test]
    fn the_reference_is_the_definition() {
        let (rows, columns, depth) = (3, 11, 6);
        let a: Vec<u8> = (0..rows * 8).map(|i| (i * 37 % 128) as u8).collect();
        let w: Vec<i8> = (0..columns * depth).map(|i| (i * 91 % 255) as u8 as i8).collect();
        let packed = PackedMatrix::new(&w, columns, depth);
        gemm_with(InstructionSet::Scalar, &a, 8, rows, &packed, |row, column, sums| {
            for (n, &sum) in sums.iter().enumerate() {
                let n = column + n;
                let expected: i32 = if n < columns {
                    (0..depth).map(|k| i32::from(a[row * 8 + k]) * i32::from(w[n * depth + k])).sum()
                } else {
                    0
                };
                assert_eq!(sum, expected);
            }
        });
        for (n, &sum) in packed.sums().iter().enumerate() {
            let expected: i32 = w
                .iter()
                .skip(n * depth)
                .take(if n < columns { depth } else { 0 })
                .map(|&w| i32::from(w))
                .sum();
            assert_eq!(sum, expected);
        }
    }

    #[test]
    fn the_deepest_sum_fits() {
        let depth = super::super::MAX_DEPTH;
        let packed = PackedMatrix::new(&vec![-128; depth], 1, depth);
        for set in InstructionSet::available() {
            gemm_with(set, &vec![127; depth], depth, 1, &packed, |_, _, sums| {
                assert_eq!(sums[0], -127 * 128 * depth as i32);
                assert!(sums[0].checked_mul(2).is_some(), "the zero point's share fits too");
            });
        }
    }
}
