//! What the models are asked: texts of an exact length, a large photo.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, codecs::jpeg::JpegEncoder, imageops::FilterType};
use mixed_feelings::text::Tokenizer;
use serde::Serialize;
use xtask::tools::once;

use crate::prepare::{Places, Prepared};

/// Words that are one token each.
const WORDS: [&str; 31] = [
    "the", "day", "was", "long", "and", "we", "walked", "home", "under", "a", "dark", "sky", "but", "nobody",
    "cared", "because", "music", "came", "from", "every", "window", "so", "happy", "people", "danced",
    "near", "old", "river", "while", "rain", "fell",
];

/// How many texts take turns.
pub const TEXTS: usize = 5;

/// A text and its tokens.
#[derive(Clone, Debug, Serialize)]
pub struct Text {
    /// What ours is asked.
    pub text: String,
    /// What the others are asked.
    pub ids: Vec<u32>,
}

/// So many different texts of exactly `tokens` tokens, the two at the ends included.
///
/// # Errors
/// When the bundle's tokenizer splits one of the words.
pub fn texts(prepared: &Prepared, tokens: usize, count: usize) -> Result<Vec<Text>> {
    let tokenizer = Tokenizer::from_json(
        &prepared.tokenizer,
        prepared.config.max_tokens,
        prepared.config.text_preparation,
    )?;
    (0..count)
        .map(|number| {
            // As many beginnings as there are words; from then on in larger steps.
            let step = 1 + number / WORDS.len();
            let words = (0..tokens - 2).map(|i| WORDS[(number * 7 + i * step) % WORDS.len()]);
            let text = words.collect::<Vec<_>>().join(" ");
            let ids = tokenizer.encode(&text)?.ids;
            ensure!(ids.len() == tokens, "`{text}` has {} tokens, not {tokens}", ids.len());
            Ok(Text { text, ids })
        })
        .collect()
}

/// Two JPEG files of 4000 x 3000 pixels, made of a demo photo.
///
/// # Errors
/// When the photo cannot be read or the files cannot be written.
pub fn large_photos(places: &Places) -> Result<Vec<String>> {
    let names = ["photo-0.jpg", "photo-1.jpg"];
    once(&places.made.join("photos.done"), "", &[], || {
        eprintln!("making photos of 12 megapixels ...");
        let source = places.root.join("www/photos/summer-palace.jpg");
        let photo = image::open(&source).with_context(|| source.display().to_string())?;
        let large = photo.resize_exact(4000, 3000, FilterType::CatmullRom);
        write_jpeg(&grainy(&large), &places.made.join(names[0]))?;
        write_jpeg(&grainy(&large.fliph()), &places.made.join(names[1]))
    })?;
    Ok(names.map(|name| format!("/made/{name}")).to_vec())
}

/// With the grain of a sensor: an enlarged picture alone is easier to decode than what a camera makes.
fn grainy(picture: &DynamicImage) -> DynamicImage {
    let mut pixels = picture.to_rgb8();
    let mut state = 1u32;
    for value in pixels.as_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 28) as i16 - 8;
        *value = (i16::from(*value) + grain).clamp(0, 255) as u8;
    }
    pixels.into()
}

fn write_jpeg(picture: &DynamicImage, path: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85))?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}
