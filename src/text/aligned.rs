//! A rewritten text that remembers where each of its parts came from.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use std::ops::Range;

/// A text after [`Tokenizer::clean`](super::Tokenizer::clean), aligned to the text it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The cleaned text.
    pub text: String,
    /// In the order of `text`; each goes up to the start of the next.
    pieces: Vec<Piece>,
}

/// Some consecutive bytes of the cleaned text that came from the same bytes of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// First byte in the cleaned text.
    at: usize,
    /// Bytes of the original.
    start: usize,
    end: usize,
}

impl Cleaned {
    /// The bytes of the original text that the bytes `range` of the cleaned text came from: all of them, so that a part
    /// of an emoji's name maps to the whole emoji. The result always lies on character boundaries of the original.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let first = self.pieces.partition_point(|p| p.at <= range.start).saturating_sub(1);
        let after = self.pieces.partition_point(|p| p.at < range.end).max(first + 1);
        match (self.pieces.get(first), self.pieces.get(after - 1)) {
            (Some(first), Some(last)) => first.start..last.end.max(first.start),
            _ => 0..0,
        }
    }

    /// Appends `text`, made of the bytes `original`.
    pub(super) fn push(&mut self, text: &str, original: Range<usize>) {
        self.pieces.push(Piece { at: self.text.len(), start: original.start, end: original.end });
        self.text.push_str(text);
    }

    /// Appends one character.
    pub(super) fn push_char(&mut self, c: char, original: Range<usize>) {
        self.push(c.encode_utf8(&mut [0; 4]), original);
    }

    /// Appends a space at `original`, unless the text is empty or ends in one.
    pub(super) fn push_space(&mut self, original: usize) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.push(" ", original..original);
        }
    }

    /// The last appended part stands for the original's bytes up to `end` too.
    pub(super) fn extend_last(&mut self, end: usize) {
        if let Some(last) = self.pieces.last_mut() {
            last.end = last.end.max(end);
        }
    }

    /// Drops a space at the end.
    pub(super) fn trim_end(&mut self) {
        while self.text.ends_with(' ') && self.pieces.last().is_some_and(|p| p.at + 1 == self.text.len()) {
            self.text.pop();
            self.pieces.pop();
        }
    }
}

/// A character and the bytes of the original text that it was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The character.
    pub c: char,
    /// First byte in the original.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// The units from `at` on; none behind the end.
pub(super) fn from(units: &[Unit], at: usize) -> &[Unit] {
    units.get(at..).unwrap_or_default()
}

/// The units before `end`; all when there are no more.
pub(super) fn until(units: &[Unit], end: usize) -> &[Unit] {
    units.get(..end).unwrap_or(units)
}

/// The bytes of the original that `units` came from.
pub(super) fn bytes(units: &[Unit]) -> Range<usize> {
    match units {
        [first, .., last] => first.start..last.end,
        [one] => one.start..one.end,
        [] => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_piece_maps_to_the_whole_original() {
        let mut cleaned = Cleaned::default();
        cleaned.push("ab", 0..2);
        cleaned.push(" fire ", 2..6);
        cleaned.push("c", 6..7);
        assert_eq!(cleaned.original(0..2), 0..2);
        assert_eq!(cleaned.original(3..5), 2..6);
        assert_eq!(cleaned.original(4..9), 2..7);
        assert_eq!(cleaned.original(8..9), 6..7);
        assert_eq!(Cleaned::default().original(0..4), 0..0);
    }
}
