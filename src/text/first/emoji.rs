//! Emoji and emoticons as words. BERT's vocabulary has nearly no emoji: unnamed, each would be the same `[UNK]`.

use super::super::aligned::{Unit, until};

/// The longest emoji in characters: four people, their skin tones and joiners; a flag of a region has 7.
const LONGEST: usize = 12;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';

/// Hearts and faces that are not emoji in Unicode's eyes but are written as such.
const SYMBOLS: [(char, &str); 6] = [
    ('♡', "heart"),
    ('♥', "heart"),
    ('❥', "heart"),
    ('☻', "smiling face"),
    ('ツ', "smiling face"),
    ('❣', "heart"),
];

/// Emoticons and the words of the emoji that they stand for. A longer one comes before its own beginning.
const EMOTICONS: [(&str, &str); 54] = [
    ("¯\\_(ツ)_/¯", "person shrugging"),
    ("¯\\(ツ)/¯", "person shrugging"), // What Markdown leaves of it.
    ("ಠ_ಠ", "unamused face"),
    (">_<", "persevering face"),
    (">.<", "persevering face"),
    (">:(", "angry face"),
    (">:-(", "angry face"),
    (":'-(", "crying face"),
    (":'(", "crying face"),
    (";(", "crying face"),
    ("T_T", "crying face"),
    (";_;", "crying face"),
    (":'-)", "face with tears of joy"),
    (":')", "face with tears of joy"),
    (":-)", "smiling face"),
    (":)", "smiling face"),
    (":]", "smiling face"),
    ("=)", "smiling face"),
    ("=]", "smiling face"),
    ("(:", "smiling face"),
    ("(=", "smiling face"),
    (":-D", "grinning face"),
    (":D", "grinning face"),
    ("=D", "grinning face"),
    (";D", "grinning face"),
    ("XD", "grinning face"),
    ("xD", "grinning face"),
    ("^_^", "grinning face"),
    ("^^", "grinning face"),
    (";-)", "winking face"),
    (";)", "winking face"),
    (":-P", "face with tongue"),
    (":P", "face with tongue"),
    (":-p", "face with tongue"),
    (":p", "face with tongue"),
    (";P", "face with tongue"),
    (":-(", "frowning face"),
    (":(", "frowning face"),
    (":[", "frowning face"),
    ("=(", "frowning face"),
    ("):", "frowning face"),
    (":-/", "confused face"),
    (":/", "confused face"),
    (":\\", "confused face"),
    (":-|", "neutral face"),
    (":|", "neutral face"),
    ("-_-", "expressionless face"),
    (":-O", "surprised face"),
    (":O", "surprised face"),
    (":o", "surprised face"),
    (":-*", "face blowing a kiss"),
    (":*", "face blowing a kiss"),
    ("</3", "broken heart"),
    ("<3", "red heart"),
];

/// What [`read`] found.
pub(super) enum Pictograph {
    /// An emoji with a name, already in lower case and without marks.
    Named(String),
    /// A part of an emoji, or an emoji too new to have a name here.
    Unknown,
}

/// The emoji that `units` start with and how many units it takes; `None` when they start with ordinary text.
pub(super) fn read(units: &[Unit]) -> Option<(Pictograph, usize)> {
    let first = units.first()?.c;
    if !may_start(first, units.get(1).map(|u| u.c)) {
        return None;
    }
    let taken = sequence(units);
    let text: String = until(units, taken).iter().map(|u| u.c).collect();
    let mut end = text.len();
    // The longest beginning that has a name: a sequence too new to be known falls apart into what it is made of.
    for len in (1..=taken).rev() {
        if let Some(name) = text.get(..end).and_then(name) {
            return Some((Pictograph::Named(name), len));
        }
        end -= units.get(len - 1).map_or(0, |u| u.c.len_utf8());
    }
    if is_stray(first) { Some((Pictograph::Unknown, taken)) } else { None }
}

