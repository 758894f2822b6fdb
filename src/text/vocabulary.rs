//! The vocabulary of a `tokenizer.json`, as Hugging Face writes it and in the short form of a bundle.
//!
//! Hugging Face writes an object of token and id. A bundle may have one string in its place: the tokens in the order of their ids, from
//! 0, with a space between them, which no WordPiece holds. That is a quarter of the size. Where a token was left out ([`prune`]), its
//! place is empty: two spaces follow each other. It has no id, but those behind it keep their rank, which the text preparation goes by.
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

/// Tokens, their ids, and their places in the vocabulary that it was before tokens were left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Vocabulary {
    pub ids: AHashMap<String, u32>,
    /// By id; none where nothing was left out, so that id and rank are the same.
    pub ranks: Vec<u32>,
}

impl Vocabulary {
    /// The tokens by their rank, with an empty one where one was left out; `None` if they cannot be listed so: a token with a space,
    /// or ids that do not count from 0.
    fn listed(self) -> Option<Vec<String>> {
        let rank = |id: u32| self.ranks.get(id as usize).copied().unwrap_or(id);
        let places =
            self.ids.values().map(|&id| rank(id) as usize).max().map_or(0, |last| last.saturating_add(1));
        if self.ranks.is_empty() && places != self.ids.len() {
            return None;
        }
        let mut listed = vec![String::new(); places];
        for (token, &id) in &self.ids {
            let place = listed.get_mut(rank(id) as usize)?;
            if token.is_empty() || token.contains(' ') || !place.is_empty() {
                return None;
            }
            place.clone_from(token);
        }
        Some(listed)
    }
}

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
        let mut vocabulary = Vocabulary::default();
        let there = tokens.split(' ').zip(0..).filter(|(token, _)| !token.is_empty());
        for ((token, rank), id) in there.zip(0..) {
            if vocabulary.ids.insert(token.to_owned(), id).is_some() {
                return Err(E::custom(format!("the token {token:?} is there twice")));
            }
            vocabulary.ranks.push(rank);
        }
        if vocabulary.ranks.iter().zip(0..).all(|(&rank, id)| rank == id) {
            vocabulary.ranks.clear();
        }
        Ok(vocabulary)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
        let mut vocabulary = Vocabulary::default();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            vocabulary.ids.insert(token, id);
        }
        Ok(vocabulary)
    }
}

/// The short form of a `tokenizer.json`: the vocabulary as one string, without what no BERT needs. The same text where the
/// vocabulary cannot be written so: a token with a space, or ids that do not count from 0.
///
/// # Errors
/// [`TextError::Tokenizer`] when it is malformed.
pub fn shorten(json: &str) -> Result<String, TextError> {
    let (mut document, vocabulary) = read(json)?;
    let Some(tokens) = vocabulary.listed() else { return Ok(json.to_owned()) };
    if let Some(vocabulary) = document.pointer_mut(PATH) {
        *vocabulary = tokens.join(" ").into();
    }
    if let Some(parts) = document.as_object_mut() {
        parts.retain(|part, _| !matches!(part.as_str(), "truncation" | "padding" | "decoder"));
    }
    Ok(document.to_string())
}

/// A `tokenizer.json` with the tokens that `keep` says, and those that are special, its vocabulary in the short form. They are numbered
/// anew, in the old order; with it the old id of each.
///
/// # Errors
/// [`TextError::Tokenizer`] when it is malformed or its vocabulary has no short form.
pub fn prune(json: &str, mut keep: impl FnMut(u32, &str) -> bool) -> Result<(String, Vec<u32>), TextError> {
    let (mut document, vocabulary) = read(json)?;
    let listed = vocabulary.listed();
    let mut tokens = listed.ok_or_else(|| TextError::Tokenizer("its ids do not count from 0".into()))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let added = document.pointer("/added_tokens").and_then(Value::as_array).into_iter().flatten();
    let mut special: Vec<String> = added.filter_map(|token| text(token.get("content")?)).collect();
    special.extend(document.pointer("/model/unk_token").and_then(text));

    let mut kept = Vec::new();
    for (token, id) in tokens.iter_mut().filter(|token| !token.is_empty()).zip(0..) {
        if special.contains(token) || keep(id, token) {
            kept.push(id);
        } else {
            token.clear();
        }
    }
    let last = tokens.iter().rposition(|token| !token.is_empty());
    tokens.truncate(last.map_or(0, |last| last.saturating_add(1)));
    let left = || tokens.iter().filter(|token| !token.is_empty());
    let number = |token: &str| left().position(|kept| kept == token);

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
        *vocabulary = tokens.join(" ").into();
    }
    Ok((document.to_string(), kept))
}

