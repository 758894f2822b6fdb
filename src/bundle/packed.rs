//! Weights of a few bits, format version 3.
//!
//! A row of levels is cut into groups of [`GROUP`]. A group has one multiplier, and each of its weights a code:
//! `level = code * multiplier`, which always fits into int8. So reading a row gives the levels that version 2 would have
//! stored, one scale a row, and the kernels see no difference.
//!
//! | tensor | type and shape | what |
//! |---|---|---|
//! | `X.codes` | `U8` `[rows, ceil(width * bits / 8)]` | two's complement codes of `bits` bits, from the lowest bit of the first byte on |
//! | `X.multipliers` | `U8` `[rows, ceil(groups / 2)]` | 1 to 15, two a byte, the first in the lower half |
//!
//! Nothing says how many bits a code has: the shape does, for rows of [`NARROWEST`] weights or more. Spare bits at the end of a row are
//! 0, and are not looked at.

use std::borrow::Cow;

use super::BundleError;

/// Weights that share a multiplier: neighbors along the input.
pub const GROUP: usize = 32;
/// The fewest and the most bits of a code. With 8, levels are stored as they are.
pub const BITS: std::ops::RangeInclusive<u32> = 2..=6;
/// The fewest weights of a row: from here on each number of bits gives another number of bytes.
pub(super) const NARROWEST: usize = 8;
/// Bits of a multiplier.
pub(super) const MULTIPLIER_BITS: u32 = 4;

/// The largest multiplier of codes of `bits` bits: at most 15, and the lowest code times it stays in int8.
pub const fn largest_multiplier(bits: u32) -> i8 {
    let fits = (i8::MAX >> bits.saturating_sub(1)) as u32;
    let stored = 1_u32.wrapping_shl(MULTIPLIER_BITS).saturating_sub(1);
    if fits < stored { fits as i8 } else { stored as i8 }
}

/// The least and the most that a code of `bits` bits can be, for bits of [`BITS`].
pub(super) const fn code_range(bits: u32) -> std::ops::RangeInclusive<i8> {
    let least = i8::MIN >> i8::BITS.saturating_sub(bits);
    least..=!least
}

/// Bytes of `count` fields of `bits` bits.
pub(super) fn packed_bytes(count: usize, bits: u32) -> usize {
    count.saturating_mul(bits as usize).div_ceil(8)
}

/// Bytes of the multipliers of a row.
pub(super) fn multiplier_bytes(width: usize) -> usize {
    packed_bytes(width.div_ceil(GROUP), MULTIPLIER_BITS)
}

/// How many bits the codes of a row have, if so many bytes hold them.
pub(super) fn bits_of(width: usize, bytes: usize) -> Option<u32> {
    BITS.into_iter().find(|&bits| width >= NARROWEST && packed_bytes(width, bits) == bytes)
}

/// The fields of `bits` bits, sign extended, in one run of bytes.
pub(super) fn pack(fields: impl Iterator<Item = i8>, bits: u32, out: &mut Vec<u8>) {
    let mask = 1_u32.wrapping_shl(bits).wrapping_sub(1);
    let (mut held, mut count) = (0_u32, 0_u32);
    for field in fields {
        held |= (field as u32 & mask).wrapping_shl(count);
        count = count.wrapping_add(bits);
        while count >= 8 {
            out.push(held as u8);
            held >>= 8;
            count = count.wrapping_sub(8);
        }
    }
    if count > 0 {
        out.push(held as u8);
    }
}

/// Rows of int8 levels with one scale each, as they lie in a bundle: whole, or packed.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Levels, or bytes of codes.
    bytes: Cow<'a, [i8]>,
    multipliers: Cow<'a, [i8]>,
    width: usize,
    bits: u32,
}

impl<'a> Rows<'a> {
    /// Levels `[rows, width]`.
    pub(super) fn whole(levels: &'a [i8], width: usize) -> Self {
        Rows { bytes: levels.into(), multipliers: Cow::default(), width, bits: i8::BITS }
    }

    /// Codes and multipliers whose shapes were checked.
    pub(super) fn packed(
        name: &str,
        codes: &'a [i8],
        multipliers: &'a [i8],
        (width, bits): (usize, u32),
    ) -> Result<Self, BundleError> {
        let largest = largest_multiplier(bits);
        let groups = width.div_ceil(GROUP);
        let rows = multipliers.chunks(multiplier_bytes(width).max(1));
        let sound = |row: &[i8]| (0..groups).all(|group| (1..=largest).contains(&nibble(row, group)));
        if !rows.into_iter().all(sound) {
            let reason = format!("has a multiplier that is not one of 1 to {largest}");
            return Err(BundleError::WrongValue { name: format!("{name}.multipliers"), reason });
        }
        Ok(Rows { bytes: codes.into(), multipliers: multipliers.into(), width, bits })
    }

