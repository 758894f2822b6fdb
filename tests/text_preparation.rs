//! What a version of the text preparation makes of texts. A model reads texts as they were prepared when it learned: whoever
//! changes an answer here gives the preparation a new version (`model::TEXT_PREPARATION`) and keeps the old one for the
//! bundles that name it. `UPDATE_PREPARED=1 cargo test --test text_preparation` writes the answers of a new version.

use std::{fs, path::Path, sync::LazyLock};

use mixed_feelings::{
    Analyzer, Bundle, Post,
    model::{ModelConfig, TEXT_PREPARATION},
    text::{MAX_TEXT_BYTES, Tokenizer},
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Beside the texts of the digest: one for each thing that the preparation does.
const MORE: [&str; 24] = [
    "RT @a: RT @b_c : good &amp; bad &lt;3 &#39;quoted&#39; &#x1F600;",
    "\\u00e9t\\u00e9 \\n \\\"so\\\" \\ud83d\\ude00",
    "ＦＵＬＬ　ｗｉｄｔｈ！ 𝓯𝓪𝓷𝓬𝔂 𝟗",
    "look: https://t.co/abc), www.example.org/x?y=z. pic.twitter.com/1 htt… http://cut.of…",
    "@name, @_x_ <user> mail@example.org",
    "#CamelCase #CNNDebate #vote2016 #lower # #1",
    "soooo cooool!!!!! yesss... whyyy????? 10000000",
    "😀😀😀😀 👍🏽 🙄🙄 🏳️‍🌈 👩‍👩‍👧 🇩🇪 ❤️ ♥ ☹️",
    ":) :-( ;D :'( <3 </3 xD :P >:( ^_^ -_- o_O",
    "http:// www. @ # &",
    "a\u{200b}b\u{ad}c\u{feff}d\u{202e}e",
    "tabs\tand\nlines\r\n  and   spaces ",
    "‘single’ “double” ´accent` ′prime",
    "C'est l’été — déjà…",
    "𓀀 \u{e000} \u{1f9ff} \u{fe0f}",
    "no. NO! nO? 'twas rock'n'roll well-known",
    "3.14 1,000 50% $5 €6 5°",
    "نعم لا 谢谢 ありがとう спасибо",
    "e\u{301} a\u{308} n\u{303}",
    "&nbsp;&hellip;&unknown;&#0;&#xD800;&#999999999;",
    "haha hahahaha HAHAHA",
    "😂😂😂 text 😂 :) :) :) :)",
    "",
    " \u{200b} ",
];

/// The shipped bundle.
static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors");
    fs::read(path).expect("the shipped bundle")
});

/// MiniLM's tokenizer, for texts in a preparation: what a bundle left out of its vocabulary does not matter here.
fn tokenizer(preparation: u32) -> Result<Tokenizer> {
    Ok(Tokenizer::from_json(include_str!("parity/minilm.json"), 128, preparation)?)
}

#[test]
fn the_shipped_bundle_reads_the_newest_preparation() -> Result {
    let config = ModelConfig::of_bundle(&Bundle::parse(BUNDLE.clone())?)?;
    assert_eq!(config.text_preparation, TEXT_PREPARATION);
    assert!(tokenizer(0).is_err() && tokenizer(TEXT_PREPARATION + 1).is_err());
    Ok(())
}

