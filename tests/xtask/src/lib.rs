//! What `cargo pack`, `cargo demo` and `cargo verify` do, and the helpers that they share with the benchmark.

pub mod demo;
pub mod pack;
mod sbom;
pub mod tools;
pub mod verify;
pub mod wasm;
