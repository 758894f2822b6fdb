//! Guides: how the model works, and how to change it.

#[doc = include_str!("bundle_format.md")]
pub mod bundle_format {}

#[doc = include_str!("extending.md")]
pub mod extending {}

#[doc = include_str!("how_it_works.md")]
pub mod how_it_works {}

#[doc = include_str!("quantization.md")]
pub mod quantization {}
