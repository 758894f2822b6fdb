//! A profile from anyone: read, and if it is one, learned by a model. What is accepted must answer, and be written as it was read.

use std::sync::OnceLock;

use mixed_feelings::{
    Analyzer, Post,
    fusion::profile::Profile,
    testing::{random_bundle, tiny_config, tiny_tokenizer},
};

use crate::{TEXT, check};

/// Tries `bytes`, once as they are and once with the checksum that they ought to have.
pub fn run(bytes: &[u8]) {
    read(bytes);
    let Some((content, _)) = bytes.split_last_chunk::<4>() else { return };
    let sum = crc32fast::hash(content);
    read(&[content, &sum.to_le_bytes()].concat());
}

fn read(bytes: &[u8]) {
    let profile = match Profile::from_bytes(bytes) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Profile::from_bytes(&profile.to_bytes()).as_ref(), Ok(&profile));
    let mut analyzer = analyzer();
    let post = Post { text: Some(TEXT), ..Post::default() };
    let shipped = analyzer.analyze(post).ok();
    if analyzer.set_profile(profile).is_ok() {
        check(analyzer.analyze(post));
        analyzer.forget();
    }
    assert_eq!(analyzer.analyze(post).ok(), shipped);
}

fn analyzer() -> Analyzer {
    static SHARED: OnceLock<Analyzer> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let bundle = random_bundle(&tiny_config(), &tiny_tokenizer(), 7).expect("a tiny model");
            Analyzer::from_bundle(bundle).expect("a tiny model")
        })
        .clone()
}
