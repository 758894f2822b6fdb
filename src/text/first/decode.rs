//! What feeds and exports put in for characters, undone.

use super::super::aligned::Unit;

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
}
