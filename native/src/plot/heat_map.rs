//! A table of counts as a heat map.

use maud::{Markup, html};

use super::{Caption, px, svg, upright};

const CELL: f64 = 92.0;
const CELL_HEIGHT: f64 = 62.0;
const LEFT: f64 = 104.0;
const TOP: f64 = 50.0;

/// Counts, a row a label and a column a prediction. Each cell is as dark as its share of its row, and says both.
pub fn heat_map(
    caption: Caption<'_>,
    names: &[&str],
    rows_are: &str,
    columns_are: &str,
    counts: &[Vec<usize>],
) -> Markup {
    let (columns, rows) = (CELL * names.len() as f64, CELL_HEIGHT * names.len() as f64);
    let (width, height) = (LEFT + columns + 6.0, TOP + rows + 6.0);
    let marks = html! {
        text.axis-name x=(px(LEFT + columns / 2.0)) y="14" text-anchor="middle" { (columns_are) }
        text.axis-name transform=(upright(TOP + rows / 2.0)) text-anchor="middle" { (rows_are) }
        @for (i, (name, row)) in names.iter().zip(counts).enumerate() {
            @let (x, y) = (LEFT + CELL * i as f64, TOP + CELL_HEIGHT * i as f64);
            text.tick x=(px(x + CELL / 2.0)) y=(TOP - 10.0) text-anchor="middle" { (name) }
            text.tick x=(LEFT - 10.0) y=(px(y + CELL_HEIGHT / 2.0 + 4.0)) text-anchor="end" { (name) }
            @let all = row.iter().sum::<usize>().max(1) as f64;
            @for (j, count) in row.iter().enumerate() {
                (cell((j, i), *count, *count as f64 / all, &format!("{name} read as {}", names[j])))
            }
        }
    };
    svg(caption, width, height, &marks)
}

/// The cell in this column and row.
fn cell((column, row): (usize, usize), count: usize, share: f64, told: &str) -> Markup {
    let (x, y) = (LEFT + CELL * column as f64, TOP + CELL_HEIGHT * row as f64);
    let (middle, half) = (px(x + CELL / 2.0), px(y + CELL_HEIGHT / 2.0));
    let (x, y, wide, high) = (x + 2.0, y + 2.0, CELL - 4.0, CELL_HEIGHT - 4.0);
    let colour = if column == row { "c-right" } else { "c-wrong" };
    let (dark, style, percent) = (share > 0.5, format!("--share:{share:.3}"), 100.0 * share);
    html! {
        g {
            title { (told) ": " (count) ", " (format!("{percent:.1}")) " % of the row" }
            rect.cell-ground x=(x) y=(y) width=(wide) height=(high) rx="6" {}
            rect.cell.(colour) style=(style) x=(x) y=(y) width=(wide) height=(high) rx="6" {}
            text.count.on[dark] x=(middle) y=(half) text-anchor="middle" { (count) }
            text.share.on[dark] x=(middle) y=(px(half + 16.0)) text-anchor="middle" { (format!("{percent:.0}")) " %" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_its_count_and_its_share_of_the_row() {
        let caption = Caption { id: "h", title: "t", description: "d" };
        let map = heat_map(caption, &["no", "<yes>"], "label", "predicted", &[vec![3, 1], vec![0, 0]])
            .into_string();
        for part in ["no read as &lt;yes&gt;: 1, 25.0 % of the row", "--share:0.750", "cell c-wrong", ">0 %<"]
        {
            assert!(map.contains(part), "no {part} in {map}");
        }
    }
}
