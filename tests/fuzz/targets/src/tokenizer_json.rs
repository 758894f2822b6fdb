//! A `tokenizer.json` from anyone, and texts that it then splits.

use mixed_feelings::text::Tokenizer;

use crate::TEXT;

const TEXTS: [&str; 4] = [
    TEXT,
    "",
    "Don’t [SEP] @Bob #SoGood &amp; 😂😂 ＦＵＬＬ 中文 é e\u{301}",
    "[CLS] a\u{0}b \u{200d} ##b [MASK]",
];

/// Reads the bytes as a tokenizer.
pub fn run(bytes: &[u8]) {
    for (max_tokens, preparation) in [(2, 1), (3, 1), (16, 2), (16, 3)] {
        let tokenizer = match Tokenizer::from_json(bytes, max_tokens, preparation) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let fits = |size: usize| tokenizer.check_vocab(size).is_ok();
        for text in TEXTS {
            let Ok(encoding) = tokenizer.encode(text) else { continue };
            assert!((2..=max_tokens).contains(&encoding.ids.len()), "{} tokens", encoding.ids.len());
            assert_eq!(encoding.ids.len(), encoding.words.len());
            let largest = encoding.ids.iter().copied().max().unwrap_or_default() as usize;
            assert!(!fits(largest), "an id beyond the vocabulary that was checked");
            for word in encoding.words_of(text) {
                assert!(text.get(word.bytes.clone()).is_some(), "a word cuts a character");
                assert!(word.start <= word.end && word.end <= text.encode_utf16().count());
            }
            let _ = tokenizer.encode_clean(text);
        }
    }
}
