//! Emoji and `:shortcodes:` as words. BERT's vocabulary has nearly no emoji: unnamed, each would be the same `[UNK]`.

use std::{collections::HashMap, sync::LazyLock};

use super::{Unit, emoji_words, letters, starts_with, until};

/// Emoji, TAB, the codes of Slack and Discord for it.
const CODES_OF_OTHERS: &str = include_str!("data/shortcodes.tsv");

/// The longest emoji in characters: four people, their skin tones and joiners; a flag of a region has 7.
const LONGEST: usize = 12;

/// The longest shortcode that is looked up.
const LONGEST_CODE: usize = 60;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';

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
    if let Some(words) = emoji_words::of(bare) {
        return Some(words.to_owned());
    }
    if let Some(key) = emoji.strip_suffix(KEYCAP) {
        return Some(key.trim_end_matches(EMOJI_STYLE).to_owned());
    }
    if bare == "🔟" {
        return Some("10".to_owned());
    }
    let found = emojis::get(emoji).or_else(|| emojis::get(bare))?;
    let plain = found.with_skin_tone(emojis::SkinTone::Default).unwrap_or(found);
    let toneless = plain.as_str().trim_end_matches(EMOJI_STYLE);
    Some(emoji_words::of(toneless).map_or_else(|| plain_name(plain), str::to_owned))
}

/// An emoji's name in Unicode's words, without marks.
fn plain_name(emoji: &emojis::Emoji) -> String {
    let plain = emoji.name().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '\'' | '.'));
    plain.flat_map(char::to_lowercase).collect()
}

/// The words of the `:shortcode:` that `units` start with and its length: GitHub's codes, and Unicode's names with
/// underscores, as Slack, Discord and Python's `emoji` write them.
pub(super) fn shortcode(units: &[Unit]) -> Option<(String, usize)> {
    static NAMES: LazyLock<HashMap<String, &'static emojis::Emoji>> = LazyLock::new(|| {
        let code = |emoji: &emojis::Emoji| plain_name(emoji).replace([' ', '-'], "_");
        emojis::iter().map(|emoji| (code(emoji), emoji)).collect()
    });
    if units.first()?.c != ':' {
        return None;
    }
    let in_code = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '’' | '\'' | '.' | '&');
    let code: String =
        units.iter().skip(1).take(LONGEST_CODE).map(|u| u.c).take_while(|c| in_code(*c)).collect();
    let len = code.chars().count();
    if units.get(len + 1)?.c != ':'
        || !(code.contains(char::is_alphabetic) || matches!(&*code, "+1" | "-1" | "100" | "1234"))
    {
        return None;
    }
    let lower = code.to_lowercase();
    let lower = without_tone(&lower);
    // Slack writes the skin tone behind.
    let tone = units.get(len + 2..).map_or(0, |rest| skin_tone(rest).unwrap_or(0));
    let alias = match lower {
        "thumbs_up" | "thumbup" => "+1",
        "thumbs_down" | "thumbdown" => "-1",
        "simple_smile" | "slight_smile" => "slightly_smiling_face",
        "frowning_face" | "slight_frown" => "slightly_frowning_face",
        "hug" => "hugs",
        "rofl" => "rofl",
        other => other,
    };
    let plain = || NAMES.get(&alias.replace(['-', '’', '\''], "_").replace(['.'], "")).copied();
    let country = || {
        let code = lower.strip_prefix("flag-").or_else(|| lower.strip_prefix("flag_"))?;
        let letter = |c: char| char::from_u32(u32::from(c).checked_sub(97)? + 0x1f1e6);
        emojis::get(&code.chars().map(letter).collect::<Option<String>>()?)
    };
    let found = emojis::get_by_shortcode(alias).or_else(plain).or_else(country);
    let words = match found {
        Some(found) => name(found.as_str())?,
        None => further(lower)?,
    };
    Some((words, len + 2 + tone))
}

/// The words of a code that is neither GitHub's nor a name of Unicode's.
fn further(code: &str) -> Option<String> {
    static CODES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        let lines = CODES_OF_OTHERS.lines().filter_map(|line| line.split_once('\t'));
        lines.flat_map(|(emoji, codes)| codes.split(' ').map(move |code| (code, emoji))).collect()
    });
    CODES.get(code).and_then(|emoji| name(emoji))
}

/// A code without the skin tone at its end: Discord's `_tone3`, Unicode's `_medium_skin_tone`.
fn without_tone(code: &str) -> &str {
    let code = code.strip_suffix("_skin_tone").unwrap_or(code);
    let tones = ["_medium_light", "_medium_dark", "_light", "_medium", "_dark"];
    let named = tones.iter().find_map(|tone| code.strip_suffix(tone));
    let numbered =
        code.strip_suffix(|c: char| c.is_ascii_digit()).and_then(|code| code.strip_suffix("_tone"));
    named.or(numbered).unwrap_or(code)
}

/// Length of Slack's `:skin-tone-3:` that `units` start with.
fn skin_tone(units: &[Unit]) -> Option<usize> {
    const CODE: &str = ":skin-tone-";
    let digit = units.get(CODE.len())?.c.is_ascii_digit() && units.get(CODE.len() + 1)?.c == ':';
    (digit && starts_with(units, CODE)).then_some(CODE.len() + 2)
}

/// The name of Discord's own emoji that `units` start with (`<:name:123>`, `<a:name:123>`), where it begins and the length of all.
pub(super) fn own(units: &[Unit]) -> Option<(std::ops::Range<usize>, usize)> {
    let start = ["<:", "<a:"].iter().find(|start| starts_with(units, start))?.len();
    let in_name = |u: &&Unit| u.c.is_ascii_alphanumeric() || u.c == '_';
    let name = units.iter().skip(start).take(LONGEST_CODE).take_while(in_name).count();
    let digits =
        units.iter().skip(start + name + 1).take(LONGEST_CODE).take_while(|u| u.c.is_ascii_digit()).count();
    let end = start + name + 1 + digits;
    let whole = name > 1 && digits > 5 && units.get(start + name)?.c == ':' && units.get(end)?.c == '>';
    whole.then_some((start..start + name, end + 1))
}

/// Turns letters in squares, that flags are made of, into plain ones, when they make no flags.
pub(super) fn unflag(units: &mut [Unit]) {
    let regional = |c: char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    let flags = |run: &[Unit]| {
        run.chunks(2).all(|pair| {
            let flag: String = pair.iter().map(|u| u.c).collect();
            emojis::get(&flag).is_some()
        })
    };
    let mut runs = units
        .chunk_by(|a, b| regional(a.c) && regional(b.c))
        .filter(|run| run.first().is_some_and(|u| regional(u.c)));
    if runs.all(flags) {
        return;
    }
    for unit in units.iter_mut().filter(|u| regional(u.c)) {
        unit.c = letters::plain(unit.c).and_then(|p| p.chars().next()).unwrap_or(unit.c);
    }
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