#[test]
fn the_answers_of_a_version_stay() -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digest");
    let mut texts: Vec<String> = serde_json::from_str(&fs::read_to_string(folder.join("texts.json"))?)?;
    texts.extend(MORE.map(str::to_owned));
    for version in 1..=TEXT_PREPARATION {
        let tokenizer = tokenizer(version)?;
        let prepared: Vec<String> = texts.iter().map(|text| tokenizer.clean(text).text).collect();
        let file = folder.join(format!("prepared-{version}.json"));
        // The shipped models read the first: it is never written anew.
        if version == TEXT_PREPARATION && std::env::var_os("UPDATE_PREPARED").is_some() {
            fs::write(&file, serde_json::to_string_pretty(&prepared)? + "\n")?;
        }
        let expected: Vec<String> = serde_json::from_str(&fs::read_to_string(&file)?)?;
        assert_eq!(expected.len(), prepared.len());
        for ((text, expected), prepared) in texts.iter().zip(expected).zip(prepared) {
            assert_eq!(prepared, expected, "of {text:?}: a changed preparation needs a new version");
        }
    }
    Ok(())
}

/// A row of `tests/digest/text-cases.tsv`.
struct Case {
    kind: String,
    label: String,
    /// Whether its label is left to the model.
    of_the_model: bool,
    prepared: String,
    text: String,
}

/// The text of a case: what nobody sees stands in the table as `\u{200b}`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}').and_then(|(code, rest)| Some((u32::from_str_radix(code, 16).ok()?, rest)))
        {
            Some((code, rest)) => {
                out.extend(char::from_u32(code));
                out.push_str(rest);
            }
            None => out.push_str(&format!("\\u{{{part}")),
        }
    }
    out
}

fn cases() -> Result<Vec<Case>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digest/text-cases.tsv");
    let table = fs::read_to_string(file)?;
    let rows = table.lines().skip(1).map(|line| {
        let [kind, label, prepared, text] =
            line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().map_err(|_| "four columns")?;
        let text = unescaped(&text);
        let of_the_model = label.starts_with('~');
        Ok(Case { kind, label: label.trim_start_matches('~').into(), of_the_model, prepared, text })
    });
    rows.collect()
}

