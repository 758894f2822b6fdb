//! The second text preparation: what people write, in the shapes that it has on the web.
//!
//! First the text is put right as a whole: escapes, entities and tags (`escapes`, `tags`), misread UTF-8 (`mojibake`, `misread_marks`), flags that are letters
//! (`emoji`), letters upside down (`turned`) and of another alphabet (`letters`), invisible characters (`invisible`), apostrophes
//! (`apostrophes`), words with signs for letters (`respelled`), words that are drawn out (`drawn_out`). Then each place is looked at, in this order:
//! - Leading `RT @name:` are dropped. Links, also bare domains, become `http`, mentions `@user`. (`links`)
//! - Hashtags fall into words, by capitals and by the vocabulary. (`hashtags`)
//! - Ratings get a word that says what they mean. (`ratings`)
//! - `:shortcodes:`, emoji, faces and emoticons become words. (`emoji`, `kaomoji`, `emoticons`)
//! - Letters in disguise become plain ones; a letter is kept at most twice in a row, a mark three times, an emoji twice;
//!   curly quotes become straight ones; white space becomes one space.
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

mod apostrophes;
mod drawn_out;
mod emoji;
mod emoji_words;
mod emoticons;
mod escapes;
mod hashtags;
mod invisible;
mod kaomoji;
mod letters;
mod links;
mod misread_marks;
mod mojibake;
mod ratings;
mod respelled;
mod tags;
mod turned;
mod utf8;

use super::aligned::{Cleaned, Unit, bytes, from, until};
use emoji::Pictograph;

/// The place of a word in the vocabulary, which lists frequent words first; `None` when it is no whole word there.
pub(super) type Rank<'a> = dyn Fn(&str) -> Option<u32> + 'a;

/// Prepares a text for the tokenizer. Linear in the length of the text.
pub(super) fn clean(text: &str, rank: &Rank<'_>) -> Cleaned {
    let units = put_right(text, rank);
    let around = emoticons::Surroundings::of(&units);
    let mut cleaner = Cleaner {
        units: &units,
        around,
        rank,
        at: links::after_retweet(&units),
        out: Cleaned::default(),
        repeats: 0,
        tag_end: 0,
    };
    while cleaner.at < units.len() {
        cleaner.step();
    }
    cleaner.out.trim_end();
    cleaner.out
}

/// The characters of a text and where they stand.
fn units(text: &str) -> Vec<Unit> {
    text.char_indices().map(|(start, c)| Unit { c, start, end: start + c.len_utf8() }).collect()
}

fn put_right(text: &str, rank: &Rank<'_>) -> Vec<Unit> {
    let mut units = mojibake::undo(misread_marks::mend(escapes::undo(units(text), rank)));
    emoji::unflag(&mut units);
    turned::turn(&mut units, rank);
    letters::unmask(&mut units, rank);
    let units = apostrophes::straighten(invisible::settle(units, rank));
    let mut units = drawn_out::shorten(respelled::spell(units, rank), rank);
    plain_digits(&mut units);
    units
}

/// Full-width and mathematical digits are plain ones, and so is a wide slash between digits: `１０／１０`.
fn plain_digits(units: &mut [Unit]) {
    if units.iter().all(|u| u.c.is_ascii()) {
        return;
    }
    let wide = |c: char| matches!(c, '０'..='９' | '\u{1d7ce}'..='\u{1d7ff}');
    for unit in units.iter_mut().filter(|u| wide(u.c)) {
        unit.c = letters::plain(unit.c).and_then(|p| p.chars().next()).unwrap_or(unit.c);
    }
    let slashes = units.windows(3).enumerate().filter(|(_, w)| {
        matches!(w, [a, slash, b] if a.c.is_ascii_digit() && slash.c == '／' && b.c.is_ascii_digit())
    });
    let places: Vec<usize> = slashes.map(|(i, _)| i + 1).collect();
    for at in places {
        if let Some(slash) = units.get_mut(at) {
            slash.c = '/';
        }
    }
}

struct Cleaner<'a> {
    units: &'a [Unit],
    around: emoticons::Surroundings,
    rank: &'a Rank<'a>,
    /// The next unit to look at.
    at: usize,
    out: Cleaned,
    /// How often the last character has been seen in a row.
    repeats: usize,
    /// Where the last hashtag ended.
    tag_end: usize,
}

