//! From a text to WordPiece ids: limit, clean-up, tokenization, truncation, and the way back to the text's words.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{
    AddedToken, Model as _, TokenizerImpl,
    decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::wordpiece::{WordPiece, WordPieceBuilder},
    normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
    processors::bert::BertProcessing,
};

use super::{Cleaned, Preparation, TextError, vocabulary::Vocabulary};

/// The longest text that is read, in bytes. No post is longer; what is beyond `max_tokens` would not be read anyway.
pub const MAX_TEXT_BYTES: usize = 100_000;

/// Longer words are one unknown token; BERT's own limit is 100. WordPiece takes quadratic time below it.
const MAX_WORD: usize = 1000;

/// A BERT's parts; those behind the model are never set.
type Inner = TokenizerImpl<WordPiece, BertNormalizer, BertPreTokenizer, BertProcessing, WordPieceDecoder>;

/// A BERT's tokenizer, as its `tokenizer.json` describes it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    cls: u32,
    sep: u32,
    largest: u32,
    /// By id, where they are others than the ids: see [`Vocabulary`].
    ranks: Vec<u32>,
    max_tokens: usize,
    preparation: Preparation,
}

impl Tokenizer {
    /// Reads a Hugging Face `tokenizer.json`, or the [short form](super::shorten) of one, for texts that are prepared as the
    /// version `preparation` of the text preparation says. The file's own truncation and padding are ignored: a text is read up
    /// to `max_tokens` tokens, `[CLS]` and `[SEP]` included, and never padded.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when it is malformed or is not BERT's kind: BERT normalizer and pre-tokenizer,
    /// WordPiece, `[CLS]` in front and `[SEP]` at the end. [`TextError::Preparation`] when the version is unknown.
    pub fn from_json(json: impl AsRef<[u8]>, max_tokens: usize, preparation: u32) -> Result<Self, TextError> {
        let preparation = Preparation::of(preparation)?;
        let refuse = |reason: &str| Err(TextError::Tokenizer(reason.into()));
        if max_tokens < 3 {
            return refuse("max_tokens must leave room for a token between [CLS] and [SEP]");
        }
        let wrong = |error: &dyn std::fmt::Display| TextError::Tokenizer(error.to_string());
        let document: Document = serde_json::from_slice(json.as_ref()).map_err(|e| wrong(&e))?;
        let is = |part: &Value, kind: &str| part.get("type").and_then(Value::as_str) == Some(kind);
        if document.model.max_input_chars_per_word > MAX_WORD {
            return refuse("max_input_chars_per_word is above 1000");
        }
        if document.model.kind.as_deref().is_some_and(|kind| kind != "WordPiece") {
            return refuse("the model must be a WordPiece");
        }
        if !is(&document.normalizer, "BertNormalizer") || !is(&document.pre_tokenizer, "BertPreTokenizer") {
            return refuse("the normalizer and pre-tokenizer must be BERT's");
        }
        if !document.is_framed() {
            return refuse("the post-processor must put [CLS] in front and [SEP] at the end");
        }
        let Document { added_tokens, normalizer, model, .. } = document;
        let (model, ranks) = model.build().map_err(|e| wrong(&e))?;
        if model.token_to_id(&model.unk_token).is_none() {
            return refuse("the vocabulary has no token for unknown words");
        }
        let (Some(cls), Some(sep)) = (model.token_to_id("[CLS]"), model.token_to_id("[SEP]")) else {
            return refuse("[CLS] or [SEP] is missing from the vocabulary");
        };
        let normalizer: BertNormalizer = serde_json::from_value(normalizer).map_err(|e| wrong(&e))?;
        let mut inner = Inner::new(model);
        inner.with_normalizer(Some(normalizer)).map_err(|e| wrong(&e))?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.add_tokens(added_tokens).map_err(|e| wrong(&e))?;
        // A post that says "[SEP]" means these five characters, not the token.
        inner.set_encode_special_tokens(true);
        let added = inner.get_added_tokens_decoder();
        let largest = inner.get_vocab(false).into_values().chain(added.into_keys()).max().unwrap_or(0);
        Ok(Tokenizer { inner, cls, sep, largest, ranks, max_tokens, preparation })
    }

