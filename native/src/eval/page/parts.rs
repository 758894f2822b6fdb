//! The parts that the sections of the page are made of. What is called HTML here is escaped already.

use std::fmt::{Display, Write};

use mixed_feelings::Sentiment;

use crate::{eval::measured::Share, markup::Escaped, stats::bootstrap::Interval};

/// A section that the page's contents lead to.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its anchor.
    pub id: &'static str,
    /// Its name in the contents.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What it is about: HTML.
    pub lead: String,
    /// The rest of it: HTML.
    pub body: String,
}

impl Section {
    /// As HTML.
    pub fn render(&self) -> String {
        let Section { id, title, lead, body, .. } = self;
        let title = Escaped(title);
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{title}</h2>\n\
             <p class=\"lead\">{lead}</p>\n{body}\n</section>\n"
        )
    }
}

/// A table that is being filled.
#[derive(Clone, Debug)]
pub struct Table {
    caption: String,
    html: String,
}

impl Table {
    /// With a caption and the names of its columns.
    pub fn new(caption: &str, columns: &[&str]) -> Self {
        let mut html = String::from("<thead><tr>");
        for column in columns {
            let _ = write!(html, "<th scope=\"col\">{}</th>", Escaped(column));
        }
        html += "</tr></thead>\n<tbody>\n";
        Table { caption: caption.to_owned(), html }
    }

    /// Adds a row: its name, and its cells as HTML.
    pub fn row(&mut self, name: impl Display, cells: &[String]) {
        let _ = write!(self.html, "<tr><th scope=\"row\">{}</th>", Escaped(name));
        for cell in cells {
            // Words are set apart from figures by the class that they bring along.
            let _ = match cell.strip_prefix(WORDS) {
                Some(words) => write!(self.html, "<td class=\"words\">{words}</td>"),
                None => write!(self.html, "<td>{cell}</td>"),
            };
        }
        self.html += "</tr>\n";
    }

    /// As HTML.
    pub fn render(&self) -> String {
        let caption = Escaped(&self.caption);
        format!(
            "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\
             <caption>{caption}</caption>\n{}</tbody></table></div>\n",
            self.html
        )
    }
}

const WORDS: char = '\u{1}';

/// A cell of a [`Table`] that holds words, not a figure.
pub fn words(text: impl Display) -> String {
    format!("{WORDS}{}", Escaped(text))
}

/// A share in percent, one digit after the point.
pub fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// An interval in percent.
pub fn between(interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high }) => {
            format!("<span class=\"ci\">{} – {}</span>", percent(low), percent(high))
        }
        None => String::new(),
    }
}

/// A share in percent with its interval.
pub fn with_interval(value: f64, interval: Option<Interval>) -> String {
    format!("{} {}", percent(value), between(interval))
}

/// [`with_interval`] of a share that may be missing.
pub fn share(share: Option<Share>) -> String {
    share.map_or("–".into(), |share| with_interval(share.share, share.interval))
}

/// A class in its colour.
pub fn class(class: Sentiment) -> String {
    let name = class.name();
    format!("<span class=\"tag c-{name}\">{name}</span>")
}

/// Plots side by side, as HTML figures: (caption, what is below it in small letters, plot).
pub fn figures(figures: &[(&str, &str, String)]) -> String {
    let mut html = String::from("<div class=\"figures\">\n");
    for (caption, small, plot) in figures {
        let small =
            if small.is_empty() { String::new() } else { format!("<small>{}</small>", Escaped(small)) };
        let _ = writeln!(html, "<figure><figcaption>{}{small}</figcaption>{plot}</figure>", Escaped(caption));
    }
    html + "</div>\n"
}

/// What the colours of plots mean: (class, words).
pub fn legend(entries: &[(&str, &str)]) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (class, words) in entries {
        let _ = write!(html, "<li class=\"{class}\">{}</li>", Escaped(words));
    }
    html + "</ul>\n"
}

/// A number with a separator between thousands.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_are_escaped_in_tables() {
        let mut table = Table::new("a < b", &["<i>", "n"]);
        table.row("<script>", &["<b>1</b>".into(), words("\"x\" & <y>")]);
        let html = table.render();
        for part in [
            "aria-label=\"a &lt; b\"",
            "<caption>a &lt; b</caption>",
            "<th scope=\"col\">&lt;i&gt;</th>",
            "<th scope=\"row\">&lt;script&gt;</th><td><b>1</b></td>",
            "<td class=\"words\">&quot;x&quot; &amp; &lt;y&gt;</td>",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
    }

    #[test]
    fn numbers_are_told() {
        assert_eq!(percent(0.79449), "79.4");
        assert_eq!([1, 12, 123, 1234, 1_234_567].map(thousands), ["1", "12", "123", "1,234", "1,234,567"]);
        let interval = Some(Interval { low: 0.5, high: 0.75 });
        assert_eq!(with_interval(0.6, interval), "60.0 <span class=\"ci\">50.0 – 75.0</span>");
    }
}
