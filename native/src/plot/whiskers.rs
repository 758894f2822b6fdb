//! Figures with their intervals, one below the other: a forest plot.

use maud::{Markup, html};

use super::{Caption, px, svg};
use crate::stats::bootstrap::Interval;

const WIDTH: f64 = 440.0;
const LEFT: f64 = 176.0;
const RIGHT: f64 = 58.0;
const TOP: f64 = 8.0;
const LINE: f64 = 26.0;
const BOTTOM: f64 = 26.0;

/// One figure.
#[derive(Clone, Debug)]
pub struct Whisker {
    /// What it is.
    pub name: String,
    /// The class that colours it.
    pub class: &'static str,
    /// The figure, from 0 to 1.
    pub value: f64,
    /// Where it lies, if that could be told.
    pub interval: Option<Interval>,
}

/// Figures from 0 to 1 on one scale in percent, each a point with its interval as a line and its value beside it.
pub fn whiskers(caption: Caption<'_>, figures: &[Whisker]) -> Markup {
    let least = figures.iter().map(|f| f.interval.map_or(f.value, |i| i.low)).fold(0.9, f64::min);
    let from = (least * 10.0).floor().max(0.0) / 10.0;
    let right = WIDTH - RIGHT;
    let x_of = |value: f64| px(LEFT + ((value - from) / (1.0 - from)).clamp(0.0, 1.0) * (right - LEFT));
    let bottom = TOP + LINE * figures.len() as f64;
    let first = (from * 10.0).round() as usize;
    let ticks = (first..=10).filter(|tenth| 10 - first <= 6 || (10 - tenth).is_multiple_of(2));
    let marks = html! {
        @for tenth in ticks {
            @let x = x_of(tenth as f64 / 10.0);
            line.grid x1=(x) y1=(TOP) x2=(x) y2=(bottom) {}
            text.tick x=(x) y=(bottom + 17.0) text-anchor="middle" { (tenth * 10) }
        }
        @for (i, Whisker { name, class, value, interval }) in figures.iter().enumerate() {
            @let y = TOP + LINE * (i as f64 + 0.5);
            @if let Some(Interval { low, high }) = *interval {
                line.whisker.(class) x1=(x_of(low)) y1=(y) x2=(x_of(high)) y2=(y) {}
            }
            circle.dot.(class) cx=(x_of(*value)) cy=(y) r="5" { title { (told(name, *value, *interval)) } }
            text.tick x=(LEFT - 12.0) y=(y + 4.0) text-anchor="end" { (name) }
            text.value x=(WIDTH - 6.0) y=(y + 4.0) text-anchor="end" { (format!("{:.1}", 100.0 * value)) }
        }
    };
    svg(caption, WIDTH, bottom + BOTTOM, &marks)
}

fn told(name: &str, value: f64, interval: Option<Interval>) -> String {
    let value = format!("{name}: {:.1} %", 100.0 * value);
    match interval {
        Some(Interval { low, high }) => format!("{value}, from {:.1} to {:.1}", 100.0 * low, 100.0 * high),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_drawn_with_its_interval() {
        let figure =
            |name: &str, interval| Whisker { name: name.into(), class: "c-text", value: 0.75, interval };
        let figures =
            [figure("text & so on", Some(Interval { low: 0.5, high: 1.0 })), figure("without", None)];
        let plot = whiskers(Caption { id: "w", title: "t", description: "d" }, &figures).into_string();
        for part in [
            "x1=\"176\" y1=\"21\" x2=\"382\" y2=\"21\"",
            "cx=\"279\"",
            "text &amp; so on: 75.0 %, from 50.0 to 100.0",
            "<title>without: 75.0 %</title>",
        ] {
            assert!(plot.contains(part), "no {part} in {plot}");
        }
        assert_eq!(plot.matches("class=\"whisker").count(), 1);
    }
}
