//! Worse posts on purpose: typos in the text; noise, blur and JPEG artefacts in the picture.
//!
//! All strengths go from 0, where nothing changes, to 1. The same seed gives the same result, and what a weaker typo
//! or noise has hit, a stronger one hits too. The kinds are those of Hendrycks & Dietterich, "Benchmarking Neural
//! Network Robustness to Common Corruptions and Perturbations", 2019.

use std::{f32::consts::TAU, io::Cursor};

use anyhow::{Context, Result};
use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};
use mixed_feelings::image::{Limits, Picture, decode};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Standard deviation of the noise at strength 1, in levels of 255.
const NOISE: f32 = 128.0;
/// Standard deviation of the blur at strength 1, as a part of the picture's shorter side.
const BLUR: f32 = 0.05;
/// The JPEG qualities at strength 0 and 1.
const QUALITIES: [f32; 2] = [100.0, 1.0];
/// Letters that a word has at least to get a typo.
const SHORTEST: usize = 3;
/// The rows of letters of a keyboard.
const KEYBOARD: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// What makes a post worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// A letter of a word swapped with its neighbour, left out, doubled, or replaced by the next key. The strength is
    /// the share of the words.
    Typos,
    /// Gaussian noise on each channel of each pixel, up to 128 levels of standard deviation.
    Noise,
    /// Gaussian blur, up to a standard deviation of 5 % of the shorter side.
    Blur,
    /// Compression, from quality 100 down to 1.
    Jpeg,
}

impl Corruption {
    /// As a report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Corruption::Typos => "typos",
            Corruption::Noise => "noise",
            Corruption::Blur => "blur",
            Corruption::Jpeg => "JPEG",
        }
    }

    /// What a strength of it means.
    pub fn strengths(self) -> &'static str {
        match self {
            Corruption::Typos => "the share of the words that get a typo",
            Corruption::Noise => "standard deviation of the noise, 1 is half of the range of levels",
            Corruption::Blur => "standard deviation of the blur, 1 is 5 % of the shorter side",
            Corruption::Jpeg => "compression, 0.5 is quality 50, 1 is quality 1",
        }
    }
}

/// `text` with typos in the share `strength` of its words. Links, mentions, hashtags, numbers and words of fewer than
/// three letters stay as they are and do not count.
pub fn corrupt_text(text: &str, strength: f32, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut parts: Vec<String> = text.split_inclusive(char::is_whitespace).map(str::to_owned).collect();
    let mut words: Vec<usize> = (0..parts.len()).filter(|&i| may_have_typo(&parts[i])).collect();
    words.shuffle(&mut rng);
    let share = f64::from(strength).clamp(0.0, 1.0);
    let hit = (share * words.len() as f64).round() as usize;
    for &i in &words[..hit.min(words.len())] {
        parts[i] = with_typo(&parts[i], &mut rng);
    }
    parts.concat()
}

fn may_have_typo(word: &str) -> bool {
    let plain = !word.starts_with(['@', '#']) && !word.contains("://") && !word.starts_with("www.");
    plain && word.chars().filter(|c| c.is_alphabetic()).count() >= SHORTEST
}

/// One typo in `word`, which has a letter.
fn with_typo(word: &str, rng: &mut ChaCha8Rng) -> String {
    let mut chars: Vec<char> = word.chars().collect();
    let letters: Vec<usize> = (0..chars.len()).filter(|&i| chars[i].is_alphabetic()).collect();
    let at = letters[rng.random_range(0..letters.len())];
    let next = at + 1;
    match rng.random_range(0..4) {
        0 if chars.get(next).is_some_and(|c| c.is_alphabetic() && *c != chars[at]) => chars.swap(at, next),
        1 => {
            chars.remove(at);
        }
        2 if let Some(key) = neighbour(chars[at], rng) => chars[at] = key,
        // Also where there is no neighbour to swap with, or no key to miss.
        _ => chars.insert(at, chars[at]),
    }
    chars.into_iter().collect()
}

