//! What feeds, forms and exports put in for characters, undone: HTML entities, escapes of JSON, JavaScript and Python,
//! percent-encoding outside of links, quoted-printable, and tags of HTML.

use super::{Rank, Unit, bytes, from, hashtags, links, mojibake, tags, until, utf8};

/// The most bytes of an entity's name (`&CounterClockwiseContourIntegral;` is the longest), `&` and `;` included.
const LONGEST_ENTITY: usize = 34;

/// How often a text may have been encoded: `&amp;amp;#39;`, `%252527`.
const LAYERS: usize = 8;

/// Undoes every layer of encoding. Each character keeps the bytes of the original that it was written with.
pub(super) fn undo(mut units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    for _ in 0..LAYERS {
        let before = units.len();
        if units.iter().any(|u| matches!(u.c, '\\' | '&' | '<')) {
            units = rewrite(&units, |rest| match rest.first()?.c {
                '\\' => escape(rest, rank),
                '&' => entity(rest),
                '<' => tags::read(rest),
                _ => None,
            });
        }
        if units.iter().any(|u| matches!(u.c, '%' | '=')) {
            units = percent(&units, rank);
        }
        if units.len() == before {
            break;
        }
    }
    // What is left of an entity once all whole ones are undone.
    if units.iter().any(|u| u.c == ';') { rewrite(&units, wrecked_entity) } else { units }
}

/// Characters, and how many units they stand for.
type Read = (Vec<char>, usize);

/// Puts what `read` finds at each place in the place of the units it takes.
fn rewrite(units: &[Unit], mut read: impl FnMut(&[Unit]) -> Option<Read>) -> Vec<Unit> {
    let mut out = Vec::with_capacity(units.len());
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        let rest = from(units, at);
        match read(rest) {
            Some((chars, len)) => {
                let end = bytes(until(rest, len)).end;
                out.extend(chars.into_iter().map(|c| Unit { c, start: unit.start, end }));
                at += len;
            }
            None => {
                out.push(unit);
                at += 1;
            }
        }
    }
    out
}

/// The ASCII characters that `units` start with, at most `most`.
fn ascii(units: &[Unit], most: usize) -> String {
    units.iter().take(most).map(|u| u.c).take_while(char::is_ascii).collect()
}

fn hex(units: &[Unit], from: usize, digits: usize) -> Option<u32> {
    let text = ascii(units.get(from..from + digits)?, digits);
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| u32::from_str_radix(&text, 16).ok())?
}

/// The HTML entity that `units` start with: any of HTML's names or a number, without `;` where browsers allow it.
fn entity(units: &[Unit]) -> Option<Read> {
    let text = ascii(units, LONGEST_ENTITY);
    if let Some((code, len)) = number(&text) {
        // Half of a character in UTF-16: the other half is the next entity, `&#55357;&#56865;`.
        let next = || number(&ascii(from(units, len), LONGEST_ENTITY));
        let (pair, len) = match (code, next()) {
            (0xd800..0xdc00, Some((low, more))) => ([code, low], len + more),
            _ => return Some((vec![char::from_u32(code)?], len)),
        };
        let pair = pair.map(|half| u16::try_from(half).unwrap_or(0));
        return Some((vec![char::decode_utf16(pair).next()?.ok()?], len));
    }
    let named = |name: &str| {
        let found = htmlize::ENTITIES.get(name.as_bytes())?;
        std::str::from_utf8(found).ok().map(|c| c.chars().collect::<Vec<_>>())
    };
    let len = 1 + text.bytes().skip(1).take_while(u8::is_ascii_alphanumeric).count();
    if text.as_bytes().get(len) == Some(&b';')
        && let Some(chars) = named(&text[..=len])
    {
        return Some((chars, len + 1));
    }
    // An apostrophe that lost its `;`, or is shouted, is not left in the middle of a word.
    for name in ["&apos", "&rsquo", "&lsquo"] {
        if text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            let closed = text.as_bytes().get(name.len()) == Some(&b';');
            return Some((vec!['\''], name.len() + usize::from(closed)));
        }
    }
    // Words behind an `&` that stands for "and": `slow&not good`.
    if ["&not", "&para", "&times", "&cent", "&pound", "&divide"].contains(&&text[..len]) {
        return None;
    }
    // As in an attribute: a longer word or a parameter of a query is no entity.
    if len < 3 || text.as_bytes().get(len) == Some(&b'=') {
        return None;
    }
    named(&text[..len]).map(|chars| (chars, len))
}

