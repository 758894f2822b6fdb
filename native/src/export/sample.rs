//! The pictures that calibrate.

use anyhow::{Context, Result};
use mixed_feelings::image::Picture;

use crate::{eval::cases::Case, post, progress};

/// The pictures of `count` cases, taken evenly from all of them; of all if there are fewer.
///
/// # Errors
/// When a picture is unreadable; its row is named.
pub fn pictures(cases: &[Case], count: usize) -> Result<Vec<Picture>> {
    let count = count.min(cases.len());
    let chosen: Vec<&Case> = (0..count).map(|i| &cases[i * cases.len() / count]).collect();
    let bar = progress::bar(count, "calibrating");
    let pictures = chosen
        .into_iter()
        .filter_map(|case| case.image.as_ref().map(|image| (case, image)))
        .map(|(case, image)| {
            bar.inc(1);
            post::read_image(image).with_context(|| case.place.clone())
        })
        .collect();
    bar.finish_and_clear();
    pictures
}
