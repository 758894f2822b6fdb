"""Writes tokenizer.json beside this file: the ids that Hugging Face's tokenizers give for nasty strings.

    python tests/parity/tokenizer.py FOLDER_WITH_TOKENIZER_JSON

`ids` are those of the plain BERT tokenizer (no clean-up, no truncation, no padding), with special tokens in the text
taken as ordinary text.  `minilm.json` beside it is the same tokenizer, MiniLM's, in the short form of a bundle.
`transformers` and `tokenizers` must agree before anything is written.
"""

import json
import pathlib
import sys

import tokenizers
import transformers

STRINGS = [
    "",
    " ",
    "   \t\n\r  ",
    "\u00a0\u2003\u3000",
    "Hello, world!",
    "HELLO WoRLD isn't it?",
    # Accents, composed and decomposed, combining marks without a base.
    "Crème brûlée à la façon de Zoë",
    "Cre\u0300me bru\u0302le\u0301e",
    "\u0301\u0302\u0303 z\u0335\u0321\u0353a\u0334\u0322l\u0338g\u0336o\u0337",
    "İstanbul ǅ ß ẞ ﬁ ΑΒΓ ς Ω",
    "ÅÄÖ åäö Łódź Đà Nẵng",
    # CJK, kana, hangul, full width.
    "今日は良い天気ですね",
    "我爱北京天安门 OK吗",
    "ひらがなカタカナｶﾞ",
    "안녕하세요 세계",
    "ＦＵＬＬ　ｗｉｄｔｈ　１２３",
    "\U00020000\U0002a6d6 rare 㐀",
    # Emoji, ZWJ sequences, skin tones, flags, keycaps, variation selectors.
    "😂😂 so good 😍",
    "👩🏽\u200d🚀 👨\u200d👩\u200d👧\u200d👦",
    "🇫🇷🇩🇪 3️⃣ ❤️ ❤ ☺",
    "a\ufe0fb\u200dc",
    # Right to left, direction marks.
    "שלום עולם",
    "مرحبا بالعالم السَّلامُ",
    "abc \u202edef\u202c ghi\u200f",
    # Other scripts.
    "Привет, мир! Ёлка",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "வணக்கம்",
    # Control characters, zero width, replacement, non-characters, private use.
    "a\u0000b\u0001c\u0007d\u001be\u007ff",
    "zero\u200bwidth\ufeffspace\u00adhyphen",
    "\ufffd\ufffe\uffff\ue000\U0010ffff",
    "line\u2028separator\u2029paragraph\u0085next\x0bvt\x0cff",
    # What is left of a lone surrogate after a lossy decoding, and escapes of it as text.
    "lone \ufffd surrogate \\ud83d \\udc00",
    # Punctuation and symbols.
    "!!!???...;;;:::'''\"\"\"",
    "“curly” ‘quotes’ — dash – … ‽ ¿¡",
    "$100 €50 £20 ¥3000 50% #1 @you &amp; <b> [x] {y} ~^`|\\",
    "http://t.co/AbC?x=1&y=2#z user@example.com",
    "C++ C# f(x)=x^2 1,000.50 3.14e-10 0x1F600",
    "_under_score_ --- *** ===",
    "¼ ² ³ ™ © ® ° µ № ℃",
    # Special tokens as text.
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "[cls] [ SEP ] a[SEP]b",
    # Word pieces.
    "##ing ## unaffable antidisestablishmentarianism",
    "supercalifragilisticexpialidocious" * 3,
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101,
    "é" * 100 + " " + "e\u0301" * 100,
    "a" * 10_240,
    "good " * 400,
    "漢" * 600,
    "😂" * 300,
]


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    plain = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.no_truncation()
    plain.no_padding()
    plain.encode_special_tokens = True
    fast = transformers.BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), split_special_tokens=True)
    rows = []
    for text in STRINGS:
        ids = plain.encode(text).ids
        other = fast(text, truncation=False, padding=False, split_special_tokens=True)["input_ids"]
        assert ids == other, (text[:40], ids[:20], other[:20])
        rows.append({"text": text, "ids": ids})
    made_by = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    lines = ",\n".join("    " + json.dumps(row, separators=(",", ":")) for row in rows)
    out = pathlib.Path(__file__).with_suffix(".json")
    out.write_text(f'{{\n  "made_by": {json.dumps(made_by)},\n  "rows": [\n{lines}\n  ]\n}}\n')
    print(f"{out}: {len(rows)} strings")


main()
