//! What decoding a JPEG at a part of its size does to the score.
//!
//! ```text
//! cargo run --release --example reduced -- FOLDER [PHOTOS [MEGAPIXELS]]
//! ```
//!
//! Every photo of FOLDER (an even choice of PHOTOS of them) is enlarged to MEGAPIXELS (12), with a camera's grain, and
//! written as JPEG; that is decoded whole and at 1/2, 1/4 and 1/8. See `tests/variants/README.md`.

use std::{error::Error, fs, path::PathBuf, time::Instant};

use candle_core::Device;
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use mixed_feelings::{
    Analyzer, Bundle, Post,
    analyzer::ImageInput,
    image::{Limits, Picture, decode, decode_at, resize},
    inference::Reference,
    model::{Filter, ModelConfig, Preprocess, tokenizer_json},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors");

/// Numbers by chance, the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// About a normal distribution of a deviation of 2 levels: the sum of twelve, each from -1 to 1.
    fn grain(&mut self) -> i16 {
        (0..12).map(|_| self.below(3) as i16 - 1).sum::<i16>() * 2 / 3
    }
}

/// What became of the pictures of one way.
#[derive(Default)]
struct Row {
    levels: f64,
    /// For the float and the int8 model: valence less that of the whole picture, and labels that are others.
    shifts: [Vec<f32>; 2],
    flips: [usize; 2],
    milliseconds: f64,
}

struct Models {
    float: Analyzer<Reference>,
    int8: Analyzer,
    preprocess: Preprocess,
}

impl Models {
    fn read(&mut self, prepared: &Picture) -> Result<[(String, f32); 2]> {
        let image = Some(ImageInput::Prepared { pixels: prepared.pixels(), incomplete: false });
        let post = Post { image, ..Post::default() };
        let [float, int8] = [self.float.answer(post)?, self.int8.answer(post)?];
        Ok([float, int8].map(|answer| (answer.post.label().to_owned(), answer.post.valence())))
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: reduced FOLDER [PHOTOS [MEGAPIXELS]]")?;
    let count: usize = arguments.next().map_or(Ok(100), |count| count.parse())?;
    let megapixels: f64 = arguments.next().map_or(Ok(12.0), |megapixels| megapixels.parse())?;
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    let step = (paths.len() as f64 / count as f64).max(1.0);
    let bytes = fs::read(BUNDLE)?;
    let bundle = Bundle::parse(bytes.clone())?;
    let config = ModelConfig::of_bundle(&bundle)?;
    let reference = Reference::of_bundle(&bundle, &config, &Device::Cpu)?;
    let float = Analyzer::new(reference, &config, tokenizer_json(&bundle)?)?;
    let int8 = Analyzer::from_bundle(bytes)?;
    let preprocess = int8.preprocess().clone();
    let mut models = Models { float, int8, preprocess };

    const WAYS: [&str; 6] = [
        "whole",
        "at 1/2",
        "at 1/4",
        "at 1/8",
        "one level in 1/12 of the values",
        "written again at 95 and 94",
    ];
    let mut rows: [Row; WAYS.len()] = Default::default();
    let mut chance = Chance(1);
    let mut photos = 0;
    for number in 0..count {
        let Some(path) = paths.get((number as f64 * step) as usize) else { break };
        let Ok(photo) = decode(&fs::read(path)?, &Limits::default()) else { continue };
        let large = enlarged(&photo.picture, megapixels, &mut chance)?;
        let jpeg = written(&large, 92)?;
        let (whole, time) = prepared(&jpeg, &models.preprocess, 1)?;
        let right = models.read(&whole)?;
        photos += 1;
        rows[0].milliseconds += time;
        for (row, divisor) in rows.iter_mut().skip(1).zip([2, 4, 8]) {
            let (reduced, time) = prepared(&jpeg, &models.preprocess, divisor)?;
            row.milliseconds += time;
            row.add(&whole, &right, &reduced, &mut models)?;
        }
        let noise = |&value: &u8| match chance.below(24) {
            0 => value.saturating_add(1),
            1 => value.saturating_sub(1),
            _ => value,
        };
        let noisy: Vec<u8> = whole.pixels().iter().map(noise).collect();
        rows[4].add(
            &whole,
            &right,
            &Picture::from_rgb(whole.width(), whole.height(), noisy)?,
            &mut models,
        )?;
        let again = |quality| -> Result<Picture> {
            Ok(prepared(&written(&large, quality)?, &models.preprocess, 1)?.0)
        };
        let (one, other) = (again(95)?, again(94)?);
        let right = models.read(&one)?;
        rows[5].add(&one, &right, &other, &mut models)?;
    }
    println!("{photos} photos of {megapixels} megapixels\n");
    println!(
        "| way | ms | levels | float: mean | 99 % | signed | labels | int8: mean | 99 % | signed | labels |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, row) in WAYS.into_iter().zip(rows) {
        let columns = row.shifts.into_iter().zip(row.flips).map(|(shifts, flips)| summary(shifts, flips));
        let columns = columns.collect::<Vec<_>>().join(" | ");
        let (time, levels) = (row.milliseconds / f64::from(photos), row.levels / f64::from(photos));
        println!("| {name} | {time:.0} | {levels:.2} | {columns} |");
    }
    Ok(())
}

impl Row {
    fn add(
        &mut self,
        whole: &Picture,
        right: &[(String, f32); 2],
        picture: &Picture,
        models: &mut Models,
    ) -> Result<()> {
        let apart = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b));
        let sum = whole.pixels().iter().zip(picture.pixels()).map(apart).sum::<u64>();
        self.levels += sum as f64 / whole.pixels().len() as f64;
        let read = models.read(picture)?;
        for (model, ((label, valence), (right_label, right_valence))) in read.iter().zip(right).enumerate() {
            self.shifts[model].push(valence - right_valence);
            self.flips[model] += usize::from(label != right_label);
        }
        Ok(())
    }
}