/// A key beside that of `letter`, in its case; `None` if it is not on the keyboard.
fn neighbour(letter: char, rng: &mut ChaCha8Rng) -> Option<char> {
    let lower = letter.to_ascii_lowercase();
    let row = KEYBOARD.iter().find(|row| row.contains(lower))?.as_bytes();
    let at = row.iter().position(|&key| char::from(key) == lower)?;
    let beside: Vec<u8> =
        [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|i| row.get(i).copied()).collect();
    let key = char::from(*beside.get(rng.random_range(0..beside.len()))?);
    Some(if letter.is_ascii_uppercase() { key.to_ascii_uppercase() } else { key })
}

/// `picture` made worse. Typos leave it as it is.
///
/// # Errors
/// When the compressed picture cannot be read back.
pub fn corrupt_picture(
    picture: &Picture,
    corruption: Corruption,
    strength: f32,
    seed: u64,
) -> Result<Picture> {
    let strength = strength.clamp(0.0, 1.0);
    if strength == 0.0 {
        return Ok(picture.clone());
    }
    match corruption {
        Corruption::Typos => Ok(picture.clone()),
        Corruption::Noise => noisy(picture, strength * NOISE, seed),
        Corruption::Blur => {
            let side = picture.width().min(picture.height()) as f32;
            let blurred = imageops::blur(&pixels(picture)?, (strength * BLUR * side).max(0.01));
            Ok(Picture::from_rgb(picture.width(), picture.height(), blurred.into_raw())?)
        }
        Corruption::Jpeg => {
            let [best, worst] = QUALITIES;
            compressed(picture, (best + strength * (worst - best)).round() as u8)
        }
    }
}

/// Gaussian noise of the standard deviation `deviation`, by Box & Muller's method.
fn noisy(picture: &Picture, deviation: f32, seed: u64) -> Result<Picture> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut noisy = picture.pixels().to_vec();
    for pair in noisy.chunks_mut(2) {
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sin, cos) = (TAU * rng.random::<f32>()).sin_cos();
        for (value, normal) in pair.iter_mut().zip([radius * cos, radius * sin]) {
            *value = (f32::from(*value) + deviation * normal).round().clamp(0.0, 255.0) as u8;
        }
    }
    Ok(Picture::from_rgb(picture.width(), picture.height(), noisy)?)
}

/// Written as a JPEG and read back as posts are.
fn compressed(picture: &Picture, quality: u8) -> Result<Picture> {
    let mut file = Cursor::new(Vec::new());
    let encoder = JpegEncoder::new_with_quality(&mut file, quality.clamp(1, 100));
    pixels(picture)?
        .write_with_encoder(encoder)
        .with_context(|| format!("writing a JPEG of quality {quality}"))?;
    Ok(decode(file.get_ref(), &Limits::default())?.picture)
}