/// The number that an entity stands for, `&#39;` or `&#x27;`, and how many units it takes. The `;` may be missing.
fn number(text: &str) -> Option<(u32, usize)> {
    let number = text.strip_prefix("&#")?;
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let zeros = digits.bytes().take_while(|b| *b == b'0').count();
    let more = digits.bytes().skip(zeros).take(7).take_while(|b| char::from(*b).is_digit(radix)).count();
    let len = zeros + more;
    let code = u32::from_str_radix(digits.get(zeros..len)?, radix).ok()?;
    let before = text.len() - digits.len();
    Some((code, before + len + usize::from(digits.as_bytes().get(len) == Some(&b';'))))
}

/// Numbers of apostrophes and quotation marks.
const QUOTES: [(&str, char); 10] = [
    ("39", '\''),
    ("039", '\''),
    ("x27", '\''),
    ("146", '’'),
    ("8217", '’'),
    ("x2019", '’'),
    ("8216", '‘'),
    ("34", '"'),
    ("8220", '“'),
    ("8221", '”'),
];

/// The number of a quotation mark that lost a part of `&#`: `won#39;t`, `won&39;t`, `won& #39;t`, `wonamp;#39;t`.
fn wrecked_entity(units: &[Unit]) -> Option<Read> {
    let text = ascii(units, 12).to_ascii_lowercase();
    let starts = ["& #", "&# ", "amp;#", "&", "#"];
    let start = starts.iter().find(|start| text.starts_with(**start))?;
    let number = text.get(start.len()..)?;
    let (number, _) = number.split_once(';')?;
    let (digits, mark) = QUOTES.iter().find(|(digits, _)| *digits == number)?;
    Some((vec![*mark], start.len() + digits.len() + 1))
}

/// Whether the `n` of `\n` begins a word, `\not`, and what follows is none without it.
fn is_word(units: &[Unit], rank: &Rank<'_>) -> bool {
    let word: String = units.iter().take(16).map(|u| u.c).take_while(char::is_ascii_lowercase).collect();
    let known = |word: &str| match word.len() {
        0 => false,
        1 | 2 => hashtags::SHORT.split(' ').any(|short| short == word),
        _ => rank(word).is_some(),
    };
    // A negation is never lost, even where the rest is a word.
    let never = matches!(word.as_str(), "never" | "neither" | "none");
    never || known(&word) && word.get(1..).is_some_and(|rest| !known(rest))
}

