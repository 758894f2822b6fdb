//! Characters that nobody sees: those that stand for a space become one, the others vanish.

use super::{Rank, Unit, hashtags, letters};

/// Combining marks that one letter may keep; more are scribbling over it.
const MARKS: usize = 2;

/// Letters and signs that are drawn as nothing, and separate words.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{3164}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{ffa0}'
            | '\u{2800}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{1d159}'
    ) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{1680}')
}

/// Joiners, direction marks, soft hyphens, byte order marks, variation selectors after letters, tags.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}' | '\u{0}' | '\u{1bca0}'..='\u{1bca3}')
}

/// Whether `c` vanishes where it is met; a joiner stays until emoji have been looked for.
pub(super) fn vanishes(c: char) -> bool {
    is_nothing(c)
}

/// Marks over, under and through letters of any alphabet: what scribbling is made of.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
        || matches!(c, '\u{20d0}'..='\u{20e2}' | '\u{20e4}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
        || c == '\u{338}'
}

/// Lines through and under letters, and what is drawn around them: no language has them.
fn drawn_over(c: char) -> bool {
    matches!(c, '\u{332}'..='\u{338}' | '\u{35c}'..='\u{362}' | '\u{488}' | '\u{489}')
        || matches!(c, '\u{20dd}'..='\u{20e0}' | '\u{20e2}' | '\u{20e4}'..='\u{20e6}' | '\u{20ea}' | '\u{20eb}')
}

/// Blank letters become spaces. Zero-width spaces become spaces where they stand between whole words, and vanish within
/// them. What else is invisible inside words vanishes, and so do marks that no letter needs.
pub(super) fn settle(units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    if units.iter().all(|u| u.c.is_ascii() && u.c != '\0') {
        return units;
    }
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut marks = 0;
    let separate = separates(&units, rank);
    for (i, unit) in units.iter().enumerate() {
        let c = match unit.c {
            c if is_blank(c) => ' ',
            '\u{200b}' if separate => ' ',
            c => c,
        };
        let after_letter = out.last().is_some_and(|u| letters::in_word(u.c) || is_mark(u.c));
        let before_letter = units.get(i + 1).is_some_and(|u| letters::in_word(u.c) && !is_emoji_part(u.c));
        let joins = matches!(c, '\u{200d}') && !(after_letter && before_letter);
        if is_nothing(c) && !joins && c != '\u{fffd}' {
            continue;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let through = drawn_over(c);
        if marks > MARKS || through && (after_letter || out.last().is_some_and(|u| u.c.is_whitespace())) {
            continue;
        }
        out.push(Unit { c, ..*unit });
    }
    out
}

fn is_emoji_part(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Whether a text's zero-width spaces stand between words: every part of a run of letters that they split is a word of the
/// vocabulary, and the runs have no other spaces.
fn separates(units: &[Unit], rank: &Rank<'_>) -> bool {
    let zero = |c: char| c == '\u{200b}';
    if !units.iter().any(|u| zero(u.c)) {
        return false;
    }
    let mut split = false;
    for run in units.split(|u| !(letters::in_word(u.c) || zero(u.c) || letters::is_apostrophe(u.c))) {
        let parts = || run.split(|u| zero(u.c)).filter(|part| !part.is_empty());
        if parts().count() < 2 {
            continue;
        }
        split = true;
        for part in parts() {
            let word: String =
                part.iter().map(|u| letters::plain(u.c).map_or(u.c.to_string(), str::to_owned)).collect();
            let word = word.to_lowercase();
            let whole = match word.chars().count() {
                1 | 2 => hashtags::SHORT.split(' ').any(|short| short == word),
                3.. => word.contains(letters::is_apostrophe) || rank(&word).is_some(),
                0 => true,
            };
            if !whole {
                return false;
            }
        }
    }
    split
}
