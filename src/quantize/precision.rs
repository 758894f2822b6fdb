//! How many bits the weights of a bundle have.

use crate::bundle::{BITS, GROUP};

/// Rows below this number make a layer too small to be worth packing: heads and classifiers stay int8.
const FEWEST_ROWS: usize = 16;

/// Bits of a weight, by what it belongs to. 8 is int8; fewer are packed in groups, see [`crate::bundle::Rows`].
/// Depthwise convolutions, those with larger kernels and small layers are int8 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// Of the tables of a text encoder.
    pub embeddings: u32,
    /// Of the linear layers: text encoder, fusion.
    pub linears: u32,
    /// Of the 1x1 convolutions.
    pub convolutions: u32,
}

impl Default for Precision {
    /// int8.
    fn default() -> Self {
        Precision::uniform(i8::BITS)
    }
}

impl Precision {
    /// As many bits for all.
    pub fn uniform(bits: u32) -> Self {
        Precision { embeddings: bits, linears: bits, convolutions: bits }
    }

    /// The bits of a weight of so many rows and columns that may have `wanted`.
    pub(super) fn of(wanted: u32, rows: usize, width: usize) -> u32 {
        if rows < FEWEST_ROWS || width < GROUP || !BITS.contains(&wanted) { i8::BITS } else { wanted }
    }
}