/// The escape that `units` start with: `\n`, `\"`, `\'`, `\u2019`, `\u{2019}`, `\U0001F600`, `\xe2\x80\x99`, `\342\200\231`.
fn escape(units: &[Unit], rank: &Rank<'_>) -> Option<Read> {
    let coded = |len: usize, digits: usize| {
        Some((vec![char::from_u32(hex(units, 2, digits)?).filter(|c| !c.is_control())?], len))
    };
    match units.get(1)?.c {
        'n' | 'r' | 't' if !units.get(2).is_some_and(|u| u.c.is_ascii_lowercase()) => Some((vec![' '], 2)),
        'n' if is_word(from(units, 1), rank) => Some((vec![' '], 1)),
        // `\n` before a word in lower case, when it is not the name of a folder.
        'n' if units.get(3).is_none_or(|u| u.c != '\\') => Some((vec![' '], 2)),
        c @ ('"' | '\'' | '/') => Some((vec![c], 2)),
        'U' => coded(10, 8),
        'u' => match units.get(2)?.c {
            '{' => {
                let digits = units.iter().skip(3).take(7).take_while(|u| u.c.is_ascii_hexdigit()).count();
                let code = hex(units, 3, digits).filter(|_| digits > 0)?;
                let closed = units.get(3 + digits).is_some_and(|u| u.c == '}');
                char::from_u32(code).filter(|c| closed && !c.is_control()).map(|c| (vec![c], 4 + digits))
            }
            _ => {
                let first = u16::try_from(hex(units, 2, 4)?).ok()?;
                let marked = |at: usize, c: char| units.get(at).is_some_and(|u| u.c == c);
                let second = hex(units, 8, 4).filter(|_| marked(6, '\\') && marked(7, 'u'));
                let pair = [first, second.and_then(|s| u16::try_from(s).ok()).unwrap_or(0)];
                let c = char::decode_utf16(pair).next()?.ok()?;
                Some((vec![c], 6 * c.len_utf16()))
            }
        },
        'x' => {
            let byte = |at: usize| {
                let marked = units.get(at)?.c == '\\' && units.get(at + 1)?.c == 'x';
                hex(units, at + 2, 2).filter(|_| marked).and_then(|b| u8::try_from(b).ok())
            };
            let (c, bytes) =
                utf8::read(|i| byte(4 * i)).or_else(|| Some((mojibake::punctuation(byte(0)?)?, 1)))?;
            Some((vec![c], 4 * bytes))
        }
        '0'..='3' => {
            let byte = |at: usize| {
                let digit = |i: usize| units.get(at + i)?.c.to_digit(8);
                let marked = units.get(at)?.c == '\\';
                u8::try_from(digit(1)? << 6 | digit(2)? << 3 | digit(3)?).ok().filter(|_| marked)
            };
            let (c, bytes) = utf8::read(|i| byte(4 * i))?;
            (bytes > 1 || matches!(c, '\'' | '"')).then(|| (vec![c], 4 * bytes))
        }
        _ => None,
    }
}

/// Undoes `%27`, `%u2019` and `=E2=80=99` in words that are no links. A form's `+` is a space in a word that has `%`.
fn percent(units: &[Unit], rank: &Rank<'_>) -> Vec<Unit> {
    let mut out = Vec::with_capacity(units.len());
    let mut at = 0;
    while at < units.len() {
        let rest = from(units, at);
        let fresh = at.checked_sub(1).and_then(|i| units.get(i)).is_none_or(|u| u.c.is_whitespace());
        let len = match links::read(None, rest, rank).filter(|_| fresh) {
            Some(len) => {
                out.extend_from_slice(until(rest, len));
                len
            }
            None => {
                let len = rest.iter().take_while(|u| !u.c.is_whitespace()).count().max(1);
                let word = until(rest, len);
                let decoded = if holds_path(word) { word.to_vec() } else { rewrite_word(word) };
                out.extend(decoded);
                len
            }
        };
        at += len;
    }
    out
}

/// Whether a word holds a link further on, as in `(https://example.org/a%20b`.
fn holds_path(word: &[Unit]) -> bool {
    word.windows(3).any(|w| w.iter().map(|u| u.c).eq("://".chars()))
}

