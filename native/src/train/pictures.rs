//! Photos as the image encoder wants them, in training each time a little different.

use std::path::Path;

use anyhow::Result;
use candle_core::{Device, Tensor};
use mixed_feelings::{image::Picture, layers::NoiseSource, model::Preprocess};
use rayon::prelude::*;

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
        let mut picture = post::read_image(path)?;
        if let Some(seed) = seed {
            picture = vary(&picture, &NoiseSource::new(*seed))?;
        }
        Ok(preprocess.to_chw(&preprocess.apply(&picture)))
    };
    let pixels = paths.par_iter().zip(&seeds).map(one).collect::<Result<Vec<_>>>()?.concat();
    let side = preprocess.input_size;
    Ok(Tensor::from_vec(pixels, (paths.len(), 3, side, side), device)?)
}

/// The photo cut to at least 70 % of each side, mirrored half of the time, up to 20 % brighter or darker and up to
/// 20 % more or less contrasted: what changes a photo, but not what it feels.
fn vary(picture: &Picture, noise: &NoiseSource) -> Result<Picture> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let cut = |side: usize| {
        let kept = ((side as f32 * (0.7 + 0.3 * noise.next_f32())) as usize).clamp(1, side);
        let start = (noise.next_u64() % (side - kept + 1) as u64) as usize;
        (start, kept)
    };
    let ((left, columns), (top, rows)) = (cut(width), cut(height));
    let mirrored = noise.next_f32() < 0.5;
    let light = 0.8 + 0.4 * noise.next_f32();
    let contrast = 0.8 + 0.4 * noise.next_f32();
    let level: Vec<u8> =
        (0..256).map(|v| (((v as f32 - 128.0) * contrast + 128.0) * light).round() as u8).collect();
    let mut pixels = Vec::with_capacity(3 * columns * rows);
    for y in top..top + rows {
        for x in 0..columns {
            let x = left + if mirrored { columns - 1 - x } else { x };
            let pixel = &picture.pixels()[3 * (y * width + x)..][..3];
            pixels.extend(pixel.iter().map(|&v| level[v as usize]));
        }
    }
    Ok(Picture::from_rgb(columns as u32, rows as u32, pixels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varied_photo_is_a_part_of_the_photo() -> Result<()> {
        let photo = Picture::from_rgb(40, 20, (0..40 * 20 * 3).map(|i| (i % 251) as u8).collect())?;
        for seed in 0..50 {
            let varied = vary(&photo, &NoiseSource::new(seed))?;
            assert!((28..=40).contains(&varied.width()) && (14..=20).contains(&varied.height()));
            assert_eq!(varied, vary(&photo, &NoiseSource::new(seed))?, "a seed fixes the result");
        }
        let dot = Picture::from_rgb(1, 1, vec![255, 0, 7])?;
        assert_eq!(vary(&dot, &NoiseSource::new(1))?.width(), 1);
        Ok(())
    }
}
