//! Whatever became of an apostrophe, `n't` is read as a negation.

use super::{Unit, letters, starts_with};

/// What stands before `n't`.
const STEMS: [&str; 21] = [
    "do", "does", "did", "is", "was", "were", "are", "have", "has", "had", "ca", "wo", "would", "could",
    "should", "ai", "must", "need", "might", "sha", "dare",
];

/// What programs make of an apostrophe, beside single signs: quoted-printable, an escape that lost its backslash, and bytes of
/// Windows and the Macintosh that were taken for each other's.
const WRECKS: [&str; 6] = ["=92", "u2019", "u+2019", "Õ", "í", "Æ"];

/// Those that stand for one in any word, between small letters.
const SURE_WRECKS: [&str; 3] = ["u2019", "u2018", "Õ"];

/// What stands before `wont` and `cant` where they are words of their own, and beside the French `dont`.
const BEFORE_WONT: [&str; 18] = [
    "is", "was", "are", "were", "am", "be", "been", "being", "his", "her", "their", "its", "my", "our",
    "your", "were", "m", "re",
];
const BEFORE_CANT: [&str; 7] = ["a", "the", "of", "no", "pious", "religious", "this"];
const BEFORE_DONT: [&str; 12] =
    ["ce", "ceux", "celui", "celle", "celles", "cela", "et", "facon", "livre", "un", "une", "ou"];
