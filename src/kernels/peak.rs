//! The roof: how fast the register tile is when nothing but it runs.

use std::hint::black_box;

use super::{InstructionSet, MAX_ROWS, PANEL, Tile};

/// Length of the sums: the rows and the panel, 8 kB each at most, stay in any first cache together.
const DEPTH: usize = 1024;

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
    let rows = set.tile_rows();
    let a: Vec<u8> = (0..rows * DEPTH).map(|i| (i * 37 % 128) as u8).collect();
    let panel: Vec<i8> = (0..PANEL * DEPTH).map(|i| (i * 91 % 255) as u8 as i8).collect();
    let mut tile: Tile = [[0; PANEL]; MAX_ROWS];
    let mut checksum = 0i32;
    for _ in 0..repetitions {
        let (a, panel) = (black_box(a.as_slice()), black_box(panel.as_slice()));
        if rows == 8 {
            set.tile::<8>(a, DEPTH, panel, &mut tile);
        } else {
            set.tile::<4>(a, DEPTH, panel, &mut tile);
        }
        checksum = tile[..rows].as_flattened().iter().fold(checksum, |all, &sum| all.wrapping_add(sum));
    }
    Peak { macs: u64::from(repetitions) * (rows * PANEL * DEPTH) as u64, checksum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_does_what_it_says() {
        for set in InstructionSet::available() {
            let rows = if set.tile_rows() == 8 { 8 } else { 4 };
            assert_eq!(set.tile_rows(), rows, "{}: the tile that is measured is the one in use", set.name());
            let expected: i32 = (0..rows * DEPTH)
                .map(|i| {
                    let (group, k) = (i % DEPTH / 4, i % 4);
                    let weights = (0..PANEL).map(|n| ((group * PANEL + n) * 4 + k) * 91 % 255);
                    (i * 37 % 128) as i32 * weights.map(|w| i32::from(w as u8 as i8)).sum::<i32>()
                })
                .fold(0, i32::wrapping_add);
            let once = peak(set, 1);
            assert_eq!(once.checksum, expected, "{}", set.name());
            let thrice = Peak { macs: 3 * once.macs, checksum: once.checksum.wrapping_mul(3) };
            assert_eq!(peak(set, 3), thrice, "{}", set.name());
        }
    }
}
