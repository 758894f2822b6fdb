//! Photos changed as their senders, cameras and sites change them, but not in what they make people feel.

use anyhow::Result;
use mixed_feelings::{
    image::{Picture, resize},
    layers::NoiseSource,
    model::{Filter, Preprocess},
};

use crate::eval::robustness::{Corruption, corrupt_picture};

/// Counts up with every change of what [`vary`] does, so that nothing is taken from what was kept before.
pub const VERSION: u32 = 2;

/// The least part of each side that is kept.
const LEAST_CUT: f32 = 0.65;
/// The smallest that a photo is made before it is made larger again, and the largest share of it that goes.
const LEAST_SIDE: u32 = 112;
const LEAST_SCALE: f32 = 0.5;
/// The worst and best quality of a JPEG that it becomes.
const QUALITIES: [f32; 2] = [30.0, 95.0];
/// The largest standard deviation of the noise, in levels.
const MOST_NOISE: f32 = 8.0;

/// The photo cut, mirrored half of the time, brighter or darker, more or less contrasted and coloured, and half of the
/// time each resampled and written as a worse JPEG; then the `input_size` square that the encoder sees of it, resized with
/// one of the filters, with a little noise half of the time.
pub fn vary(picture: &Picture, preprocess: &Preprocess, noise: &NoiseSource) -> Result<Picture> {
    let mut varied = cut_and_lit(picture, noise)?;
    let half = || noise.next_f32() < 0.5;
    let filter = || if half() { Filter::Bilinear } else { Filter::Bicubic };
    if half() {
        let scale = LEAST_SCALE + (1.0 - LEAST_SCALE) * noise.next_f32();
        let side = |side: u32| ((side as f32 * scale) as u32).clamp(LEAST_SIDE.min(side), side);
        varied = resize(&varied, side(varied.width()), side(varied.height()), filter())?;
    }
    if half() {
        let [worst, best] = QUALITIES;
        let quality = worst + (best - worst) * noise.next_f32();
        varied = corrupt_picture(&varied, Corruption::Jpeg, (100.0 - quality) / 99.0, 0)?;
    }
    let seen = Preprocess { filter: filter(), ..preprocess.clone() }.apply(&varied);
    if half() {
        let strength = MOST_NOISE / 128.0 * noise.next_f32();
        return corrupt_picture(&seen, Corruption::Noise, strength, noise.next_u64());
    }
    Ok(seen)
}

/// Part of the photo, perhaps mirrored, its light and colours changed.
fn cut_and_lit(picture: &Picture, noise: &NoiseSource) -> Result<Picture> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let cut = |side: usize| {
        let kept =
            ((side as f32 * (LEAST_CUT + (1.0 - LEAST_CUT) * noise.next_f32())) as usize).clamp(1, side);
        let start = (noise.next_u64() % (side - kept + 1) as u64) as usize;
        (start, kept)
    };
    let ((left, columns), (top, rows)) = (cut(width), cut(height));
    let mirrored = noise.next_f32() < 0.5;
    let between = |low: f32, high: f32| low + (high - low) * noise.next_f32();
    let (light, contrast, colour) = (between(0.75, 1.25), between(0.75, 1.25), between(0.6, 1.4));
    // A lamp's colour.
    let tint: [f32; 3] = std::array::from_fn(|_| light * between(0.94, 1.06));
    let mut pixels = Vec::with_capacity(3 * columns * rows);
    for y in top..top + rows {
        for x in 0..columns {
            let x = left + if mirrored { columns - 1 - x } else { x };
            let pixel = &picture.pixels()[3 * (y * width + x)..][..3];
            let [r, g, b] = std::array::from_fn(|i| f32::from(pixel[i]));
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            for (value, tint) in [r, g, b].into_iter().zip(tint) {
                let coloured = grey + colour * (value - grey);
                pixels.push((((coloured - 128.0) * contrast + 128.0) * tint).round() as u8);
            }
        }
    }
    Ok(Picture::from_rgb(columns as u32, rows as u32, pixels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocess() -> Preprocess {
        let (mean, std) = ([0.5; 3], [0.5; 3]);
        Preprocess { input_size: 32, fit: Default::default(), filter: Filter::Bicubic, mean, std }
    }

    #[test]
    fn a_part_of_the_photo_is_kept() -> Result<()> {
        let photo = Picture::from_rgb(40, 20, (0..40 * 20 * 3).map(|i| (i % 251) as u8).collect())?;
        for seed in 0..50 {
            let part = cut_and_lit(&photo, &NoiseSource::new(seed))?;
            assert!((26..=40).contains(&part.width()) && (13..=20).contains(&part.height()));
        }
        Ok(())
    }

    #[test]
    fn a_seed_fixes_the_result_and_any_photo_will_do() -> Result<()> {
        for (width, height) in [(1, 1), (300, 2), (40, 20)] {
            let pixels = (0..width * height * 3).map(|i| (i % 251) as u8).collect();
            let photo = Picture::from_rgb(width, height, pixels)?;
            let forms = (0..20).map(|seed| {
                let form = vary(&photo, &preprocess(), &NoiseSource::new(seed))?;
                assert_eq!((form.width(), form.height()), (32, 32));
                assert_eq!(form, vary(&photo, &preprocess(), &NoiseSource::new(seed))?);
                Ok(form)
            });
            let forms = forms.collect::<Result<Vec<_>>>()?;
            assert!(forms.windows(2).any(|pair| pair[0] != pair[1]));
        }
        Ok(())
    }

    #[test]
    fn levels_stay_near_the_photos() -> Result<()> {
        let grey = Picture::from_rgb(64, 64, vec![128; 3 * 64 * 64])?;
        for seed in 0..20 {
            let varied = vary(&grey, &preprocess(), &NoiseSource::new(seed))?;
            let mean =
                varied.pixels().iter().map(|&v| f64::from(v)).sum::<f64>() / varied.pixels().len() as f64;
            assert!((85.0..=175.0).contains(&mean), "{mean}");
        }
        Ok(())
    }
}