const BEHIND_DONT: [&str; 20] = [
    "il", "ils", "elle", "elles", "le", "la", "les", "je", "tu", "nous", "vous", "une", "un", "des", "ses",
    "ces", "leur", "l", "j", "c",
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
        let rest = units.get(at..).unwrap_or_default();
        if let Some(len) = lost(&out, rest).or_else(|| wreck(&out, rest)) {
            let end = rest.get(len - 1).map_or(unit.end, |u| u.end);
            out.push(Unit { c: '\'', start: unit.start, end });
            at += len;
            continue;
        }
        if is_apart(&out, rest) {
            at += 1;
            continue;
        }
        if is_left_out(&out, rest) {
            out.push(Unit { c: '\'', ..unit });
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
    if before.last().is_none_or(|u| plain(u.c) != Some('n')) {
        return None;
    }
    if let Some(wreck) = WRECKS.iter().find(|wreck| starts_with(units, wreck)) {
        let len = wreck.chars().count();
        return (is_last_t(units.get(len..)?) && has_stem(before)).then_some(len);
    }
    if first.is_ascii_alphanumeric() {
        return None;
    }
    let is_sign = |c: char| !c.is_alphanumeric() && c != '\n' || c == 'â' || letters::is_apostrophe(c);
    let len = units.iter().take(MOST + 1).take_while(|u| is_sign(u.c)).count();
    if !(1..=MOST).contains(&len) || !is_last_t(units.get(len..)?) {
        return None;
    }
    // `n't` is plain already; a mark that ends a sentence and a space are no apostrophe.
    let signs = units.get(..len)?;
    let spaces = signs.iter().filter(|u| u.c.is_whitespace()).count();
    let quoted = signs.iter().any(|u| letters::is_apostrophe(u.c));
    if spaces > 0 && !(len == 1 || quoted) {
        return None;
    }
    has_stem(before).then_some(len)
}

/// Whether `units` are a `t` that ends a word.
fn is_last_t(units: &[Unit]) -> bool {
    let ended = units.get(1).is_none_or(|u| !letters::in_word(u.c) && u.c != '\'');
    ended && units.first().is_some_and(|t| plain(t.c) == Some('t'))
}

/// Whether `before` ends in a stem and its `n`.
fn has_stem(before: &[Unit]) -> bool {
    word_before(before, LONGEST + 1).strip_suffix('n').is_some_and(|stem| STEMS.contains(&stem))
}

/// The last letters of `before`, plain and in lower case, at most `most`.
fn word_before(before: &[Unit], most: usize) -> String {
    let word: String = before.iter().rev().take(most).map_while(|u| plain(u.c)).collect();
    word.chars().rev().collect()
}

/// How many units stand for an apostrophe in any word: `itu2019s`, `itÕs`.
fn wreck(before: &[Unit], units: &[Unit]) -> Option<usize> {
    let small = |u: Option<&Unit>| u.is_some_and(|u| u.c.is_ascii_lowercase());
    let wreck = SURE_WRECKS.iter().find(|wreck| starts_with(units, wreck))?;
    let len = wreck.chars().count();
    (small(before.last()) && small(units.get(len))).then_some(len)
}

/// Whether `units` are the space in `did n't`, as corpora with words set apart have it.
fn is_apart(before: &[Unit], units: &[Unit]) -> bool {
    let [space, n, sign, rest @ ..] = units else { return false };
    space.c == ' '
        && matches!(n.c, 'n' | 'N')
        && letters::is_apostrophe(sign.c)
        && is_last_t(rest)
        && STEMS.contains(&word_before(before, LONGEST + 1).as_str())
}

/// Whether `units` start with the `t` of `dont`, `cant`, `isnt`: words of which the apostrophe was left out, and no others that
/// are spelled alike.
fn is_left_out(before: &[Unit], units: &[Unit]) -> bool {
    let begins = |c: char| {
        c.is_whitespace() || matches!(c, '(' | '"' | '\'' | '*' | ',' | '!' | '?' | '…' | '“' | '‘')
    };
    let ends = |u: &Unit| {
        begins(u.c) || matches!(u.c, '.' | ';' | ':' | ')' | '”' | '’' | '-' | '~') || u.c > '\u{2100}'
    };
    let dot = |u: &Unit| {
        matches!(u.c, '.' | ':' | '-' | '\'') && units.get(2).is_some_and(|u| u.c.is_alphanumeric())
    };
    let ended = units.get(1).is_none_or(|u| ends(u) && !dot(u));
    let is_t = units.first().is_some_and(|t| matches!(t.c, 't' | 'T'));
    if !is_t || !ended || before.last().is_none_or(|u| !matches!(u.c, 'n' | 'N')) {
        return false;
    }
    let stem = word_before(before, LONGEST + 1);
    let start = before.len() - stem.len();
    let text = before.get(..start).unwrap_or_default();
    if !stem.strip_suffix('n').is_some_and(|stem| STEMS.contains(&stem))
        || !text.last().is_none_or(|u| begins(u.c))
    {
        return false;
    }
    let skipped = text.iter().rev().take_while(|u| !u.c.is_alphanumeric()).take(3).count();
    let earlier = word_before(text.get(..text.len() - skipped).unwrap_or_default(), 9);
    let next: String = units.iter().skip(2).take(6).map_while(|u| plain(u.c)).collect();
    let (earlier, next) = (earlier.as_str(), next.as_str());
    match stem.as_str() {
        "won" => !BEFORE_WONT.contains(&earlier) && next != "to",
        "can" => !BEFORE_CANT.contains(&earlier),
        "don" => !BEFORE_DONT.contains(&earlier) && !BEHIND_DONT.contains(&next),
        // `darent` and `shant` are seldom words; `need nt` is none.
        _ => true,
    }
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
            "ˋ", "ˊ", "ʾ", "Õ", "í", "Æ", "=92", "u2019", "U+2019", "",
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
        for text in [
            "as is his wont",
            "he was wont to say",
            "the cant of thieves",
            "ce dont je parle",
            "dont il rit",
            "@dont",
            "#cant",
            "x.com/dont",
            "cantor wontons",
            "dont.org",
            "país así",
            "Did n",
            "a don tells",
            "no nt",
        ] {
            assert_eq!(straight(text), text);
        }
    }

    #[test]
    fn what_was_left_out_or_set_apart() {
        assert_eq!(straight("I dont, you cant. It wont! ISNT it"), "I don't, you can't. It won't! ISN'T it");
        assert_eq!(straight("did n't ca n’t wo n't"), "didn't can't won't");
        assert_eq!(straight("itu2019s weÕre"), "it's we're");
    }
}
