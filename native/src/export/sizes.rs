//! What takes how much of a bundle.

use std::io::{self, Write};

use anyhow::Result;
use mixed_feelings::{Bundle, model::tokenizer_json};
use serde::Serialize;

/// A part of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Bytes in the file.
    pub bytes: usize,
}

/// The parts of a model by what the names of their tensors begin with; the first that fits counts.
const PARTS: [(&str, &[&str]); 4] = [
    ("embeddings", &["text.embeddings."]),
    ("text encoder", &["text."]),
    ("image encoder", &["image."]),
    ("fusion and heads", &["fusion.", "heads.", "contradiction.", "temperature.", "threshold."]),
];

/// The parts of the bundle of these `bytes`; together they are the whole file.
///
/// # Errors
/// When it is no bundle.
pub fn parts(bytes: &[u8]) -> Result<Vec<Part>> {
    let bundle = Bundle::parse(bytes.to_vec())?;
    let mut parts = PARTS.map(|(name, _)| Part { name, bytes: 0 }).to_vec();
    for (name, dtype, shape) in bundle.tensors() {
        let values: usize = shape.iter().product();
        let is_of = |(_, prefixes): &(&str, &[&str])| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if let Some(part) = PARTS.iter().position(is_of).and_then(|place| parts.get_mut(place)) {
            part.bytes += values * dtype.bitsize() / 8;
        }
    }
    // As it stands in the header: a string of JSON.
    let tokenizer = serde_json::to_string(tokenizer_json(&bundle)?)?.len();
    parts.push(Part { name: "tokenizer", bytes: tokenizer });
    let found: usize = parts.iter().map(|part| part.bytes).sum();
    parts.push(Part { name: "rest of the header", bytes: bytes.len().saturating_sub(found) });
    Ok(parts)
}

/// Prints the table.
///
/// # Errors
/// When writing fails.
pub fn print(parts: &[Part], out: &mut impl Write) -> io::Result<()> {
    let whole: usize = parts.iter().map(|part| part.bytes).sum();
    writeln!(out, "{:<20}{:>12}{:>8}", "part", "bytes", "share")?;
    for Part { name, bytes } in parts {
        let share = 100.0 * *bytes as f64 / whole.max(1) as f64;
        writeln!(out, "{name:<20}{bytes:>12}{share:>6.1} %")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mixed_feelings::testing::{random_bundle, tiny_config, tiny_tokenizer};

    use super::*;

    #[test]
    fn the_parts_are_the_whole_file() {
        let config = tiny_config();
        let bytes = random_bundle(&config, &tiny_tokenizer(), 1).unwrap();
        let parts = parts(&bytes).unwrap();
        assert_eq!(parts.iter().map(|part| part.bytes).sum::<usize>(), bytes.len());
        // A byte a level and four for a row's scale; two vectors of the LayerNorm.
        let rows = config.text.vocab_size + config.text.max_position_embeddings + config.text.type_vocab_size;
        let embeddings = rows * (config.text.hidden_size + 4) + 2 * 4 * config.text.hidden_size;
        assert_eq!(parts.first(), Some(&Part { name: "embeddings", bytes: embeddings }));
        // Nothing but names, shapes, config and labels is left.
        let rest = parts.last().unwrap().bytes;
        assert!(parts.iter().all(|part| part.bytes > 0) && rest < 40_000, "{parts:?}");
    }
}
