//! Small SVG plots for a page: charts on two axes, heat maps, rows of points with intervals, stacked bars.
//!
//! A plot is markup with a title and a description for those who cannot see it. Colours are the page's: every mark has
//! a class (`c-text`, `c-image`, ...), and the style sheet gives it its `--c`, in light and in dark.

mod chart;
mod heat_map;
mod stack;
mod whiskers;

pub use chart::{Chart, Range};
pub use heat_map::heat_map;
pub use stack::{Part, stack};
pub use whiskers::{Whisker, whiskers};

use maud::{Markup, html};

/// What a plot is called and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Caption<'a> {
    /// A name that no other plot of the page has; letters, digits and hyphens.
    pub id: &'a str,
    /// Its title, for screen readers.
    pub title: &'a str,
    /// What is to be seen, in a sentence, for screen readers.
    pub description: &'a str,
}

/// Puts the marks of a plot of this size into an `<svg>`.
fn svg(caption: Caption<'_>, width: f64, height: f64, marks: &Markup) -> Markup {
    let Caption { id, title, description } = caption;
    html! {
        svg.plot viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby={ (id) "-t " (id) "-d" } {
            title id={ (id) "-t" } { (title) }
            desc id={ (id) "-d" } { (description) }
            (marks)
        }
    }
}

/// Where the name of an upright axis stands and how it is turned.
fn upright(y: f64) -> String {
    format!("translate(13 {}) rotate(-90)", px(y))
}

/// A coordinate, short: a hundredth of a pixel is enough, and no `-0`.
fn px(x: f64) -> f64 {
    (x * 100.0).round() / 100.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_named_and_described_in_escaped_text() {
        let caption = Caption { id: "roc", title: "a < b", description: "\"quoted\"" };
        let plot = svg(caption, 10.0, 20.0, &html! { g {} }).into_string();
        for part in [
            "viewBox=\"0 0 10 20\"",
            "aria-labelledby=\"roc-t roc-d\"",
            "<title id=\"roc-t\">a &lt; b</title>",
            "<desc id=\"roc-d\">&quot;quoted&quot;</desc>",
            "<g></g></svg>",
        ] {
            assert!(plot.contains(part), "no {part} in {plot}");
        }
        assert_eq!(px(-0.001).to_string(), "0");
        assert_eq!(px(12.345_6).to_string(), "12.35");
    }
}
