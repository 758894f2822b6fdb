//! The tokenizer against Hugging Face's, on real vocabulary. `tests/parity/tokenizer.py` wrote what is expected.

use mixed_feelings::text::{MAX_TEXT_BYTES, Tokenizer};

const EXPECTED: &str = include_str!("parity/tokenizer.json");
/// The pretrained tokenizer of bert-base-uncased and MiniLM (Apache-2.0), whole, in the short form of a bundle.
const MINILM: &str = include_str!("parity/minilm.json");

fn minilm(max_tokens: usize) -> Tokenizer {
    Tokenizer::from_json(MINILM, max_tokens, 1).expect("a BERT tokenizer")
}

#[test]
fn same_ids_as_hugging_face() {
    let tokenizer = minilm(128);
    let expected: serde_json::Value = serde_json::from_str(EXPECTED).expect("JSON");
    let rows = expected["rows"].as_array().expect("rows");
    assert!(rows.len() >= 45);
    for row in rows {
        let text = row["text"].as_str().expect("a text");
        let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).expect("ids");
        assert_eq!(
            tokenizer.encode_clean(text).expect("ids"),
            ids,
            "{:.60}",
            text.escape_debug().to_string()
        );
    }
}

#[test]
fn nasty_strings_survive_the_whole_way() {
    let tokenizer = minilm(64);
    tokenizer.check_vocab(30_522).expect("MiniLM has an embedding for each token");
    let expected: serde_json::Value = serde_json::from_str(EXPECTED).expect("JSON");
    for row in expected["rows"].as_array().expect("rows") {
        let text = row["text"].as_str().expect("a text");
        let encoding = tokenizer.encode(text).expect("an encoding");
        assert!(encoding.ids.len() <= 64 && encoding.ids.len() == encoding.words.len());
        assert_eq!((encoding.ids.first(), encoding.ids.last()), (Some(&101), Some(&102)));
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let mut last = 0;
        for word in encoding.words_of(text) {
            assert!(word.start >= last && word.start < word.end && word.end <= utf16.len(), "{word:?}");
            let in_utf16 = String::from_utf16(&utf16[word.start..word.end]).expect("on character boundaries");
            assert_eq!(in_utf16, text[word.bytes.clone()]);
            last = word.start;
        }
    }
}

#[test]
fn emoji_are_read_as_words() {
    let tokenizer = minilm(64);
    let ids = |text: &str| tokenizer.encode(text).expect("an encoding").ids;
    assert_eq!(ids("so funny 😂"), ids("so funny face with tears of joy"));
    assert_eq!(ids("RT @ann: #SoGood 👍🏿 http://t.co/x"), ids("#so good thumbs up www.example.com"));
    let unknown = 100;
    for emoji in ["😂", "❤️", "👩🏽‍🚀", "🇫🇷", "3️⃣", "🫠", "♡", ":)"] {
        assert!(!ids(emoji).contains(&unknown), "{emoji}");
    }
}

#[test]
fn the_longest_text_is_read_and_a_longer_one_refused() {
    let tokenizer = minilm(128);
    for part in ["a", "a ", "😂🚀", "漢", "#AbC", "@a ", "http://a ", "!?", "\u{200d}"] {
        let text = part.repeat(MAX_TEXT_BYTES / part.len());
        let encoding = tokenizer.encode(&text).expect("an encoding");
        assert!(encoding.ids.len() <= 128, "{part}");
    }
    let error = tokenizer.encode(&"a".repeat(10 << 20)).expect_err("10 MB are refused");
    assert_eq!(error.code(), "text-too-long");
    assert_eq!(tokenizer.clean("still fine").text, "still fine");
}
