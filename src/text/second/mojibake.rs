//! UTF-8 that was read as another encoding (`â€™` for `’`), undone: as Windows-1252 or Latin-1, Mac Roman, IBM 437 or
//! Windows-1251, up to four times over. What could be an ordinary text stays as it is. Of further encodings the marks alone are put back
//! (`misread_marks`).

use super::{Unit, bytes as bytes_of, from, until, utf8};

/// How often a text may have been misread.
const LAYERS: usize = 4;

/// The upper halves of the encodings, byte 0x80 first. Windows-1252's undefined bytes are Latin-1's control characters.
const ENCODINGS: [&str; 4] = [
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ",
    "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ",
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя",
];
const WINDOWS_1252: usize = 0;
const MAC_ROMAN: usize = 1;
const WESTERN: &str = ENCODINGS[WINDOWS_1252];

/// The quotation mark, dash or dots that a byte is in Windows-1252.
pub(super) fn punctuation(byte: u8) -> Option<char> {
    let marks = matches!(byte, 0x85 | 0x91..=0x94 | 0x96 | 0x97);
    WESTERN.chars().nth(usize::from(byte.checked_sub(0x80)?)).filter(|_| marks)
}

/// The bytes that a character may have been in each encoding.
struct Bytes {
    /// By character, sorted.
    table: Vec<(char, [u8; 4])>,
}

impl Bytes {
    fn new() -> Self {
        let mut table = std::collections::BTreeMap::<char, [u8; 4]>::new();
        for (encoding, upper) in ENCODINGS.iter().enumerate() {
            for (c, byte) in upper.chars().zip(0x80..=0xffu8) {
                if let Some(slot) = table.entry(c).or_default().get_mut(encoding) {
                    *slot = byte;
                }
            }
        }
        for byte in 0x80..=0x9fu8 {
            if let Some(slot) = table.entry(char::from(byte)).or_default().get_mut(WINDOWS_1252) {
                *slot = byte;
            }
        }
        Bytes { table: table.into_iter().collect() }
    }

    fn of(&self, c: char, encoding: usize) -> Option<u8> {
        let found = self.table.binary_search_by_key(&c, |(c, _)| *c).ok()?;
        self.table.get(found)?.1.get(encoding).copied().filter(|byte| *byte >= 0x80)
    }
}

/// Undoes it everywhere in a text.
pub(super) fn undo(mut units: Vec<Unit>) -> Vec<Unit> {
    if units.iter().all(|u| u.c.is_ascii()) {
        return units;
    }
    let bytes = Bytes::new();
    for _ in 0..LAYERS {
        let before = units.len();
        units = layer(&units, &bytes);
        if units.len() == before {
            break;
        }
    }
    units = lossy(units);
    // Bytes 0x80 to 0x9f that were read as Latin-1: Windows-1252's quotes and dashes.
    for unit in units.iter_mut().filter(|u| ('\u{80}'..='\u{9f}').contains(&u.c) && u.c != '\u{85}') {
        let at = u32::from(unit.c) as usize - 0x80;
        unit.c = WESTERN.chars().nth(at).unwrap_or(unit.c);
    }
    units
}

fn layer(units: &[Unit], bytes: &Bytes) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let (mut at, mut in_run) = (0, false);
    while let Some(&unit) = units.get(at) {
        let found = (!unit.c.is_ascii())
            .then(|| (0..ENCODINGS.len()).find_map(|e| read(units, at, e, in_run, bytes)));
        match found.flatten() {
            Some((c, len)) => {
                out.push(Unit { c, start: unit.start, end: bytes_of(until(from(units, at), len)).end });
                at += len;
                in_run = true;
            }
            None => {
                out.push(unit);
                at += 1;
                in_run = false;
            }
        }
    }
    out
}

