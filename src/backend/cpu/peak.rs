//! The roof: how fast the register tile is when nothing but it runs.

use std::hint::black_box;

use super::{
    InstructionSet, Lhs, PANEL, PackedMatrix, Workspace,
    gemm::{Job, Kernel},
};

/// Length of the sums: the rows and the panel, a few kilobytes each, stay in any first cache together.
const DEPTH: usize = 768;

/// What [`peak`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Products that were summed up.
    pub macs: u64,
    /// All sums, added up with wrap-around: so that none of them can be left out.
    pub checksum: i32,
}

/// Computes the largest tile of `set` `repetitions` times over the same rows and the same panel, which stay in the first
/// cache. Whoever has a clock divides [`Peak::macs`] by the time: no matrix product can be faster on this machine, in this
/// engine, with this tile.
pub fn peak(set: InstructionSet, repetitions: u32) -> Peak {
    let levels: Vec<u8> = (0..8 * DEPTH).map(level).collect();
    let weights: Vec<i8> = (0..PANEL * DEPTH).map(weight).collect();
    let weights = PackedMatrix::new(set, &weights, PANEL, 1, DEPTH);
    set.run(Bare { levels: &levels, weights: &weights, repetitions })
}

fn level(i: usize) -> u8 {
    (i * 37 % 128) as u8
}

/// Small enough for sums in 16 bits, as nearly all trained weights are.
fn weight(i: usize) -> i8 {
    (i * 91 % 121) as i8 - 60
}

/// The tile without the loops around it.
struct Bare<'a> {
    levels: &'a [u8],
    weights: &'a PackedMatrix,
    repetitions: u32,
}

impl Job for Bare<'_> {
    type Output = Peak;

    #[inline(always)]
    fn run<K: Kernel>(self) -> Peak {
        let checksum = match K::ROWS {
            8 => repeat::<K, 8>(&self),
            3 => repeat::<K, 3>(&self),
            4 => repeat::<K, 4>(&self),
            rows => unreachable!("no tile has {rows} rows"),
        };
        Peak { macs: u64::from(self.repetitions) * (K::ROWS * PANEL * DEPTH) as u64, checksum }
    }
}

#[inline(always)]
fn repeat<K: Kernel, const R: usize>(bare: &Bare<'_>) -> i32 {
    let rows = Lhs::plain(bare.levels, R, DEPTH);
    let starts = std::array::from_fn(|row| row * DEPTH);
    let mut workspace = Workspace::new();
    let mut checksum = 0i32;
    for panel in bare.weights.panels() {
        if K::WIDENS {
            workspace.widen_levels(&rows);
            workspace.widen_weights(&panel);
        }
        for _ in 0..bare.repetitions {
            let sums = K::tile::<R>(black_box(&rows), black_box(&starts), black_box(&panel), &workspace);
            checksum = sums.into_iter().flat_map(|row| row.to_array()).fold(checksum, i32::wrapping_add);
        }
    }
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_does_what_it_says() {
        for set in InstructionSet::available() {
            let once = peak(set, 1);
            let rows = once.macs as usize / (PANEL * DEPTH);
            let expected = (0..rows * PANEL * DEPTH).fold(0i32, |sum, i| {
                let (row, column, k) = (i / DEPTH / PANEL, i / DEPTH % PANEL, i % DEPTH);
                sum + i32::from(level(row * DEPTH + k)) * i32::from(weight(column * DEPTH + k))
            });
            assert_eq!(once.checksum, expected, "{}", set.name());
            let thrice = Peak { macs: 3 * once.macs, checksum: once.checksum.wrapping_mul(3) };
            assert_eq!(peak(set, 3), thrice, "{}", set.name());
        }
    }
}
