//! A chart on two axes: lines, bands, bars, points.

use maud::{Markup, PreEscaped, html};

use super::{Caption, px, svg, upright};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// The part of an axis that is drawn.
#[derive(Clone, Debug)]
pub struct Range {
    /// Its start.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Where lines are drawn, and what is written there.
    pub ticks: Vec<(f64, String)>,
}

impl Range {
    /// From 0 to 1, a tick a fifth, in percent.
    pub fn percent() -> Self {
        Range::percent_from(0.0)
    }

    /// From a share (down to a tenth) to 1, in percent.
    pub fn percent_from(least: f64) -> Self {
        let first = (least.clamp(0.0, 0.8) * 10.0 + 1e-9).floor() as usize;
        let step = if first < 5 { 2 } else { 1 };
        let ticks = (first..=10).filter(|tenth| (10 - tenth).is_multiple_of(step));
        let ticks = ticks.map(|tenth| (tenth as f64 / 10.0, format!("{}", tenth * 10))).collect();
        Range { from: first as f64 / 10.0, to: 1.0, ticks }
    }

    /// A tick at each of some values, from the first to the last.
    pub fn at(values: &[f64]) -> Self {
        let ticks = values.iter().map(|value| (*value, value.to_string())).collect();
        let (from, to) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0));
        Range { from, to: if to == from { from + 1.0 } else { to }, ticks }
    }

    /// Where a value lies, from 0 to 1; values outside are moved to the edge.
    fn place(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// A chart that is being drawn. Later marks lie above earlier ones.
#[derive(Clone, Debug)]
pub struct Chart {
    x: Range,
    y: Range,
    marks: String,
}

impl Chart {
    /// Empty axes with their names.
    pub fn new(x: Range, x_name: &str, y: Range, y_name: &str) -> Self {
        let chart = Chart { x, y, marks: String::new() };
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let axes = html! {
            @for (value, label) in &chart.y.ticks {
                @let y = chart.y_of(*value);
                line.grid x1=(LEFT) y1=(y) x2=(right) y2=(y) {}
                text.tick x=(LEFT - 8.0) y=(px(y + 4.0)) text-anchor="end" { (label) }
            }
            @for (value, label) in &chart.x.ticks {
                @let x = chart.x_of(*value);
                line.tickmark x1=(x) y1=(bottom) x2=(x) y2=(bottom + 4.0) {}
                text.tick x=(x) y=(bottom + 18.0) text-anchor="middle" { (label) }
            }
            line.axis x1=(LEFT) y1=(bottom) x2=(right) y2=(bottom) {}
            text.axis-name x=(px(LEFT.midpoint(right))) y=(HEIGHT - 8.0) text-anchor="middle" { (x_name) }
            text.axis-name transform=(upright(TOP.midpoint(bottom))) text-anchor="middle" { (y_name) }
        };
        chart.with(axes)
    }

    fn with(mut self, mark: Markup) -> Self {
        self.marks += &mark.into_string();
        self
    }

    /// A dashed line between two points, to compare with.
    pub fn reference(self, from: (f64, f64), to: (f64, f64)) -> Self {
        let (x1, y1) = (self.x_of(from.0), self.y_of(from.1));
        let (x2, y2) = (self.x_of(to.0), self.y_of(to.1));
        self.with(html! { line.reference x1=(x1) y1=(y1) x2=(x2) y2=(y2) {} })
    }

    /// A line through points.
    pub fn line(self, class: &str, points: &[(f64, f64)]) -> Self {
        let path = self.path(points.iter().copied());
        self.with(html! { polyline.line.(class) points=(path) {} })
    }

    /// The area under a line, down to the axis.
    pub fn area(self, class: &str, points: &[(f64, f64)]) -> Self {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return self };
        let corners = [(last.0, self.y.from), (first.0, self.y.from)];
        let path = self.path(points.iter().copied().chain(corners));
        self.with(html! { polygon.band.(class) points=(path) {} })
    }

    /// The area between two heights at each x: (x, low, high).
    pub fn band(self, class: &str, points: &[(f64, f64, f64)]) -> Self {
        let there = points.iter().map(|(x, low, _)| (*x, *low));
        let back = points.iter().rev().map(|(x, _, high)| (*x, *high));
        let path = self.path(there.chain(back));
        self.with(html! { polygon.band.(class) points=(path) {} })
    }

    /// A point, with what a pointer resting on it is told.
    pub fn dot(self, class: &str, at: (f64, f64), told: &str) -> Self {
        let (x, y) = (self.x_of(at.0), self.y_of(at.1));
        self.with(html! { circle.dot.(class) cx=(x) cy=(y) r="4" { title { (told) } } })
    }

    /// A bar from the axis up to `height`, between two x, with what a pointer resting on it is told.
    pub fn bar(self, class: &str, between: (f64, f64), height: f64, told: &str) -> Self {
        let (left, right) = (self.x_of(between.0), self.x_of(between.1));
        let (top, bottom) = (self.y_of(height), HEIGHT - BOTTOM);
        let (wide, high) = (px((right - left - 2.0).max(1.0)), px((bottom - top).max(0.0)));
        self.with(html! {
            rect.bar.(class) x=(px(left + 1.0)) y=(top) width=(wide) height=(high) rx="2" { title { (told) } }
        })
    }

    /// The finished plot.
    pub fn render(self, caption: Caption<'_>) -> Markup {
        svg(caption, WIDTH, HEIGHT, &PreEscaped(self.marks))
    }

    fn x_of(&self, value: f64) -> f64 {
        px(LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT))
    }

    fn y_of(&self, value: f64) -> f64 {
        px(HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM))
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let points: Vec<String> = points.map(|(x, y)| format!("{},{}", self.x_of(x), self.y_of(y))).collect();
        points.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTION: Caption<'_> = Caption { id: "c", title: "t", description: "d" };

    #[test]
    fn values_become_places() {
        let plot = Chart::new(Range::percent(), "x", Range::percent(), "y")
            .line("c-text", &[(0.0, 0.0), (0.5, 0.5), (2.0, 7.0)])
            .render(CAPTION)
            .into_string();
        // The left bottom corner, the middle, and what lies outside at the right top corner.
        assert!(plot.contains("points=\"50,244 208,128 366,12\""), "{plot}");
    }

    #[test]
    fn the_ticks_of_a_cut_axis_are_tenths() {
        let labels = |range: Range| range.ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(labels(Range::percent()), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(Range::percent_from(0.63)), ["60", "70", "80", "90", "100"]);
        assert_eq!(labels(Range::percent_from(0.3)), ["40", "60", "80", "100"]);
        let at = Range::at(&[0.0, 0.25, 1.0]);
        assert_eq!((at.from, at.to, at.place(0.25)), (0.0, 1.0, 0.25));
        assert_eq!(Range::at(&[3.0]).place(3.0), 0.0);
    }

    #[test]
    fn what_is_told_is_escaped() {
        let plot = Chart::new(Range::percent(), "<x>", Range::percent(), "y")
            .dot("c-text", (0.1, 0.1), "<b>")
            .bar("c-text", (0.0, 0.1), 0.4, "&")
            .render(CAPTION)
            .into_string();
        assert!(plot.contains("<title>&lt;b&gt;</title>") && plot.contains("<title>&amp;</title>"), "{plot}");
        assert!(plot.contains("&lt;x&gt;") && !plot.contains("<b>"), "{plot}");
    }
}
