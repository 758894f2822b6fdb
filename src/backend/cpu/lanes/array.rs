//! The lanes as arrays.

use std::ops::{Add, Div, Mul, Sub};

use super::{Constant, LANES};

/// Eight floats.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct F32x8([f32; LANES]);

/// Eight integers; arithmetic wraps.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct I32x8([i32; LANES]);

/// Eight short integers.
#[derive(Clone, Copy, Debug)]
pub struct I16x8([i16; LANES]);

/// Lane by lane, in a form that the compiler makes one vector operation of.
#[inline(always)]
fn zip<A: Copy, B: Copy, C: Copy + Default>(
    a: [A; LANES],
    b: [B; LANES],
    f: impl Fn(A, B) -> C,
) -> [C; LANES] {
    let mut out = [C::default(); LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

macro_rules! lane_operators {
    ($vector:ident: $($operator:ident $method:ident $f:expr;)*) => {
        $(impl $operator for $vector {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                $vector(zip(self.0, other.0, $f))
            }
        })*
    };
}

lane_operators!(F32x8: Add add |a, b| a + b; Sub sub |a, b| a - b; Mul mul |a, b| a * b; Div div |a, b| a / b;);
lane_operators!(I32x8: Add add i32::wrapping_add; Sub sub i32::wrapping_sub; Mul mul i32::wrapping_mul;);

impl F32x8 {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        F32x8([x; LANES])
    }

    /// The constant in every lane.
    #[inline(always)]
    pub fn constant(x: &'static Constant) -> Self {
        Self::splat(x.0[0])
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[f32; LANES]) -> Self {
        F32x8(*x)
    }

    /// The levels as floats.
    #[inline(always)]
    pub fn of_levels(levels: &[u8; LANES]) -> Self {
        F32x8(zip(*levels, [(); LANES], |level, ()| f32::from(level)))
    }

    /// The floats whose bits these are.
    #[inline(always)]
    pub fn from_bits(bits: I32x8) -> Self {
        F32x8(zip(bits.0, [(); LANES], |bits, ()| f32::from_bits(bits as u32)))
    }

    /// The bits of the floats.
    #[inline(always)]
    pub fn to_bits(self) -> I32x8 {
        I32x8(zip(self.0, [(); LANES], |x, ()| x.to_bits() as i32))
    }

    /// The larger one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        F32x8(zip(self.0, other.0, |a, b| if a > b { a } else { b }))
    }

    /// The smaller one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        F32x8(zip(self.0, other.0, |a, b| if a < b { a } else { b }))
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [f32; LANES]) {
        *out = self.0;
    }
}

impl I32x8 {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: i32) -> Self {
        I32x8([x; LANES])
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[i32; LANES]) -> Self {
        I32x8(*x)
    }

    /// The nearest floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x8 {
        F32x8(zip(self.0, [(); LANES], |x, ()| x as f32))
    }

    /// All lanes shifted.
    #[inline(always)]
    pub fn shift_left<const BITS: i32>(self) -> Self {
        I32x8(zip(self.0, [(); LANES], |x, ()| x << BITS))
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [i32; LANES]) {
        *out = self.0;
    }

    #[inline(always)]
    pub(super) fn write_levels(self, out: &mut [u8; LANES]) {
        *out = zip(self.0, [(); LANES], |x, ()| x as u8);
    }
}

impl I16x8 {
    /// The levels.
    #[inline(always)]
    pub fn of_levels(levels: &[u8; LANES]) -> Self {
        I16x8(zip(*levels, [(); LANES], |level, ()| i16::from(level)))
    }

    /// `self[i] * weights[2 i] + other[i] * weights[2 i + 1]`, exact for levels and int8 weights.
    #[inline(always)]
    pub fn dot_pairs(self, other: Self, weights: &[i16; 2 * LANES]) -> I32x8 {
        let mut out = [0; LANES];
        for i in 0..LANES {
            out[i] = i32::from(self.0[i]) * i32::from(weights[2 * i])
                + i32::from(other.0[i]) * i32::from(weights[2 * i + 1]);
        }
        I32x8(out)
    }
}
