//! Tags of HTML, which nobody sees, and what R writes for characters that it cannot show (`<U+2019>`, `<e2><80><99>`).

use super::{Unit, mojibake, starts_with, utf8};

/// Tags that people and editors put into posts. Those that end a line separate words.
const INLINE: [&str; 20] = [
    "b", "i", "u", "s", "em", "strong", "span", "a", "font", "small", "big", "sub", "sup", "del", "ins",
    "mark", "code", "tt", "strike", "cite",
];
const BLOCK: [&str; 27] = [
    "p",
    "br",
    "div",
    "img",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "table",
    "tr",
    "td",
    "th",
    "tbody",
    "thead",
    "blockquote",
    "pre",
    "center",
    "section",
    "article",
    "q",
    "body",
];

/// The longest tag with its attributes.
const LONGEST: usize = 400;

/// What the units at a `<` are: `None` when it is ordinary text.
pub(super) fn read(units: &[Unit]) -> Option<(Vec<char>, usize)> {
    coded(units).or_else(|| tag(units))
}

/// `<U+2019>`, `<U+0001F602>`, `<e2><80><99>`, `<92>`.
fn coded(units: &[Unit]) -> Option<(Vec<char>, usize)> {
    let hex = |from: usize, digits: usize| {
        let mut digits = units.get(from..from + digits)?.iter();
        digits.try_fold(0, |sum, unit| Some(sum << 4 | unit.c.to_digit(16)?))
    };
    let closed = |at: usize| units.get(at).is_some_and(|u| u.c == '>');
    if starts_with(units, "<u+") {
        let digits = [4, 8].into_iter().find(|digits| closed(3 + digits))?;
        let c = char::from_u32(hex(3, digits)?).filter(|c| !c.is_control())?;
        return Some((vec![c], digits + 4));
    }
    let byte = |at: usize| {
        let opened = units.get(at).is_some_and(|u| u.c == '<') && closed(at + 3);
        hex(at + 1, 2).filter(|_| opened).and_then(|byte| u8::try_from(byte).ok())
    };
    let (c, bytes) = utf8::read(|i| byte(4 * i))
        .filter(|(_, bytes)| *bytes > 1)
        .or_else(|| Some((mojibake::punctuation(byte(0)?)?, 1)))?;
    Some((vec![c], 4 * bytes))
}

/// `<b>`, `</p>`, `<br/>`, `<a href="…">`, `<!-- … -->`.
fn tag(units: &[Unit]) -> Option<(Vec<char>, usize)> {
    let at = |i: usize| units.get(i).map(|u| u.c);
    if starts_with(units, "<!--") {
        let end =
            units.get(4..)?.windows(3).take(LONGEST).position(|w| w.iter().map(|u| u.c).eq("-->".chars()))?;
        return Some((vec![' '], 4 + end + 3));
    }
    let start = if at(1) == Some('/') { 2 } else { 1 };
    let name: String = units
        .iter()
        .skip(start)
        .take(10)
        .map(|u| u.c.to_ascii_lowercase())
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let inline = INLINE.contains(&name.as_str());
    if !inline && !BLOCK.contains(&name.as_str()) {
        return None;
    }
    let mut len = start + name.len();
    let spaces = |from: usize| {
        from + units.iter().skip(from).take(LONGEST).take_while(|u| u.c.is_whitespace()).count()
    };
    loop {
        let next = spaces(len);
        match at(next)? {
            '>' => return Some((if inline { Vec::new() } else { vec![' '] }, next + 1)),
            '/' if at(next + 1) == Some('>') => return Some((vec![' '], next + 2)),
            _ if next == len || next > LONGEST => return None,
            _ => len = attribute(units, next)?,
        }
    }
}

/// Where the attribute at `from` ends: `name="value"`, `name='value'`, `name=value`.
fn attribute(units: &[Unit], from: usize) -> Option<usize> {
    let in_name = |u: &&Unit| u.c.is_ascii_alphanumeric() || matches!(u.c, '-' | ':' | '_');
    let name = units.iter().skip(from).take(LONGEST).take_while(in_name).count();
    let value = from + name + 1;
    if name == 0 || units.get(value - 1)?.c != '=' {
        return None;
    }
    let (start, quote) = match units.get(value)?.c {
        quote @ ('"' | '\'') => (value + 1, Some(quote)),
        _ => (value, None),
    };
    let ends = |c: char| quote.map_or(c.is_whitespace() || matches!(c, '>' | '"' | '<'), |quote| c == quote);
    let len = units.iter().skip(start).take(LONGEST).position(|u| ends(u.c))?;
    Some(start + len + usize::from(quote.is_some()))
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn taken(text: &str) -> Option<(String, &str)> {
        let (chars, len) = read(&units(text))?;
        Some((chars.into_iter().collect(), text.get(..len).unwrap_or(text)))
    }

    #[test]
    fn tags_and_codes_are_read() {
        for tag in ["<b>", "</b>", "<a href=\"http://x.org/hate\">", "<span class='a b' id=c>", "<EM>"] {
            assert_eq!(taken(&format!("{tag}x")), Some((String::new(), tag)));
        }
        for tag in ["<p>", "<br>", "<br />", "<br/>", "<img src=a alt=\"love\">", "<!-- love -->"] {
            assert_eq!(taken(&format!("{tag}x")), Some((" ".into(), tag)));
        }
        assert_eq!(taken("<U+2019>t"), Some(("’".into(), "<U+2019>")));
        assert_eq!(taken("<e2><80>"), None);
        assert_eq!(read(&units("<e2><80><99>t")), Some((vec!['’'], 12)));
        assert_eq!(read(&units("<92>t")), Some((vec!['’'], 4)));
        assert_eq!(read(&units("<U+0001F602>")), Some((vec!['😂'], 12)));
    }

    #[test]
    fn other_brackets_stay() {
        for text in [
            "<3",
            "<user>",
            "<url>",
            "< b",
            "<b and c>",
            "<T>",
            "<script>",
            "<",
            "<b",
            "<a href=",
            "<41>",
            "<ad>",
        ] {
            assert_eq!(taken(text), None, "{text}");
        }
    }
}