fn summary(mut shifts: Vec<f32>, flips: usize) -> String {
    let count = shifts.len().max(1) as f32;
    let signed = shifts.iter().sum::<f32>() / count;
    let mean = shifts.iter().map(|shift| shift.abs()).sum::<f32>() / count;
    shifts.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let most = shifts.get((shifts.len() * 99 / 100).min(shifts.len().saturating_sub(1)));
    format!("{mean:.4} | {:.3} | {signed:+.4} | {flips}", most.map_or(0.0, |shift| shift.abs()))
}

/// `photo` with so many pixels, and the grain that a camera would give it.
fn enlarged(photo: &Picture, megapixels: f64, chance: &mut Chance) -> Result<Picture> {
    let (width, height) = (f64::from(photo.width()), f64::from(photo.height()));
    let factor = (megapixels * 1e6 / (width * height)).sqrt();
    let (width, height) = ((width * factor).round() as u32, (height * factor).round() as u32);
    let large = resize(photo, width, height, Filter::Bicubic)?;
    let grainy = large.pixels().iter().map(|&value| (i16::from(value) + chance.grain()).clamp(0, 255) as u8);
    Ok(Picture::from_rgb(width, height, grainy.collect())?)
}

fn written(picture: &Picture, quality: u8) -> Result<Vec<u8>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let encoder = Encoder::new(picture.pixels(), width, height, PixelFormat::Rgb);
    Ok(encoder.quality(quality).subsampling(Subsampling::S420).encode()?)
}

/// What the encoder sees of a JPEG that is decoded at a part of its size, and the milliseconds that took.
fn prepared(jpeg: &[u8], preprocess: &Preprocess, divisor: u32) -> Result<(Picture, f64)> {
    let start = Instant::now();
    let decoded = decode_at(jpeg, &Limits::default(), preprocess, divisor)?;
    Ok((decoded.picture, 1e3 * start.elapsed().as_secs_f64()))
}