/// A quotation mark that lost its last byte: `â€` before a letter or a space.
fn lossy(units: Vec<Unit>) -> Vec<Unit> {
    if !units.windows(2).any(|w| w.iter().map(|u| u.c).eq("â€".chars())) {
        return units;
    }
    let letter = |u: Option<&Unit>| u.is_some_and(|u| u.c.is_alphabetic());
    let mut out: Vec<Unit> = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        match units.get(at + 1) {
            Some(second) if unit.c == 'â' && second.c == '€' => {
                let inside = letter(out.last()) && letter(units.get(at + 2));
                out.push(Unit { c: if inside { '\'' } else { '"' }, start: unit.start, end: second.end });
                at += 2;
            }
            _ => {
                out.push(unit);
                at += 1;
            }
        }
    }
    out
}

/// The character that the units at `at` are in `encoding`, if that is what the writer meant.
fn read(units: &[Unit], at: usize, encoding: usize, in_run: bool, bytes: &Bytes) -> Option<(char, usize)> {
    let decoded = |at: usize| {
        let unit = |i: usize| units.get(at + i).and_then(|u| bytes.of(u.c, encoding));
        utf8::read(unit).filter(|(_, len)| *len > 1)
    };
    let (c, len) = decoded(at)?;
    // A sign of Windows-1252 beside others may have been misread itself.
    let nested = |c: char| bytes.of(c, WINDOWS_1252).is_some();
    let beside = || nested(c) && (in_run || decoded(at + len).is_some_and(|(next, _)| nested(next)));
    let next = || in_run || decoded(at + len).is_some_and(|(next, _)| same_block(c, next));
    let meant = match len {
        2 => {
            two(units, at, c, encoding)
                || encoding == WINDOWS_1252 && beside()
                || encoding == MAC_ROMAN && in_run
                || foreign(c) && next()
        }
        3 => common(c) || encoding == WINDOWS_1252 && next(),
        _ => true,
    };
    meant.then_some((c, len))
}

/// Whether two bytes mean a letter or sign of Latin-1 or Latin Extended-A. Both may stand in an ordinary text, so a capital
/// word before a closing mark (`MANHÃ…`, `É»`) is left alone.
fn two(units: &[Unit], at: usize, c: char, encoding: usize) -> bool {
    let letter = |u: Option<&Unit>| u.is_some_and(|u| u.c.is_alphabetic());
    let before = at.checked_sub(1).and_then(|i| units.get(i));
    let capital = before.is_some_and(|u| u.c.is_uppercase());
    let after = units.get(at + 2);
    // An apostrophe between letters: `isnÊ¼t`.
    if matches!(c, '\u{2b9}'..='\u{2c1}') && letter(before) && letter(after) {
        return encoding == WINDOWS_1252;
    }
    if !('\u{a0}'..='\u{17f}').contains(&c) && !('\u{80}'..='\u{9f}').contains(&c) {
        return false;
    }
    let (Some(lead), Some(mark)) = (units.get(at).map(|u| u.c), units.get(at + 1).map(|u| u.c)) else {
        return false;
    };
    if encoding != WINDOWS_1252 {
        return c.is_alphabetic()
            && !lead.is_alphabetic()
            && !mark.is_alphabetic()
            && (letter(before) || letter(after));
    }
    let closing = matches!(mark, '’' | '”' | '…' | '–' | '—' | '»' | '\u{a0}' | '‘' | '“' | '™' | '®' | '›');
    match lead {
        'Â' => !capital,
        'Ã' => !(capital && closing),
        // `Å“`, `Ä±`, `Å¡`, inside a word or where only a letter of another alphabet makes sense.
        _ => {
            c.is_alphabetic()
                && !capital
                && (letter(after) || !closing)
                && (before.is_some_and(|u| u.c.is_lowercase()) || after.is_some_and(|u| u.c.is_lowercase()))
                && !mark.is_alphabetic()
        }
    }
}

/// Letters of two bytes that only a run of them makes sure: Greek, Cyrillic, Hebrew, Arabic and their neighbours.
fn foreign(c: char) -> bool {
    ('\u{370}'..='\u{7ff}').contains(&c)
}

fn same_block(a: char, b: char) -> bool {
    let block = |c: char| match u32::from(c) {
        code @ 0x370..=0x7ff => code >> 8,
        0x3000..=0xffff => 1000,
        code => code >> 7,
    };
    block(a) == block(b)
}

