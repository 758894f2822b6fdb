//! Links, mentions and leading retweet marks.

use std::{collections::HashSet, sync::LazyLock};

use super::{Rank, Unit, starts_with, until};

/// Top-level domains, as IANA lists them: those in ASCII of the npm package `tlds` 1.261.0 (MIT).
const TOP_LEVEL: &str = include_str!("data/tlds.txt");

static DOMAINS: LazyLock<HashSet<&str>> = LazyLock::new(|| TOP_LEVEL.split_ascii_whitespace().collect());

/// Those that a bare name with no path may end in, beside the countries': nobody ends a sentence in them.
const GENERIC: [&str; 14] = [
    "com", "org", "net", "edu", "gov", "mil", "info", "biz", "app", "dev", "xyz", "online", "shop", "website",
];

/// Countries whose code is a word, or what a file of code or text ends in: `it.is`, `so.no`, `main.rs`.
const WORDS: [&str; 36] = [
    "ad", "ae", "ag", "am", "as", "at", "be", "by", "cc", "do", "hm", "hr", "id", "im", "in", "is", "it",
    "la", "md", "me", "ml", "mm", "ms", "my", "no", "pl", "ps", "py", "rs", "sh", "so", "to", "us", "vi",
    "ph", "mo",
];

/// Top-level domains that also begin a sentence whose space is missing (`Terrible.pm me`): behind a common word they are none.
const BEGINNINGS: [&str; 9] = ["ai", "app", "bf", "dev", "fr", "gf", "pm", "tf", "tv"];

/// Words of a lower rank are names as often.
const COMMON: u32 = 12_000;

/// The longest host name that is looked at.
const LONGEST_HOST: usize = 100;

/// The longest name before an address's `@`.
const LONGEST_NAME: usize = 64;

/// Length of the link that `units` start with, also of one that was cut off (`htt…`, `http://t.c…`) or has no scheme
/// (`example.com/a`).
pub(super) fn read(before: Option<char>, units: &[Unit], rank: &Rank<'_>) -> Option<usize> {
    const STARTS: [&str; 9] = [
        "http://",
        "https://",
        "hxxp://",
        "hxxps://",
        "ftp://",
        "www.",
        "t.co/",
        "pic.twitter.com/",
        "<url>",
    ];
    const CUT_OFF: [&str; 8] = ["ht…", "htt…", "http…", "http:…", "http:/…", "https…", "https:…", "https:/…"];
    if let Some(cut) = CUT_OFF.iter().find(|cut| starts_with(units, cut)) {
        return Some(cut.chars().count());
    }
    if let Some(cut) =
        ["http:/...", "https:/...", "http:...", "https:..."].iter().find(|cut| starts_with(units, cut))
    {
        return Some(cut.len());
    }
    let Some(start) = STARTS.iter().find(|start| starts_with(units, start)) else {
        // The end of an address or of a longer name is no host.
        return bare(units, rank).filter(|_| !matches!(before, Some('@' | '.')));
    };
    Some(whole(units, start.len()))
}

/// Length of the link whose first `start` units are sure.
fn whole(units: &[Unit], start: usize) -> usize {
    let in_link = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"');
    let len = start + units.iter().skip(start).take_while(|u| in_link(u.c)).count();
    if units.get(len).is_some_and(|u| u.c == '…') {
        return len + 1;
    }
    // Punctuation at the end belongs to the sentence.
    let tail = units.get(start..len).unwrap_or_default().iter().rev();
    let end = |u: &&Unit| matches!(u.c, '.' | ',' | '!' | '?' | ':' | ';' | ')' | '\'' | ']' | '*');
    len - tail.take_while(end).count()
}

/// Length of a link without a scheme: a host that ends in a top-level domain. A path makes it sure; without one the
/// domain must be none that also ends sentences or the names of files.
fn bare(units: &[Unit], rank: &Rank<'_>) -> Option<usize> {
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !units.first()?.c.is_ascii_alphanumeric() {
        return None;
    }
    let host: String = units.iter().take(LONGEST_HOST).map(|u| u.c).take_while(|c| in_host(*c)).collect();
    let ends_sentence = host.len() - host.trim_end_matches(['.', '-']).len();
    let host = host.get(..host.len() - ends_sentence)?;
    let (before, last) = host.rsplit_once('.')?;
    let labels = before.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    let cased = |s: &str| s.bytes().all(|b| !b.is_ascii_uppercase());
    let shouted = host.bytes().all(|b| !b.is_ascii_lowercase());
    let domain = last.to_ascii_lowercase();
    if !labels || !(cased(last) || shouted) || !DOMAINS.contains(domain.as_str()) {
        return None;
    }
    let next = units.get(host.len()).map(|u| u.c);
    let after = units.get(host.len() + 1).map(|u| u.c);
    if next == Some('@') {
        return None;
    }
    let path = ends_sentence == 0
        && match next {
            Some('/') => domain.len() > 2 || before.len() > 2 || after.is_none_or(char::is_whitespace),
            Some('?' | '#') => after.is_some_and(|c| c.is_ascii_alphanumeric()),
            Some(':') => after.is_some_and(|c| c.is_ascii_digit()),
            _ => false,
        };
    if path {
        return Some(whole(units, host.len()));
    }
    let country = domain.len() == 2 && !WORDS.contains(&domain.as_str());
    let name = before.rsplit('.').next().unwrap_or_default();
    if BEGINNINGS.contains(&domain.as_str()) && rank(&before.to_ascii_lowercase()).is_some_and(|r| r < COMMON)
    {
        return None;
    }
    let ended = next.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (ended && (GENERIC.contains(&domain.as_str()) || country) && name.len() > 1).then_some(host.len())
}

