//! Emoticons of ASCII signs (`:)`, `<3`, `^_^`) as words, where they are one: not in code, times, ratios, lists and brackets.

use std::{collections::HashMap, sync::LazyLock};

use super::{Unit, until};

/// Words, TAB, emoticons. Those of the npm package `emoticon` 4.1.0 (MIT); the words are this project's.
const PACKAGE: &str = include_str!("data/emoticons.tsv");

/// Further ones that people write, in the same form; collected for this project.
const MORE: &str = "grinning face\t^_^ ^-^ ^.^ ^o^ ^^ xD XD ;D\n\
    face with tears of joy\tx'D X'D\n\
    crying face\tT_T TT_TT T.T ;_; ;-; ;( ;-( ;[ Q_Q Y_Y :c :-c :C\n\
    happy raised arms\t\\o/ \\O/\n\
    person shrugging\t¯\\_(ツ)_/¯ ¯\\\\_(ツ)_/¯ ¯\\\\\\_(ツ)_/¯ ¯_(ツ)_/¯ ¯\\(ツ)/¯\n\
    annoyed face\t-_- -.- -__- =_= ¬_¬ ._. e_e >_> <_< >.>\n\
    frustrated suffering face\t>_< >.< >:/ >:\\ >:|\n\
    weary face\tu_u U_U\n\
    surprised face\to_O O_o o.O O.o O_O o_o 0_0\n\
    upset shocked face\tD: D:<\n\
    dizzy face\tx_x X_X\n\
    unamused face\tಠ_ಠ\n\
    smiling face\t(: (-: (= [: [= :^) =^) c: uwu UwU owo OwO\n\
    winking face\t;^) (; (-;\n\
    frowning face\t): )-: )= :^( D=\n\
    crying face\t)': D':\n\
    cat face\t:3 :-3 =3\n\
    kissing face love\t:x :X\n\
    love heart\t<33\n";

/// Words of the package's list that a text says in another way, and what it has that stands in lists and sums.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("man", "cat face"),
    ("smiling face with smiling eyes", "happy smiling face"),
    ("grinning face with smiling eyes", "grinning face"),
    ("grinning face with big eyes", "smiling face"),
    ("frowning face with open mouth", "frowning face"),
    ("smiling face with halo", "smiling face"),
    ("smiling face with sunglasses", "cool smiling face"),
    ("grinning squinting face", "grinning face"),
    ("grinning face with sweat", "nervous grinning face"),
    ("downcast face with sweat", "sad face"),
    ("face with open mouth", "surprised face"),
    ("face without mouth", ""),
    ("angry face with horns", "angry face"),
    ("kissing face", "kissing face love"),
    ("red heart", "love heart"),
    ("squinting face with tongue", "playful face with tongue"),
    ("face with tongue", "playful face with tongue"),
    ("winking face with tongue", "playful face with tongue"),
];

/// What ends lists (`8)`, `B)`, `x)`), sums and ranges more often than it smiles.
const NEVER: &[&str] = &[
    "8)", "8]", "8D", "B)", "B]", "B-D", "8-D", "x)", "x]", "X)", "X]", ":0", "=0", ":-0", "=-0", "0:)",
    "0:]", "0:D", "0=)", "0=]", "0=D", "0:-D", "0=-D", "=d", "=3", "=p", "x3", "X3", "x-3", "X-3", "x-p",
    "x-P", "X-p", "X-P", "x-)", "X-)", "x-]", "X-]", "=s", "=S", "=z", "=Z", "=$", "=*", "=|", ":-", "Xp",
    "Xd", "X-d", "x-d", "=o", "=O", "=P",
];

/// Emoticons that need a space or an end on both sides: mirrored ones, and those that are a letter long or a sign of code.
const LOOSE: &[&str] = &[
    "):", ")-:", ")=", "(:", "(-:", "(=", "[:", "[=", "(;", "(-;", ":o", ":O", ":[", ":]", ":|", "^^", ":s",
    ":S", ":z", ":Z", ":$", ":d", ":c", ":C", ":x", ":X", "c:", ":@", ";p", ";d", "D=", ")':", "=]", "=[",
    "=/", "=\\", "=D", "=(", ":3", ";3", "uwu", "UwU", "owo", "OwO", ";[", ";]", "T.T", "\\o/", "\\O/",
    ">_>", "<_<", ">.>",
];