    /// Checks that an encoder with `vocab_size` embeddings has one for each token.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when there are tokens beyond them.
    pub fn check_vocab(&self, vocab_size: usize) -> Result<(), TextError> {
        if (self.largest as usize) < vocab_size {
            return Ok(());
        }
        Err(TextError::Tokenizer(format!(
            "token {} has no embedding: the text encoder's vocab_size is {vocab_size}",
            self.largest
        )))
    }

    /// The most tokens that [`encode`](Self::encode) returns.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Prepares a text, as [`encode`](Self::encode) does first.
    pub fn clean(&self, text: &str) -> Cleaned {
        self.preparation.clean(text, &|word| self.rank(word))
    }

    /// The place of a word in the vocabulary as it was before words were left out.
    fn rank(&self, word: &str) -> Option<u32> {
        let id = self.inner.token_to_id(word)?;
        Some(self.ranks.get(id as usize).copied().unwrap_or(id))
    }

    /// Cleans a text, splits it into WordPieces and cuts it off at `max_tokens`.
    ///
    /// # Errors
    /// [`TextError::TooLong`] above [`MAX_TEXT_BYTES`].
    pub fn encode(&self, text: &str) -> Result<Encoding, TextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLong { bytes: text.len(), limit: MAX_TEXT_BYTES });
        }
        let cleaned = self.clean(text);
        let encoded = self.run(&cleaned.text)?;
        let read = encoded.len().min(self.max_tokens.saturating_sub(2));
        let offsets = encoded.get_offsets().iter().take(read);
        let original = offsets.map(|&(start, end)| Some(cleaned.original(start..end)));
        Ok(Encoding {
            ids: self.framed(encoded.get_ids().get(..read).unwrap_or_default()),
            words: std::iter::once(None).chain(original).chain([None]).collect(),
            truncated: read < encoded.len(),
        })
    }

    /// The ids of a text that is already clean, however many there are: what Hugging Face's tokenizer gives when it is
    /// told to split special tokens.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the tokenizer fails.
    pub fn encode_clean(&self, cleaned: &str) -> Result<Vec<u32>, TextError> {
        Ok(self.framed(self.run(cleaned)?.get_ids()))
    }

    fn run(&self, cleaned: &str) -> Result<tokenizers::Encoding, TextError> {
        self.inner.encode(cleaned, false).map_err(|e| TextError::Tokenizer(e.to_string()))
    }

    fn framed(&self, ids: &[u32]) -> Vec<u32> {
        [&[self.cls], ids, &[self.sep]].concat()
    }
}

/// The parts of a `tokenizer.json` that a BERT has. They are read here, and the tokenizer is put together from them: the
/// tokenizers crate's own reader panics on malformed parts, also on those that no BERT needs.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Pieces,
}

/// A WordPiece model.
#[derive(Deserialize)]
struct Pieces {
    #[serde(rename = "type")]
    kind: Option<String>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: Vocabulary,
}

impl Pieces {
    /// The model, and the ranks of its tokens.
    fn build(self) -> tokenizers::Result<(WordPiece, Vec<u32>)> {
        let Vocabulary { ids, ranks } = self.vocab;
        let builder = WordPieceBuilder::new()
            .vocab(ids)
            .unk_token(self.unk_token)
            .continuing_subword_prefix(self.continuing_subword_prefix)
            .max_input_chars_per_word(self.max_input_chars_per_word);
        Ok((builder.build()?, ranks))
    }
}

impl Document {
    /// Whether `[CLS]`, the text and `[SEP]` is what becomes of a text.
    fn is_framed(&self) -> bool {
        let at = |path: &str| self.post_processor.pointer(path).and_then(Value::as_str);
        match at("/type") {
            Some("BertProcessing") => at("/cls/0") == Some("[CLS]") && at("/sep/0") == Some("[SEP]"),
            Some("TemplateProcessing") => {
                at("/single/0/SpecialToken/id") == Some("[CLS]")
                    && at("/single/1/Sequence/id") == Some("A")
                    && at("/single/2/SpecialToken/id") == Some("[SEP]")
                    && self.post_processor.pointer("/single/3").is_none()
            }
            _ => false,
        }
    }
}

