//! The clean-up before the tokenizer, the same in training and in inference.
//!
//! What it does, in the order in which each place of the text is looked at:
//! - HTML entities and JSON escapes are decoded; full-width and mathematical letters become plain ones.
//! - Leading `RT @name:` are dropped: they say who wrote the post, not what it says.
//! - Links become `http`, mentions become `@user` (TweetEval's convention).
//! - Emoji and emoticons become words, skin tones and genders left out; pictographs without a name are dropped.
//! - `#CamelCase` becomes `#Camel Case`.
//! - A letter is kept at most twice in a row (`soooo` → `soo`), a mark three times, an emoji twice.
//! - Curly quotes, and accents in the place of apostrophes, become straight ones; white space and control characters become
//!   one space; zero-width characters are dropped.

use super::super::aligned::{Cleaned, Unit, bytes, from, until};
use super::{
    decode::decode,
    emoji::{self, Pictograph},
};

/// Prepares a text for the tokenizer. Linear in the length of the text.
pub fn clean(text: &str) -> Cleaned {
    let units = decode(text);
    let mut cleaner =
        Cleaner { units: &units, at: after_retweet(&units), out: Cleaned::default(), repeats: 0 };
    while cleaner.at < units.len() {
        cleaner.step();
    }
    cleaner.out.trim_end();
    cleaner.out
}

struct Cleaner<'a> {
    units: &'a [Unit],
    /// The next unit to look at.
    at: usize,
    out: Cleaned,
    /// How often the last character or emoji has been seen in a row.
    repeats: usize,
}

impl Cleaner<'_> {
    fn step(&mut self) {
        let Some(&unit) = self.units.get(self.at) else { return };
        let rest = from(self.units, self.at);
        let before = self.at.checked_sub(1).and_then(|i| self.units.get(i)).map(|u| u.c);
        let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        if !inside_word {
            if let Some(len) = link(rest) {
                return self.replace("http", len);
            }
            if let Some(len) = mention(rest) {
                return self.replace("@user", len);
            }
            if let Some(len) = hashtag(rest) {
                return self.hashtag(len);
            }
        }
        if let Some((words, len)) = emoji::emoticon(before, rest) {
            return self.picture(words, len);
        }
        match emoji::read(rest) {
            Some((Pictograph::Named(words), len)) => self.picture(&words, len),
            Some((Pictograph::Unknown, len)) => self.at += len,
            None => {
                self.character(unit);
                self.at += 1;
            }
        }
    }

    /// `len` units become `words`, with a space before and after.
    fn replace(&mut self, words: &str, len: usize) {
        let range = bytes(until(from(self.units, self.at), len));
        self.out.push_space(range.start);
        self.out.push(words, range.clone());
        self.out.push_space(range.end);
        self.at += len;
        self.repeats = 0;
    }

    /// An emoji or emoticon; from the third in a row on, the second one stands for it.
    fn picture(&mut self, words: &str, len: usize) {
        let end = bytes(until(from(self.units, self.at), len)).end;
        let again = |times: usize| {
            let mut text = self.out.text.trim_end_matches(' ');
            (0..times).all(|_| match text.strip_suffix(words) {
                Some(rest) => {
                    text = rest.trim_end_matches(' ');
                    true
                }
                None => false,
            })
        };
        if again(2) {
            // The space after the words is a piece of its own.
            self.out.trim_end();
            self.out.extend_last(end);
            self.out.push_space(end);
            self.at += len;
        } else {
            self.replace(words, len);
        }
    }

    /// `len` units of a hashtag, its words set apart.
    fn hashtag(&mut self, len: usize) {
        for i in self.at..self.at + len {
            let (Some(before), Some(&unit)) =
                (self.units.get(i - usize::from(i > self.at)).map(|u| u.c), self.units.get(i))
            else {
                break;
            };
            let next = self.units.get(i + 1).filter(|_| i + 1 < self.at + len).map(|u| u.c);
            if starts_word(before, unit.c, next) && before != '#' {
                self.out.push_space(unit.start);
            }
            self.character(unit);
        }
        self.at += len;
    }

    /// One character of ordinary text.
    fn character(&mut self, unit: Unit) {
        let c = match unit.c {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '`' | '´' => '\'',
            '\u{201c}' | '\u{201d}' | '\u{201f}' => '"',
            c if is_invisible(c) => return,
            c if c.is_whitespace() || c.is_control() => {
                self.repeats = 0;
                return self.out.push_space(unit.start);
            }
            c => c,
        };
        let same = |last: char| last == c || last.to_lowercase().eq(c.to_lowercase());
        self.repeats = match self.out.text.chars().next_back() {
            Some(last) if same(last) => self.repeats + 1,
            _ => 1,
        };
        let most = if c.is_alphabetic() {
            2
        } else if c.is_numeric() {
            usize::MAX
        } else {
            3
        };
        if self.repeats > most {
            self.out.extend_last(unit.end);
        } else {
            self.out.push_char(c, unit.start..unit.end);
        }
    }
}

