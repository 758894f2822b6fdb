//! Eight 32-bit numbers side by side: what the float steps around the integer sums are written in.
//!
//! Each operation is one IEEE operation a lane, without fusing and without reordering, so the eight lanes hold the very
//! bits that eight scalars would, in every engine. In wasm and on x86-64 two vectors hold them; elsewhere an array does, which
//! the compiler may turn into vectors.

use std::ops::{Add, Div, Mul, Sub};

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
mod array;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
pub use array::{F32x8, I16x8, I32x8};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{F32x8, I16x8, I32x8};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{F32x8, I16x8, I32x8};

/// Lanes of a vector.
pub(crate) const LANES: usize = 8;

/// One float or eight side by side: what a formula that is written once is computed in.
pub(crate) trait Float:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The same number in every lane.
    fn splat(x: f32) -> Self;
    /// [`splat`](Self::splat) of a constant, where that is not the fastest by a load.
    fn constant(x: &'static Constant) -> Self;
    /// The larger one; `other` where either is not a number.
    fn max(self, other: Self) -> Self;
    /// The smaller one; `other` where either is not a number.
    fn min(self, other: Self) -> Self;
    /// `2^n`, where the lowest bits of `self` are those of the integer `n` in `-126..=127`.
    fn power_of_low_bits(self) -> Self;
}

/// A number that stands in memory as a vector, for wasm to load. Of a vector that is written out in the code, V8 makes three
/// instructions each time it is used, and neither it nor LLVM keeps it in a register.
#[derive(Debug)]
#[repr(align(16))]
pub struct Constant([f32; 4]);

impl Constant {
    /// It.
    pub const fn new(x: f32) -> Self {
        Constant([x; 4])
    }

    /// All of them.
    pub const fn all<const N: usize>(x: [f32; N]) -> [Constant; N] {
        let mut all = [const { Constant::new(0.0) }; N];
        let mut i = 0;
        while i < N {
            all[i] = Constant::new(x[i]);
            i += 1;
        }
        all
    }
}

impl Float for f32 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn constant(x: &'static Constant) -> Self {
        x.0[0]
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn power_of_low_bits(self) -> Self {
        f32::from_bits((self.to_bits() << 23).wrapping_add(EXPONENT_OF_ONE as u32))
    }
}

impl Float for F32x8 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        F32x8::splat(x)
    }

    #[inline(always)]
    fn constant(x: &'static Constant) -> Self {
        F32x8::constant(x)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        F32x8::max(self, other)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        F32x8::min(self, other)
    }

    #[inline(always)]
    fn power_of_low_bits(self) -> Self {
        F32x8::from_bits(self.to_bits().shift_left::<23>() + F32x8::constant(&ONE).to_bits())
    }
}

/// The bits of 1.0.
const EXPONENT_OF_ONE: i32 = 0x3f80_0000;

static ONE: Constant = Constant::new(1.0);

impl F32x8 {
    /// The first eight numbers of `x`.
    ///
    /// # Panics
    /// When there are fewer.
    #[inline(always)]
    pub fn load(x: &[f32]) -> Self {
        Self::from_array(x.first_chunk().expect("eight numbers"))
    }

    /// `x`, with `rest` in the lanes that it is too short for.
    #[inline(always)]
    pub fn load_partly(x: &[f32], rest: f32) -> Self {
        match x.first_chunk() {
            Some(x) => Self::from_array(x),
            None => {
                let mut all = [rest; LANES];
                all[..x.len()].copy_from_slice(x);
                Self::from_array(&all)
            }
        }
    }

    /// Writes as many lanes as `out` has room for.
    #[inline(always)]
    pub fn store(self, out: &mut [f32]) {
        match out.first_chunk_mut() {
            Some(out) => self.write(out),
            None => {
                let mut all = [0.0; LANES];
                self.write(&mut all);
                let workspace = out.len();
                out.copy_from_slice(&all[..workspace]);
            }
        }
    }

    /// The lanes.
    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.write(&mut lanes);
        lanes
    }

    /// The sum of the lanes, in the order `((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))`.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.to_array();
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

impl I32x8 {
    /// The lanes.
    #[inline(always)]
    pub fn to_array(self) -> [i32; LANES] {
        let mut lanes = [0; LANES];
        self.write(&mut lanes);
        lanes
    }

