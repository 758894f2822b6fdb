//! The words of a hashtag: by capitals and digits, and those in lower case by the vocabulary.

use super::{Rank, Unit};

/// Longer runs of letters are nobody's words.
const LONGEST: usize = 48;

/// The longest word that is looked up.
const LONGEST_WORD: usize = 18;

/// Contractions, which hashtags write without their apostrophe, and how they are spelled.
pub(super) const CONTRACTIONS: [(&str, &str); 24] = [
    ("dont", "don't"),
    ("doesnt", "doesn't"),
    ("didnt", "didn't"),
    ("isnt", "isn't"),
    ("wasnt", "wasn't"),
    ("werent", "weren't"),
    ("arent", "aren't"),
    ("cant", "can't"),
    ("wont", "won't"),
    ("couldnt", "couldn't"),
    ("wouldnt", "wouldn't"),
    ("shouldnt", "shouldn't"),
    ("havent", "haven't"),
    ("hasnt", "hasn't"),
    ("aint", "ain't"),
    ("im", "i'm"),
    ("ive", "i've"),
    ("youre", "you're"),
    ("theyre", "they're"),
    ("thats", "that's"),
    ("its", "it's"),
    ("whats", "what's"),
    ("lets", "let's"),
    ("hes", "he's"),
];

/// Words of one or two letters; the vocabulary has many more that are only parts of words.
pub(super) const SHORT: &str =
    " a i u am an as at be by do go he hi if in is it me my no of oh ok on or so to tv uk up us we ";

/// Endings that a word of the vocabulary may take.
const ENDINGS: [&str; 6] = ["s", "ed", "ing", "er", "ly", "y"];

/// Length of the hashtag that `units` start with.
pub(super) fn read(units: &[Unit]) -> Option<usize> {
    if !matches!(units.first()?.c, '#' | '＃') {
        return None;
    }
    let tag = units.iter().skip(1).take_while(|u| u.c.is_alphanumeric() || u.c == '_').count();
    (tag > 0).then_some(tag + 1)
}

/// A part of a hashtag: what is written for it and how many units it takes.
pub(super) struct Part {
    pub text: String,
    pub units: usize,
}

/// The words of a hashtag without its `#`.
pub(super) fn split(units: &[Unit], rank: &Rank<'_>) -> Vec<Part> {
    // A colour: `#ff0000`, `#fff`.
    let hex = |u: &Unit| u.c.is_ascii_hexdigit();
    let word: String = units.iter().map(|u| u.c.to_ascii_lowercase()).take(9).collect();
    let digits = units.iter().any(|u| u.c.is_ascii_digit());
    if matches!(units.len(), 3 | 6 | 8) && units.iter().all(hex) && (digits || rank(&word).is_none()) {
        return vec![Part { text: word, units: units.len() }];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..=units.len() {
        let next = units.get(i + 1).map(|u| u.c);
        let before = units.get(i - 1).map_or('_', |u| u.c);
        if units.get(i).is_none_or(|u| starts_word(before, u.c, next)) {
            let word: String =
                units.get(start..i).unwrap_or_default().iter().map(|u| u.c).filter(|c| *c != '_').collect();
            // A word that a capital marks is whole, except for its apostrophe.
            let whole = word.starts_with(char::is_uppercase) && i - start < units.len();
            if whole {
                parts.push(Part { text: spelled(&word), units: i - start });
            } else {
                parts.extend(words(&word, i - start, rank));
            }
            start = i;
        }
    }
    parts
}

/// Whether a word of a hashtag starts at `c`: `realChange`, `CNNDebate`, `vote2016`, `real_change`.
fn starts_word(before: char, c: char, next: Option<char>) -> bool {
    let after_lower = c.is_uppercase() && (before.is_lowercase() || before.is_numeric());
    let after_acronym = c.is_uppercase() && before.is_uppercase() && next.is_some_and(char::is_lowercase);
    let number = c.is_numeric() && before.is_alphabetic();
    after_lower || after_acronym || number || before == '_' && c != '_'
}

/// `word`, which took `taken` units, as the likeliest words of the vocabulary: those with the smallest sum of costs, as
/// Zipf's law tells how often the word of a rank occurs.
fn words(word: &str, taken: usize, rank: &Rank<'_>) -> Vec<Part> {
    let whole = || vec![Part { text: word.to_owned(), units: taken }];
    let lower = word.to_ascii_lowercase();
    // `2020sucks`, but neither `2nd` nor `90s`.
    let digits = lower.bytes().take_while(u8::is_ascii_digit).count();
    if let Some((number, rest)) = word.split_at_checked(digits)
        && digits > 0
        && rest.len() > 3
        && lengths(&rest.to_ascii_lowercase(), rank).is_some()
    {
        let number = Part { text: number.to_owned(), units: digits };
        return std::iter::once(number).chain(words(rest, taken.saturating_sub(digits), rank)).collect();
    }
    let letters = lower.len() == taken && lower.bytes().all(|b| b.is_ascii_lowercase());
    if !letters || !(4..=LONGEST).contains(&taken) {
        return whole();
    }
    let Some(lengths) = lengths(&lower, rank) else { return whole() };
    let (mut parts, mut at) = (Vec::new(), 0);
    for len in lengths {
        let text = word.get(at..at + len).map(spelled).unwrap_or_default();
        parts.push(Part { text, units: len });
        at += len;
    }
    parts
}

/// The lengths of the likeliest words that lower-case letters make; `None` when they make none.
pub(super) fn lengths(lower: &str, rank: &Rank<'_>) -> Option<Vec<usize>> {
    // The cheapest way to each place, and where its last word began.
    let mut best: Vec<(f32, usize)> = vec![(0.0, 0)];
    for end in 1..=lower.len() {
        let starts = end.saturating_sub(LONGEST_WORD)..end;
        let ways = starts.filter_map(|start| {
            let cost = cost(lower.get(start..end)?, rank)?;
            Some((best.get(start)?.0 + cost, start))
        });
        best.push(ways.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f32::INFINITY, 0)));
    }
    best.last().filter(|(cost, _)| cost.is_finite())?;
    let (mut lengths, mut end) = (Vec::new(), lower.len());
    while end > 0 {
        let (_, start) = *best.get(end)?;
        lengths.push(end - start);
        end = start;
    }
    lengths.reverse();
    Some(lengths)
}

fn spelled(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let found = CONTRACTIONS.iter().find(|(plain, _)| *plain == lower);
    let Some((_, spelled)) = found else { return word.to_owned() };
    if word.len() > 1 && word.chars().all(char::is_uppercase) {
        spelled.to_uppercase()
    } else {
        (*spelled).to_owned()
    }
}

/// How unlikely a word is; `None` when it is none.
fn cost(word: &str, rank: &Rank<'_>) -> Option<f32> {
    let zipf = |rank: u32| (rank as f32 + 10.0).ln() + 2.5;
    if word.len() <= 2 && !SHORT.split(' ').any(|short| short == word) {
        return None;
    }
    if CONTRACTIONS.iter().any(|(plain, _)| *plain == word) {
        return Some(zipf(300));
    }
    if let Some(rank) = rank(word) {
        // Three letters are often a name's beginning or an abbreviation.
        return Some(zipf(rank) + if word.len() == 3 { 1.0 } else { 0.0 });
    }
    let endings = ENDINGS.iter().filter_map(|ending| {
        let stem = word.strip_suffix(ending).filter(|stem| stem.len() > 3)?;
        rank(stem).map(|rank| zipf(rank) + 2.0)
    });
    endings.min_by(f32::total_cmp)
}