/// Whether `c` is invisible: joiners, direction marks, soft hyphens, byte order marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{0}' | '\u{61c}' | '\u{180e}')
}

/// Where a post begins after any leading `RT @name:`; at 0 when there is none or nothing follows.
fn after_retweet(units: &[Unit]) -> usize {
    let skip = |from: usize, wanted: fn(char) -> bool| {
        from + units.iter().skip(from).take_while(|u| wanted(u.c)).count()
    };
    let mut text = 0;
    loop {
        let rt = skip(text, char::is_whitespace);
        let name = skip(rt + 2, char::is_whitespace);
        let is_rt = units.get(rt..rt + 2).is_some_and(|u| u.iter().map(|u| u.c).eq("RT".chars()));
        let Some(len) = units.get(name..).filter(|_| is_rt).and_then(mention) else { return text };
        let colon = skip(name + len, char::is_whitespace);
        let body = skip(skip(colon, |c| c == ':'), char::is_whitespace);
        if units.get(colon).is_none_or(|u| u.c != ':') || body == units.len() {
            return text;
        }
        text = body;
    }
}

/// Length of the mention that `units` start with: `@name`, or `<user>` as some data sets write it.
fn mention(units: &[Unit]) -> Option<usize> {
    if starts_with(units, "<user>") {
        return Some(6);
    }
    if !matches!(units.first()?.c, '@' | '\u{ff20}') {
        return None;
    }
    let name = units.iter().skip(1).take_while(|u| u.c.is_ascii_alphanumeric() || u.c == '_').count();
    (name > 0).then_some(name + 1)
}

/// Length of the link that `units` start with, also of one that was cut off (`htt…`, `http://t.c…`).
fn link(units: &[Unit]) -> Option<usize> {
    const STARTS: [&str; 6] = ["http://", "https://", "www.", "t.co/", "pic.twitter.com/", "<url>"];
    const CUT_OFF: [&str; 8] = ["ht…", "htt…", "http…", "http:…", "http:/…", "https…", "https:…", "https:/…"];
    if let Some(cut) = CUT_OFF.iter().find(|cut| starts_with(units, cut)) {
        return Some(cut.chars().count());
    }
    let start = STARTS.iter().find(|start| starts_with(units, start))?;
    let in_link = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"');
    let len = start.len() + units.iter().skip(start.len()).take_while(|u| in_link(u.c)).count();
    if units.get(len).is_some_and(|u| u.c == '…') {
        return Some(len + 1);
    }
    // Punctuation at the end belongs to the sentence.
    let tail = units.get(start.len()..len)?.iter().rev();
    Some(
        len - tail
            .take_while(|u| matches!(u.c, '.' | ',' | '!' | '?' | ':' | ';' | ')' | '\'' | ']'))
            .count(),
    )
}

/// Length of the hashtag that `units` start with.
fn hashtag(units: &[Unit]) -> Option<usize> {
    if units.first()?.c != '#' {
        return None;
    }
    let tag = units.iter().skip(1).take_while(|u| u.c.is_alphanumeric()).count();
    (tag > 0).then_some(tag + 1)
}

/// Whether a word of a hashtag starts at `c`: `realChange`, `CNNDebate`, `vote2016`.
fn starts_word(before: char, c: char, next: Option<char>) -> bool {
    let after_lower = c.is_uppercase() && (before.is_lowercase() || before.is_numeric());
    let after_acronym = c.is_uppercase() && before.is_uppercase() && next.is_some_and(char::is_lowercase);
    let number = c.is_numeric() && before.is_alphabetic();
    after_lower || after_acronym || number
}

