//! Ratings as words: `9/10`, `4/5 stars`, `3.5 out of 5`, `★★★★☆`. The number stays; a word that says what it means comes
//! after it.

use super::{Unit, from};

/// Words after a number that counts things and rates none: `9/10 times`, `4 out of 5 dentists`.
const COUNTED: [&str; 46] = [
    "sec",
    "second",
    "of",
    "times",
    "people",
    "women",
    "men",
    "children",
    "th",
    "in",
    "inch",
    "done",
    "complete",
    "mile",
    "cup",
    "cups",
    "tsp",
    "tbsp",
    "teaspoon",
    "tablespoon",
    "pound",
    "lb",
    "kg",
    "oz",
    "ounce",
    "gallon",
    "liter",
    "litre",
    "pint",
    "acre",
    "hour",
    "minute",
    "majority",
    "full",
    "empty",
    "finished",
    "loaded",
    "time",
    "grid",
    "scale",
    "split",
    "ratio",
    "at",
    "am",
    "pm",
    "thread",
];

/// Words that end in `s` and do not count.
const NOT_COUNTED: [&str; 16] = [
    "stars", "points", "pts", "was", "is", "this", "its", "has", "does", "always", "vibes", "yes", "thanks",
    "as", "us", "service",
];

/// What a number before a slash is when one of these stands before it: a date, a page, a part.
const NUMBERED: &[&str] = &[
    "deadline",
    "progress",
    "video",
    "closed",
    "closes",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "tonight",
    "today",
    "tomorrow",
    "starting",
    "starts",
    "opens",
    "on",
    "by",
    "until",
    "till",
    "since",
    "due",
    "date",
    "dated",
    "between",
    "before",
    "after",
    "page",
    "part",
    "step",
    "chapter",
    "round",
    "day",
    "week",
    "episode",
    "slide",
    "level",
    "lesson",
    "tweet",
    "thread",
    "version",
    "batch",
    "item",
    "photo",
    "track",
    "task",
    "test",
    "file",
    "line",
    "question",
    "stage",
    "size",
    "about",
    "only",
    "to",
    "and",
    "build",
    "module",
    "unit",
    "add",
    "season",
    "series",
    "lap",
    "stop",
    "leg",
    "game",
    "match",
    "race",
    "set",
    "row",
    "post",
];

/// A rating that `units` start with: how many units it takes and what it means. `before` is the text before it.
pub(super) fn number(before: &[Unit], units: &[Unit]) -> Option<(usize, &'static str)> {
    let labelled = matches!(before, [.., word, colon] if word.c.is_alphabetic() && colon.c == ':');
    let part_of_more = |u: &Unit| {
        u.c.is_alphanumeric() || matches!(u.c, '/' | '.' | ',' | '-' | '–' | '$' | '€' | '£' | ':' | '+')
    };
    if !labelled && before.last().is_some_and(part_of_more) {
        return None;
    }
    let (value, mut at) = decimal(units).or_else(|| in_words(units))?;
    let slash = spaced(units, at, "/").filter(|_| decimal(units).is_some());
    let (most, end) = match slash {
        Some(after) => decimal(units.get(after..)?).map(|(most, len)| (most, after + len))?,
        None => {
            at = spaced(units, at, "out of")?;
            let rest = units.get(at..)?;
            decimal(rest).or_else(|| in_words(rest)).map(|(most, len)| (most, at + len))?
        }
    };
    let rates = most == 5.0 || most == 10.0 || most == 100.0 && slash.is_some() && value >= 10.0;
    let joking = most == 10.0 && value.fract() == 0.0 && (value <= 15.0 || value == 100.0);
    let over = value > most && !joking;
    if !rates || over || !is_ended(units.get(end..)?) {
        return None;
    }
    let colon =
        before.iter().rposition(|u| u.c != ' ').filter(|i| before.get(*i).is_some_and(|u| u.c == ':'));
    let words_before = last_word(colon.and_then(|i| before.get(..i)).unwrap_or(before));
    if slash.is_some() && value.fract() == 0.0 && is_part(before, units, end) {
        return None;
    }
    let numbered = NUMBERED.contains(&words_before.as_str());
    let next = next_word(from(units, end));
    let starred = matches!(next.as_str(), "star" | "stars");
    let plural = next.len() > 3
        && next.ends_with('s')
        && !next.ends_with("ss")
        && !NOT_COUNTED.contains(&next.as_str());
    if !starred && (COUNTED.contains(&next.as_str()) || plural || numbered && slash.is_some()) {
        return None;
    }
    Some((end, meaning(value / most)))
}

/// Numbers of stars as words.
const NUMBERS: [&str; 11] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The number that `units` start with as a word, and its length.
fn in_words(units: &[Unit]) -> Option<(f32, usize)> {
    let (value, word) = NUMBERS.iter().enumerate().find(|(_, word)| super::starts_with(units, word))?;
    let ended = units.get(word.len()).is_none_or(|u| !u.c.is_alphanumeric());
    ended.then_some((value as f32, word.len()))
}

