//! Words that are spelled so that no filter finds them: with digits and signs for letters (`h4te`, `sh!t`, `gr8`), with stars
//! (`f***ing`), and with a space behind each letter (`w o r s t`).

use super::{Rank, Unit, hashtags};

/// The longest word that is looked at.
const LONGEST: usize = 16;

/// Words with the sound of a digit, and how they are spelled.
const SOUNDS: [(&str, &str); 18] = [
    ("n0t", "not"),
    ("n0", "no"),
    ("h8", "hate"),
    ("h8s", "hates"),
    ("h8d", "hated"),
    ("h8r", "hater"),
    ("h8er", "hater"),
    ("h8rs", "haters"),
    ("h8ers", "haters"),
    ("h8ing", "hating"),
    ("gr8", "great"),
    ("gr8est", "greatest"),
    ("gr8ful", "grateful"),
    ("m8", "mate"),
    ("m8s", "mates"),
    ("l8r", "later"),
    ("w8ing", "waiting"),
    ("str8", "straight"),
];

/// What is written with stars; of two that a pattern fits the first one is meant.
const STARRED: [&str; 57] = [
    "fuck",
    "fucking",
    "fucked",
    "fucker",
    "fuckers",
    "fuckin",
    "fucks",
    "motherfucker",
    "motherfucking",
    "shit",
    "shitty",
    "shits",
    "bullshit",
    "bitch",
    "bitches",
    "bitching",
    "ass",
    "asses",
    "asshole",
    "assholes",
    "damn",
    "damned",
    "dammit",
    "goddamn",
    "crap",
    "crappy",
    "cunt",
    "cunts",
    "dick",
    "dicks",
    "dickhead",
    "piss",
    "pissed",
    "pissing",
    "hell",
    "bastard",
    "bastards",
    "whore",
    "whores",
    "slut",
    "sluts",
    "cock",
    "pussy",
    "wanker",
    "bollocks",
    "arse",
    "arsehole",
    "kill",
    "killed",
    "killing",
    "suicide",
    "rape",
    "raped",
    "hate",
    "hated",
    "porn",
    "stupid",
];

/// Spells such words out. Each letter keeps the place of the sign that stood for it.
pub(super) fn spell(mut units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    if units.iter().any(|u| u.c.is_ascii_digit() || is_sign(u.c)) {
        units = words(units, rank);
    }
    join(units, rank)
}

/// Signs that stand for letters.
fn is_sign(c: char) -> bool {
    matches!(c, '*' | '@' | '$' | '!' | '#' | '%' | '-' | '_')
}