/// A text as the text encoder reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// WordPiece ids, `[CLS]` first, `[SEP]` last.
    pub ids: Vec<u32>,
    /// For each token the bytes of the original text that it came from; `None` for `[CLS]` and `[SEP]`.
    pub words: Vec<Option<Range<usize>>>,
    /// Whether the text had more tokens than are read.
    pub truncated: bool,
}

/// A word of the original text and the tokens that it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Indices into [`Encoding::ids`].
    pub tokens: Range<usize>,
    /// Bytes of the original text.
    pub bytes: Range<usize>,
    /// Where it starts in the original text, in UTF-16 code units.
    pub start: usize,
    /// Where it ends, exclusive, in UTF-16 code units.
    pub end: usize,
}

impl Encoding {
    /// Whether there is nothing to read: the text was empty, white space, or what the clean-up drops.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(Option::is_none)
    }

    /// The tokens put together to the words of `original`, the text that was encoded. A word ends at white space; an
    /// emoji or a group of punctuation marks is a word of its own.
    pub fn words_of(&self, original: &str) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        for (token, bytes) in self.words.iter().enumerate() {
            let Some(bytes) = bytes else { continue };
            match words.last_mut() {
                Some(word) if word.tokens.end == token && joined(original, &word.bytes, bytes) => {
                    word.tokens.end = token + 1;
                    word.bytes.end = word.bytes.end.max(bytes.end);
                }
                _ => words.push(Word { tokens: token..token + 1, bytes: bytes.clone(), start: 0, end: 0 }),
            }
        }
        let (mut byte, mut unit) = (0, 0);
        let mut utf16 = |to: usize| {
            unit += original.get(byte..to).map_or(0, |s| s.encode_utf16().count());
            byte = byte.max(to);
            unit
        };
        for word in &mut words {
            word.start = utf16(word.bytes.start);
            word.end = utf16(word.bytes.end);
        }
        words
    }
}

