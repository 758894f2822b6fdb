//! The table of letters in disguise (`src/text/second/data/letters.tsv`) says what the kept data says: Unicode's compatibility
//! decompositions (crate `unicode-normalization`), Unicode's confusables (`unicode-security`), and the plain letters of
//! phonetic ones and small capitals (`any_ascii`). The library holds the table alone, so that a page does not load the
//! crates. `UPDATE_LETTERS=1 cargo test --test letters` writes it anew.

use std::{collections::BTreeMap, fs, path::Path};

use any_ascii::any_ascii_char;
use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};
use unicode_security::skeleton;

/// Where letters of the Latin script stand that are no language's own: phonetic ones, small capitals, and letters in
/// circles and squares, some of which have no decomposition.
const PHONETIC: [std::ops::RangeInclusive<char>; 8] = [
    '\u{250}'..='\u{2af}',
    '\u{1d00}'..='\u{1dbf}',
    '\u{2c60}'..='\u{2c7f}',
    '\u{a726}'..='\u{a7ff}',
    '\u{ab30}'..='\u{ab6f}',
    '\u{1f150}'..='\u{1f169}',
    '\u{1f170}'..='\u{1f189}',
    '\u{1f1e6}'..='\u{1f1ff}',
];

fn is_letter(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// What is written for `c` whatever stands around it.
fn plain(c: char) -> Option<String> {
    let canonical: String = c.nfd().collect();
    let compatible: String = c.nfkc().collect();
    if c.nfkd().eq(canonical.chars()) {
        let ascii = any_ascii_char(c);
        return (PHONETIC.iter().any(|range| range.contains(&c)) && is_letter(ascii))
            .then(|| ascii.to_owned());
    }
    let inner = compatible.strip_prefix('(').and_then(|s| s.strip_suffix(')'));
    let plain = inner.filter(|inner| is_letter(inner)).unwrap_or(&compatible).to_owned();
    let marks = plain.is_ascii() && !plain.contains(|c: char| c.is_alphabetic()) && !plain.contains("..");
    let ligature = ('\u{fb00}'..='\u{fb06}').contains(&c);
    let kept = (plain.chars().count() == 1 || marks || ligature) && !plain.contains(char::is_whitespace);
    // A raised small capital is a small capital, which is a letter.
    let mut chars = plain.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) if kept && !one.is_ascii() => Some(self::plain(one).unwrap_or(plain)),
        _ => kept.then_some(plain),
    }
}

/// The Latin letter or the apostrophe that `c`, of another script, looks like.
fn look_alike(c: char) -> Option<String> {
    let looks: String = skeleton(c.encode_utf8(&mut [0; 4])).collect();
    if looks == "'" && !c.is_ascii() {
        return Some(looks);
    }
    if c.is_ascii() || !c.is_alphabetic() || c.script() == Script::Latin {
        return None;
    }
    let one =
        |l: char| if l.script() == Script::Latin { any_ascii_char(l).to_owned() } else { l.to_string() };
    let looks: String = looks.chars().map(one).collect();
    // The data has one form for I, l and 1.
    let looks = if looks == "l" && c.is_uppercase() { "I".to_owned() } else { looks };
    is_letter(&looks).then_some(looks)
}

#[test]
fn the_table_is_that_of_the_kept_data() -> std::io::Result<()> {
    let mut table: BTreeMap<String, (String, String)> = BTreeMap::new();
    for c in '\u{80}'..=char::MAX {
        if let Some(plain) = plain(c) {
            table.entry(plain).or_default().0.push(c);
        } else if let Some(letter) = look_alike(c) {
            table.entry(letter).or_default().1.push(c);
        }
    }
    let lines = table.iter().map(|(plain, (styles, looks))| format!("{plain}\t{styles}\t{looks}\n"));
    let text: String = lines.collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/text/second/data/letters.tsv");
    if std::env::var_os("UPDATE_LETTERS").is_some() {
        fs::write(&file, &text)?;
    }
    assert!(
        fs::read_to_string(&file)? == text,
        "the table is not the crates': UPDATE_LETTERS=1 writes it anew"
    );
    Ok(())
}
