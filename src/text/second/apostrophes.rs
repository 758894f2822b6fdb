//! Whatever became of an apostrophe, `n't` is read as a negation.

use super::{Unit, letters, starts_with};

/// What stands before `n't`.
const STEMS: [&str; 21] = [
    "do", "does", "did", "is", "was", "were", "are", "have", "has", "had", "ca", "wo", "would", "could",
    "should", "ai", "must", "need", "might", "sha", "dare",
];

/// What programs make of an apostrophe, beside single signs: quoted-printable, an escape that lost its backslash, and bytes of
/// Windows and the Macintosh that were taken for each other's.
const WRECKS: [&str; 10] = ["=92", "=27", "u2019", "u0027", "u+2019", "u+0027", "+ibk-", "Õ", "í", "Æ"];

/// Those that stand for one in any word, between small letters.
const SURE_WRECKS: [&str; 3] = ["u2019", "u2018", "Õ"];

/// What stands before `wont` and `cant` where they are words of their own, and beside the French `dont`.
const BEFORE_WONT: [&str; 18] = [
    "is", "was", "are", "were", "am", "be", "been", "being", "his", "her", "their", "its", "my", "our",
    "your", "were", "m", "re",
];
const BEFORE_CANT: [&str; 6] = ["a", "the", "of", "no", "pious", "religious"];
/// What goes on after `this cant` where it is a noun.
const BEHIND_THIS_CANT: [&str; 5] = ["", "is", "was", "of", "and"];
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
        if is_apart(&out, rest) || is_misplaced(&out, rest) || is_second_t(&out, rest) {
            at += 1;
            continue;
        }
        // One sign for `'n`: the apostrophe stands before the `n` in it, and is put behind with the `t`.
        if unit.c == 'ŉ' && is_last_t(rest.get(1..).unwrap_or_default()) && is_stem(&out) {
            out.push(Unit { c: 'n', ..unit });
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
    let is_sign = |c: char| {
        let other = !c.is_alphanumeric() && c != '\n' && plain(c).is_none();
        other || matches!(c, 'â' | '\u{2b9}'..='\u{2ff}') || letters::is_apostrophe(c)
    };
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
    // `I won T shirts`.
    let shouted = units.get(len).is_some_and(|t| t.c == 'T');
    let quiet = before.last().is_some_and(|n| n.c == 'n');
    (has_stem(before) && !(shouted && quiet)).then_some(len)
}

/// Whether `units` are a `t` that ends a word.
fn is_last_t(units: &[Unit]) -> bool {
    let ended = units.get(1).is_none_or(|u| !letters::in_word(u.c) && u.c != '\'');
    ended && units.first().is_some_and(|t| plain(t.c) == Some('t'))
}

/// Whether `before` ends in a stem.
fn is_stem(before: &[Unit]) -> bool {
    STEMS.contains(&word_before(before, LONGEST + 1).as_str())
}

/// Whether `units` are the sign in `is'nt`, or the space in `do nt`: the apostrophe then comes where it belongs.
fn is_misplaced(before: &[Unit], units: &[Unit]) -> bool {
    let [sign, n, rest @ ..] = units else { return false };
    (letters::is_apostrophe(sign.c) && plain(n.c) == Some('n') || sign.c == ' ' && n.c == 'n')
        && rest.first().is_some_and(|t| n.c != 'n' || t.c == 't')
        && is_last_t(rest)
        && is_stem(before)
}

/// Whether `units` are the second `t` of `isn'tt`.
fn is_second_t(before: &[Unit], units: &[Unit]) -> bool {
    let [start @ .., n, sign, t] = before else { return false };
    plain(t.c) == Some('t') && sign.c == '\'' && plain(n.c) == Some('n') && is_last_t(units) && is_stem(start)
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
        && is_stem(before)
}

/// Whether `units` start with the `t` of `dont`, `cant`, `isnt`: words of which the apostrophe was left out, and no others that
/// are spelled alike.
fn is_left_out(before: &[Unit], units: &[Unit]) -> bool {
    let begins = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '(' | '['
                    | '"'
                    | '\''
                    | '*'
                    | '~'
                    | '_'
                    | ','
                    | '!'
                    | '?'
                    | '…'
                    | '“'
                    | '‘'
                    | '—'
                    | '–'
                    | '|'
            )
    };
    let ends = |u: &Unit| {
        begins(u.c)
            || matches!(u.c, '.' | ';' | ':' | ')' | ']' | '”' | '’' | '-' | '&')
            || u.c > '\u{2100}' && !letters::in_word(u.c)
    };
    let dot = |u: &Unit| {
        matches!(u.c, '.' | ':' | '\'' | '_') && units.get(2).is_some_and(|u| u.c.is_alphanumeric())
    };
    let ended = units.get(1).is_none_or(|u| ends(u) && !dot(u));
    let is_t = units.first().is_some_and(|t| plain(t.c) == Some('t'));
    if !is_t || !ended || before.last().is_none_or(|u| plain(u.c) != Some('n')) {
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
        "can" => {
            let noun = earlier == "this" && BEHIND_THIS_CANT.contains(&next);
            !(BEFORE_CANT.contains(&earlier) || noun)
        }
        "don" => !BEFORE_DONT.contains(&earlier) && !BEHIND_DONT.contains(&next),
        // `darent` and `shant` are seldom words; `need nt` is none.
        _ => true,
    }
}

/// The plain letter in lower case.
fn plain(c: char) -> Option<char> {
    // `⒩` is `(n)`.
    let c = letters::plain(c).and_then(|p| p.chars().find(char::is_ascii_alphabetic)).unwrap_or(c);
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
            "Windows is NT, it was NT",
            "I won T shirts",
            "We won \"T\" blocks",
            "𝗰𝗮𝗻𝘁𝗼𝗿",
            "this cant of thieves",
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
        assert_eq!(straight("is'nt do nt isn'tt isŉt CA'NT"), "isn't don't isn't isn't CAN'T");
        assert_eq!(
            straight("isnt-good ~isnt~ _isnt_ isnt— isnt&was isnt]"),
            "isn't-good ~isn't~ _isn't_ isn't— isn't&was isn't]"
        );
        assert_eq!(straight("this cant be good"), "this can't be good");
        assert_eq!(straight("𝗶𝘀𝗻𝘁 ｉｓｎｔ ⒤⒮⒩❜⒯"), "𝗶𝘀𝗻'𝘁 ｉｓｎ'ｔ ⒤⒮⒩'⒯");
        assert_eq!(
            straight("isnʺt isnˮt isnʿt isn=27t wonu0027t isn+IBk-t"),
            "isn't isn't isn't isn't won't isn't"
        );
        assert_eq!(straight("itu2019s weÕre"), "it's we're");
    }
}