/// An emoticon's signs and its words.
type Face = (Vec<char>, &'static str);

/// Emoticons by their first sign, the longer before the shorter.
static EMOTICONS: LazyLock<HashMap<char, Vec<Face>>> = LazyLock::new(|| {
    let mut all: HashMap<char, Vec<Face>> = HashMap::new();
    for line in MORE.lines().chain(PACKAGE.lines()) {
        let Some((words, faces)) = line.trim_start().split_once('\t').filter(|_| !line.starts_with('#'))
        else {
            continue;
        };
        let words =
            OTHER_WORDS.iter().find(|(words_there, _)| *words_there == words).map_or(words, |(_, w)| *w);
        for face in faces.split(' ').filter(|face| !words.is_empty() && !NEVER.contains(face)) {
            if let Some(first) = face.chars().next() {
                all.entry(first).or_default().push((face.chars().collect(), words));
            }
        }
    }
    // Of two alike the first stays: this project's own before the package's.
    all.values_mut().for_each(|faces| faces.sort_by_key(|(face, _)| std::cmp::Reverse(face.len())));
    all
});

/// What must be known of a whole text before one place of it can be judged.
pub(super) struct Surroundings {
    /// For each unit, whether it is a bracket that has its partner on the same line.
    paired: Vec<bool>,
    /// For each unit, whether its line looks like a program's.
    code: Vec<bool>,
}

impl Surroundings {
    pub(super) fn of(units: &[Unit]) -> Self {
        let mut paired = vec![false; units.len()];
        let mut code = Vec::with_capacity(units.len());
        let mut start = 0;
        for line in units.split_inclusive(|u| u.c == '\n') {
            pair(line, start, &mut paired);
            code.resize(code.len() + line.len(), is_code(line));
            start += line.len();
        }
        Surroundings { paired, code }
    }
}

/// Marks the brackets of a line that belong together. The mouth of `:)` closes only a bracket that is no mouth itself: in `sad:( but
/// happy:)` nothing belongs together, in `(see notes:)` it does.
fn pair(line: &[Unit], start: usize, paired: &mut [bool]) {
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut mouth = false;
    for (i, unit) in line.iter().enumerate() {
        let sign = |back: usize| i.checked_sub(back).and_then(|i| line.get(i)).map_or(' ', |u| u.c);
        let (before, behind) = (sign(1), sign(2));
        let eyes = matches!(before, ':' | ';' | '=' | '\'' | '^')
            || before == '-' && matches!(behind, ':' | ';' | '=');
        mouth = eyes || mouth && before == unit.c;
        match unit.c {
            '(' | '[' => open.push((i, mouth)),
            ')' | ']' => {
                let partner = if unit.c == ')' { '(' } else { '[' };
                let free = eyes && behind.is_whitespace();
                let found = open.iter().rposition(|(at, mouth_there)| {
                    line.get(*at).is_some_and(|u| u.c == partner) && !(mouth && *mouth_there) && !free
                });
                if let Some((at, _)) = found.and_then(|found| open.get(found).copied()) {
                    for at in [start + at, start + i] {
                        if let Some(paired) = paired.get_mut(at) {
                            *paired = true;
                        }
                    }
                    open.truncate(found.unwrap_or_default());
                }
            }
            _ => mouth = false,
        }
    }
}

/// Whether a line has signs that programs have and posts do not.
fn is_code(line: &[Unit]) -> bool {
    let two = |a: char, b: char| line.windows(2).any(|w| matches!(w, [one, two] if one.c == a && two.c == b));
    let ends = line.iter().rev().find(|u| !u.c.is_whitespace()).map(|u| u.c);
    let opens = line.iter().any(|u| matches!(u.c, '{' | '}'));
    opens
        && (two('(', ')')
            || ends == Some('{')
            || ends == Some('}')
            || two(')', ';')
            || line.iter().any(|u| u.c == ';'))
        || two('=', '=')
        || two('&', '&')
        || two('+', '=')
        || two('(', ';')
        || two(':', '=')
        || two(')', ';') && two('(', ')')
        || two(';', ';')
        || two('-', '>') && line.iter().any(|u| u.c == '(')
        || two(')', ':') && ends == Some(':')
        // `i<3 and j>4`
        || line.windows(3).any(|w| matches!(w, [a, b, c] if a.c.is_alphanumeric() && b.c == '>' && c.c.is_ascii_digit()))
}

/// The emoticon at `at`: its words and how many units it takes, with the repeated last sign of `:)))`, `xDD` and `<333`.
pub(super) fn read(units: &[Unit], at: usize, around: &Surroundings) -> Option<(&'static str, usize)> {
    let rest = units.get(at..)?;
    let faces = EMOTICONS.get(&rest.first()?.c)?;
    faces.iter().find_map(|(face, words)| {
        let found = rest.get(..face.len())?;
        if !found.iter().map(|u| u.c).eq(face.iter().copied()) {
            return None;
        }
        let last = *face.last()?;
        let drawn_out = matches!(last, ')' | '(' | ']' | '[' | 'D' | 'P' | 'p' | '3');
        // The bracket that closes one before the face is no mouth.
        let pairs = |i: usize| around.paired.get(at + face.len() + i) == Some(&true);
        let more = rest.iter().skip(face.len()).enumerate();
        let len = face.len() + more.take_while(|(i, u)| drawn_out && u.c == last && !pairs(*i)).count();
        stands_alone(units, at, len, face, around).then_some((*words, len))
    })
}

/// Whether the `len` units at `at` are a face and no part of something else.
fn stands_alone(units: &[Unit], at: usize, len: usize, face: &[char], around: &Surroundings) -> bool {
    let before = at.checked_sub(1).and_then(|i| units.get(i)).map(|u| u.c);
    let after = units.get(at + len).map(|u| u.c);
    let free_before = before.is_none_or(char::is_whitespace);
    let free_after = after.is_none_or(char::is_whitespace);
    let name: String = face.iter().collect();
    if name.starts_with('¯') {
        return true;
    }
    if before.is_some_and(|c| c.is_ascii_digit())
        || after.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '\\' | '_'))
    {
        return false;
    }
    if around.code.get(at) == Some(&true) && !(free_before && free_after && at > 0) {
        return false;
    }
    if LOOSE.contains(&name.as_str()) && !(free_before && free_after) {
        return false;
    }
    if name == "<3" && is_measured(units, at + len) || name == ":*" && is_bold(units, at) {
        return false;
    }
    // `D:` begins an item of a list, and names a drive.
    let drive = || {
        let word = units
            .get(..at)
            .unwrap_or_default()
            .iter()
            .rev()
            .skip(1)
            .take(6)
            .map(|u| u.c.to_ascii_lowercase());
        let word: String = word.take_while(char::is_ascii_alphabetic).collect();
        ["ot", "no", "ni", "eht", "morf", "evird", "ksid", "dna", "otno", "otni"].contains(&word.as_str())
    };
    if name.starts_with("D:") && (after.is_some_and(|c| c != '\n') || drive()) {
        return false;
    }
    let (Some(&first), Some(&last)) = (face.first(), face.last()) else { return false };
    let letters = first.is_alphabetic() || last.is_alphabetic() && !matches!(last, 'D' | 'P' | 'p');
    if letters && before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        return false;
    }
    let bracket = matches!(last, '(' | ')' | '[' | ']');
    if bracket && !free_before && around.paired.get(at + face.len() - 1) == Some(&true) {
        return false;
    }
    if matches!(first, ')' | '(') && around.paired.get(at) == Some(&true) {
        return false;
    }
    match before {
        Some(c) if c.is_alphanumeric() => behind_word(units, at, &name, after),
        // Behind a bracket or a sign of code.
        Some('(' | ';' | '{' | '[' | '<' | '=' | '&' | '|' | '/' | '\\')
            if face.len() == 2 && name != "<3" =>
        {
            false
        }
        Some(':') if face.len() == 2 => false,
        _ => true,
    }
}

