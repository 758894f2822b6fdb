//! What a version of the text preparation makes of texts. A model reads texts as they were prepared when it learned: whoever
//! changes an answer here gives the preparation a new version (`model::TEXT_PREPARATION`) and keeps the old one for the
//! bundles that name it. `UPDATE_PREPARED=1 cargo test --test text_preparation` writes the answers of a new version.

use std::{fs, path::Path};

use mixed_feelings::{model::TEXT_PREPARATION, text::clean};

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

#[test]
fn the_answers_of_a_version_stay() -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digest");
    let mut texts: Vec<String> = serde_json::from_str(&fs::read_to_string(folder.join("texts.json"))?)?;
    texts.extend(MORE.map(str::to_owned));
    let prepared: Vec<String> = texts.iter().map(|text| clean(text).text).collect();
    let file = folder.join(format!("prepared-{TEXT_PREPARATION}.json"));
    if std::env::var_os("UPDATE_PREPARED").is_some() {
        fs::write(&file, serde_json::to_string_pretty(&prepared)? + "\n")?;
    }
    let expected: Vec<String> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    assert_eq!(expected.len(), prepared.len());
    for ((text, expected), prepared) in texts.iter().zip(expected).zip(prepared) {
        assert_eq!(prepared, expected, "of {text:?}: a changed preparation needs a new version");
    }
    Ok(())
}
