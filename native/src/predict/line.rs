//! One line of a file of posts: what it asks, and what of it comes back with the answer as it is written.
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

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Display},
    ops::RangeInclusive,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// What editors put in front of UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The longest line that is read: a text of the longest, each letter escaped, with many further fields.
pub const LONGEST_LINE: usize = 16_000_000;

/// How many lists and objects of a field may lie within each other, so that every reader of JSON can read the answer.
const DEEPEST: usize = 100;

const WANTED: &str = "not a post, which is {\"text\": string or null, \"image\": path or null}";

/// A line that is no post, and why.
#[derive(Debug)]
pub struct BadLine(String);

impl Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadLine {}

/// What a line asks.
#[derive(Debug, Default)]
pub struct Post {
    /// The text.
    pub text: Option<String>,
    /// The path of the image.
    pub image: Option<String>,
}

/// What comes back with the answer, as it is written: a number keeps all its digits.
#[derive(Debug, Default)]
pub struct Kept {
    /// What the caller knows the post by.
    pub id: Option<Box<RawValue>>,
    /// What else the line says.
    pub further: BTreeMap<String, Box<RawValue>>,
}

/// Reads a line. What is wrong with an object costs it its answer, not what the caller knows it by.
pub fn read(line: &[u8]) -> (Kept, Result<Post, BadLine>) {
    let fields = text_of(line).and_then(|line| {
        let line = without_lone_surrogates(line.trim_start_matches(BYTE_ORDER_MARK).trim());
        serde_json::from_str::<Fields>(&line).map_err(|error| BadLine(format!("{WANTED}: {error}")))
    });
    let Fields { mut named, twice } = match fields {
        Ok(fields) => fields,
        Err(bad) => return (Kept::default(), Err(bad)),
    };
    let deep: Vec<String> =
        named.extract_if(.., |_, value| depth(value.get()) > DEEPEST).map(|(name, _)| name).collect();
    let (text, image) = (named.remove("text"), named.remove("image"));
    let id = named.remove("id").filter(|id| id.get() != "null");
    let post = || {
        if let Some(name) = twice {
            return Err(BadLine(format!("{WANTED}: two fields are called `{name}`")));
        }
        if let Some(name) = deep.first() {
            return Err(BadLine(format!("{WANTED}: `{name}` has more than {DEEPEST} levels")));
        }
        let post = Post { text: string("text", text)?, image: string("image", image)? };
        match &post.image {
            Some(image) if image.trim().is_empty() => Err(BadLine(
                "image: the name is empty; a post without a picture has `image` null or no `image`".into(),
            )),
            _ => Ok(post),
        }
    };
    let post = post();
    (Kept { id, further: named }, post)
}

fn text_of(line: &[u8]) -> Result<&str, BadLine> {
    if line.len() > LONGEST_LINE {
        return Err(BadLine(format!("more than {LONGEST_LINE} bytes: write one post a line")));
    }
    str::from_utf8(line).map_err(|error| {
        BadLine(format!("not UTF-8 at byte {}: save the file as UTF-8", error.valid_up_to()))
    })
}

/// The fields of an object, each as it is written.
struct Fields {
    named: BTreeMap<String, Box<RawValue>>,
    /// One of `text`, `image` and `id` that is there twice.
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = Fields { named: BTreeMap::new(), twice: None };
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let known = matches!(name.as_str(), "text" | "image" | "id");
                    if known && fields.named.contains_key(&name) {
                        fields.twice = Some(name.clone());
                    }
                    fields.named.insert(name, value);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

fn string(name: &str, value: Option<Box<RawValue>>) -> Result<Option<String>, BadLine> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| {
        let kind = match value.get().bytes().next() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "true or false",
            _ => "a number",
        };
        BadLine(format!("{WANTED}: `{name}` is {kind}"))
    })
}