    /// The same, apart from the bundle.
    pub fn into_owned(self) -> Rows<'static> {
        let Rows { bytes, multipliers, width, bits } = self;
        let (bytes, multipliers) = (bytes.into_owned().into(), multipliers.into_owned().into());
        Rows { bytes, multipliers, width, bits }
    }

    /// Levels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many bits a weight has, its multiplier and its scale apart.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Appends the levels of row `row`; nothing where there is no such row.
    pub fn append(&self, row: usize, out: &mut Vec<i8>) {
        let part = |bytes: &'_ Cow<'a, [i8]>, length: usize| {
            let start = row.saturating_mul(length);
            Some((start, start.checked_add(length)?)).filter(|&(_, end)| end <= bytes.len())
        };
        let Some((start, end)) = part(&self.bytes, packed_bytes(self.width, self.bits)) else { return };
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        if self.bits == i8::BITS {
            out.extend_from_slice(bytes);
            return;
        }
        let Some((start, end)) = part(&self.multipliers, multiplier_bytes(self.width)) else { return };
        let multipliers = self.multipliers.get(start..end).unwrap_or_default();
        let start = out.len();
        // Levels are written eight at a time; those beyond the last weight go again.
        out.resize(start.saturating_add(self.width.div_ceil(8).saturating_mul(8)), 0);
        let levels = out.get_mut(start..).unwrap_or_default().chunks_mut(GROUP);
        // A group takes a whole number of bytes: 32 codes, four times as many bytes as bits.
        let groups = bytes.chunks(packed_bytes(GROUP, self.bits).max(1)).zip(levels).enumerate();
        for (group, (bytes, levels)) in groups {
            let multiplier = nibble(multipliers, group);
            match self.bits {
                2 => unpack::<2>(bytes, multiplier, levels),
                3 => unpack::<3>(bytes, multiplier, levels),
                4 => unpack_halves(bytes, multiplier, levels),
                5 => unpack::<5>(bytes, multiplier, levels),
                _ => unpack::<6>(bytes, multiplier, levels),
            }
        }
        out.truncate(start.saturating_add(self.width));
    }

    /// All levels, row by row; borrowed where they are stored whole.
    pub fn levels(&self) -> Cow<'_, [i8]> {
        if self.bits == i8::BITS { Cow::Borrowed(&self.bytes) } else { Cow::Owned(self.expanded()) }
    }

    /// As [`levels`](Self::levels), without the rows.
    pub fn into_levels(self) -> Cow<'a, [i8]> {
        if self.bits == i8::BITS { self.bytes } else { Cow::Owned(self.expanded()) }
    }

    fn expanded(&self) -> Vec<i8> {
        let rows = self.bytes.len().checked_div(packed_bytes(self.width, self.bits)).unwrap_or_default();
        let mut levels = Vec::with_capacity(rows.saturating_mul(self.width).saturating_add(8));
        (0..rows).for_each(|row| self.append(row, &mut levels));
        levels
    }
}

/// Field `index` of four bits, unsigned.
fn nibble(bytes: &[i8], index: usize) -> i8 {
    let byte = bytes.get(index / 2).copied().unwrap_or_default() as u8;
    (if index.is_multiple_of(2) { byte & 0xf } else { byte >> 4 }) as i8
}

/// The levels of codes of `B` bits: eight are `B` bytes. The last bytes may be fewer, with zeros behind them.
fn unpack<const B: usize>(bytes: &[i8], multiplier: i8, levels: &mut [i8]) {
    let above = 8_u32.wrapping_sub(B as u32);
    let (levels, _) = levels.as_chunks_mut::<8>();
    for (eight, levels) in bytes.chunks(B).zip(levels) {
        let mut word = [0_u8; 8];
        word.iter_mut().zip(eight).for_each(|(byte, &code)| *byte = code as u8);
        let word = u64::from_le_bytes(word);
        for (place, level) in levels.iter_mut().enumerate() {
            let field = word.wrapping_shr(place.wrapping_mul(B) as u32) as u8;
            // Within int8: the multiplier was checked.
            *level = (field.wrapping_shl(above) as i8).wrapping_shr(above).wrapping_mul(multiplier);
        }
    }
}

/// As [`unpack`] for 4 bits, the usual case: without shifts that differ from code to code, so that the compiler makes vectors of it.
fn unpack_halves(bytes: &[i8], multiplier: i8, levels: &mut [i8]) {
    let (levels, _) = levels.as_chunks_mut::<2>();
    for (&byte, level) in bytes.iter().zip(levels) {
        let halves = [byte.wrapping_shl(4).wrapping_shr(4), byte.wrapping_shr(4)];
        *level = halves.map(|code| code.wrapping_mul(multiplier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, BundleWriter, PackedWeights};

    /// Codes and multipliers that reach their ends.
    fn weights(rows: usize, width: usize, bits: u32) -> PackedWeights {
        let (lowest, span) = (-(1 << (bits - 1)), 1 << bits);
        let groups = width.div_ceil(GROUP);
        let largest = i32::from(largest_multiplier(bits));
        PackedWeights {
            bits,
            width,
            codes: (0..rows * width).map(|i| (lowest + (i * 7 % span as usize) as i32) as i8).collect(),
            multipliers: (0..rows * groups).map(|i| (1 + i as i32 % largest) as i8).collect(),
        }
    }

    #[test]
    fn every_number_of_bits_comes_back() {
        for bits in BITS {
            for width in [33, 64, 100, 384] {
                let weights = weights(3, width, bits);
                let mut writer = BundleWriter::new();
                writer.packed("w", &weights).unwrap();
                let bundle = Bundle::parse(writer.finish().unwrap()).unwrap();
                let rows = bundle.rows("w", &[3, width]).unwrap();
                assert_eq!((rows.bits(), rows.width()), (bits, width));
                assert_eq!(rows.levels(), weights.levels(), "{bits} bits, {width} wide");
                let mut last = vec![];
                rows.clone().into_owned().append(2, &mut last);
                assert_eq!(last, weights.levels()[2 * width..]);
                rows.append(3, &mut last);
                assert_eq!(last.len(), width, "there is no such row");
                bundle.check_all_read().unwrap();
            }
        }
    }

    #[test]
    fn levels_stay_in_int8() {
        for bits in BITS {
            let lowest = -(1_i32 << (bits - 1));
            let reached = lowest * i32::from(largest_multiplier(bits));
            assert!((-127..0).contains(&reached), "{bits} bits: {reached}");
            let one_more = lowest * (i32::from(largest_multiplier(bits)) + 1);
            assert!(one_more < -127 || largest_multiplier(bits) == 15, "{bits} bits: {one_more} would fit");
        }
    }
}