/// Whether a token from `next` goes on with the word at `word`.
fn joined(original: &str, word: &Range<usize>, next: &Range<usize>) -> bool {
    if next.start < word.end {
        return true;
    }
    let last = original.get(word.clone()).and_then(|s| s.chars().next_back());
    let first = original.get(next.clone()).and_then(|s| s.chars().next());
    let (Some(last), Some(first)) = (last, first) else { return false };
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-' | '_' | '#' | '@' | '&');
    let marks = last.is_ascii_punctuation() && first.is_ascii_punctuation();
    let starts_tag = matches!(first, '#' | '@');
    next.start == word.end && !starts_tag && (in_word(last) && in_word(first) || marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A BERT's `tokenizer.json` with a handful of words.
    fn small(max_tokens: usize) -> Tokenizer {
        Tokenizer::from_json(small_json().to_string(), max_tokens, 1).unwrap()
    }

    fn small_json() -> serde_json::Value {
        let words = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "so", "##o", "good", "face", "with", "tears", "of", "joy",
            "!", "@", "user", "don", "'", "t", "[", "]", "sep",
        ];
        let vocab: serde_json::Map<_, _> =
            words.iter().enumerate().map(|(i, w)| ((*w).into(), i.into())).collect();
        let special = |id: u32, content: &str| {
            serde_json::json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false})
        };
        serde_json::json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocab},
        })
    }

    fn words(tokenizer: &Tokenizer, text: &str) -> Vec<(String, usize, usize)> {
        let words = tokenizer.encode(text).unwrap().words_of(text);
        words.into_iter().map(|w| (text[w.bytes].to_owned(), w.start, w.end)).collect()
    }

    #[test]
    fn ids_without_the_padding_and_truncation_of_the_file() {
        let encoding = small(16).encode("So good, GOOD! Soooo").unwrap();
        assert_eq!(encoding.ids, [2, 4, 6, 1, 6, 12, 4, 5, 3]);
        assert!(!encoding.truncated && !encoding.is_empty());
        assert_eq!(encoding.words[7], Some(17..20), "the piece ##o stands for all that was shortened");
    }

    #[test]
    fn truncation_keeps_the_last_sep_and_says_so() {
        let encoding = small(5).encode("so good so good").unwrap();
        assert_eq!((encoding.ids.as_slice(), encoding.truncated), ([2, 4, 6, 4, 3].as_slice(), true));
        assert_eq!(encoding.words.len(), 5);
        let fits = small(6).encode("so good so good").unwrap();
        assert_eq!((fits.ids.len(), fits.truncated), (6, false));
    }

    #[test]
    fn nothing_to_read_is_empty() {
        for text in ["", "  \n", "\u{200b}\u{fe0f}"] {
            let encoding = small(8).encode(text).unwrap();
            assert_eq!((encoding.ids.as_slice(), encoding.is_empty()), ([2, 3].as_slice(), true), "{text:?}");
        }
    }

    #[test]
    fn special_tokens_in_a_text_are_ordinary_words() {
        assert_eq!(small(16).encode("[SEP]").unwrap().ids, [2, 18, 20, 19, 3]);
    }

    #[test]
    fn words_are_those_of_the_original() {
        let expected = [("Don’t", 0, 5), ("😂", 5, 7), ("@Bob", 8, 12), ("good", 13, 17), ("!!!!!", 17, 22)];
        let expected = expected.map(|(w, start, end)| (w.to_owned(), start, end));
        assert_eq!(words(&small(32), "Don’t😂 @Bob good!!!!!"), expected);
        assert_eq!(words(&small(32), "so #SoGood"), [("so".into(), 0, 2), ("#SoGood".into(), 3, 10)]);
    }

    #[test]
    fn too_long_is_an_error_and_the_next_call_works() {
        let tokenizer = small(8);
        let long = "a ".repeat(MAX_TEXT_BYTES);
        assert!(matches!(tokenizer.encode(&long), Err(TextError::TooLong { bytes: 200_000, .. })));
        assert!(tokenizer.encode(&long[..MAX_TEXT_BYTES]).unwrap().truncated);
    }

    #[test]
    fn other_tokenizers_are_refused() {
        let refused = |path: &str, value: serde_json::Value| {
            let mut json = small_json();
            *json.pointer_mut(path).unwrap() = value;
            let error = Tokenizer::from_json(json.to_string(), 8, 1).unwrap_err();
            assert_eq!(error.code(), "bad-tokenizer", "{path}");
        };
        refused("/normalizer", serde_json::Value::Null);
        refused("/pre_tokenizer", serde_json::json!({"type": "Whitespace"}));
        refused("/post_processor", serde_json::Value::Null);
        refused("/post_processor/cls", serde_json::json!(["[PAD]", 0]));
        refused(
            "/model",
            serde_json::json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 1}}),
        );
        refused(
            "/post_processor",
            serde_json::json!({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
            "single": [{"Sequence": {"id": "B", "type_id": 0}}]}),
        );
        refused("/model/max_input_chars_per_word", 100_000.into());
        refused("/model/unk_token", "[NONE]".into());
        refused("/model/vocab", serde_json::json!({"so": 0}));
        // What no BERT needs is not looked at: the tokenizers crate panics on these.
        let mut json = small_json();
        json["decoder"] = serde_json::json!({"type": "WordPiece", "prefix": 7});
        json["truncation"] = serde_json::json!({"direction": "Up"});
        assert!(Tokenizer::from_json(json.to_string(), 8, 1).is_ok());
        for json in ["", "{}", "[1]", "\u{0}"] {
            assert!(Tokenizer::from_json(json, 8, 1).is_err(), "{json:?}");
        }
        assert!(Tokenizer::from_json(small_json().to_string(), 2, 1).is_err());
    }

    #[test]
    fn each_token_needs_an_embedding() {
        assert!(small(8).check_vocab(21).is_ok());
        assert!(small(8).check_vocab(20).is_err());
    }
}
