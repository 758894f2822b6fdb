//! Holds each instruction set to the scalar one. The same function is a unit test natively and a probe in a web page.

use super::{InstructionSet, Lhs, PackedMatrix, Workspace, collect::Collect, gemm, padded_depth};

/// An instruction set gave other sums than the scalar reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} sums differ from the reference for {rows} rows, {columns} columns, depth {depth}", set.name())]
pub struct Mismatch {
    /// The instruction set.
    pub set: InstructionSet,
    /// Lhs of the product that differed.
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
    let mut workspace = Workspace::new();
    for (rows, columns, runs, run) in [
        (1, 1, 1, 1),
        (1, 8, 1, 4),
        (3, 9, 1, 5),
        (5, 3, 1, 31),
        (7, 17, 1, 64),
        (13, 24, 3, 18),
        (33, 8, 3, 40),
        (10, 16, 5, 12),
        (2, 16, 1, 1536),
    ] {
        // Miri takes a thousand times as long.
        if cfg!(miri) && rows * columns * runs * run > 10_000 {
            continue;
        }
        for extremes in [false, true] {
            let stride = padded_depth(run) + 4 * (random() as usize % 3);
            let run_step = rows * stride;
            let levels: Vec<u8> = (0..runs * run_step)
                .map(|_| if extremes { 127 * (random() % 4 != 0) as u8 } else { (random() % 128) as u8 })
                .collect();
            let weights: Vec<i8> = (0..columns * runs * run)
                .map(|_| match random() {
                    r if extremes => [-128, -127, 127, 127][r as usize % 4],
                    r => r as i8,
                })
                .collect();
            let matrix = Lhs { run_step, ..Lhs::plain(&levels, rows, stride) };
            let mut sums = |set| {
                let packed = PackedMatrix::new(set, &weights, columns, runs, run);
                let mut out = Collect::new(rows, columns);
                gemm(&matrix, &packed, &mut workspace, &mut out);
                out.into_sums()
            };
            if sums(set) != sums(InstructionSet::Scalar) {
                return Err(Mismatch { set, rows, columns, depth: runs * run });
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
    fn the_deepest_sum_fits() {
        let depth = super::super::packed::MAX_DEPTH;
        let (weights, levels) = (vec![-128; depth], vec![127; depth]);
        for set in InstructionSet::available() {
            let packed = PackedMatrix::new(set, &weights, 1, 1, depth);
            let mut out = Collect::new(1, 1);
            gemm(&Lhs::plain(&levels, 1, depth), &packed, &mut Workspace::new(), &mut out);
            let sum = -127 * 128 * depth as i32;
            assert_eq!(out.into_sums(), [Some(sum)]);
            assert!(sum.checked_mul(2).is_some(), "the zero point's share fits too");
        }
    }
}
