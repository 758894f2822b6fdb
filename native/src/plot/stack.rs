//! A whole made of parts, as one bar.

use std::fmt::Write;

use super::{Caption, px, svg};
use crate::markup::Escaped;

const WIDTH: f64 = 440.0;
const LEFT: f64 = 6.0;
const TOP: f64 = 30.0;
const BAR: f64 = 34.0;

/// One part of the bar.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What it is.
    pub name: &'a str,
    /// The class that colours it.
    pub class: &'a str,
    /// How much it adds, 1 being the whole width; what takes away has no width, only its name and value below.
    pub value: f64,
}

/// Parts that sum to at most 1, side by side on a bar from 0 to 100 %, named and valued below it.
pub fn stack(caption: Caption<'_>, parts: &[Part<'_>]) -> String {
    let scale = WIDTH - 2.0 * LEFT;
    let mut marks = format!(
        "<rect class=\"cell-ground\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{scale}\" height=\"{BAR}\" rx=\"6\"/>"
    );
    for tick in [0, 25, 50, 75, 100] {
        let x = px(LEFT + scale * f64::from(tick) / 100.0);
        let anchor = ["start", "middle", "end"][usize::from(tick > 0) + usize::from(tick == 100)];
        let _ = write!(
            marks,
            "<text class=\"tick\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{tick}</text>",
            TOP - 10.0
        );
    }
    let mut from = 0.0;
    for (i, Part { name, class, value }) in parts.iter().enumerate() {
        let wide = value.max(0.0).min(1.0 - from);
        let told = format!("{name} {:+.1}", 100.0 * value);
        let told = Escaped(&told);
        let y = TOP + BAR + 24.0 + 22.0 * i as f64;
        let _ = write!(
            marks,
            "<rect class=\"bar {class}\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{BAR}\">\
             <title>{told}</title></rect>\
             <rect class=\"bar {class}\" x=\"{LEFT}\" y=\"{}\" width=\"12\" height=\"12\" rx=\"3\"/>\
             <text class=\"tick\" x=\"{}\" y=\"{y}\">{told}</text>",
            px(LEFT + scale * from),
            px(scale * wide),
            y - 10.0,
            LEFT + 20.0,
        );
        from += wide;
    }
    svg(caption, WIDTH, TOP + BAR + 14.0 + 22.0 * parts.len() as f64 + 4.0, &marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_side_by_side() {
        let part = |name, value| Part { name, class: "c-text", value };
        let caption = Caption { id: "s", title: "t", description: "d" };
        let bar = stack(caption, &[part("a", 0.5), part("<b>", -0.1), part("c", 0.25)]);
        for part in ["x=\"6\" y=\"30\" width=\"214\"", "x=\"220\" y=\"30\" width=\"107\"", "&lt;b&gt; -10.0"]
        {
            assert!(bar.contains(part), "no {part} in {bar}");
        }
    }
}
