//! The clean-up and the tokenizer on any text: a word is always a part of the text as it was written.

use std::sync::LazyLock;

use mixed_feelings::{model::TEXT_PREPARATION, testing::tiny_tokenizer, text::Tokenizer};

/// One for each version of the preparation.
static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let versions = 1..=TEXT_PREPARATION;
    let of =
        |version| Tokenizer::from_json(tiny_tokenizer(), 32, version).expect("the tokenizer of the tests");
    versions.map(of).collect()
});

/// The bytes as a text, what is not UTF-8 replaced.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    TOKENIZERS.iter().for_each(|tokenizer| read(tokenizer, &text));
}

fn read(tokenizer: &Tokenizer, text: &str) {
    let cleaned = tokenizer.clean(text);
    assert_eq!(tokenizer.clean(text), cleaned, "the same text is cleaned alike");
    let mut last = 0;
    for (at, c) in cleaned.text.char_indices() {
        let original = cleaned.original(at..at + c.len_utf8());
        assert!(text.get(original.clone()).is_some(), "{original:?} is no part of {text:?}");
        assert!(original.start >= last, "parts are in their order");
        last = original.start;
    }
    let encoding = match tokenizer.encode(text) {
        Ok(encoding) => encoding,
        Err(error) => return assert_eq!(error.code(), "text-too-long"),
    };
    assert_eq!(encoding.ids.len(), encoding.words.len());
    assert!((2..=32).contains(&encoding.ids.len()));
    let (mut end, mut tokens) = (0, 0);
    for word in encoding.words_of(text) {
        assert!(text.get(word.bytes.clone()).is_some_and(|word| !word.is_empty()), "{word:?} of {text:?}");
        assert!(word.tokens.start >= tokens && word.tokens.end > word.tokens.start);
        let before = text[..word.bytes.start].encode_utf16().count();
        assert_eq!(word.start, before, "{word:?} of {text:?}");
        assert!(word.end > word.start && word.start >= end, "{word:?} of {text:?}");
        (end, tokens) = (word.end, word.tokens.end);
    }
}
