//! Guides: how the model works, how to train it on your own posts, and how to change it.

#[doc = include_str!("bundle_format.md")]
pub mod bundle_format {}

#[doc = include_str!("extending.md")]
pub mod extending {}

#[doc = include_str!("how_it_works.md")]
pub mod how_it_works {}

#[doc = include_str!("own_posts.md")]
pub mod own_posts {}

#[doc = include_str!("quantization.md")]
pub mod quantization {}

#[doc = include_str!("teaching.md")]
pub mod teaching {}

#[doc = include_str!("webgpu.md")]
pub mod webgpu {}
