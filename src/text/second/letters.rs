//! Letters in disguise: mathematical, circled, squared, full-width, raised letters and small capitals become plain ones, and
//! so do letters of other alphabets that stand in for Latin ones inside a Latin word.

use std::sync::LazyLock;

use super::{Rank, Unit};

/// Plain text, TAB, what is always written for it, TAB, what only looks like it. `tests/letters.rs` makes it out of
/// Unicode's data.
const TABLE: &str = include_str!("data/letters.tsv");

/// Words of a lower rank are often those of another language (`het`).
const FREQUENT: u32 = 8000;

struct Disguise {
    c: char,
    plain: &'static str,
    /// Whether it is a letter of another alphabet, which means itself in a word of that alphabet.
    look_alike: bool,
}

static DISGUISES: LazyLock<Vec<Disguise>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for line in TABLE.lines() {
        let mut columns = line.split('\t');
        let (Some(plain), Some(styles), Some(looks)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        all.extend(styles.chars().map(|c| Disguise { c, plain, look_alike: false }));
        all.extend(looks.chars().map(|c| Disguise { c, plain, look_alike: true }));
    }
    all.sort_unstable_by_key(|d| d.c);
    all
});

fn disguise(c: char) -> Option<&'static Disguise> {
    if c.is_ascii() {
        return None;
    }
    let all = &*DISGUISES;
    all.binary_search_by_key(&c, |d| d.c).ok().and_then(|at| all.get(at))
}

/// What `c` is a style of, whatever stands around it.
pub(super) fn plain(c: char) -> Option<&'static str> {
    disguise(c).filter(|d| !d.look_alike).map(|d| d.plain)
}

/// Whether `c` is a letter or digit, also one in disguise.
pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || !c.is_ascii() && plain(c).is_some_and(|p| p.starts_with(char::is_alphanumeric))
}

/// Whether `c` looks like an apostrophe.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '‛' | '′' | '`' | '´' | 'ʼ' | '＇')
        || disguise(c).is_some_and(|d| d.plain == "'")
}

/// Puts Latin letters in the place of their look-alikes in words that have Latin letters too, and in every word of a text that
/// has no true word of another alphabet (`І һаtе tһіs`). A word of look-alikes alone (`хорошо`) is what it says, unless others
/// are masked too or it makes a word of the vocabulary.
pub(super) fn unmask(units: &mut [Unit], rank: &Rank<'_>) {
    let look =
        |c: char| disguise(c).filter(|d| d.look_alike && d.plain != "'").and_then(|d| d.plain.chars().next());
    if !units.iter().any(|u| look(u.c).is_some()) {
        return;
    }
    let latin = |c: char| {
        c.is_ascii_alphabetic() || plain(c).is_some_and(|p| p.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    let own = |c: char| c.is_alphabetic() && !latin(c) && look(c).is_none() && !is_latin(c);
    let foreign = units.iter().any(|u| own(u.c));
    let latins = units.iter().filter(|u| latin(u.c)).count();
    let looks = units.iter().filter(|u| look(u.c).is_some()).count();
    let mixes = |word: &[Unit]| word.iter().any(|u| latin(u.c)) && word.iter().any(|u| look(u.c).is_some());
    let masked = units.chunk_by(|a, b| in_word(a.c) == in_word(b.c)).any(mixes);
    let everywhere = !foreign && (latins > looks || masked);
    for word in units.chunk_by_mut(|a, b| in_word(a.c) == in_word(b.c)) {
        let mixed = word.iter().any(|u| latin(u.c)) && !word.iter().any(|u| own(u.c));
        let meant = || {
            let word: String = word.iter().map(|u| look(u.c).unwrap_or(u.c).to_ascii_lowercase()).collect();
            masked || word.len() > 1 && rank(&word).is_some_and(|rank| rank < FREQUENT)
        };
        if mixed || everywhere && meant() {
            for unit in word {
                unit.c = look(unit.c).unwrap_or(unit.c);
            }
        }
    }
}

/// Whether `c` is a letter of the Latin script beyond ASCII, or a mark on one.
fn is_latin(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn unmasked(text: &str) -> String {
        let mut units = units(text);
        unmask(&mut units, &|_| None);
        units.iter().map(|u| u.c).collect()
    }

    #[test]
    fn styles_are_plain() {
        let plain = |text: &str| {
            text.chars().map(|c| plain(c).map_or(c.to_string(), str::to_owned)).collect::<String>()
        };
        for text in [
            "𝐼 ℎ𝑎𝑡𝑒 𝑡ℎ𝑖𝑠",
            "Ⓘ ⓗⓐⓣⓔ ⓣⓗⓘⓢ",
            "ɪ ʜᴀᴛᴇ ᴛʜɪꜱ",
            "🄸 🄷🄰🅃🄴 🅃🄷🄸🅂",
            "🅸 🅷🅰🆃🅴 🆃🅷🅸🆂",
            "🅘 🅗🅐🅣🅔 🅣🅗🅘🅢",
            "⒤ ⒣⒜⒯⒠ ⒯⒣⒤⒮",
            "Ｉ ｈａｔｅ ｔｈｉｓ",
            "ℑ 𝔥𝔞𝔱𝔢 𝔱𝔥𝔦𝔰",
            "ᴵ ʰᵃᵗᵉ ᵗʰᶦˢ",
            "𝕴 𝖍𝖆𝖙𝖊 𝖙𝖍𝖎𝖘",
            "𝙸 𝚑𝚊𝚝𝚎 𝚝𝚑𝚒𝚜",
            "𝓘 𝓱𝓪𝓽𝓮 𝓽𝓱𝓲𝓼",
        ] {
            assert_eq!(plain(text).to_lowercase(), "i hate this", "{text}");
        }
        assert_eq!(plain("No.№5 ™ ½ … ﬁn é ß ø 漢"), "No.№5 ™ ½ … fin é ß ø 漢");
    }

    #[test]
    fn other_alphabets_stay_unless_they_stand_in() {
        assert_eq!(unmasked("I hаtе this"), "I hate this");
        assert_eq!(unmasked("І һаtе tһіѕ plасе"), "I hate this place");
        assert_eq!(unmasked("Ι hαte this"), "I hate this");
        for text in [
            "он не сахар",
            "Сегодня ужасный день, I know",
            "ара",
            "СССР и Москва",
            "αβγ",
            "Οχι",
            "نعم",
            "日本語 а",
            "µm Ω",
        ] {
            assert_eq!(unmasked(text), text);
        }
    }
}
