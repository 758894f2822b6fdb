//! Photos as the image encoder wants them, in training each time a little different.

use std::path::Path;

use anyhow::Result;
use candle_core::{Device, Tensor};
use mixed_feelings::{layers::NoiseSource, model::Preprocess};
use rayon::prelude::*;

use super::varied::vary;
use crate::post;

/// The encoder's input `[photos, 3, side, side]`; with `noise`, of photos changed by [`vary`].
pub fn batch(
    paths: &[&Path],
    preprocess: &Preprocess,
    noise: Option<&NoiseSource>,
    device: &Device,
) -> Result<Tensor> {
    // Drawn before the photos are shared out, so that the noise does not depend on which thread is faster.
    let seeds: Vec<Option<u64>> = paths.iter().map(|_| noise.map(NoiseSource::next_u64)).collect();
    let one = |(path, seed): (&&Path, &Option<u64>)| -> Result<Vec<f32>> {
        let picture = post::read_image(path)?;
        let seen = match seed {
            Some(seed) => vary(&picture, preprocess, &NoiseSource::new(*seed))?,
            None => preprocess.apply(&picture),
        };
        Ok(preprocess.to_chw(&seen))
    };
    let pixels = paths.par_iter().zip(&seeds).map(one).collect::<Result<Vec<_>>>()?.concat();
    let side = preprocess.input_size;
    Ok(Tensor::from_vec(pixels, (paths.len(), 3, side, side), device)?)
}
