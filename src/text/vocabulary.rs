//! The vocabulary of a `tokenizer.json`, as Hugging Face writes it and in the short form of a bundle.
//!
//! Hugging Face writes an object of token and id. A bundle may have one string in its place: the tokens in the order of their ids, from
//! 0, with a space between them, which no WordPiece holds. That is a quarter of the size.
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

use ahash::AHashMap;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

use super::TextError;

/// Where a `tokenizer.json` has its vocabulary.
const PATH: &str = "/model/vocab";

/// Tokens and their ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vocabulary(pub AHashMap<String, u32>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = Vocabulary;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map from tokens to ids, or the tokens in one string")
    }

    fn visit_str<E: Error>(self, tokens: &str) -> Result<Vocabulary, E> {
        let mut vocabulary = AHashMap::new();
        for (token, id) in tokens.split(' ').zip(0..) {
            if vocabulary.insert(token.to_owned(), id).is_some() {
                return Err(E::custom(format!("the token {token:?} is there twice")));
            }
        }
        Ok(Vocabulary(vocabulary))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
        let mut vocabulary = AHashMap::new();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            vocabulary.insert(token, id);
        }
        Ok(Vocabulary(vocabulary))
    }
}

/// The short form of a `tokenizer.json`: the vocabulary as one string, without what no BERT needs. The same text where the
/// vocabulary cannot be written so: a token with a space, or ids that do not count from 0.
///
/// # Errors
/// [`TextError::Tokenizer`] when it is malformed.
pub fn shorten(json: &str) -> Result<String, TextError> {
    let (mut document, tokens) = read(json)?;
    let listed = tokens.iter().zip(0..).all(|((id, token), place)| *id == place && !token.contains(' '));
    if !listed {
        return Ok(json.to_owned());
    }
    let tokens: Vec<String> = tokens.into_iter().map(|(_, token)| token).collect();
    if let Some(vocabulary) = document.pointer_mut(PATH) {
        *vocabulary = tokens.join(" ").into();
    }
    if let Some(parts) = document.as_object_mut() {
        parts.retain(|part, _| !matches!(part.as_str(), "truncation" | "padding" | "decoder"));
    }
    Ok(document.to_string())
}

/// A `tokenizer.json` with the tokens that `keep` says, and those that are special. They are numbered anew, in the old order;
/// with it the old id of each.
///
/// # Errors
/// [`TextError::Tokenizer`] when it is malformed.
pub fn prune(json: &str, mut keep: impl FnMut(u32, &str) -> bool) -> Result<(String, Vec<u32>), TextError> {
    let (mut document, mut tokens) = read(json)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let added = document.pointer("/added_tokens").and_then(Value::as_array).into_iter().flatten();
    let mut special: Vec<String> = added.filter_map(|token| text(token.get("content")?)).collect();
    special.extend(document.pointer("/model/unk_token").and_then(text));
    tokens.retain(|(id, token)| special.contains(token) || keep(*id, token));
    let number = |token: &str| tokens.iter().position(|(_, kept)| kept == token);

    for token in document.pointer_mut("/added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        let new = token.get("content").and_then(Value::as_str).and_then(number);
        if let (Some(id), Some(new)) = (token.get_mut("id"), new) {
            *id = new.into();
        }
    }
    for end in ["/post_processor/cls", "/post_processor/sep"] {
        if let Some(Value::Array(pair)) = document.pointer_mut(end)
            && let [token, id] = pair.as_mut_slice()
            && let Some(new) = token.as_str().and_then(number)
        {
            *id = new.into();
        }
    }
    let named = document.pointer_mut("/post_processor/special_tokens").and_then(Value::as_object_mut);
    for (token, entry) in named.into_iter().flatten() {
        if let (Some(ids), Some(new)) = (entry.get_mut("ids"), number(token)) {
            *ids = serde_json::json!([new]);
        }
    }
    if let Some(vocabulary) = document.pointer_mut(PATH) {
        let numbered = tokens.iter().zip(0_u32..).map(|((_, token), id)| (token.clone(), Value::from(id)));
        *vocabulary = numbered.collect();
    }
    Ok((document.to_string(), tokens.into_iter().map(|(id, _)| id).collect()))
}

/// The document and its tokens in the order of their ids.
fn read(json: &str) -> Result<(Value, Vec<(u32, String)>), TextError> {
    let wrong = |error: serde_json::Error| TextError::Tokenizer(error.to_string());
    let document: Value = serde_json::from_str(json).map_err(wrong)?;
    let vocabulary =
        document.pointer(PATH).ok_or_else(|| TextError::Tokenizer("it has no vocabulary".into()))?;
    let Vocabulary(tokens) = Vocabulary::deserialize(vocabulary).map_err(wrong)?;
    let mut tokens: Vec<_> = tokens.into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    Ok((document, tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vocabulary, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn both_forms_are_the_same_vocabulary() {
        let long = parse(r#"{"[UNK]": 0, "so": 1, "ﬁ": 2}"#).unwrap();
        assert_eq!(parse(r#""[UNK] so ﬁ""#).unwrap(), long);
        for wrong in [r#""a b a""#, r#""a  b ""#, "7", r#"{"a": -1}"#, r#"{"a": "b"}"#, "[]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_short_form_leaves_out_what_is_not_read() {
        let long = r#"{"padding": {}, "decoder": {}, "normalizer": {"type": "N"},
            "model": {"type": "WordPiece", "vocab": {"b": 1, "a": 0}}}"#;
        let short: Value = serde_json::from_str(&shorten(long).unwrap()).unwrap();
        let expected =
            serde_json::json!({"normalizer": {"type": "N"}, "model": {"type": "WordPiece", "vocab": "a b"}});
        assert_eq!(short, expected);
        assert_eq!(shorten(&short.to_string()).unwrap(), short.to_string(), "it is short already");
        for odd in [r#"{"model": {"vocab": {"a": 1}}}"#, r#"{"model": {"vocab": {"a b": 0}}}"#] {
            assert_eq!(shorten(odd).unwrap(), odd);
        }
        assert!(shorten("{}").is_err() && shorten("").is_err());
    }

    #[test]
    fn kept_tokens_are_numbered_anew() {
        let json = r#"{"added_tokens": [{"id": 3, "content": "[CLS]"}],
            "post_processor": {"cls": ["[CLS]", 3], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [3]}}},
            "model": {"unk_token": "[UNK]", "vocab": {"a": 0, "b": 1, "[UNK]": 2, "[CLS]": 3, "c": 4}}}"#;
        let (pruned, old) = prune(json, |id, token| id == 1 || token == "c").unwrap();
        assert_eq!(old, [1, 2, 3, 4]);
        let pruned: Value = serde_json::from_str(&pruned).unwrap();
        let expected = serde_json::json!({"added_tokens": [{"id": 2, "content": "[CLS]"}],
            "post_processor": {"cls": ["[CLS]", 2], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2]}}},
            "model": {"unk_token": "[UNK]", "vocab": {"b": 0, "[UNK]": 1, "[CLS]": 2, "c": 3}}});
        assert_eq!(pruned, expected);
    }
}