/// What people write is prepared so that the model can read it. What it should say is the label; where that is the model's own
/// matter, it is marked with `~` and not held.
#[test]
fn every_case_is_read() -> Result {
    let tokenizer = tokenizer(TEXT_PREPARATION)?;
    let mut analyzer = Analyzer::from_bundle(BUNDLE.clone())?;
    let mut wrong = Vec::new();
    let cases = cases()?;
    assert!(cases.len() > 700);
    for Case { kind, label, of_the_model, prepared, text } in cases {
        let cleaned = tokenizer.clean(&text).text;
        let told = match of_the_model {
            true => label.clone(),
            false => analyzer.analyze(Post { text: Some(&text), image: None })?.label.to_string(),
        };
        if cleaned != prepared || told != label {
            wrong.push(format!("{kind}: {text:?} is {cleaned:?}, {told}; should be {prepared:?}, {label}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What the property tests make texts of: every construct that is rewritten, whole and torn.
const PARTS: &[&str] = &[
    "a",
    "I",
    "don",
    "t",
    " ",
    "'",
    "’",
    "é",
    "e\u{301}",
    "😂",
    "👩🏽‍🚀",
    "\u{200d}",
    "\u{200b}",
    "\u{fe0f}",
    "&amp;",
    "&rsquo;",
    "&#39",
    "&",
    ";",
    "#",
    "#ihatemondays",
    "@",
    "@bob",
    "a@b.org",
    "http://é",
    "example.com/",
    "www.",
    "…",
    ":)",
    ":(",
    "(",
    ")",
    "<3",
    "^_^",
    "(ಥ﹏ಥ)",
    "┻━┻",
    "ヽ",
    ":+1:",
    ":",
    "10/10",
    "4/5",
    "3.5 out of 5",
    " stars",
    "★",
    "☆",
    "½",
    "⭐",
    "%27",
    "%",
    "%E2%80%99",
    "\\u2019",
    "\\ud83d",
    "\\xe2",
    "\\n",
    "\\",
    "=E2=80=99",
    "â€™",
    "Ã¢â‚¬â„¢",
    "â",
    "Ã",
    "€",
    "‚Äô",
    "ΓÇÖ",
    "𝓪",
    "Ⓐ",
    "🅰",
    "🅷",
    "🇫🇷",
    "🇭",
    "ʜ",
    "а",
    "о",
    "я",
    "漢",
    "ㅤ",
    "\u{336}",
    "\n",
    "\0",
    "\u{fffd}",
    "\u{85}",
    "RT @a:",
    "T_T",
    "xD",
    "...",
    "!!!!",
    "ooooo",
    "١",
    "ﬁ",
    "ﷺ",
    "\u{e000}",
    "\u{10ffff}",
    "3️⃣",
    "{",
    "==",
    "¯\\_(ツ)_/¯",
    "dont",
    "u2019",
    "<U+2019>",
    "<b>",
    "<a b=",
    "f**",
    "h4te",
    "w o r s t",
    "ǝʇɐɥ",
    "<:sad:123456>",
    ":skin-tone-2:",
    "★ ",
    "%92",
];

/// A text of `parts` parts, by a linear congruential generator.
fn made_of_parts(state: &mut u64, parts: usize) -> String {
    let mut next = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        PARTS[(*state >> 33) as usize % PARTS.len()]
    };
    (0..parts).map(|_| next()).collect()
}

/// Every token of every text maps to whole characters of the original, in their order.
#[test]
fn every_span_lies_in_the_original() -> Result {
    for version in 1..=TEXT_PREPARATION {
        let tokenizer = tokenizer(version)?;
        let mut state = 7;
        for round in 0..3000 {
            let text = made_of_parts(&mut state, 1 + round % 12);
            let encoding = tokenizer.encode(&text)?;
            let (mut start, mut end) = (0, 0);
            for span in encoding.words.iter().flatten() {
                assert!(text.get(span.clone()).is_some(), "{text:?}: {span:?} is no part of the text");
                assert!(span.start >= start && span.end >= end, "{text:?}: {span:?} after {start}..{end}");
                (start, end) = (span.start, span.end);
            }
            let mut last = 0;
            for word in encoding.words_of(&text) {
                assert!(word.start >= last && word.start < word.end, "{text:?}: {word:?}");
                assert!(text.get(word.bytes.clone()).is_some(), "{text:?}: {word:?}");
                last = word.end;
            }
        }
    }
    Ok(())
}

/// A prepared text has nothing left that is put right before anything else: preparing it again leaves its letters.
#[test]
fn preparing_twice_changes_little() -> Result {
    let tokenizer = tokenizer(TEXT_PREPARATION)?;
    for case in cases()?.iter().filter(|case| !case.prepared.contains(" out of ") && case.kind != "ratings") {
        assert_eq!(tokenizer.clean(&case.prepared).text, case.prepared, "{:?}", case.text);
    }
    Ok(())
}

/// The longest text that is read, of any construct, takes the time of its length, not of its square.
#[test]
fn the_longest_text_of_anything_is_prepared() -> Result {
    let tokenizer = tokenizer(TEXT_PREPARATION)?;
    let pairs = PARTS.iter().zip(PARTS.iter().cycle().skip(31)).map(|(a, b)| format!("{a}{b}"));
    let long = [
        "(((((",
        ":((((",
        "a.",
        "a@",
        "a.a@",
        "1/",
        "1/5 ",
        "★ ",
        "&#",
        "&a",
        "%25",
        "Ã",
        "#a",
        "ʕ",
        "(^",
        "x<3",
        "\\x",
        "a\u{200b}",
        "日",
        "i",
    ];
    let start = std::time::Instant::now();
    for part in PARTS.iter().map(|p| (*p).to_owned()).chain(pairs).chain(long.map(str::to_owned)) {
        let text = part.repeat(MAX_TEXT_BYTES / part.len());
        assert!(tokenizer.clean(&text).original(0..1).end <= text.len(), "{part}");
        assert!(start.elapsed().as_secs() < 600, "{part} takes too long");
    }
    Ok(())
}