/// Whether `n/m`, which ends at `end`, numbers the parts of a thread: it ends a long text in brackets, or a thread is spoken of.
fn is_part(before: &[Unit], units: &[Unit], end: usize) -> bool {
    let next = |i: usize| units.get(end + i).map(|u| u.c);
    let bracket =
        before.last().is_some_and(|u| matches!(u.c, '(' | '[')) && matches!(next(0), Some(')' | ']'));
    let thread: String = units.iter().skip(end).take(24).map(|u| u.c.to_ascii_lowercase()).collect();
    let opens = before.len() == 1 || before.iter().rev().nth(1).is_some_and(|u| u.c == '\n');
    // No further than a few words: a text may have as many of these as it has room for.
    let goes_on = units.iter().skip(end + 1).take(24).any(|u| u.c.is_alphabetic());
    bracket && (before.len() > 80 && units.len() <= end + 2 || opens && goes_on && next(0) == Some(']'))
        || thread.contains("thread")
        || thread.contains('🧵')
}

/// `4.5★`, `3 ☆`, `5*` that `units` start with: one star stands for the word.
pub(super) fn starred(before: &[Unit], units: &[Unit]) -> Option<(usize, &'static str)> {
    if before.last().is_some_and(|u| !u.c.is_whitespace() && !matches!(u.c, '(' | '"' | '\'' | ':')) {
        return None;
    }
    let (value, len) = decimal(units)?;
    let gap = usize::from(units.get(len)?.c == ' ');
    let star = |i: usize| units.get(i).map(|u| u.c);
    let is_star = |c: Option<char>| matches!(c, Some('★' | '☆' | '⭐' | '⭑' | '🌟'));
    let mut end = len + gap + 1;
    let mark = star(len + gap);
    let ascii = mark == Some('*') && gap == 0 && value >= 1.0;
    if !(ascii || is_star(mark)) || value > 5.0 {
        return None;
    }
    end += usize::from(star(end) == Some('\u{fe0f}'));
    let next = star(end);
    let ended = next.is_none_or(|c| c.is_whitespace() || matches!(c, '.' | ',' | '!' | ')' | '"' | ';'));
    let goes_on = units.iter().skip(end).take(8).find(|u| u.c != ' ').map(|u| u.c);
    let product = ascii && goes_on.is_some_and(|c| c.is_ascii_digit() || matches!(c, '(' | '='));
    let starts =
        before.iter().rev().find(|u| u.c != ' ').is_none_or(|u| matches!(u.c, '\n' | ':' | '(' | '"' | '.'))
            || GIVING.contains(&last_word(before).as_str());
    (ended && !is_star(goes_on) && !product && (starts || !ascii)).then(|| (end, meaning(value / 5.0)))
}

/// What stands before `n stars` that rate.
const GIVING: [&str; 22] = [
    "gave", "give", "giving", "given", "rate", "rated", "rating", "deserve", "deserves", "deserved", "solid",
    "easy", "get", "gets", "got", "only", "just", "a", "an", "another", "review", "be",
];

/// What goes on after `n stars` that rate, wherever they stand and where they are given.
const RATED: [&str; 9] =
    ["review", "reviews", "rating", "service", "experience", "from", "because", "would", "easily"];
const GIVEN: [&str; 10] = ["for", "and", "but", "all", "is", "out", "i", "great", "this", "if"];

/// `5 stars`, `one star`, `4.5-star` that `units` start with, when nothing says that stars are counted (`5 stars in the sky`).
pub(super) fn counted_stars(before: &[Unit], units: &[Unit]) -> Option<(usize, &'static str)> {
    if before.last().is_some_and(|u| {
        !u.c.is_whitespace() && !matches!(u.c, '(' | '"' | '\'' | '*' | ':' | '.' | ',' | '!')
    }) {
        return None;
    }
    let word =
        |(value, word): (usize, &&str)| super::starts_with(units, word).then_some((value as f32, word.len()));
    let (value, len) = NUMBERS.iter().take(6).enumerate().find_map(word).or_else(|| decimal(units))?;
    let gap = units.get(len).filter(|u| matches!(u.c, ' ' | '-'))?;
    let mut end = len + 1;
    if !super::starts_with(from(units, end), "star") || value > 5.0 || value * 2.0 % 1.0 != 0.0 {
        return None;
    }
    end += if units.get(end + 4).is_some_and(|u| matches!(u.c, 's' | 'S')) { 5 } else { 4 };
    if units.get(end).is_some_and(|u| u.c.is_alphanumeric() || u.c == '-') {
        return None;
    }
    let next = next_word(from(units, end));
    let stops = units.iter().skip(end).find(|u| u.c != ' ').is_none_or(|u| ".,!?;:)…\"'\n-–—*".contains(u.c));
    let starts = before.iter().rev().find(|u| u.c != ' ').is_none_or(|u| matches!(u.c, '\n' | ':'))
        || GIVING.contains(&last_word(before).as_str());
    let rates =
        stops || RATED.contains(&next.as_str()) || starts && gap.c == ' ' && GIVEN.contains(&next.as_str());
    rates.then(|| (end, meaning(value / 5.0)))
}

