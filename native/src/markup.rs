//! Text on its way into HTML and SVG.

use std::fmt::{self, Display, Write};

/// Shows a value as text of HTML or SVG, in an element or in a quoted attribute: nothing in it can be taken for markup.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            // Control characters are no text in HTML, not even escaped.
            c if c.is_control() && c != '\n' && c != '\t' => self.0.write_char('\u{fffd}'),
            c => self.0.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_could_be_markup() {
        let hostile = "<script src='x'>\"a\" & b</script>\0\u{9b}é\n";
        let escaped = Escaped(hostile).to_string();
        assert_eq!(
            escaped,
            "&lt;script src=&#39;x&#39;&gt;&quot;a&quot; &amp; b&lt;/script&gt;\u{fffd}\u{fffd}é\n"
        );
    }
}