impl Cleaner<'_> {
    fn step(&mut self) {
        let Some((&unit, rest)) = self.units.get(self.at).zip(self.units.get(self.at..)) else { return };
        let text = until(self.units, self.at);
        let before = text.last().map(|u| u.c);
        // Hashtags follow one another without a space.
        let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && !(self.tag_end == self.at && unit.c == '#');
        if !inside_word {
            if let Some(len) = links::read(before, rest, self.rank) {
                return self.replace("http", len);
            }
            if let Some(len) = links::mention(rest) {
                return self.replace("@user", len);
            }
            if let Some(len) = hashtags::read(rest) {
                return self.hashtag(len);
            }
            let rating = ratings::number(text, rest)
                .or_else(|| ratings::counted_stars(text, rest))
                .or_else(|| ratings::starred(text, rest));
            if let Some((len, meaning)) = rating {
                return self.rating(len, meaning);
            }
        }
        if let Some((len, words)) = ratings::stars(text, rest) {
            return self.replace(&words, len);
        }
        if let Some((name, len)) = emoji::own(rest) {
            let parts = hashtags::split(rest.get(name).unwrap_or_default(), self.rank).into_iter();
            let words: Vec<String> = parts.map(|part| part.text).filter(|text| !text.is_empty()).collect();
            return self.picture(&words.join(" "), len);
        }
        if let Some((words, len)) = self.shortcode(before, rest) {
            return self.picture(&words, len);
        }
        if let Some((words, len)) = kaomoji::read(before, rest) {
            return self.picture(words, len);
        }
        if let Some((words, len)) = emoticons::read(self.units, self.at, &self.around) {
            return self.picture(words, len);
        }
        if self.is_letter(before, rest) {
            return self.letter(unit);
        }
        match emoji::read(rest) {
            Some((Pictograph::Named(words), len)) => self.picture(&words, len),
            Some((Pictograph::Unknown, len)) => self.at += len,
            None => self.letter(unit),
        }
    }

    /// A shortcode that is no part of something longer: `a:b:c`, `10:100:20`.
    fn shortcode(&self, before: Option<char>, rest: &[Unit]) -> Option<(String, usize)> {
        let (words, len) = emoji::shortcode(rest)?;
        let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let after = in_word(rest.get(len).map(|u| u.c));
        let short = len < 5 && !rest.get(1).is_some_and(|u| matches!(u.c, '+' | '-'));
        let part = after && in_word(before)
            || short && (after || in_word(before))
            || before.is_some_and(|c| c.is_ascii_digit());
        (!part).then_some((words, len))
    }

    /// Whether a letter in a square or circle is one, and no emoji: it stands beside others.
    fn is_letter(&self, before: Option<char>, rest: &[Unit]) -> bool {
        let Some(unit) = rest.first() else { return false };
        if letters::plain(unit.c).is_none() || matches!(unit.c, '\u{1f1e6}'..='\u{1f1ff}') {
            return false;
        }
        let beside =
            before.is_some_and(letters::in_word) || rest.get(1).is_some_and(|u| letters::in_word(u.c));
        let styled = rest.get(1).is_some_and(|u| u.c == '\u{fe0f}');
        !styled && (beside || !matches!(unit.c, '🅰' | '🅱' | '🅾' | '🅿' | 'Ⓜ' | 'ℹ'))
    }

    /// The next `len` units.
    fn next(&self, len: usize) -> &[Unit] {
        until(from(self.units, self.at), len)
    }

    /// `len` units become `words`, with a space before and after.
    fn replace(&mut self, words: &str, len: usize) {
        let range = bytes(self.next(len));
        self.out.push_space(range.start);
        self.out.push(words, range.clone());
        self.out.push_space(range.end);
        self.at += len;
        self.repeats = 0;
    }

    /// An emoji or emoticon; from the third in a row on, the second one stands for it.
    fn picture(&mut self, words: &str, len: usize) {
        let end = bytes(self.next(len)).end;
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

    /// A number that rates: it stays, and what it means comes after it.
    fn rating(&mut self, len: usize, meaning: &str) {
        let number: String = self.next(len).iter().map(|u| u.c).collect();
        self.replace(&format!("{} {meaning}", number.trim_end()), len);
    }

    /// `len` units of a hashtag, its words set apart.
    fn hashtag(&mut self, len: usize) {
        let letter = |unit: &Unit| {
            let mut plain = letters::plain(unit.c).unwrap_or_default().chars();
            Unit { c: plain.next().filter(|_| plain.next().is_none()).unwrap_or(unit.c), ..*unit }
        };
        let tag: Vec<Unit> = self.next(len).iter().map(letter).collect();
        let Some((&sign, tag)) = tag.split_first() else { return };
        self.character('#', sign);
        let mut at = 0;
        for (i, part) in hashtags::split(tag, self.rank).into_iter().enumerate() {
            let units = until(from(tag, at), part.units);
            if i > 0 {
                self.out.push_space(bytes(units).start);
            }
            if part.text.chars().eq(units.iter().map(|u| u.c)) {
                units.iter().for_each(|unit| self.character(unit.c, *unit));
            } else if !part.text.is_empty() {
                self.out.push(&part.text, bytes(units));
                self.repeats = 1;
            }
            at += part.units;
        }
        self.at += len;
        self.tag_end = self.at;
    }

    /// A character of ordinary text, plain when it is in disguise.
    fn letter(&mut self, unit: Unit) {
        match letters::plain(unit.c) {
            Some(plain) => plain.chars().for_each(|c| self.character(c, unit)),
            None => self.character(unit.c, unit),
        }
        self.at += 1;
    }

    /// One character that `unit` stands for.
    fn character(&mut self, c: char, unit: Unit) {
        let c = match c {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '`' | '´' => '\'',
            '\u{201c}' | '\u{201d}' | '\u{201f}' => '"',
            c if invisible::vanishes(c) => return,
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

/// Whether `units` start with `prefix`, which is in lower case; ASCII letters match in either case.
fn starts_with(units: &[Unit], prefix: &str) -> bool {
    let mut units = units.iter().map(|u| u.c.to_ascii_lowercase());
    prefix.chars().all(|c| units.next() == Some(c))
}