/// The emoticon that `units` start with: its words and how many units it takes, with the repeated last sign of `:)))`,
/// `xDD` and `<333`. It must stand alone: nothing that could belong to a word or number touches it.
pub(super) fn emoticon(before: Option<char>, units: &[Unit]) -> Option<(&'static str, usize)> {
    if before.is_some_and(char::is_alphanumeric) && units.first().is_some_and(|u| u.c != ':' && u.c != ';') {
        return None;
    }
    let digit_before = before.is_some_and(|c| c.is_ascii_digit());
    EMOTICONS.into_iter().find_map(|(face, words)| {
        let (len, last) = (face.chars().count(), face.chars().next_back()?);
        let found = units.get(..len)?;
        if !found.iter().map(|u| u.c).eq(face.chars()) || digit_before {
            return None;
        }
        let drawn_out = matches!(last, ')' | '(' | ']' | '[' | 'D' | 'P' | 'p' | '3');
        let len = len + units.iter().skip(len).take_while(|u| drawn_out && u.c == last).count();
        let after = units.get(len).map(|u| u.c);
        let alone = match after {
            None => true,
            Some(c) => !c.is_alphanumeric() && c != '/' && c != '\\',
        };
        // A mirrored or letter-only face inside brackets or words is none: "(see (:" is rare, "(8):" is not.
        let loose = matches!(face, "):" | "(:" | "(=" | ":o" | ":O" | ":[" | ":]" | ":|" | "^^");
        let free = before.is_none_or(char::is_whitespace) && after.is_none_or(|c| c.is_whitespace());
        (alone && (!loose || free)).then_some((words, len))
    })
}

/// Whether `c` alone means nothing in a text: pictographs, variation selectors, skin tones, tags, private use.
fn is_stray(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1fbff}' | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{200d}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

fn may_start(first: char, second: Option<char>) -> bool {
    match first {
        '0'..='9' | '#' | '*' => matches!(second, Some(EMOJI_STYLE | KEYCAP)),
        // Signs of ordinary texts, unless emoji style is asked for.
        '©' | '®' | '\u{203c}'..='\u{21ff}' if !is_stray(first) => second == Some(EMOJI_STYLE),
        _ => first >= '\u{2200}' || is_stray(first),
    }
}

/// How many units at the start could be one emoji, by the grammar of Unicode's UTS #51, a little generous.
fn sequence(units: &[Unit]) -> usize {
    let at = |i: usize| units.get(i).map(|u| u.c);
    let regional = |c: Option<char>| matches!(c, Some('\u{1f1e6}'..='\u{1f1ff}'));
    if regional(at(0)) {
        return if regional(at(1)) { 2 } else { 1 };
    }
    let mut len = 1;
    while len < LONGEST {
        match at(len) {
            Some(ZERO_WIDTH_JOINER) if at(len + 1).is_some_and(|c| may_start(c, Some(EMOJI_STYLE))) => {
                len += 2
            }
            Some(
                TEXT_STYLE | EMOJI_STYLE | KEYCAP | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}',
            ) => {
                len += 1;
            }
            _ => break,
        }
    }
    len.min(units.len())
}

/// The words for one emoji, whatever its skin tone and gender.
fn name(emoji: &str) -> Option<String> {
    if let Some(person) = without_gender(emoji)
        && let Some(name) = name(&person)
    {
        return Some(name);
    }
    let bare = emoji.trim_end_matches([TEXT_STYLE, EMOJI_STYLE]);
    let mut chars = bare.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && let Some((_, words)) = SYMBOLS.iter().find(|(symbol, _)| *symbol == c)
    {
        return Some((*words).to_owned());
    }
    if let Some(key) = emoji.strip_suffix(KEYCAP) {
        return Some(key.trim_end_matches(EMOJI_STYLE).to_owned());
    }
    let found = emojis::get(emoji).or_else(|| emojis::get(bare))?;
    let found = found.with_skin_tone(emojis::SkinTone::Default).unwrap_or(found);
    let plain = found.name().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '\'' | '.'));
    Some(plain.flat_map(char::to_lowercase).collect())
}