/// How many lists and objects of a JSON value lie within each other.
fn depth(json: &str) -> usize {
    let (mut open, mut most) = (0usize, 0);
    let mut bytes = json.bytes();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// The line with U+FFFD for each half of a surrogate pair that stands alone, as browsers write such a string in UTF-8.
fn without_lone_surrogates(line: &str) -> Cow<'_, str> {
    const HIGH: RangeInclusive<u16> = 0xd800..=0xdbff;
    const LOW: RangeInclusive<u16> = 0xdc00..=0xdfff;
    let mut mended = Cow::Borrowed(line);
    let mut at = 0;
    // A line of JSON has backslashes in strings alone, each before what it escapes.
    while let Some(found) = line.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        at += match (unit(line, at), unit(line, at + 6)) {
            (Some(first), Some(second)) if HIGH.contains(&first) && LOW.contains(&second) => 12,
            (Some(alone), _) if HIGH.contains(&alone) || LOW.contains(&alone) => {
                mended.to_mut().replace_range(at..at + 6, "\\ufffd");
                6
            }
            _ => 2,
        };
    }
    mended
}

/// The unit of UTF-16 that the escape at this byte writes, if it is one.
fn unit(line: &str, at: usize) -> Option<u16> {
    let digits = line.get(at..at + 6)?.strip_prefix("\\u")?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(line: &str) -> (String, Result<Post, BadLine>) {
        let (Kept { id, further }, post) = read(line.as_bytes());
        let id = id.map_or("none".into(), |id| id.get().to_owned());
        (format!("{id} {}", serde_json::to_string(&further).expect("JSON")), post)
    }

    #[test]
    fn what_comes_back_is_as_it_is_written() {
        let digits = "12345678901234567890123";
        let (told, post) = kept(&format!("{{\"id\":{digits},\"k\":[-0.10,1e400],\"text\":\"a\"}}"));
        assert_eq!(told, format!("{digits} {{\"k\":[-0.10,1e400]}}"));
        assert_eq!(post.expect("a post").text.as_deref(), Some("a"));
        assert_eq!(kept("{\"id\":null}").0, "none {}");
    }

    #[test]
    fn a_bad_post_keeps_what_it_is_known_by() {
        for (fields, why) in [
            ("\"text\":5", "`text` is a number"),
            ("\"text\":[\"a\"]", "`text` is a list"),
            ("\"text\":{}", "`text` is an object"),
            ("\"image\":true", "`image` is true or false"),
            ("\"text\":\"a\",\"image\":\" \"", "image: the name is empty"),
            ("\"text\":\"a\",\"text\":\"b\"", "two fields are called `text`"),
            (&format!("\"deep\":{}{}", "[".repeat(101), "]".repeat(101)), "`deep` has more than 100 levels"),
        ] {
            let (told, post) = kept(&format!("{{{fields},\"id\":2,\"k\":1}}"));
            let why_not = post.expect_err(fields).to_string();
            assert!(told == "2 {\"k\":1}" && why_not.contains(why), "{told} {why_not}");
        }
        assert!(kept("{\"id\":1,").1.is_err() && kept("[5]").1.is_err());
        assert_eq!(depth(r#"{"a\"[[[":["[",{}]}"#), 3);
    }

    #[test]
    fn half_a_surrogate_pair_is_read_as_browsers_read_it() {
        for (written, read) in [
            (r"\ud83d bad", "\u{fffd} bad"),
            (r"\ud83d\ude00", "\u{1f600}"),
            (r"\uD83D\ud83D\uDE00", "\u{fffd}\u{1f600}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\\ud83d", r"\ud83d"),
            (r"\\\ud83d\n", "\\\u{fffd}\n"),
            (r"é\u00e9\ud83dé", "éé\u{fffd}é"),
        ] {
            let line = format!("{{\"text\":\"{written}\",\"id\":\"{written}\"}}");
            let (told, post) = kept(&line);
            assert_eq!(post.expect(written).text.as_deref(), Some(read), "{written}");
            let id = told.strip_suffix(" {}").expect("no further field");
            assert_eq!(serde_json::from_str::<String>(id).expect("JSON"), read, "{written}");
        }
        for broken in [r#"{"text":"\ud83"#, r#"{"text":"\ud83dé"#, r#"{"text":"\é"}"#, "\\", r"\u+12f"] {
            assert!(kept(broken).1.is_err(), "{broken}");
        }
    }
}