/// What `<3` is less than three of.
const MEASURED: [&str; 34] = [
    "year", "years", "yr", "yrs", "month", "months", "mo", "week", "weeks", "day", "days", "hour", "hours",
    "hr", "hrs", "minute", "minutes", "min", "mins", "second", "seconds", "sec", "secs", "ms", "degrees",
    "percent", "mb", "gb", "kb", "kg", "km", "cm", "mm", "miles",
];

/// Whether a unit of measure follows, with a space before it.
fn is_measured(units: &[Unit], end: usize) -> bool {
    let after = units.iter().skip(end).skip_while(|u| u.c == ' ').take(9).map(|u| u.c.to_ascii_lowercase());
    let word: String = after.take_while(char::is_ascii_alphabetic).collect();
    MEASURED.contains(&word.as_str())
}

/// Whether the star of `:*` closes one that opened before the word: `*Note:*`.
fn is_bold(units: &[Unit], at: usize) -> bool {
    let line = until(units, at).iter().rev().take(48).take_while(|u| u.c != '\n');
    line.filter(|u| u.c == '*').count() % 2 == 1
}

/// Whether an emoticon that touches the word before it is one: `miss you<3`, but not `A:D`, `x<3`, `and/or:/path`.
fn behind_word(units: &[Unit], at: usize, name: &str, after: Option<char>) -> bool {
    let word: Vec<char> =
        until(units, at).iter().rev().take(24).map(|u| u.c).take_while(|c| c.is_alphanumeric()).collect();
    let long = word.len() >= 2;
    let ends = after.is_none_or(|c| {
        c.is_whitespace()
            || matches!(c, '.' | ',' | '!' | '?' | '…' | '"' | ')' | '#' | '@')
            || c > '\u{2000}'
    });
    let lower = word.iter().all(|c| c.is_lowercase())
        || word.iter().all(|c| c.is_uppercase()) && word.len() > 2
        || word.last().is_some_and(|c| c.is_uppercase()) && word.len() > 3;
    if !ends {
        return false;
    }
    match name {
        "<3" | "</3" | "<\\3" => long || matches!(word.first(), Some('u' | 'i' | 'I' | 'U')),
        ":D" | ":P" | ":p" | ":-D" | ":-P" | ";D" | ";P" => {
            let small = word.iter().rev().skip(1).all(|c| c.is_lowercase());
            let first = word.last().is_some_and(|c| c.is_lowercase());
            small && (word.len() >= 3 && first || word.len() >= 5) || word.len() >= 2 && name.len() > 2
        }
        ":/" | ":\\" | ":-/" => long && after.is_none_or(char::is_whitespace),
        ":(" | ":)" | ";)" | ":-(" | ":-)" | ";-)" | ":'(" | ":')" | "=)" | ":*" | ":-*" => long && lower,
        _ => long && !name.starts_with('='),
    }
}