/// The emoji of the person for that of the woman or man who makes a gesture or has a profession (🤷‍♀️ → 🤷, 👨‍🚀 →
/// 🧑‍🚀); `None` when no such gender is marked.
fn without_gender(emoji: &str) -> Option<String> {
    let bare = emoji.trim_end_matches(EMOJI_STYLE);
    if let Some(gesture) = bare.strip_suffix(['♀', '♂']) {
        return gesture.strip_suffix(ZERO_WIDTH_JOINER).map(str::to_owned);
    }
    let rest = emoji.strip_prefix(['👩', '👨'])?;
    rest.contains(ZERO_WIDTH_JOINER).then(|| format!("🧑{rest}"))
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::*;

    fn named(text: &str) -> Option<String> {
        let units = decode(text);
        match read(&units)? {
            (Pictograph::Named(name), taken) if taken == units.len() => Some(name),
            _ => None,
        }
    }

    #[test]
    fn every_emoji_has_plain_words() {
        for emoji in
            emojis::iter().flat_map(|e| std::iter::once(e).chain(e.skin_tones().into_iter().flatten()))
        {
            let name = named(emoji.as_str()).unwrap_or_else(|| panic!("{emoji:?}"));
            assert!(!name.trim().is_empty() && !name.contains(':') && !name.contains("skin tone"), "{name}");
            assert!(sequence(&decode(emoji.as_str())) == emoji.as_str().chars().count(), "{emoji:?}");
        }
    }

    #[test]
    fn sequences_are_one_emoji() {
        assert_eq!(named("❤").as_deref(), Some("red heart"));
        assert_eq!(named("❤️").as_deref(), Some("red heart"));
        assert_eq!(named("👍🏿").as_deref(), Some("thumbs up"));
        assert_eq!(named("👩🏽‍🚀").as_deref(), Some("astronaut"));
        assert_eq!(named("🤷🏿‍♂️").as_deref(), Some("person shrugging"));
        assert_eq!(named("👩").as_deref(), Some("woman"));
        assert_eq!(named("👩‍❤️‍👨").as_deref(), Some("couple with heart woman man"));
        assert_eq!(named("🇫🇷").as_deref(), Some("flag france"));
        assert_eq!(named("3️⃣").as_deref(), Some("3"));
        assert_eq!(named("🏴󠁧󠁢󠁳󠁣󠁴󠁿").as_deref(), Some("flag scotland"));
        assert_eq!(named("👨‍👩‍👧‍👦").as_deref(), Some("family man woman girl boy"));
    }

    #[test]
    fn an_unknown_sequence_falls_apart_and_strays_are_named_so() {
        let units = decode("😂\u{200d}🚀");
        assert!(
            matches!(read(&units), Some((Pictograph::Named(name), 1)) if name == "face with tears of joy")
        );
        for stray in ["\u{fe0f}", "\u{200d}", "🇫", "\u{1faff}", "\u{e0041}", "\u{f8ff}"] {
            assert!(matches!(read(&decode(stray)), Some((Pictograph::Unknown, 1))), "{stray:?}");
        }
        for text in ["a", "7", "#", "é", "漢", "©", "→", "の", ""] {
            assert!(read(&decode(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn drawn_out_emoticons_are_one() {
        for (text, words, len) in [
            (":))))", "smiling face", 5),
            (":'((", "crying face", 4),
            ("xDDD!", "grinning face", 4),
            ("<333 u", "red heart", 4),
            ("</33", "broken heart", 4),
            (":) )", "smiling face", 2),
        ] {
            assert_eq!(emoticon(None, &decode(text)), Some((words, len)), "{text}");
        }
    }

    #[test]
    fn emoticons_stand_alone() {
        let words = |before, text: &str| emoticon(before, &decode(text)).map(|(w, _)| w);
        assert_eq!(words(None, ":)"), Some("smiling face"));
        assert_eq!(words(Some('o'), ":) bye"), Some("smiling face"));
        assert_eq!(words(Some(' '), ":'("), Some("crying face"));
        assert_eq!(words(Some(' '), "<3!"), Some("red heart"));
        assert_eq!(words(Some(' '), "<30"), None);
        assert_eq!(words(Some(' '), "<330"), None);
        assert_eq!(words(Some(' '), ">_< no"), Some("persevering face"));
        assert_eq!(words(None, r"¯\_(ツ)_/¯"), Some("person shrugging"));
        assert_eq!(words(Some('p'), "://x"), None);
        assert_eq!(words(Some('8'), ":)"), None);
        assert_eq!(words(Some(' '), ":Dog"), None);
        assert_eq!(words(Some('a'), "xD"), None);
        assert_eq!(words(Some('1'), "):"), None);
        assert_eq!(words(Some(' '), ":"), None);
    }
}
