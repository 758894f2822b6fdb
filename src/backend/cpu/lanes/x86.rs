//! The lanes as two vectors of SSE2, which every x86-64 has: so every intrinsic here may be used, which `sse2!` says.
#![allow(unsafe_code)]

use core::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

use super::{Constant, LANES};

/// Eight floats.
#[derive(Clone, Copy, Debug)]
pub struct F32x8([__m128; 2]);

/// Eight integers; arithmetic wraps.
#[derive(Clone, Copy, Debug)]
pub struct I32x8([__m128i; 2]);

/// Eight short integers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct I16x8(__m128i);

/// Intrinsics of SSE2 outside of functions that ask for it.
macro_rules! sse2 {
    ($expression:expr) => {
        // SAFETY: every x86-64 has SSE2; what is read or written through a pointer is a whole array of the right size.
        unsafe { $expression }
    };
}

#[inline(always)]
fn zip<V: Copy>(a: [V; 2], b: [V; 2], f: impl Fn(V, V) -> V) -> [V; 2] {
    [f(a[0], b[0]), f(a[1], b[1])]
}

macro_rules! lane_operators {
    ($vector:ident: $($operator:ident $method:ident $f:ident;)*) => {
        $(impl $operator for $vector {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                $vector(zip(self.0, other.0, |a, b| sse2!($f(a, b))))
            }
        })*
    };
}

lane_operators!(F32x8: Add add _mm_add_ps; Sub sub _mm_sub_ps; Mul mul _mm_mul_ps; Div div _mm_div_ps;);
lane_operators!(I32x8: Add add _mm_add_epi32; Sub sub _mm_sub_epi32; Mul mul product;);

/// The low halves of the products; SSE2 multiplies every other lane only.
///
/// # Safety
/// None is needed: it is `unsafe` as the intrinsics beside which it stands.
#[inline(always)]
unsafe fn product(a: __m128i, b: __m128i) -> __m128i {
    sse2!({
        let even = _mm_mul_epu32(a, b);
        let odd = _mm_mul_epu32(_mm_srli_epi64::<32>(a), _mm_srli_epi64::<32>(b));
        _mm_unpacklo_epi32(_mm_shuffle_epi32::<0b00_10_00>(even), _mm_shuffle_epi32::<0b00_10_00>(odd))
    })
}

impl F32x8 {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        sse2!(F32x8([_mm_set1_ps(x); 2]))
    }

    /// The constant in every lane.
    #[inline(always)]
    pub fn constant(x: &'static Constant) -> Self {
        Self::splat(x.0[0])
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[f32; LANES]) -> Self {
        sse2!({
            let x = x.as_ptr();
            F32x8([_mm_loadu_ps(x), _mm_loadu_ps(x.add(4))])
        })
    }

    /// The levels as floats.
    #[inline(always)]
    pub fn of_levels(levels: &[u8; LANES]) -> Self {
        sse2!({
            let (wide, zero) = (I16x8::of_levels(levels).0, _mm_setzero_si128());
            F32x8([
                _mm_cvtepi32_ps(_mm_unpacklo_epi16(wide, zero)),
                _mm_cvtepi32_ps(_mm_unpackhi_epi16(wide, zero)),
            ])
        })
    }

    /// The floats whose bits these are.
    #[inline(always)]
    pub fn from_bits(bits: I32x8) -> Self {
        sse2!({
            let [low, high] = bits.0;
            F32x8([_mm_castsi128_ps(low), _mm_castsi128_ps(high)])
        })
    }

    /// The bits of the floats.
    #[inline(always)]
    pub fn to_bits(self) -> I32x8 {
        sse2!({
            let [low, high] = self.0;
            I32x8([_mm_castps_si128(low), _mm_castps_si128(high)])
        })
    }

    /// The larger one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        sse2!(F32x8(zip(self.0, other.0, |a, b| _mm_max_ps(a, b))))
    }

    /// The smaller one, lane by lane; `other` where either is not a number.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        sse2!(F32x8(zip(self.0, other.0, |a, b| _mm_min_ps(a, b))))
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [f32; LANES]) {
        sse2!({
            let out = out.as_mut_ptr();
            _mm_storeu_ps(out, self.0[0]);
            _mm_storeu_ps(out.add(4), self.0[1]);
        })
    }
}

impl I32x8 {
    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: i32) -> Self {
        sse2!(I32x8([_mm_set1_epi32(x); 2]))
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn from_array(x: &[i32; LANES]) -> Self {
        sse2!({
            let x = x.as_ptr().cast::<__m128i>();
            I32x8([_mm_loadu_si128(x), _mm_loadu_si128(x.add(1))])
        })
    }

    /// The nearest floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x8 {
        sse2!({
            let [low, high] = self.0;
            F32x8([_mm_cvtepi32_ps(low), _mm_cvtepi32_ps(high)])
        })
    }

    /// All lanes shifted.
    #[inline(always)]
    pub fn shift_left<const BITS: i32>(self) -> Self {
        sse2!({
            let [low, high] = self.0;
            I32x8([_mm_slli_epi32::<BITS>(low), _mm_slli_epi32::<BITS>(high)])
        })
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut [i32; LANES]) {
        sse2!({
            let out = out.as_mut_ptr().cast::<__m128i>();
            _mm_storeu_si128(out, self.0[0]);
            _mm_storeu_si128(out.add(1), self.0[1]);
        })
    }

    #[inline(always)]
    pub(super) fn write_levels(self, out: &mut [u8; LANES]) {
        sse2!({
            let words = _mm_packs_epi32(self.0[0], self.0[1]);
            _mm_storel_epi64(out.as_mut_ptr().cast(), _mm_packus_epi16(words, words));
        })
    }
}

impl I16x8 {
    /// The levels.
    #[inline(always)]
    pub(crate) fn of_levels(levels: &[u8; LANES]) -> Self {
        sse2!({
            let bytes = _mm_loadl_epi64(levels.as_ptr().cast());
            I16x8(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()))
        })
    }

    /// `self[i] * weights[2 i] + other[i] * weights[2 i + 1]`, exact for levels and int8 weights.
    #[inline(always)]
    pub(crate) fn dot_pairs(self, other: Self, weights: &[i16; 2 * LANES]) -> I32x8 {
        sse2!({
            let weights = weights.as_ptr().cast::<__m128i>();
            let (low, high) = (_mm_loadu_si128(weights), _mm_loadu_si128(weights.add(1)));
            I32x8([
                _mm_madd_epi16(_mm_unpacklo_epi16(self.0, other.0), low),
                _mm_madd_epi16(_mm_unpackhi_epi16(self.0, other.0), high),
            ])
        })
    }
}
