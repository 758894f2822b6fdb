//! What the fuzzers try. Each module has one function, `run`, that takes any bytes and panics if the library breaks a
//! promise: a panic of its own is one. `tests/replay.rs` runs them over the inputs that are kept.

pub mod bundle;
pub mod config;
mod entropy;
pub mod image;
pub mod instruction_sets;
pub mod profile;
#[cfg(feature = "native")]
pub mod table;
pub mod text;
pub mod tokenizer_json;

use mixed_feelings::{Analysis, Result};

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("bundle", bundle::run),
    ("config", config::run),
    ("image", image::run),
    ("instruction_sets", instruction_sets::run),
    ("profile", profile::run),
    #[cfg(feature = "native")]
    ("table", table::run),
    ("text", text::run),
    ("tokenizer_json", tokenizer_json::run),
];

/// What a text is analyzed with where any will do.
const TEXT: &str = "Perfect solitude, I love it! 😂 not";

/// An analysis is sound, or its error says something.
fn check(analysis: Result<Analysis>) {
    match analysis {
        Ok(analysis) => {
            assert!(!analysis.scores.probabilities().is_empty());
            assert!(serde_json::to_string(&analysis).is_ok(), "an analysis is JSON");
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}