/// Length of the mention that `units` start with: `@name`, also with its server (`@name@example.org`), an address
/// (`name@example.org`), Reddit's `u/name`, or `<user>` as some data sets write it.
pub(super) fn mention(units: &[Unit]) -> Option<usize> {
    if starts_with(units, "<user>") {
        return Some(6);
    }
    let in_name = |u: &&Unit| u.c.is_ascii_alphanumeric() || u.c == '_';
    if let Some(start) = ["u/", "/u/"].iter().find(|start| starts_with(units, start)) {
        let name = units.iter().skip(start.len()).take_while(|u| in_name(u) || u.c == '-').count();
        return (name > 2).then_some(start.len() + name);
    }
    if !matches!(units.first()?.c, '@' | '\u{ff20}') {
        return address(units);
    }
    let rest = units.get(1..)?;
    let name = rest.iter().take_while(in_name).count();
    let with_server =
        rest.get(name).filter(|u| u.c == '@' && name <= LONGEST_NAME).and_then(|_| address(rest));
    (name > 0).then_some(with_server.unwrap_or(name) + 1)
}

/// Length of the mail address that `units` start with.
fn address(units: &[Unit]) -> Option<usize> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    let name = units.iter().take(LONGEST_NAME).take_while(|u| in_name(u.c)).count();
    if !units.first()?.c.is_ascii_alphanumeric() || units.get(name)?.c != '@' {
        return None;
    }
    let host = units.get(name + 1..)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let label = host.iter().take(LONGEST_NAME).take_while(|u| letter(u.c)).count();
    let after = host.get(label + 1).is_some_and(|u| u.c.is_ascii_alphabetic());
    if label == 0 || host.get(label)?.c != '.' || !after {
        return None;
    }
    let len = host.iter().take(LONGEST_HOST).take_while(|u| letter(u.c) || u.c == '.').count();
    let dots = until(host, len).iter().rev().take_while(|u| u.c == '.').count();
    Some(name + 1 + len - dots)
}

/// Where a post begins after any leading `RT @name:`; at 0 when there is none or nothing follows.
pub(super) fn after_retweet(units: &[Unit]) -> usize {
    let skip = |from: usize, wanted: fn(char) -> bool| {
        from + units.iter().skip(from).take_while(|u| wanted(u.c)).count()
    };
    let mut text = 0;
    loop {
        let rt = skip(text, char::is_whitespace);
        let name = skip(rt + 2, char::is_whitespace);
        let is_rt = units.get(rt..).is_some_and(|u| starts_with(u, "rt"));
        let Some(len) = units.get(name..).filter(|_| is_rt).and_then(mention) else { return text };
        let colon = skip(name + len, char::is_whitespace);
        let body = skip(skip(colon, |c| c == ':'), char::is_whitespace);
        if units.get(colon).is_none_or(|u| u.c != ':') || body == units.len() {
            return text;
        }
        text = body;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn link(text: &str) -> Option<&str> {
        read(None, &units(text), &|word| (word == "terrible").then_some(9)).map(|len| &text[..len])
    }

    #[test]
    fn bare_domains_are_links() {
        for text in [
            "example.com/worst-terrible-awful-scam",
            "example.com",
            "bbc.co.uk",
            "EXAMPLE.COM",
            "youtu.be/abc",
            "discord.gg/x",
            "x.com/a",
            "example.de",
            "sub.example.org:8080/x",
            "example.com?q=hate",
            "bit.ly/3x",
            "a-b.example.net",
            "docs.rs/serde",
            "openai.fr",
            "terrible.com",
            "terrible.ai/x",
        ] {
            assert_eq!(link(text), Some(text), "{text}");
        }
        assert_eq!(link("example.com."), Some("example.com"));
        assert_eq!(link("example.com, and"), Some("example.com"));
        assert_eq!(link("http://t.co/a1B2!"), Some("http://t.co/a1B2"));
    }

    #[test]
    fn prose_and_files_are_not() {
        for text in [
            "end.Start",
            "Terrible.pm me",
            "terrible.fr",
            "e.g.",
            "i.e.",
            "Node.js",
            "main.rs",
            "setup.py",
            "README.md",
            "it.is bad",
            "so.no",
            "U.S.",
            "a.m.",
            "3.14",
            "10.30",
            "v1.2.3",
            "done.it was",
            "great.so happy",
            "ok.now",
            "love.me",
            "etc.",
            "end.The",
            "hello...world",
            ".com",
            "com",
            "-a.com",
            "fun.love it",
            "Ph.D.",
            "he.she/they",
            "No.1",
            "and.or/else",
        ] {
            assert_eq!(link(text), None, "{text}");
        }
    }
}
