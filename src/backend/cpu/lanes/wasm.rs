//! The lanes as two wasm vectors.
#![allow(unsafe_code)]

use core::arch::wasm32::*;
use std::ops::{Add, Div, Mul, Sub};

use super::{Constant, LANES};

/// Eight floats.
#[derive(Clone, Copy, Debug)]
pub struct F32x8([v128; 2]);

/// Eight integers; arithmetic wraps.
#[derive(Clone, Copy, Debug)]
pub struct I32x8([v128; 2]);

/// Eight short integers.
#[derive(Clone, Copy, Debug)]
pub struct I16x8(v128);

#[inline(always)]
fn zip(a: [v128; 2], b: [v128; 2], f: impl Fn(v128, v128) -> v128) -> [v128; 2] {
    [f(a[0], b[0]), f(a[1], b[1])]
}

macro_rules! lane_operators {
    ($vector:ident: $($operator:ident $method:ident $f:ident;)*) => {
        $(impl $operator for $vector {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                $vector(zip(self.0, other.0, |a, b| $f(a, b)))
            }
        })*
    };
}

lane_operators!(F32x8: Add add f32x4_add; Sub sub f32x4_sub; Mul mul f32x4_mul; Div div f32x4_div;);
lane_operators!(I32x8: Add add i32x4_add; Sub sub i32x4_sub; Mul mul i32x4_mul;);

/// Two vectors from 32 bytes.
#[inline(always)]
fn read<T>(x: &[T; LANES]) -> [v128; 2] {
    const { assert!(size_of::<T>() == 4) };
    let x = x.as_ptr().cast::<v128>();
    // SAFETY: eight elements of four bytes are two vectors; wasm loads need no alignment.
    unsafe { [v128_load(x), v128_load(x.add(1))] }
}

/// 32 bytes from two vectors.
#[inline(always)]
fn write<T>(x: [v128; 2], out: &mut [T; LANES]) {
    const { assert!(size_of::<T>() == 4) };
    let out = out.as_mut_ptr().cast::<v128>();
    // SAFETY: eight elements of four bytes, any of whose bits are valid, are two vectors; wasm stores need no alignment.
    unsafe {
        v128_store(out, x[0]);
        v128_store(out.add(1), x[1]);
    }
}

impl F32x8 {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        F32x8([f32x4_splat(x); 2])
    }

    /// The constant in every lane.
    #[inline(always)]
    pub fn constant(x: &'static Constant) -> Self {
        // SAFETY: it is a whole vector, and aligned. Volatile, or the compiler writes it out in the code again.
        F32x8([unsafe { x.0.as_ptr().cast::<v128>().read_volatile() }; 2])
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[f32; LANES]) -> Self {
        F32x8(read(x))
    }

    /// The levels as floats.
    #[inline(always)]
    pub fn of_levels(levels: &[u8; LANES]) -> Self {
        // SAFETY: eight bytes are there.
        let wide = unsafe { i16x8_load_extend_u8x8(levels.as_ptr()) };
        F32x8([i32x4_extend_low_u16x8(wide), i32x4_extend_high_u16x8(wide)].map(|x| f32x4_convert_i32x4(x)))
    }

    /// The floats whose bits these are.
    #[inline(always)]
    pub fn from_bits(bits: I32x8) -> Self {
        F32x8(bits.0)
    }

    /// The bits of the floats.
    #[inline(always)]
    pub fn to_bits(self) -> I32x8 {
        I32x8(self.0)
    }

    /// The larger one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        F32x8(zip(self.0, other.0, |a, b| f32x4_pmax(b, a)))
    }

    /// The smaller one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        F32x8(zip(self.0, other.0, |a, b| f32x4_pmin(b, a)))
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [f32; LANES]) {
        write(self.0, out);
    }
}

impl I32x8 {
    /// From the two halves.
    #[inline(always)]
    pub fn from_halves(low: v128, high: v128) -> Self {
        I32x8([low, high])
    }

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: i32) -> Self {
        I32x8([i32x4_splat(x); 2])
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[i32; LANES]) -> Self {
        I32x8(read(x))
    }

    /// The nearest floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x8 {
        F32x8(self.0.map(|x| f32x4_convert_i32x4(x)))
    }

    /// All lanes shifted.
    #[inline(always)]
    pub fn shift_left<const BITS: i32>(self) -> Self {
        I32x8(self.0.map(|x| i32x4_shl(x, BITS as u32)))
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [i32; LANES]) {
        write(self.0, out);
    }

    #[inline(always)]
    pub(super) fn write_levels(self, out: &mut [u8; LANES]) {
        let words = i16x8_narrow_i32x4(self.0[0], self.0[1]);
        // Of the unsigned one LLVM makes two clamps and a constant more; levels have no sign that could be lost.
        let bytes = i8x16_narrow_i16x8(words, words);
        // SAFETY: eight bytes are there.
        unsafe { v128_store64_lane::<0>(bytes, out.as_mut_ptr().cast()) };
    }
}

impl I16x8 {
    /// The levels.
    #[inline(always)]
    pub fn of_levels(levels: &[u8; LANES]) -> Self {
        // SAFETY: eight bytes are there.
        I16x8(unsafe { i16x8_load_extend_u8x8(levels.as_ptr()) })
    }

    /// `self[i] * weights[2 i] + other[i] * weights[2 i + 1]`, exact for levels and int8 weights.
    #[inline(always)]
    pub fn dot_pairs(self, other: Self, weights: &[i16; 2 * LANES]) -> I32x8 {
        let weights = weights.as_ptr().cast::<v128>();
        // SAFETY: sixteen short integers are two vectors; wasm loads need no alignment.
        let (low, high) = unsafe { (v128_load(weights), v128_load(weights.add(1))) };
        I32x8([
            i32x4_dot_i16x8(i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(self.0, other.0), low),
            i32x4_dot_i16x8(i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(self.0, other.0), high),
        ])
    }
}
