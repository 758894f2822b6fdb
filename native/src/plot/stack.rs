//! A whole made of parts, as one bar.

use maud::{Markup, html};

use super::{Caption, px, svg};

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
pub fn stack(caption: Caption<'_>, parts: &[Part<'_>]) -> Markup {
    let scale = WIDTH - 2.0 * LEFT;
    let mut from = 0.0;
    let bars = parts.iter().enumerate().map(|(i, Part { name, class, value })| {
        let wide = value.max(0.0).min(1.0 - from);
        let x = px(LEFT + scale * from);
        from += wide;
        let told = format!("{name} {:+.1}", 100.0 * value);
        let y = TOP + BAR + 24.0 + 22.0 * i as f64;
        html! {
            rect.bar.(class) x=(x) y=(TOP) width=(px(scale * wide)) height=(BAR) { title { (told) } }
            rect.bar.(class) x=(LEFT) y=(y - 10.0) width="12" height="12" rx="3" {}
            text.tick x=(LEFT + 20.0) y=(y) { (told) }
        }
    });
    let marks = html! {
        rect.cell-ground x=(LEFT) y=(TOP) width=(scale) height=(BAR) rx="6" {}
        @for (tick, anchor) in [(0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")] {
            text.tick x=(px(LEFT + scale * f64::from(tick) / 100.0)) y=(TOP - 10.0) text-anchor=(anchor) { (tick) }
        }
        @for bar in bars { (bar) }
    };
    svg(caption, WIDTH, TOP + BAR + 14.0 + 22.0 * parts.len() as f64 + 4.0, &marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_side_by_side() {
        let part = |name, value| Part { name, class: "c-text", value };
        let caption = Caption { id: "s", title: "t", description: "d" };
        let bar = stack(caption, &[part("a", 0.5), part("<b>", -0.1), part("c", 0.25)]).into_string();
        for part in ["x=\"6\" y=\"30\" width=\"214\"", "x=\"220\" y=\"30\" width=\"107\"", "&lt;b&gt; -10.0"]
        {
            assert!(bar.contains(part), "no {part} in {bar}");
        }
    }
}
