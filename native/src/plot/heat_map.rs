//! A table of counts as a heat map.

use std::fmt::Write;

use super::{Caption, px, svg};
use crate::markup::Escaped;

const CELL: f64 = 92.0;
const CELL_HEIGHT: f64 = 62.0;
const LEFT: f64 = 104.0;
const TOP: f64 = 50.0;

/// Counts, a row a label and a column a prediction. Each cell is as dark as its share of its row, and says both.
pub fn heat_map<const N: usize>(
    caption: Caption<'_>,
    names: [&str; N],
    rows_are: &str,
    columns_are: &str,
    counts: &[[usize; N]; N],
) -> String {
    let (width, height) = (LEFT + CELL * N as f64 + 6.0, TOP + CELL_HEIGHT * N as f64 + 6.0);
    let mut marks = format!(
        "<text class=\"axis-name\" x=\"{}\" y=\"14\" text-anchor=\"middle\">{}</text>\
         <text class=\"axis-name\" transform=\"translate(13 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        px(LEFT + CELL * N as f64 / 2.0),
        Escaped(columns_are),
        px(TOP + CELL_HEIGHT * N as f64 / 2.0),
        Escaped(rows_are)
    );
    for (i, (name, row)) in names.iter().zip(counts).enumerate() {
        let (x, y) = (LEFT + CELL * i as f64, TOP + CELL_HEIGHT * i as f64);
        let _ = write!(
            marks,
            "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            px(x + CELL / 2.0),
            TOP - 10.0,
            Escaped(name),
            LEFT - 10.0,
            px(y + CELL_HEIGHT / 2.0 + 4.0),
            Escaped(name)
        );
        let all = row.iter().sum::<usize>().max(1) as f64;
        for (j, count) in row.iter().enumerate() {
            let share = *count as f64 / all;
            let x = LEFT + CELL * j as f64;
            let (class, ink) =
                (if i == j { "c-right" } else { "c-wrong" }, if share > 0.5 { " on" } else { "" });
            let _ = write!(
                marks,
                "<g><title>{} read as {}: {count}, {:.1} % of the row</title>\
                 <rect class=\"cell-ground\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
                 <rect class=\"cell {class}\" style=\"--share:{:.3}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
                 <text class=\"count{ink}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{count}</text>\
                 <text class=\"share{ink}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{:.0} %</text></g>",
                Escaped(name),
                Escaped(names[j]),
                100.0 * share,
                x + 2.0,
                y + 2.0,
                CELL - 4.0,
                CELL_HEIGHT - 4.0,
                share,
                x + 2.0,
                y + 2.0,
                CELL - 4.0,
                CELL_HEIGHT - 4.0,
                px(x + CELL / 2.0),
                px(y + CELL_HEIGHT / 2.0),
                px(x + CELL / 2.0),
                px(y + CELL_HEIGHT / 2.0 + 16.0),
                100.0 * share
            );
        }
    }
    svg(caption, width, height, &marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_its_count_and_its_share_of_the_row() {
        let caption = Caption { id: "h", title: "t", description: "d" };
        let map = heat_map(caption, ["no", "<yes>"], "label", "predicted", &[[3, 1], [0, 0]]);
        for part in ["no read as &lt;yes&gt;: 1, 25.0 % of the row", "--share:0.750", "cell c-wrong", ">0 %<"]
        {
            assert!(map.contains(part), "no {part} in {map}");
        }
    }
}