fn pixels(picture: &Picture) -> Result<RgbImage> {
    RgbImage::from_raw(picture.width(), picture.height(), picture.pixels().to_vec())
        .context("the picture's bytes do not fit its sides")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_PICTURES: [Corruption; 3] = [Corruption::Noise, Corruption::Blur, Corruption::Jpeg];

    const TEXT: &str = "Honestly, the worst breakfast I ever had!  @bob_smith told me so: \
                        http://t.co/abcdef #NeverAgain crème brûlée for 25 people";

    /// A smooth picture with an edge: noise, blur and compression all show.
    fn picture() -> Picture {
        let (width, height) = (60, 45);
        let pixels = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (i % width, i / width);
                let edge = if x > 30 { 200 } else { 20 };
                [(x * 4) as u8, (y * 5) as u8, edge]
            })
            .collect();
        Picture::from_rgb(width, height, pixels).expect("a picture")
    }

    fn words_hit(strength: f32, seed: u64) -> Vec<usize> {
        let worse = corrupt_text(TEXT, strength, seed);
        let pairs = TEXT.split_whitespace().zip(worse.split_whitespace()).enumerate();
        pairs.filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect()
    }

    /// Mean absolute difference of the levels.
    fn distance(a: &Picture, b: &Picture) -> f64 {
        let differences = a.pixels().iter().zip(b.pixels()).map(|(a, b)| f64::from(a.abs_diff(*b)));
        differences.sum::<f64>() / a.pixels().len() as f64
    }

    #[test]
    fn strength_zero_changes_nothing() {
        assert_eq!(corrupt_text(TEXT, 0.0, 1), TEXT);
        for corruption in OF_PICTURES {
            assert_eq!(corrupt_picture(&picture(), corruption, 0.0, 1).expect("a picture"), picture());
        }
        assert_eq!(corrupt_text("", 1.0, 1), "");
        assert_eq!(
            corrupt_text("@bob ok http://x.org/abc #fun 2024", 1.0, 1),
            "@bob ok http://x.org/abc #fun 2024"
        );
    }

    #[test]
    fn typos_hit_the_share_of_the_words_and_the_same_words_at_higher_strengths() {
        // 11 words: not the mention, link, hashtag, number, nor "I", "me" and "so:".
        for seed in 0..20 {
            let (some, half, all) = (words_hit(0.25, seed), words_hit(0.5, seed), words_hit(1.0, seed));
            assert_eq!((some.len(), half.len(), all.len()), (3, 6, 11), "{}", corrupt_text(TEXT, 1.0, seed));
            assert!(some.iter().all(|word| half.contains(word)));
            assert_eq!(corrupt_text(TEXT, 0.5, seed), corrupt_text(TEXT, 0.5, seed));
        }
        assert_ne!(corrupt_text(TEXT, 0.5, 1), corrupt_text(TEXT, 0.5, 2));
    }

    #[test]
    fn a_typo_is_one_slip() {
        let mut kinds = [false; 4];
        for seed in 0..100 {
            let typo = corrupt_text("Part", 1.0, seed);
            assert_ne!(typo, "Part");
            match typo.len() {
                3 => kinds[0] = true,
                5 => kinds[1] = true,
                4 => {
                    let mut letters: Vec<char> = typo.chars().collect();
                    letters.sort_unstable();
                    let swapped = letters == ['P', 'a', 'r', 't'];
                    let missed = typo.chars().zip("Part".chars()).filter(|(a, b)| a != b).count() == 1;
                    assert!(swapped != missed, "{typo}");
                    kinds[2] |= swapped;
                    kinds[3] |= missed;
                }
                _ => panic!("{typo}"),
            }
        }
        assert_eq!(kinds, [true; 4]);
    }

    #[test]
    fn a_stronger_corruption_changes_a_picture_more() {
        for corruption in OF_PICTURES {
            let at = |strength| corrupt_picture(&picture(), corruption, strength, 3).expect("a picture");
            let distances = [0.2, 0.5, 1.0].map(|strength| distance(&at(strength), &picture()));
            assert!(0.0 < distances[0] && distances[0] < distances[1], "{corruption:?} {distances:?}");
            assert!(distances[1] < distances[2], "{corruption:?} {distances:?}");
            assert_eq!(at(0.4), at(0.4));
            assert_eq!((at(1.0).width(), at(1.0).height()), (60, 45));
        }
        let noise = |seed| corrupt_picture(&picture(), Corruption::Noise, 0.4, seed).expect("a picture");
        assert_ne!(noise(1), noise(2));
    }

    #[test]
    fn the_noise_has_its_deviation() {
        let grey = Picture::from_rgb(200, 200, vec![128; 3 * 200 * 200]).expect("a picture");
        let noisy = corrupt_picture(&grey, Corruption::Noise, 0.125, 7).expect("a picture");
        let values: Vec<f64> = noisy.pixels().iter().map(|&value| f64::from(value) - 128.0).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
        assert!(mean.abs() < 0.3 && (deviation - 16.0).abs() < 0.3, "{mean} {deviation}");
    }
}
