//! Sentiment of a post: its text, its image, and both together, on the device of the person who reads it.
//!
//! A post says "Perfect solitude" over a photo of a packed beach. The text is positive, the photo is not, and the two
//! contradict each other. This crate reads both. It says what the post as a whole expresses, what the text and the image
//! express alone, how likely it is that they contradict each other, and which words and which regions of the image the
//! answer comes from.
//!
//! A BERT encodes the text, a convolutional network encodes the image, and a small attention layer fuses the two. The
//! float model trains natively in [candle](https://docs.rs/candle-core). The quantized model (int8 weights, 7-bit
//! activations) needs no candle: it runs natively, and as WebAssembly in a web page, where the npm package
//! `mixed-feelings` wraps this crate.
//!
//! # Example
//!
//! A model is one file, a *bundle*. The repository has one in `pkg/`.
//!
//! ```
//! use mixed_feelings::{Analyzer, Post, analyzer::ImageInput};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bundle = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors"))?;
//! let photo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/www/photos/summer-palace.jpg"))?;
//! let mut analyzer = Analyzer::from_bundle(bundle)?;
//!
//! let text = Some("Worst morning of my life, nobody showed up");
//! let image = Some(ImageInput::Encoded(&photo));
//! let analysis = analyzer.analyze(Post { text, image })?;
//!
//! let (text, image) = (analysis.text.ok_or("no text")?, analysis.image.ok_or("no image")?);
//! assert_eq!((text.label.as_str(), image.label.as_str()), ("negative", "positive"));
//! // A calibrated probability. Such posts are rare, so it is seldom above a half.
//! assert!(analysis.contradiction > Some(0.2));
//!
//! // The shares of words and regions add up to the logit of the label.
//! let why = analysis.explanation;
//! let words: f32 = why.words.iter().flatten().map(|word| word.weight).sum();
//! let regions: f32 = why.regions.iter().flat_map(|regions| &regions.weights).sum();
//! assert!((why.base + words + regions - why.logit).abs() < 1e-3);
//! # Ok(())
//! # }
//! ```
//!
//! The text or the image may be missing. `tests/examples/` has three programs: `analyze`, `explain` and
//! `inspect_bundle`, run by `cargo run --release --example analyze -- TEXT IMAGE`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `decoders` | yes | the decoders of image files, [`image::decode`]; without them pictures come decoded |
//! | `float` | yes | the float model in candle: [`inference::float`] to train, [`inference::Reference`] to compare with, [`quantize`] to make a bundle |
//! | `cuda` | no | the float model on an NVIDIA GPU; needs the CUDA toolkit to build |
//! | `testing` | no | tiny configurations and bundles of random weights, for tests and benchmarks |
//! | `web` | no | the bindings for JavaScript, on `wasm32` |
//! | `webgpu` | no | the encoders on a GPU, by wgpu: WebGPU in a page; Vulkan, Metal or Direct3D 12 elsewhere |
//!
//! Without default features the crate reads posts with the quantized model, and does not depend on candle.
//!
//! # Guarantees
//!
//! - **The same bits everywhere.** One bundle gives the same answer, to the last bit, in every engine and on every
//!   instruction set: the sums are exact integers, and every float step is an IEEE basic operation in a fixed order.
//!   [`guides::quantization`] says why. The float model makes no such promise, and a GPU one of its own (`backend::gpu`).
//! - **Hostile input is an error, never a panic.** Bundles, images and texts may come from anyone. Sizes are checked before
//!   memory is allocated for them, and every [`Error`] says what was wrong with which input. After an error the
//!   [`Analyzer`] works as before.
//! - **Memory is bounded.** The encoders work in buffers that grow to the longest text seen and then allocate nothing. An
//!   analysis allocates what it returns, the copies that it caches of the last text and the last image, and what decoding
//!   and scaling the image takes.
//! - **Nothing leaves the process.** This crate opens no file and no connection, starts no thread, and reads no clock. It
//!   takes bytes and returns values.
//! - **`unsafe` code is in the CPU kernels only** ([`backend::cpu`]).
//!
//! # Where to read on
//!
//! - [`Analyzer`] and [`Analysis`]: the interface that most programs need.
//! - [`guides::how_it_works`]: a post's way through the code, with the formulas.
//! - [`guides::quantization`]: from floats to integers, and what that costs.
//! - [`guides::bundle_format`]: the file, byte by byte.
//! - [`guides::teaching`]: teach it your words with a few labelled posts.
//! - [`guides::own_posts`]: train it on your own posts, in minutes on a CPU.
//! - [`guides::extending`]: an encoder, a label set, a language, an instruction set.

pub mod analyzer;
pub mod backend;
pub mod bundle;
mod error;
pub mod fusion;
pub mod guides;
pub mod image;
pub mod inference;
pub mod layers;
pub mod model;
#[cfg(feature = "float")]
pub mod quantize;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub mod web;

pub use analyzer::{Analysis, Analyzer, Post, Scores};
pub use bundle::Bundle;
pub use error::{Error, LearnError, Result};
pub use model::Labels;