fn rewrite_word(word: &[Unit]) -> Vec<Unit> {
    let byte = |units: &[Unit], at: usize, mark: char| {
        hex(units, at + 1, 2)
            .filter(|_| units.get(at).is_some_and(|u| u.c == mark))
            .and_then(|b| u8::try_from(b).ok())
    };
    let mut previous = None;
    let mut encoded = false;
    let mut out = rewrite(word, |rest| {
        let before = previous.replace(rest.first()?.c);
        match rest.first()?.c {
            '%' if rest.get(1)?.c == 'u' => {
                let c = char::from_u32(hex(rest, 2, 4)?)?;
                encoded = true;
                Some((vec![c], 6))
            }
            '%' => {
                let letter = before.is_some_and(char::is_alphabetic);
                let (c, bytes) = utf8::read(|i| byte(rest, 3 * i, '%'))
                    .or_else(|| Some((mojibake::punctuation(byte(rest, 0, '%').filter(|_| letter)?)?, 1)))?;
                // `50%20` is a number; a letter, digit or control character is never encoded.
                let number = before.is_some_and(|c| c.is_ascii_digit()) && !encoded && c == ' ';
                let plain = c.is_control() && c != '\n' || c.is_ascii_alphanumeric();
                encoded |= !(number || plain);
                (!number && !plain).then(|| (vec![c], 3 * bytes))
            }
            '=' => {
                let (c, bytes) = utf8::read(|i| byte(rest, 3 * i, '='))?;
                (bytes > 1).then(|| (vec![c], 3 * bytes))
            }
            _ => None,
        }
    });
    if encoded && out.iter().filter(|u| u.c == '+').count() > 1 {
        out.iter_mut().filter(|u| u.c == '+').for_each(|u| u.c = ' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    fn undone(text: &str) -> String {
        let words = ["not", "never", "no", "nothing", "it", "ice", "nice", "what"];
        let rank = |word: &str| words.iter().position(|w| *w == word).map(|at| at as u32);
        undo(units(text), &rank).iter().map(|u| u.c).collect()
    }

    #[test]
    fn entities_of_the_whole_list() {
        assert_eq!(undone("a &amp; b &lt;3 &#39;x&#x27; &quot;"), "a & b <3 'x' \"");
        assert_eq!(undone("can&rsquo;t &eacute;t&eacute; &hearts; &NotEqualTilde;"), "can’t été ♥ ≂̸");
        assert_eq!(
            undone("can&#39t &#8217;tis R&Dé &copy 2020 &amp;amp;#39; &amp;rsquo;"),
            "can't ’tis R&Dé © 2020 ' ’"
        );
        assert_eq!(undone("can&rsquot stop &apost"), "can't stop 't");
        for text in
            ["&", "&;", "&bogus;", "&#xD800;", "&#99999999;", "&é;", "?a=1&copy=2", "AT&T", "&#;", "&#0;"]
        {
            assert_eq!(undone(text), text);
        }
    }

    #[test]
    fn words_and_wrecks() {
        assert_eq!(undone("slow&not good, salt&times"), "slow&not good, salt&times");
        assert_eq!(
            undone(r"It was\not good \never \no \nothing \none"),
            "It was not good  never  no  nothing  none"
        );
        assert_eq!(undone(r"so\nwhat is\nit \nice"), "so what is it  ice");
        for wreck in [
            "#39;",
            "&39;",
            "& #39;",
            "&# 39;",
            "amp;#39;",
            "&#00000039;",
            "&APOS;",
            "&amp;amp;amp;amp;amp;#39;",
            r"\047",
        ] {
            assert_eq!(undone(&format!("won{wreck}t")), "won't", "{wreck}");
        }
        assert_eq!(undone("won #39;t #8217;"), "won 't ’");
        assert_eq!(undone("&#55357;&#56865; &#xD83D;&#xDE21;"), "😡 😡");
        for text in ["we are #39 and #1;", "&#55357;", "gamp;#1", "A&39"] {
            assert_eq!(undone(text), text);
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(undone(r"it\u2019s \ud83d\ude02 \n don\'t \u{1F600} \U0001F600"), "it’s 😂   don't 😀 😀");
        assert_eq!(undone(r"don\xe2\x80\x99t don\x27t"), "don’t don't");
        for text in [r"\", r"\u12", r"\ud83d x", r"\q", r"\u+123", r"\x", r"\xff", r"\U99999999", r"\u{}"] {
            assert_eq!(undone(text), text);
        }
    }

    #[test]
    fn percent_encoding_outside_of_links() {
        assert_eq!(undone("isn%27t isn%E2%80%99t isn%u2019t isn%2527t"), "isn't isn’t isn’t isn't");
        assert_eq!(undone("It%27s%20not%20good"), "It's not good");
        assert_eq!(undone("I+don%27t+like+it"), "I don't like it");
        assert_eq!(undone("don=E2=80=99t"), "don’t");
        for text in [
            "50%20 off",
            "100%",
            "100%92",
            "%zz",
            "http://x.org/a%20b",
            "(https://x.org/%27)",
            "a=b1",
            "%41",
            "5%2",
        ] {
            assert_eq!(undone(text), text);
        }
    }
}