/// A row of stars that `units` start with: `★★★☆☆`, `⭐⭐⭐⭐⭐`, `★★★½`. Fewer than five full ones alone rate only where
/// nothing else stands on the line before them.
pub(super) fn stars(before: &[Unit], units: &[Unit]) -> Option<(usize, String)> {
    let (mut full, mut empty, mut half, mut len) = (0usize, 0usize, false, 0usize);
    let is_star = |c: char| matches!(c, '★' | '☆' | '⭐' | '✩' | '✰' | '🌟');
    let star_at = |at: usize| units.get(at).is_some_and(|u| is_star(u.c));
    // With a space behind each.
    let apart = star_at(0) && units.get(1).is_some_and(|u| u.c == ' ') && star_at(2);
    for (at, unit) in units.iter().take(MOST_STARS).enumerate() {
        match unit.c {
            ' ' if apart && star_at(at + 1) => {}
            '⭐' | '★' | '🌟' | '✭' | '✮' | '⭑' | '🟊' if empty == 0 && !half => full += 1,
            '☆' | '✩' | '✰' | '⚝' | '⭒' => empty += 1,
            '½' if full > 0 && !half && empty == 0 => half = true,
            '\u{fe0f}' | '\u{fe0e}' if len > 0 => {}
            _ => break,
        }
        len += 1;
    }
    let total = full + empty + usize::from(half && empty > 0 && full + empty < 5);
    let most = match (empty, total) {
        (0, 1..=5) => 5,
        (0, 10) => 10,
        (1.., 3 | 5 | 10) => total,
        _ => return None,
    };
    if empty == 0 && full < 5 {
        let line = before.iter().rev().take_while(|u| u.c != '\n');
        let labelled = before.iter().rev().find(|u| !u.c.is_whitespace()).is_some_and(|u| u.c == ':');
        if full < 2 && !half || !labelled && !line.clone().all(|u| u.c.is_whitespace()) {
            return None;
        }
    }
    let value = full as f32 + if half { 0.5 } else { 0.0 };
    let halves = if half { ".5" } else { "" };
    Some((len, format!("{full}{halves} out of {most} {}", meaning(value / most as f32))))
}

/// More units are no row of ten stars with their styles.
const MOST_STARS: usize = 24;

/// What a share of the best rating means.
fn meaning(share: f32) -> &'static str {
    match share {
        0.95.. => "excellent",
        0.75.. => "very good",
        0.65.. => "good",
        0.45.. => "okay",
        0.3.. => "bad",
        _ => "terrible",
    }
}

/// The number that `units` start with, at most two digits or 100, one more after a point, and its length.
fn decimal(units: &[Unit]) -> Option<(f32, usize)> {
    let digits = |from: usize, most: usize| {
        units.iter().skip(from).take(most + 1).take_while(|u| u.c.is_ascii_digit()).count()
    };
    let whole = digits(0, 3);
    let point = units.get(whole).is_some_and(|u| matches!(u.c, '.' | ','));
    let fraction = if point { digits(whole + 1, 2) } else { 0 };
    let len = if fraction > 0 { whole + 1 + fraction } else { whole };
    let text: String = units.get(..len)?.iter().map(|u| if u.c == ',' { '.' } else { u.c }).collect();
    if !(1..=3).contains(&whole) || fraction > 2 || whole > 1 && text.starts_with('0') {
        return None;
    }
    text.parse().ok().map(|value| (value, len))
}

/// Where `mark` ends when it stands at `at`, with or without spaces around it.
fn spaced(units: &[Unit], at: usize, mark: &str) -> Option<usize> {
    let skip = |from: usize| from + units.iter().skip(from).take(2).take_while(|u| u.c == ' ').count();
    let start = skip(at);
    let word = mark.len() > 1;
    if word && start == at || !super::starts_with(units.get(start..)?, mark) {
        return None;
    }
    let after = skip(start + mark.chars().count());
    // `3 /5` and `3/ 5` are no ratings, `3 / 5` is.
    ((start == at) == (after == start + mark.chars().count()) || word).then_some(after)
}

/// Whether a number ends where `units` begin: no date, share or word goes on.
fn is_ended(units: &[Unit]) -> bool {
    let Some(next) = units.first().map(|u| u.c) else { return true };
    let digit_after = units.get(1).is_some_and(|u| u.c.is_alphanumeric());
    !(next.is_alphanumeric()
        || matches!(next, '%' | '°' | '/' | '"')
        || matches!(next, '.' | ',' | '-' | '–' | ':') && digit_after)
}

/// The word before, in lower case, at most as long as the longest that is asked for.
fn last_word(before: &[Unit]) -> String {
    let letters = before.iter().rev().skip_while(|u| matches!(u.c, ' ' | '(' | '#')).take(12);
    let word: String =
        letters.map(|u| u.c.to_ascii_lowercase()).take_while(char::is_ascii_alphabetic).collect();
    word.chars().rev().collect()
}

fn next_word(units: &[Unit]) -> String {
    let letters = units.iter().skip_while(|u| matches!(u.c, ' ')).take(24);
    letters.map(|u| u.c.to_ascii_lowercase()).take_while(char::is_ascii_alphabetic).collect()
}