    /// The first eight numbers of `x`.
    ///
    /// # Panics
    /// When there are fewer.
    #[inline(always)]
    pub fn load(x: &[i32]) -> Self {
        Self::from_array(x.first_chunk().expect("eight numbers"))
    }

    /// Writes the lowest byte of as many lanes as `out` has room for. All lanes must lie in `0..=127`.
    #[inline(always)]
    pub fn store_levels(self, out: &mut [u8]) {
        match out.first_chunk_mut() {
            Some(out) => self.write_levels(out),
            None => {
                let mut all = [0; LANES];
                self.write_levels(&mut all);
                let workspace = out.len();
                out.copy_from_slice(&all[..workspace]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f32; 8] = [0.0, -0.0, 1.5, -2.25, 1e30, f32::NAN, f32::INFINITY, 3.0];
    const Y: [f32; 8] = [1.0, 2.0, -4.0, 0.5, -1e30, 7.0, f32::NAN, 3.0];

    fn assert_lanes(lanes: F32x8, scalar: impl Fn(f32, f32) -> f32) {
        for (i, lane) in lanes.to_array().into_iter().enumerate() {
            let expected = scalar(X[i], Y[i]);
            assert!(
                lane.to_bits() == expected.to_bits() || (lane.is_nan() && expected.is_nan()),
                "lane {i} of {X:?} and {Y:?}: {lane} for {expected}"
            );
        }
    }

    #[test]
    fn a_lane_is_a_scalar() {
        let (x, y) = (F32x8::from_array(&X), F32x8::from_array(&Y));
        assert_lanes(x + y, |x, y| x + y);
        assert_lanes(x - y, |x, y| x - y);
        assert_lanes(x * y, |x, y| x * y);
        assert_lanes(x / y, |x, y| x / y);
        assert_lanes(x.max(y), |x, y| if x > y { x } else { y });
        assert_lanes(x.min(y), |x, y| if x < y { x } else { y });
        assert_lanes(F32x8::from_bits(x.to_bits()), |x, _| x);
        assert_eq!(F32x8::splat(2.0).sum(), 16.0);
    }

    #[test]
    fn integers_wrap_and_convert() {
        let x = I32x8::from_array(&[1, -2, 3, i32::MAX, i32::MIN, 100, 0, -7]);
        let y = I32x8::splat(3);
        let lanes = |f: fn(i32) -> i32| x.to_array().map(f);
        assert_eq!((x + y).to_array(), lanes(|x| x.wrapping_add(3)));
        assert_eq!((x - y).to_array(), lanes(|x| x.wrapping_sub(3)));
        assert_eq!((x * y).to_array(), lanes(|x| x.wrapping_mul(3)));
        assert_eq!(x.shift_left::<23>().to_array(), lanes(|x| x << 23));
        assert_eq!(x.to_f32().to_array(), x.to_array().map(|x| x as f32));
        let levels: [u8; 8] = std::array::from_fn(|i| i as u8 * 18);
        let weights: [i16; 16] = std::array::from_fn(|i| i as i16 * 16 - 128);
        let pairs = I16x8::of_levels(&levels).dot_pairs(I16x8::of_levels(&levels.map(|x| 127 - x)), &weights);
        assert_eq!(
            pairs.to_array(),
            std::array::from_fn(|i| {
                let x = i32::from(levels[i]);
                x * i32::from(weights[2 * i]) + (127 - x) * i32::from(weights[2 * i + 1])
            })
        );
        assert_eq!(F32x8::of_levels(&levels).to_array(), levels.map(f32::from));
        let mut out = [9; 8];
        I32x8::from_array(&levels.map(i32::from)).store_levels(&mut out[..3]);
        assert_eq!(out, [0, 18, 36, 9, 9, 9, 9, 9]);
    }

    #[test]
    fn what_is_shorter_than_eight_is_padded() {
        assert_eq!(
            F32x8::load_partly(&[1.0, 2.0], -1.0).to_array(),
            [1.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]
        );
        let mut out = [0.0; 3];
        F32x8::splat(4.0).store(&mut out);
        assert_eq!(out, [4.0; 3]);
    }
}
