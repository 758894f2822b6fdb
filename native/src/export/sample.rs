//! The pictures and texts that calibrate.

use anyhow::{Context, Result};
use mixed_feelings::{image::Picture, model::Preprocess};

use crate::{eval::cases::Case, post};

/// Texts that calibrate: each is some twenty rows of what a layer reads.
const TEXTS: usize = 2048;

/// Some of the pictures of a table, spread evenly over it.
pub struct Sample<'a>(Vec<&'a Case>);

impl<'a> Sample<'a> {
    /// `count` of the cases, or all if there are fewer.
    pub fn of(cases: &'a [Case], count: usize) -> Self {
        let count = count.min(cases.len());
        Sample((0..count).filter_map(|i| cases.get(i * cases.len() / count)).collect())
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The squares that the encoder sees, `size` at a time, each read when it is its turn.
    pub fn batches(
        &self,
        size: usize,
        preprocess: &Preprocess,
    ) -> impl Iterator<Item = Result<Vec<Picture>>> {
        self.0.chunks(size).map(|cases| cases.iter().map(|case| square(case, preprocess)).collect())
    }
}

/// Texts of the cases, spread evenly over them.
pub fn texts(cases: &[Case]) -> Vec<&str> {
    let texts: Vec<&str> =
        cases.iter().map(|case| case.text.as_str()).filter(|text| !text.trim().is_empty()).collect();
    let count = TEXTS.min(texts.len());
    (0..count).filter_map(|i| texts.get(i * texts.len() / count).copied()).collect()
}

fn square(case: &Case, preprocess: &Preprocess) -> Result<Picture> {
    let square = || {
        let image = case.image.as_deref().context("no image")?;
        Ok::<_, anyhow::Error>(preprocess.apply(&post::read_image(image)?))
    };
    square().with_context(|| case.place.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_spreads_over_the_whole_table() {
        let cases: Vec<Case> = (0..10).map(|i| Case { id: i.to_string(), ..Case::default() }).collect();
        let ids = |count| Sample::of(&cases, count).0.iter().map(|case| case.id.clone()).collect::<String>();
        assert_eq!(ids(4), "0257");
        assert_eq!(ids(10), "0123456789");
        assert_eq!(ids(99), "0123456789");
    }
}
