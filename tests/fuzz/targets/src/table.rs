//! The tables that the native program reads: texts, pairs, challenges, and posts as lines of JSON. The first byte says which.

use std::{fs, io::Write, path::Path, slice, sync::Mutex};

use mixed_feelings::{
    Analyzer, Labels,
    model::Architecture,
    testing::{random_bundle, tiny_config, tiny_tokenizer},
};
use mixed_feelings_native::{
    data::{PairColumns, Table, read_pairs, read_texts},
    predict::posts,
};

/// Writes the bytes to a file and reads it as the program does.
pub fn run(bytes: &[u8]) {
    let Some((&reader, bytes)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("table");
    fs::write(&path, bytes).expect("space for a file");
    if reader % 4 == 3 {
        return predicted(&path, bytes);
    }
    let labels = Labels::sentiment();
    let Ok((table, bad_rows)) = Table::read_leniently(&path) else { return };
    for row in table.rows() {
        for column in 0..table.header().len() {
            let _ = row.get(column);
        }
    }
    assert!(bad_rows.iter().all(|error| error.to_string().contains("line ")), "each says where");
    assert_eq!(Table::read(&path).is_ok(), bad_rows.is_empty());
    match reader % 4 {
        0 => drop(read_texts(&path, &labels)),
        1 => drop(read_pairs(&path, &labels)),
        _ => {
            if let Ok(columns) = PairColumns::of(&table, &labels) {
                table.rows().for_each(|row| drop(columns.read(&row)));
            }
        }
    }
}

/// One line out for each line in that is not blank.
fn predicted(path: &Path, bytes: &[u8]) {
    static ANALYZER: Mutex<Option<Analyzer>> = Mutex::new(None);
    let mut analyzer = ANALYZER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let analyzer = analyzer.get_or_insert_with(|| {
        let mut config = tiny_config();
        config.image.architecture = Architecture::MobilenetV3Small;
        let bytes = random_bundle(&config, &tiny_tokenizer(), 1).expect("a tiny model");
        Analyzer::from_bundle(bytes).expect("a tiny model")
    });
    let mut out = Vec::new();
    if posts::predict(path, slice::from_mut(analyzer), &mut out).is_ok() {
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        let answers: Vec<&[u8]> = out.split_inclusive(|&byte| byte == b'\n').collect();
        assert!(answers.len() <= lines, "{} answers to {lines} lines", answers.len());
        for answer in answers {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(answer).is_ok(), "an answer is JSON");
        }
    }
    out.flush().expect("memory");
}
