//! Robustness curves.

use maud::{Markup, Render, html};
use mixed_feelings::model::Modality;

use super::parts::{Section, Table, figure, figures, legend, share};
use crate::{
    eval::{
        curves::{Curve, Point},
        evaluation::Found,
        measured::{Measured, Share},
    },
    plot::{Caption, Chart, Range},
};

/// The section, if robustness was measured.
pub fn section(found: &Found) -> Option<Section> {
    let curves = found.robustness.as_ref()?;
    let least = curves.iter().flat_map(|curve| &curve.points).flat_map(lows).fold(0.9, f64::min);
    let plots: Vec<Markup> =
        curves.iter().map(|curve| figure(curve.damage, curve.strengths, &plot(curve, least))).collect();
    let lines = [
        ("c-whole", "whole post, accuracy"),
        ("c-whole dashed", "whole post, macro-F1"),
        ("c-text", "text head on text_label, accuracy"),
        ("c-image", "image head on image_label, accuracy"),
    ];
    let strengths: Vec<String> = curves
        .first()
        .map(|curve| curve.points.iter().map(|point| format!("at {}", point.strength)).collect())
        .unwrap_or_default();
    let columns: Vec<&str> = std::iter::once("damage").chain(strengths.iter().map(String::as_str)).collect();
    let mut table = Table::new("Accuracy of the whole post at increasing strength", &columns);
    for curve in curves {
        let accuracy = |point: &Point| share(point.whole.as_ref().map(Measured::accuracy));
        table.row_of(curve.damage, &html! { @for point in &curve.points { td { (accuracy(point)) } } });
    }
    Some(Section {
        id: "robustness",
        name: "Robustness",
        title: "As the posts get worse".into(),
        lead: "The same posts, damaged more and more: a share of them lose text or picture, letters are mistyped, the picture gets \
               noisy, blurred, or squeezed by JPEG. 0 is the post as it is. Shaded: the 95 % interval of the whole post's \
               accuracy."
            .render(),
        body: html! { (figures(&plots)) (legend(&lines)) (table) },
    })
}

fn lows(point: &Point) -> Vec<f64> {
    let low = |share: Share| share.interval.map_or(share.share, |interval| interval.low);
    let accuracies = [&point.whole, &point.head].map(|measured| measured.as_ref().map(|m| low(m.accuracy())));
    let f1 = point.whole.as_ref().map(|m| m.metrics.macro_f1);
    accuracies.into_iter().chain([f1]).flatten().collect()
}

fn plot(curve: &Curve, least: f64) -> Markup {
    let strengths: Vec<f64> = curve.points.iter().map(|point| f64::from(point.strength)).collect();
    let along = |figure: fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
        let at = |(x, point): (&f64, &Point)| Some((*x, figure(point)?));
        strengths.iter().zip(&curve.points).filter_map(at).collect()
    };
    let accuracy = along(|point| Some(point.whole.as_ref()?.metrics.accuracy));
    let f1 = along(|point| Some(point.whole.as_ref()?.metrics.macro_f1));
    let head = along(|point| Some(point.head.as_ref()?.metrics.accuracy));
    let band: Vec<(f64, f64, f64)> = strengths
        .iter()
        .zip(&curve.points)
        .filter_map(|(x, point)| {
            let interval = point.whole.as_ref()?.intervals?.accuracy;
            Some((*x, interval.low, interval.high))
        })
        .collect();
    let colour = match curve.modality {
        Modality::Text => "c-text",
        Modality::Image => "c-image",
    };
    let mut chart = Chart::new(Range::at(&strengths), "strength", Range::percent_from(least), "percent")
        .band("c-whole", &band)
        .line(colour, &head)
        .line("thin c-whole", &f1)
        .line("c-whole", &accuracy);
    for (x, y) in &accuracy {
        chart = chart.dot("c-whole", (*x, *y), &format!("at {x}: {:.1} % right", 100.0 * y));
    }
    let told: Vec<String> = accuracy.iter().map(|(x, y)| format!("{:.1} % at {x}", 100.0 * y)).collect();
    let id = format!("curve-{}", curve.damage.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    let description = format!("Accuracy of the whole post: {}.", told.join(", "));
    chart.render(Caption { id: &id, title: curve.damage, description: &description })
}