fn words(units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut rest = units.as_slice();
    while let Some(&unit) = rest.first() {
        let opens = |c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '\'' | '“' | '‘' | '…');
        let begins = unit.c.is_ascii_alphabetic() || unit.c == '$';
        if !begins || out.last().is_some_and(|u| !opens(u.c)) {
            out.push(unit);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let in_word = |u: &&Unit| u.c.is_ascii_alphanumeric() || is_sign(u.c);
        let len = rest.iter().take_while(in_word).count();
        let (token, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        let goes_on =
            |u: &Unit| u.c.is_alphanumeric() || matches!(u.c, '/' | '\\' | '=' | '(' | '[' | ':' | '@');
        let part = match after {
            [dot, next, ..] if dot.c == '.' => next.c.is_alphanumeric(),
            [next, ..] => goes_on(next),
            [] => false,
        };
        let found = if part || len > LONGEST { None } else { spelled(token, rank) };
        match found {
            Some((word, taken)) => {
                let (word_units, tail) = token.split_at_checked(taken).unwrap_or((token, &[]));
                out.extend(aligned(&word, word_units));
                out.extend_from_slice(tail);
            }
            None => out.extend_from_slice(token),
        }
        rest = after;
    }
    out
}

/// The letters of `word` at the places of `units`, the last of which may stand for several.
fn aligned(word: &str, units: &[Unit]) -> Vec<Unit> {
    let last = units.last();
    let at = |i: usize| units.get(i).or(last);
    word.chars().enumerate().filter_map(|(i, c)| at(i).map(|unit| Unit { c, ..*unit })).collect()
}

/// The word that `token` stands for, and how many of its units that takes.
fn spelled(token: &[Unit], rank: &Rank<'_>) -> Option<(String, usize)> {
    let text: String = token.iter().map(|u| u.c).collect();
    let whole = text.len();
    let shouted = text.trim_end_matches('!');
    [text.as_str(), shouted, shouted.trim_end_matches(['*', '-', '_'])].into_iter().find_map(|text| {
        let lower = text.to_ascii_lowercase();
        let signs = lower.bytes().filter(|b| !b.is_ascii_alphabetic()).count();
        if signs == 0 || text.len() > whole {
            return None;
        }
        let word = sounded(text, &lower).or_else(|| starred(&lower)).or_else(|| disguised(&lower, rank))?;
        Some((in_case_of(text, word), text.len()))
    })
}

/// `word` in capitals where `text` has no other letters than capitals, or with one at the start as there.
fn in_case_of(text: &str, mut word: String) -> String {
    let letters = text.bytes().filter(u8::is_ascii_alphabetic);
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    if capitals > 0 && capitals == letters.count() {
        let single = capitals == 1 && text.len() > 2 && !text.contains('*');
        if !single {
            word.make_ascii_uppercase();
            return word;
        }
    }
    if text.starts_with(|c: char| c.is_ascii_uppercase())
        && let Some(first) = word.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    word
}

fn sounded(text: &str, lower: &str) -> Option<String> {
    let (_, word) = SOUNDS.iter().find(|(sound, _)| *sound == lower)?;
    // `M8` is a screw, `H8` a field of chess and `N0` a stage.
    let capital = text.starts_with(|c: char| c.is_ascii_uppercase());
    (!(capital && matches!(lower, "m8" | "n0"))).then(|| (*word).to_owned())
}

/// `f***`, `sh*t`, `b!tch`: the letters that are left fit a word of the list. One letter alone is enough before stars.
fn starred(pattern: &str) -> Option<String> {
    let known = pattern.bytes().filter(u8::is_ascii_alphabetic).count();
    let stars = pattern.bytes().filter(|b| *b == b'*').count();
    let others = pattern.len() - known - stars;
    let ends_in_sign = pattern.ends_with(|c: char| is_sign(c) && c != '*' && c != '$');
    let enough = if stars >= 2 { known >= 1 } else { known >= 2 && pattern.len() >= 4 };
    let last_star = stars == 1 && pattern.ends_with('*') && pattern.len() < 4;
    if !enough || others > 2 || ends_in_sign || last_star || pattern.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    // One hyphen more often joins two words than it hides a letter.
    let loose = stars == 0 && pattern.len() < 4 && !pattern.contains('$');
    let fits = |word: &&&str| {
        word.len() == pattern.len()
            && word.bytes().zip(pattern.bytes()).all(|(w, p)| w == p || !p.is_ascii_alphanumeric())
    };
    // A letter and stars may hide a name too.
    let swearing = |word: &&&str| known > 1 || **word != "kill";
    STARRED.iter().take_while(swearing).find(fits).filter(|_| !loose).map(|word| (*word).to_owned())
}

/// `h4te`, `w0rst`, `$tupid`, `p@ssword`: a word of the vocabulary once each sign between letters is the letter that it
/// looks like.
fn disguised(text: &str, rank: &Rank<'_>) -> Option<String> {
    if text.len() < 4 || text.bytes().filter(u8::is_ascii_alphabetic).count() * 2 < text.len() {
        return None;
    }
    let bytes = text.as_bytes();
    let letter = |at: Option<usize>| at.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_alphabetic);
    let same = |at: Option<usize>, b: u8| at.and_then(|i| bytes.get(i)) == Some(&b);
    for one in ['i', 'l'] {
        let mut word = String::with_capacity(text.len());
        for (i, &b) in bytes.iter().enumerate() {
            let (before, after) = (i.checked_sub(1), Some(i + 1));
            let doubled = matches!(b, b'0' | b'3' | b'$');
            let between = (letter(before) || doubled && same(before, b))
                && (letter(after) || doubled && same(after, b));
            let dollar = b == b'$' && (i == 0 && letter(after) || i + 1 == bytes.len());
            word.push(match b {
                b if b.is_ascii_alphabetic() => char::from(b),
                _ if !between && !dollar => return None,
                b'0' => 'o',
                b'1' | b'!' => one,
                b'3' => 'e',
                b'4' | b'@' => 'a',
                b'5' | b'$' => 's',
                b'7' => 't',
                _ => return None,
            });
        }
        if let Some((_, whole)) = hashtags::CONTRACTIONS.iter().find(|(plain, _)| *plain == word) {
            return Some((*whole).to_owned());
        }
        if rank(&word).is_some() || STARRED.contains(&word.as_str()) {
            return Some(word);
        }
    }
    None
}

/// The fewest letters with a space behind each that are a word.
const FEWEST: usize = 4;

/// The most letters that are looked at in one go.
const MOST: usize = 48;

