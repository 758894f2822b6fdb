//! The project's own posts: that their tables are whole, and that nothing of what is tested with stands in what is learned.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use mixed_feelings_native::data::{Table, duplicates::near_texts};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The columns of a table, row by row.
fn rows<const N: usize>(path: &str, columns: [&str; N]) -> Vec<[String; N]> {
    let table = Table::read(&root().join(path)).expect("a table");
    let columns = columns.map(|column| table.column(column).expect("the column"));
    table.rows().map(|row| columns.map(|column| row.get(column).to_owned())).collect()
}

const LEARNED: [&str; 2] = ["native/corpus/train.tsv", "native/corpus/phrases.tsv"];
const HELD_OUT: &str = "native/corpus/held_out.tsv";
const TEMPLATES: [&str; 2] = ["native/corpus/templates.tsv", "native/corpus/swaps.tsv"];
const SLOTS: &str = "native/corpus/slots.tsv";
const CHALLENGE: [&str; 3] =
    ["tests/challenge/texts.tsv", "tests/challenge/pairs.tsv", "tests/challenge/swaps.tsv"];
const COLUMNS: [&str; 4] = ["author", "category", "label", "text"];

#[test]
fn the_tables_are_whole() {
    let learned: Vec<_> = LEARNED.into_iter().flat_map(|table| rows(table, COLUMNS)).collect();
    let held_out = rows(HELD_OUT, COLUMNS);
    assert!(learned.len() >= 8000, "{} posts", learned.len());
    let mut seen = HashSet::new();
    for [author, _, label, text] in learned.iter().chain(&held_out) {
        assert!(["negative", "neutral", "positive"].contains(&label.as_str()), "{label}: {text}");
        assert!(!author.is_empty() && !text.trim().is_empty());
        assert!(seen.insert(text.trim()), "twice: {text}");
    }
    let authors =
        |rows: &[[String; 4]]| rows.iter().map(|[author, ..]| author.clone()).collect::<BTreeSet<_>>();
    let both: Vec<_> = authors(&learned).intersection(&authors(&held_out)).cloned().collect();
    assert!(both.is_empty(), "authors on both sides: {both:?}");
    let categories = |rows: &[[String; 4]]| {
        let mut counts = BTreeMap::<String, usize>::new();
        rows.iter().for_each(|[_, category, ..]| *counts.entry(category.clone()).or_default() += 1);
        counts
    };
    let (of_learned, of_held_out) = (categories(&learned), categories(&held_out));
    for (category, count) in &of_held_out {
        println!(
            "{category}: {} to learn, {count} held out",
            of_learned.get(category).copied().unwrap_or_default()
        );
        assert!(*count >= 20 && of_learned.contains_key(category), "{category}");
    }
}

/// The words of a text, without case and punctuation.
fn words(text: &str) -> Vec<String> {
    let word =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    text.split_whitespace().map(word).filter(|word: &String| !word.is_empty()).collect()
}

/// Templates can be told from what they are tested with before they are filled: none has four words in a row with a hard
/// post, and each can be filled.
#[test]
fn templates_are_whole_and_resemble_no_test() {
    let columns = ["category", "label", "text"];
    let templates: Vec<_> = TEMPLATES.into_iter().flat_map(|table| rows(table, columns)).collect();
    let mut values = BTreeMap::<String, BTreeSet<String>>::new();
    for [slot, value] in rows(SLOTS, ["slot", "value"]) {
        assert!(!value.trim().is_empty() && !value.contains(['{', '}']), "{slot}: `{value}`");
        assert!(values.entry(slot.clone()).or_default().insert(value.clone()), "{slot}: `{value}` twice");
    }
    let tests: HashSet<Vec<String>> = CHALLENGE
        .into_iter()
        .flat_map(|table| rows(table, ["text"]))
        .flat_map(|[text]| words(&text).windows(4).map(<[String]>::to_vec).collect::<Vec<_>>())
        .collect();
    let mut seen = HashSet::new();
    for [category, label, text] in &templates {
        assert!(["negative", "neutral", "positive"].contains(&label.as_str()), "{category}: {label}: {text}");
        assert!(seen.insert(text), "twice: {text}");
        let mut fixed = Vec::new();
        for (i, part) in text.split(['{', '}']).enumerate() {
            match i % 2 {
                0 => fixed.push(part),
                _ => assert!(values.contains_key(&part.to_lowercase()), "the slot `{part}` in: {text}"),
            }
        }
        for run in
            fixed.iter().flat_map(|part| words(part).windows(4).map(<[String]>::to_vec).collect::<Vec<_>>())
        {
            assert!(!tests.contains(&run), "{run:?} stands in a test too: {text}");
        }
    }
    println!("{} templates, {} slots", templates.len(), values.len());
}

#[test]
fn no_test_is_learned() {
    let learned: Vec<String> =
        LEARNED.into_iter().flat_map(|table| rows(table, ["text"])).flatten().collect();
    let mut tests: Vec<String> = rows(HELD_OUT, ["text"]).into_iter().flatten().collect();
    for table in CHALLENGE {
        tests.extend(rows(table, ["text"]).into_iter().flatten());
    }
    let folded = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let plain: HashSet<String> = learned.iter().map(|text| folded(text)).collect();
    for text in tests.iter().filter(|text| !folded(text).is_empty()) {
        assert!(!plain.contains(&folded(text)), "is learned: {text}");
    }
    let all: Vec<&str> = tests.iter().chain(&learned).map(String::as_str).collect();
    for group in near_texts(&all) {
        let (test, learned): (Vec<usize>, Vec<usize>) = group.iter().partition(|&&i| i < tests.len());
        assert!(
            test.is_empty() || learned.is_empty(),
            "near copies: {:?}",
            group.iter().map(|&i| all[i]).collect::<Vec<_>>()
        );
    }
}