/// Whether `units` start with `prefix`, which is in lower case; ASCII letters match in either case.
fn starts_with(units: &[Unit], prefix: &str) -> bool {
    let mut units = units.iter().map(|u| u.c.to_ascii_lowercase());
    prefix.chars().all(|c| units.next() == Some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text).text
    }

    #[test]
    fn mentions_and_links_are_normalised() {
        assert_eq!(cleaned("@Bob_1: see http://t.co/a1B2!"), "@user : see http !");
        assert_eq!(cleaned("<user> thanks (https://x.org/a?b=c)."), "@user thanks ( http ).");
        assert_eq!(cleaned("www.example.com, pic.twitter.com/x and t.co/y"), "http , http and http");
        assert_eq!(cleaned("cut off http:/…"), "cut off http");
        assert_eq!(cleaned("cut off http://t.co/ab…"), "cut off http");
        assert_eq!(cleaned("cut off ht…"), "cut off http");
        assert_eq!(cleaned("a@b.com @ home @ 7"), "a@b.com @ home @ 7");
        assert_eq!(cleaned("http://t.co/abcを見て"), "http を見て");
    }

    #[test]
    fn a_leading_retweet_mark_is_dropped() {
        assert_eq!(cleaned("RT @bob: so good"), "so good");
        assert_eq!(cleaned("  RT @bob : so good"), "so good");
        assert_eq!(cleaned("RT @a: RT @b: x"), "x");
        assert_eq!(cleaned("RT if you agree"), "RT if you agree");
        assert_eq!(cleaned("RT @bob so good"), "RT @user so good");
        assert_eq!(cleaned("RT @bob:"), "RT @user :");
        assert_eq!(cleaned("look RT @bob: so"), "look RT @user : so");
        assert_eq!(cleaned("RTRT @bob: so"), "RTRT @user : so");
    }

    #[test]
    fn hashtags_are_split() {
        assert_eq!(cleaned("#RealChange now"), "#Real Change now");
        assert_eq!(cleaned("#CNNDebate2016"), "#CNN Debate 2016");
        assert_eq!(cleaned("#legday #4thOfJuly"), "#legday #4th Of July");
        assert_eq!(cleaned("# alone #1"), "# alone #1");
    }

    #[test]
    fn emoji_and_emoticons_become_words() {
        assert_eq!(cleaned("so good😂!"), "so good face with tears of joy !");
        assert_eq!(cleaned("I ❤️ u <3 :)"), "I red heart u red heart smiling face");
        assert_eq!(cleaned("I &lt;3 u"), "I red heart u");
        assert_eq!(cleaned("bye :(((( <333"), "bye frowning face red heart");
        assert_eq!(cleaned(r"oh well ¯\_(ツ)_/¯"), "oh well person shrugging");
        assert_eq!(cleaned("👍🏿🇫🇷"), "thumbs up flag france");
        assert_eq!(cleaned("a\u{1faff}b \u{fe0f}c"), "ab c");
        assert_eq!(cleaned("at 8:00 (see a:b)"), "at 8:00 (see a:b)");
        assert_eq!(cleaned("caf\u{e9} © 漢字"), "café © 漢字");
    }

    #[test]
    fn repetition_is_shortened() {
        assert_eq!(cleaned("Soooooo goood, heLLLlo"), "Soo good, heLLo");
        assert_eq!(cleaned("what?????? no!!"), "what??? no!!");
        assert_eq!(cleaned("10000 years"), "10000 years");
        assert_eq!(cleaned("🔥🔥 🔥🔥"), "fire fire");
        assert_eq!(cleaned("🔥😂🔥"), "fire face with tears of joy fire");
    }

    #[test]
    fn white_space_and_what_cannot_be_seen() {
        assert_eq!(cleaned(" a \n\t\r b\u{a0}\u{3000}c "), "a b c");
        assert_eq!(cleaned("a\u{200b}b\u{feff}\u{202e}c\u{7}d"), "abc d");
        assert_eq!(cleaned("don’t don`t don´t “x”"), "don't don't don't \"x\"");
        assert_eq!(cleaned("𝓼𝓸 𝗕𝗮𝗱 𝟚𝟡 ＬＯＬ！"), "so Bad 29 LOL!");
        for nothing in ["", " ", "\n\u{200d}\u{fe0f}", "\u{3000}\u{0}"] {
            assert_eq!(clean(nothing), Cleaned::default(), "{nothing:?}");
        }
    }

    #[test]
    fn every_part_maps_back() {
        let text = "RT @bob: Soooo good😂, see http://t.co/x #RealChange";
        let out = clean(text);
        let original = |part: &str| {
            let at = out.text.find(part).unwrap_or_else(|| panic!("{part} in {}", out.text));
            &text[out.original(at..at + part.len())]
        };
        assert_eq!(original("Soo"), "Soooo");
        assert_eq!(original("good"), "good");
        assert_eq!(original("tears"), "😂");
        assert_eq!(original("face with tears of joy"), "😂");
        assert_eq!(original("http"), "http://t.co/x");
        assert_eq!(original("Change"), "Change");
        assert_eq!(original("#Real"), "#Real");
    }

    #[test]
    fn ranges_are_on_character_boundaries_whatever_the_text() {
        let parts = [
            "é",
            "😂",
            "😂😂😂",
            "\u{200d}",
            "👩🏽‍🚀",
            "&amp;",
            "&#x1F602;",
            r"\ud83d\ude02",
            "#AbCd",
            "@x",
            "http://é",
        ];
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            parts[(state >> 33) as usize % parts.len()]
        };
        for _ in 0..500 {
            let text: String = (0..8).map(|_| next()).collect();
            let out = clean(&text);
            let mut last = 0;
            for (at, c) in out.text.char_indices() {
                let range = out.original(at..at + c.len_utf8());
                assert!(text.get(range.clone()).is_some(), "{text:?} {range:?}");
                assert!(range.start >= last, "{text:?} {range:?}");
                last = range.start;
            }
        }
    }

    #[test]
    fn long_texts_are_read_in_linear_time() {
        // Each of these would take minutes if any rule were quadratic.
        for part in [
            "#aB",
            "@a",
            "http://",
            "😂",
            "&",
            "\\u",
            "a",
            "😂🚀",
            "RT @a: ",
            "\u{200d}",
            "🇫",
            "👩\u{200d}",
            ":",
            "<",
        ] {
            let text = part.repeat(100_000 / part.len());
            assert!(clean(&text).text.len() <= 10 * text.len(), "{part}");
        }
    }
}