/// The document and its vocabulary.
fn read(json: &str) -> Result<(Value, Vocabulary), TextError> {
    let wrong = |error: serde_json::Error| TextError::Tokenizer(error.to_string());
    let document: Value = serde_json::from_str(json).map_err(wrong)?;
    let vocabulary =
        document.pointer(PATH).ok_or_else(|| TextError::Tokenizer("it has no vocabulary".into()))?;
    let vocabulary = Vocabulary::deserialize(vocabulary).map_err(wrong)?;
    Ok((document, vocabulary))
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
        assert_eq!(parse(r#""""#).unwrap(), Vocabulary::default());
        for wrong in [r#""a b a""#, r#""a  a""#, "7", r#"{"a": -1}"#, r#"{"a": "b"}"#, "[]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_left_out_leaves_the_ranks_as_they_were() {
        let holes = parse(r#""  [UNK] so   ﬁ""#).unwrap();
        let ids: AHashMap<_, _> =
            [("[UNK]", 0), ("so", 1), ("ﬁ", 2)].map(|(t, id)| (t.to_owned(), id)).into();
        assert_eq!(holes, Vocabulary { ids, ranks: vec![2, 3, 6] });
        assert_eq!(holes.listed().unwrap().join(" "), "  [UNK] so   ﬁ");
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
        let vocab = |vocab: &str| format!(r#"{{"model":{{"vocab":{vocab}}}}}"#);
        assert_eq!(shorten(&vocab(r#""  a  b""#)).unwrap(), vocab(r#""  a  b""#), "and so is a pruned one");
        for odd in
            [r#"{"a": 1}"#, r#"{"a b": 0}"#, r#"{"": 0}"#, r#"{"a": 0, "b": 0}"#, r#"{"a": 4294967295}"#]
        {
            assert_eq!(shorten(&vocab(odd)).unwrap(), vocab(odd));
            assert!(prune(&vocab(odd), |_, _| true).is_err(), "{odd}");
        }
        assert!(shorten("{}").is_err() && shorten("").is_err());
    }

    #[test]
    fn kept_tokens_are_numbered_anew() {
        let json = r#"{"added_tokens": [{"id": 3, "content": "[CLS]"}],
            "post_processor": {"cls": ["[CLS]", 3], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [3]}}},
            "model": {"unk_token": "[UNK]", "vocab": {"a": 0, "b": 1, "[UNK]": 2, "[CLS]": 3, "c": 4, "d": 5}}}"#;
        let (pruned, old) = prune(json, |id, token| id == 1 || token == "c").unwrap();
        assert_eq!(old, [1, 2, 3, 4]);
        let document: Value = serde_json::from_str(&pruned).unwrap();
        let expected = serde_json::json!({"added_tokens": [{"id": 2, "content": "[CLS]"}],
            "post_processor": {"cls": ["[CLS]", 2], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2]}}},
            "model": {"unk_token": "[UNK]", "vocab": " b [UNK] [CLS] c"}});
        assert_eq!(document, expected);

        let (again, old) = prune(&pruned, |id, _| id == 3).unwrap();
        assert_eq!(old, [1, 2, 3]);
        let document: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(document.pointer(PATH).unwrap(), "  [UNK] [CLS] c");
    }
}