/// `w o r s t  d a y`: letters that stand alone, with one sign between them, become the words of the vocabulary that they make.
fn join(units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    let alone = |w: &[Unit]| match w {
        [a, gap, b, gap2, c] => {
            gap.c == gap2.c
                && matches!(gap.c, ' ' | '-')
                && [a, b, c].iter().all(|u| u.c.is_ascii_alphabetic())
        }
        _ => false,
    };
    if !units.windows(5).any(alone) {
        return units;
    }
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut rest = units.as_slice();
    while let Some(&unit) = rest.first() {
        let begins = out.last().is_none_or(|u| u.c.is_whitespace() || matches!(u.c, '"' | '\'' | '(' | '*'));
        let run = if begins && unit.c.is_ascii_alphabetic() { letters_apart(rest) } else { 0 };
        let letters: Vec<Unit> = rest.iter().take(run * 2).step_by(2).copied().collect();
        if let Some(words) = Some(&letters).filter(|l| l.len() >= FEWEST).and_then(|l| spaced(l, rank)) {
            out.extend(words);
            rest = rest.get(run * 2 - 1..).unwrap_or_default();
        } else {
            let taken = (run * 2).max(1);
            out.extend(rest.iter().take(taken).copied());
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
    out
}

/// How many single letters `units` start with that have the same sign between them.
fn letters_apart(units: &[Unit]) -> usize {
    let Some(gap) = units.get(1).map(|u| u.c).filter(|c| matches!(c, ' ' | '-')) else { return 0 };
    let pairs = units.chunks(2).take(MOST);
    let run = pairs.take_while(|pair| match pair {
        [letter, after] => letter.c.is_ascii_alphabetic() && (after.c == gap || !after.c.is_alphanumeric()),
        [letter] => letter.c.is_ascii_alphabetic(),
        _ => false,
    });
    let mut count = 0;
    for pair in run {
        count += 1;
        if pair.get(1).is_none_or(|after| after.c != gap) {
            break;
        }
    }
    count
}

/// The words that letters make, a space between them.
fn spaced(letters: &[Unit], rank: &Rank<'_>) -> Option<Vec<Unit>> {
    let text: String = letters.iter().map(|u| u.c.to_ascii_lowercase()).collect();
    let lengths = hashtags::lengths(&text, rank)?;
    let longest = lengths.iter().max()?;
    if *longest < FEWEST || text.len() < 2 * lengths.len() {
        return None;
    }
    let mut out = Vec::with_capacity(letters.len() + lengths.len());
    let mut rest = letters;
    for (i, len) in lengths.into_iter().enumerate() {
        let (word, after) = rest.split_at_checked(len)?;
        if i > 0 {
            let before = out.last().map_or(0, |u: &Unit| u.end);
            out.push(Unit { c: ' ', start: before, end: before });
        }
        out.extend_from_slice(word);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn spelled_out(text: &str) -> String {
        let words =
            ["hate", "worst", "day", "stupid", "password", "service", "good", "week", "i", "it", "this"];
        let rank = |word: &str| words.iter().position(|w| *w == word).map(|at| at as u32);
        spell(units(text), &rank).iter().map(|u| u.c).collect()
    }

    #[test]
    fn words_are_spelled_out() {
        for (text, expected) in [
            ("I h4te this", "I hate this"),
            ("W0RST DAY", "WORST DAY"),
            ("$tupid g00d w33k", "stupid good week"),
            ("h8 gr8 H8RS", "hate great HATERS"),
            ("n0t g00d, n0 I d0nt", "not good, no I don't"),
            ("f*** this f***ing s**t!", "fuck this fucking shit!"),
            ("F**K, B*TCH", "FUCK, BITCH"),
            ("sh!t a$$hole b-tch f#ck", "shit asshole bitch fuck"),
            ("w o r s t d a y!", "worst day!"),
            ("W-O-R-S-T day", "WORST day"),
            ("I H A T E I T", "I HATE IT"),
        ] {
            assert_eq!(spelled_out(text), expected, "{text}");
        }
    }

    #[test]
    fn other_signs_stay() {
        for text in [
            "5 * 3 * 2",
            "*not* good",
            "a**b",
            "mp3 ps5 4th h2o b2b l10n a11y k8s i18n",
            "M8 N0",
            "a b c d e",
            "well-known co-op x-ray e-mail",
            "U S A",
            "f(x)*2",
            "$5",
            "h@te.com",
            "wow!nice",
            "snake_case",
            "word* and **bold**",
            "C-3PO",
            "i - a - m",
            "10-4",
            "f*",
            "e*f",
        ] {
            assert_eq!(spelled_out(text), text);
        }
    }
}
