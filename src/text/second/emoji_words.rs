//! Words for emoji whose names in Unicode do not say what people mean by them.

/// Emoji without their style, and the words.
const WORDS: &[(&str, &str)] = &[("♡", "heart")];

/// The words for `emoji`, which has no skin tone and no style at its end.
pub(super) fn of(emoji: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == emoji).map(|(_, words)| *words)
}
