//! Quotation marks, dashes and dots of UTF-8 that were read as an encoding of another country. Each is three bytes, which make three
//! signs that no text has side by side; whole words of these encodings are not looked for.

use super::{Unit, bytes, from, until};

/// A mark, and what IBM 850 and 866, KOI8-R, Windows-1253 (Greek), 1255 (Hebrew), 1257 (Baltic) and 874 (Thai) make of it.
const MISREAD: [(char, &[&str]); 7] = [
    ('’', &["ÔÇÖ", "тАЩ", "Б─≥", "β€™", "ג€™", "ā€™", "โ€\u{99}", "โ€™"]),
    ('‘', &["ÔÇÿ", "тАШ", "Б─≤", "β€\u{98}", "β€˜", "ג€˜", "ā€\u{98}", "ā€˜", "โ€\u{98}", "โ€˜"]),
    ('“', &["ÔÇ£", "тАЬ", "Б─°", "β€\u{9c}", "β€œ", "ג€\u{9c}", "ג€œ", "ā€\u{9c}", "ā€œ", "โ€\u{9c}", "โ€œ"]),
    ('”', &["ÔÇØ", "тАЭ", "Б─²", "β€\u{9d}", "ג€\u{9d}", "ā€¯", "โ€\u{9d}"]),
    ('–', &["ÔÇô", "тАУ", "Б─⌠", "β€“", "ג€“", "ā€“", "โ€“"]),
    ('—', &["ÔÇö", "тАФ", "Б─■", "β€”", "ג€”", "ā€”", "โ€”"]),
    ('…', &["ÔÇª", "тАж", "Б─╕", "β€¦", "ג€¦", "ā€¦", "โ€ฆ"]),
];

/// What Shift-JIS and GBK make of an apostrophe: its first two bytes are one sign, its last one and the letter behind it another.
const SWALLOWED: [(char, &[(char, char)]); 2] = [
    ('窶', &[('冲', 't'), ('冱', 's'), ('冦', 'm'), ('决', 'r'), ('冤', 'l'), ('况', 'v'), ('囘', 'd')]),
    ('鈥', &[('檛', 't'), ('檚', 's'), ('檓', 'm'), ('檙', 'r'), ('檒', 'l'), ('檝', 'v'), ('檇', 'd')]),
];

/// Puts the marks back.
pub(super) fn mend(units: Vec<Unit>) -> Vec<Unit> {
    if units.iter().all(|u| u.c.is_ascii()) {
        return units;
    }
    let mut out = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        let rest = from(&units, at);
        let (chars, len) = mark(rest).or_else(|| swallowed(rest)).unwrap_or((vec![unit.c], 1));
        let end = bytes(until(rest, len)).end;
        out.extend(chars.into_iter().map(|c| Unit { c, start: unit.start, end }));
        at += len;
    }
    out
}

fn mark(units: &[Unit]) -> Option<(Vec<char>, usize)> {
    const LEN: usize = 3;
    let seen = || units.iter().take(LEN).map(|u| u.c);
    let (mark, _) = MISREAD.iter().find(|(_, forms)| forms.iter().any(|form| form.chars().eq(seen())))?;
    Some((vec![*mark], LEN))
}

fn swallowed(units: &[Unit]) -> Option<(Vec<char>, usize)> {
    let [first, second, ..] = units else { return None };
    let (_, letters) = SWALLOWED.iter().find(|(lead, _)| *lead == first.c)?;
    let (_, letter) = letters.iter().find(|(sign, _)| *sign == second.c)?;
    Some((vec!['’', *letter], 2))
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    #[test]
    fn marks_come_back_and_letters_with_them() {
        let mended = |text: &str| mend(units(text)).iter().map(|u| u.c).collect::<String>();
        for form in MISREAD.iter().flat_map(|(_, forms)| *forms) {
            assert_eq!(form.chars().count(), 3, "{form}");
        }
        for text in [
            "isnÔÇÖt",
            "isnтАЩt",
            "isnБ─≥t",
            "isnβ€™t",
            "isnג€™t",
            "isnā€™t",
            "isnโ€™t",
            "isn窶冲",
            "isn鈥檛",
        ] {
            assert_eq!(mended(text), "isn’t", "{text}");
        }
        assert_eq!(mended("Itβ€™s β€œfineβ€\u{9d}, I窶冦 sure"), "It’s “fine”, I’m sure");
        for text in ["β blockers, 5 €™", "так и ТАЩ", "窶 alone", "日本語", "ā€", "Ελλάδα €5"]
        {
            assert_eq!(mended(text), text);
        }
    }
}
