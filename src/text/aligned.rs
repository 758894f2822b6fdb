//! A rewritten text that remembers where each of its parts came from.

use std::ops::Range;

/// A text after [`clean`](super::clean), aligned to the text it was made of.
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

/// Splits a text into characters and undoes what feeds and exports put in for them: HTML entities (`&amp;`, `&#39;`,
/// `&#x27;`) and JSON escapes (`\u2019`, `\n`, `\"`). Letters in a fancy style become plain ones.
pub(super) fn decode(text: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &text[at..];
        let (c, len) = match c {
            '&' => entity(rest),
            '\\' => escape(rest),
            _ => None,
        }
        .unwrap_or((c, c.len_utf8()));
        units.push(Unit { c: plain(c), start: at, end: at + len });
        at += len;
    }
    units
}

/// The ASCII character that `c` is a full-width or mathematical style of: `！` → `!`, `𝓼` → `s`, `𝟗` → `9`. Any other
/// character is itself. WordPiece would make one `[UNK]` of a word in such letters.
fn plain(c: char) -> char {
    let code = u32::from(c);
    let ascii = |first: u8, offset: u32| char::from(first + offset as u8);
    match c {
        '\u{ff01}'..='\u{ff5e}' => ascii(b'!', code - 0xff01),
        // 13 styles of A-Z and a-z, then, after Greek, 5 of the digits (Unicode's block 1D400).
        '\u{1d400}'..='\u{1d6a3}' => match (code - 0x1d400) % 52 {
            letter @ 0..26 => ascii(b'A', letter),
            letter => ascii(b'a', letter - 26),
        },
        '\u{1d7ce}'..='\u{1d7ff}' => ascii(b'0', (code - 0x1d7ce) % 10),
        c => c,
    }
}

/// The HTML entity that `text` starts with, and its length in bytes.
fn entity(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 7] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("hellip", '…'),
    ];
    // The longest reference that is worth reading is `&#x10FFFF;`.
    let end = text.bytes().take(10).position(|b| b == b';')?;
    let name = text.get(1..end)?;
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => NAMED.iter().find(|(n, _)| *n == name)?.1,
    };
    Some((c, end + 1))
}

/// The JSON escape that `text` starts with, and its length in bytes.
fn escape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    match text.as_bytes().get(1)? {
        b'n' => Some((' ', 2)),
        b'"' => Some(('"', 2)),
        b'u' => {
            let first = unit(0)?;
            let pair = [first, unit(6).unwrap_or(0)];
            let c = char::decode_utf16(pair).next()?.ok()?;
            Some((c, 6 * c.len_utf16()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        decode(text).iter().map(|u| u.c).collect()
    }

    #[test]
    fn entities_and_escapes_are_decoded() {
        assert_eq!(decoded("a &amp; b &lt;3 &#39;x&#x27; &quot;"), "a & b <3 'x' \"");
        assert_eq!(decoded(r"it\u2019s \ud83d\ude02 \n"), "it’s 😂  ");
    }

    #[test]
    fn broken_entities_and_escapes_stay_as_they_are() {
        for text in [
            "&",
            "&;",
            "&amp",
            "&bogus;",
            "&#xD800;",
            "&#99999999;",
            "&é;",
            r"\",
            r"\u12",
            r"\ud83d x",
            r"\q",
            r"\u+123",
        ] {
            let units = decode(text);
            assert_eq!(units.last().map(|u| u.end), Some(text.len()), "{text}");
            if text != r"\u+123" {
                assert_eq!(decoded(text), text);
            }
        }
    }

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