/// Punctuation and signs of three bytes, which one alone makes sure.
fn common(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{203a}' | '\u{20a0}'..='\u{20c0}' | '\u{2100}'..='\u{214f}' | '\u{2190}'..='\u{21ff}')
        || matches!(c, '\u{2200}'..='\u{22ff}' | '\u{2300}'..='\u{23ff}' | '\u{2500}'..='\u{27bf}')
        || matches!(c, '\u{2b00}'..='\u{2bff}' | '\u{1e00}'..='\u{1eff}' | '\u{2000}'..='\u{200f}')
        || matches!(
            c,
            '\u{fe0f}' | '\u{feff}' | '\u{fffd}' | '\u{3000}'..='\u{3002}' | '\u{fb01}' | '\u{fb02}'
        )
        || matches!(c, '\u{2fe}'..='\u{2ff}')
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn undone(text: &str) -> String {
        undo(units(text)).iter().map(|u| u.c).collect()
    }

    /// `text`'s bytes, read as an encoding.
    fn misread(text: &str, encoding: usize) -> String {
        let upper: Vec<char> = ENCODINGS[encoding].chars().collect();
        text.bytes().map(|b| if b < 0x80 { char::from(b) } else { upper[usize::from(b) - 0x80] }).collect()
    }

    #[test]
    fn the_encodings_are_whole() {
        for encoding in ENCODINGS {
            assert_eq!(encoding.chars().count(), 128, "{encoding}");
        }
    }

    #[test]
    fn what_was_misread_is_right_again() {
        for text in [
            "I don’t like it",
            "“quoted” – and — so…",
            "café naïve señor über Zoë",
            "so good 😂👍🏽 ❤️",
            "5 € and £3, 20°",
            "привет мир",
            "日本語です",
            "it’s “fine”…",
            "crème brûlée’s",
            "™ © ½",
            "Ελληνικά",
            "Tiếng Việt",
        ] {
            let once = misread(text, WINDOWS_1252);
            assert_eq!(undone(&once), text, "{once}");
            let twice = misread(&once, WINDOWS_1252);
            assert_eq!(undone(&twice), text, "{twice}");
        }
        for encoding in 1..ENCODINGS.len() {
            for text in ["I don’t like it", "“no” – never… 😂"] {
                let once = misread(text, encoding);
                assert_eq!(undone(&once), text, "{once}");
            }
        }
        assert_eq!(undone(&misread("café", 1)), "café");
        assert_eq!(undone("don\u{92}t"), "don’t");
        assert_eq!(undone("donâ\u{80}\u{99}t"), "don’t");
        assert_eq!(undone("donâ€t and â€œso"), "don't and “so");
        assert_eq!(undone("donÃ¢â‚¬â„¢t"), "don’t");
        assert_eq!(undone("don‚Äö√Ñ√¥t isnÊ¼t"), "don’t isnʼt");
    }

    #[test]
    fn correct_texts_stay() {
        for text in [
            "I don’t like it",
            "« voilà » — déjà…",
            "AMANHÃ… NÃO! MANHÃ”",
            "São Paulo, coração",
            "Ångström, Åland",
            "Größe “so”",
            "ÇA VA… “É” É…",
            "привет мир",
            "Вы Ђ™",
            "Ελλάδα",
            "日本語",
            "√2 ≈ 1.41",
            "Ê “ê” â… Â",
            "naïve’s",
            "5€",
            "â",
            "îles…",
            "MOTÖRHEAD™",
            "Pokémon™",
            "Ñandú",
            "ÀÉÎ’",
            "Łódź Āē",
            "Đ",
            "tôi là ai",
            "ƒ(x)",
            "Crème™ été®",
            "à\u{a0}»",
            "voilà\u{a0}»",
            "è «\u{a0}é\u{a0}»",
            "Dvořák’s",
            "Ø 5 mm",
            "Müller–Lüdenscheidt",
            "«Ö»",
            "“Ü” – “Ä…”",
            "ßüöä°",
            "Οχι™",
            "Νο…",
        ] {
            assert_eq!(undone(text), text);
        }
    }
}
