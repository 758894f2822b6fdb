//! The parts that the sections of the page are made of.

use maud::{Markup, Render, html};
use mixed_feelings::Labels;

use crate::{eval::measured::Share, stats::bootstrap::Interval};

/// A section that the page's contents lead to.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its anchor.
    pub id: &'static str,
    /// Its name in the contents.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What it is about.
    pub lead: Markup,
    /// The rest of it.
    pub body: Markup,
}

impl Render for Section {
    fn render(&self) -> Markup {
        html! {
            section id=(self.id) aria-labelledby={ (self.id) "-h" } {
                h2 id={ (self.id) "-h" } { (self.title) }
                p.lead { (self.lead) }
                (self.body)
            }
        }
    }
}

/// A table that is being filled.
#[derive(Clone, Debug)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Markup>,
}

impl Table {
    /// With a caption and the names of its columns.
    pub fn new(caption: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        Table { caption: caption.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row: its name and its cells.
    pub fn row(&mut self, name: &str, cells: &[&dyn Render]) {
        self.row_of(name, &html! { @for cell in cells { td { (cell) } } });
    }

    /// Adds a row: its name and its `<td>`s.
    pub fn row_of(&mut self, name: &str, cells: &Markup) {
        self.rows.push(html! { tr { th scope="row" { (name) } (cells) } });
    }
}

impl Render for Table {
    fn render(&self) -> Markup {
        html! {
            div.scroll role="region" aria-label=(self.caption) tabindex="0" {
                table {
                    caption { (self.caption) }
                    thead { tr { @for column in &self.columns { th scope="col" { (column) } } } }
                    tbody { @for row in &self.rows { (row) } }
                }
            }
        }
    }
}

/// A share in percent, one digit after the point.
pub fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// An interval in percent.
pub fn between(interval: Option<Interval>) -> Markup {
    html! {
        @if let Some(Interval { low, high }) = interval {
            span.ci { (percent(low)) " – " (percent(high)) }
        }
    }
}

/// A share in percent with its interval.
pub fn with_interval(value: f64, interval: Option<Interval>) -> Markup {
    html! { (percent(value)) " " (between(interval)) }
}

/// [`with_interval`] of a share that may be missing.
pub fn share(share: Option<Share>) -> Markup {
    share.map_or(html! { "–" }, |share| with_interval(share.share, share.interval))
}

/// A class in the colour of its polarity.
pub fn class(labels: &Labels, name: &str) -> Markup {
    let polarity = labels.iter().find(|label| label.name == name).map_or(0.0, |label| label.polarity);
    let colour = match polarity {
        p if p < 0.0 => "c-negative",
        p if p > 0.0 => "c-positive",
        _ => "c-neutral",
    };
    html! { span.tag.(colour) { (name) } }
}

/// A plot with its caption and what is below that in small letters.
pub fn figure(caption: &str, small: &str, plot: &Markup) -> Markup {
    html! {
        figure {
            figcaption { (caption) @if !small.is_empty() { small { (small) } } }
            (plot)
        }
    }
}

/// Figures side by side.
pub fn figures(figures: &[Markup]) -> Markup {
    html! { div.figures { @for figure in figures { (figure) } } }
}

/// What the colours of plots mean: (class, words).
pub fn legend(entries: &[(&str, &str)]) -> Markup {
    html! { ul.legend { @for (class, words) in entries { li.(class) { (words) } } } }
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
    fn what_is_given_as_text_is_escaped() {
        let mut table = Table::new("a < b", &["<i>", "n"]);
        table.row("<script>", &[&html! { b { "1" } }, &"\"x\" & <y>"]);
        let html = table.render().into_string();
        for part in [
            "aria-label=\"a &lt; b\"",
            "<caption>a &lt; b</caption>",
            "<th scope=\"col\">&lt;i&gt;</th>",
            "<th scope=\"row\">&lt;script&gt;</th><td><b>1</b></td>",
            "<td>&quot;x&quot; &amp; &lt;y&gt;</td>",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
    }

    #[test]
    fn numbers_are_told() {
        assert_eq!(percent(0.79449), "79.4");
        assert_eq!([1, 12, 123, 1234, 1_234_567].map(thousands), ["1", "12", "123", "1,234", "1,234,567"]);
        let interval = Some(Interval { low: 0.5, high: 0.75 });
        assert_eq!(with_interval(0.6, interval).0, "60.0 <span class=\"ci\">50.0 – 75.0</span>");
    }
}
