//! Antialiased resize, equal to Pillow's `Image.resize` byte for byte.
//!
//! Two passes, columns first, each a weighted sum of source pixels: the filter is stretched by the factor of
//! reduction, its weights are rounded to 22 bits behind the point, sums are rounded to 8 bits after each pass.
//! Whole numbers throughout, so every machine gives the same picture.

use std::ops::Range;

use super::{
    ImageError, Limits, Picture,
    area::{Area, Extent},
};
use crate::model::Filter;

/// Bits behind the point of a weight: 32, less 8 of the pixel, less 2 for the filter's overshoot and sign.
const PRECISION: u32 = 22;
/// One half, to round.
const HALF: i32 = 1 << (PRECISION - 1);
/// Rows that the pass over columns takes at once, so that each weight is loaded once for `LANES` products.
const ROWS: usize = 8;
/// The longest side that is resized as Pillow does: far beyond, weights and lanes of a side would take more memory than its
/// pixels, and weights less than the smallest step.
const LONGEST: u32 = 1 << 15;
/// Numbers that stand side by side in that pass: `ROWS` pixels of three channels.
const LANES: usize = 3 * ROWS;

/// `picture` as `width` x `height` pixels, without keeping its aspect ratio.
///
/// # Errors
/// [`ImageError::Shape`] for a side of zero, [`ImageError::TooLarge`] beyond the default [`Limits`].
pub fn resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Result<Picture, ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Shape { width, height, bytes: 0, channels: 3 });
    }
    Limits::default().check(width, height)?;
    Ok(resize_window(picture, Area::whole(picture), (width, height), 0..width, 0..height, filter))
}

/// The part at `columns` and `rows` of the `area` of `picture` resized to `size`; nothing else is computed.
///
/// The ranges are not empty and lie within `size`. The area begins in the first and ends in the last pixel.
pub(super) fn resize_window(
    picture: &Picture,
    area: Area,
    size: (u32, u32),
    columns: Range<u32>,
    rows: Range<u32>,
    filter: Filter,
) -> Picture {
    let (width, height) = (columns.len(), rows.len());
    let shortened = shortened(picture);
    // Only whole pictures are that long: half of JPEG's longest side is not.
    let area = shortened.as_ref().map_or(area, Area::whole);
    let picture = shortened.as_ref().unwrap_or(picture);
    let across = Weights::new(picture.width(), area.across, size.0, columns, filter);
    let down = Weights::new(picture.height(), area.down, size.1, rows, filter);
    let needed = down.sources();
    let stride = 3 * picture.width() as usize;
    let source = &picture.pixels()[needed.start * stride..needed.end * stride];
    let narrow = if across.is_identity(picture.width()) {
        source.to_vec()
    } else {
        over_columns(source, stride, &across)
    };
    let pixels = if down.is_identity(picture.height()) {
        narrow
    } else {
        over_rows(&narrow, 3 * width, needed.start, &down)
    };
    debug_assert_eq!(pixels.len(), 3 * width * height);
    Picture::new(width as u32, height as u32, pixels)
}

/// `picture` with sides of at most [`LONGEST`], each pixel the mean of as many as that takes; `None` if it has no longer ones.
fn shortened(picture: &Picture) -> Option<Picture> {
    let (width, height) = (picture.width(), picture.height());
    if width.max(height) <= LONGEST {
        return None;
    }
    let (across, down) = (width.div_ceil(LONGEST) as usize, height.div_ceil(LONGEST) as usize);
    let (columns, rows) = ((width as usize).div_ceil(across), (height as usize).div_ceil(down));
    let mut pixels = Vec::with_capacity(3 * columns * rows);
    let mut sums = vec![[0u32; 4]; columns];
    for rows in picture.pixels().chunks(3 * width as usize * down) {
        sums.fill([0; 4]);
        for row in rows.chunks_exact(3 * width as usize) {
            for ([red, green, blue, count], pixels) in sums.iter_mut().zip(row.chunks(3 * across)) {
                for &[r, g, b] in pixels.as_chunks().0 {
                    *red += u32::from(r);
                    *green += u32::from(g);
                    *blue += u32::from(b);
                    *count += 1;
                }
            }
        }
        pixels.extend(sums.iter().flat_map(|&[red, green, blue, count]| {
            [red, green, blue].map(|sum| ((sum + count / 2) / count.max(1)) as u8)
        }));
    }
    Some(Picture::new(columns as u32, rows as u32, pixels))
}

/// For each target pixel of one axis, the source pixels that make it and their weights.
struct Weights {
    /// First source pixel and number of them.
    spans: Vec<(usize, usize)>,
    /// `most` weights a target pixel, of which the span's number counts.
    weights: Vec<i32>,
    most: usize,
}

impl Weights {
    /// For the pixels `window` of `target` that are made of the `extent` of `source`.
    fn new(source: u32, extent: Extent, target: u32, window: Range<u32>, filter: Filter) -> Self {
        let (radius, curve): (f64, fn(f64) -> f64) = match filter {
            Filter::Bilinear => (1.0, triangle),
            Filter::Bicubic => (2.0, cubic),
        };
        let scale = extent.length / f64::from(target);
        // Reducing stretches the filter (that is the antialiasing); enlarging leaves it as it is.
        let stretch = scale.max(1.0);
        let reach = radius * stretch;
        let most = reach.ceil() as usize * 2 + 1;
        let mut spans = Vec::with_capacity(window.len());
        let mut weights = vec![0; window.len() * most];
        let mut exact = vec![0.0; most];
        for (place, slot) in window.zip(weights.chunks_exact_mut(most)) {
            let centre = extent.start + (f64::from(place) + 0.5) * scale;
            // A negative number becomes 0 here.
            let first = (centre - reach + 0.5) as usize;
            let end = ((centre + reach + 0.5) as usize).min(source as usize);
            let exact = &mut exact[..end - first];
            let mut sum = 0.0;
            for (i, weight) in exact.iter_mut().enumerate() {
                *weight = curve(((first + i) as f64 - centre + 0.5) * (1.0 / stretch));
                sum += *weight;
            }
            for (weight, exact) in slot.iter_mut().zip(exact.iter()) {
                let share = if sum == 0.0 { *exact } else { exact / sum };
                let half = if share < 0.0 { -0.5 } else { 0.5 };
                *weight = (half + share * f64::from(1 << PRECISION)) as i32;
            }
            spans.push((first, end - first));
        }
        Weights { spans, weights, most }
    }

    /// The source pixels that any target pixel needs.
    fn sources(&self) -> Range<usize> {
        let start = self.spans.iter().map(|&(first, _)| first).min().unwrap_or(0);
        let end = self.spans.iter().map(|&(first, count)| first + count).max().unwrap_or(0);
        start..end
    }

    /// Whether each of `source` pixels is taken as it is.
    fn is_identity(&self, source: u32) -> bool {
        let one = |(i, (&(first, count), weights)): (usize, (&(usize, usize), &[i32]))| {
            weights[..count].iter().enumerate().all(|(k, &w)| w == i32::from(first + k == i) << PRECISION)
        };
        self.spans.len() == source as usize && self.iter().enumerate().all(one)
    }

    fn iter(&self) -> impl Iterator<Item = (&(usize, usize), &[i32])> {
        self.spans.iter().zip(self.weights.chunks_exact(self.most))
    }
}

/// `1 - |x|`.
fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Keys' cubic convolution with a = -0.5 ("Cubic convolution interpolation for digital image processing", 1981).
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// A sum with its half already added, as a pixel.
fn to_pixel(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resizes each row of `source` (`stride` bytes long).
fn over_columns(source: &[u8], stride: usize, across: &Weights) -> Vec<u8> {
    let (rows, width) = (source.len() / stride, across.spans.len());
    let mut narrow = vec![0; rows * width * 3];
    // The same pixel of `ROWS` rows side by side; rows beyond the last stay as they are and are not read back.
    let mut aligned = vec![[0u8; LANES]; stride / 3];
    for (source, narrow) in source.chunks(ROWS * stride).zip(narrow.chunks_mut(ROWS * width * 3)) {
        for (i, row) in source.chunks_exact(stride).enumerate() {
            for (lanes, pixel) in aligned.iter_mut().zip(row.chunks_exact(3)) {
                lanes[3 * i..3 * i + 3].copy_from_slice(pixel);
            }
        }
        for (x, (&(first, count), weights)) in across.iter().enumerate() {
            let mut sums = [HALF; LANES];
            for (lanes, &weight) in aligned[first..first + count].iter().zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(lanes) {
                    *sum += weight * i32::from(value);
                }
            }
            for (row, sums) in narrow.chunks_exact_mut(width * 3).zip(sums.chunks_exact(3)) {
                for (pixel, &sum) in row[3 * x..3 * x + 3].iter_mut().zip(sums) {
                    *pixel = to_pixel(sum);
                }
            }
        }
    }
    narrow
}

/// Makes the target's rows of the rows of `source` (`stride` bytes long), the first of which is row `offset`.
fn over_rows(source: &[u8], stride: usize, offset: usize, down: &Weights) -> Vec<u8> {
    let mut pixels = vec![0; down.spans.len() * stride];
    let mut sums = vec![0; stride];
    for (target, (&(first, count), weights)) in pixels.chunks_exact_mut(stride).zip(down.iter()) {
        sums.fill(HALF);
        let rows = source[(first - offset) * stride..].chunks_exact(stride).take(count);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(value);
            }
        }
        for (pixel, &sum) in target.iter_mut().zip(&sums) {
            *pixel = to_pixel(sum);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel another; the parity test with Pillow draws the same.
    fn pattern(width: u32, height: u32) -> Picture {
        let pixel = |i: u32| {
            let (x, y) = (i % width, i / width);
            [x * 7 + y * 3, x * y / 5 + 40, (x ^ y) * 11].map(|value| (value % 256) as u8)
        };
        Picture::from_rgb(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
    }

    #[test]
    fn one_colour_stays() {
        let picture = Picture::from_rgb(37, 23, [200, 3, 77].repeat(37 * 23)).unwrap();
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (width, height) in [(1, 1), (5, 90), (37, 11), (224, 224)] {
                let resized = resize(&picture, width, height, filter).unwrap();
                assert_eq!(resized.pixels(), [200, 3, 77].repeat((width * height) as usize));
            }
        }
    }

    #[test]
    fn the_same_size_is_the_same_picture() {
        let picture = pattern(31, 17);
        assert_eq!(resize(&picture, 31, 17, Filter::Bicubic).unwrap(), picture);
        assert_eq!(resize(&picture, 31, 17, Filter::Bilinear).unwrap(), picture);
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let picture = pattern(50, 41);
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let whole = resize(&picture, 33, 60, filter).unwrap();
            let part = resize_window(&picture, Area::whole(&picture), (33, 60), 4..20, 30..47, filter);
            for (y, row) in part.pixels().chunks_exact(16 * 3).enumerate() {
                let start = ((30 + y) * 33 + 4) * 3;
                assert_eq!(row, &whole.pixels()[start..start + 16 * 3], "row {y}");
            }
        }
    }

    #[test]
    fn a_very_long_picture_takes_little_memory_and_keeps_its_colours() {
        // The left half black, the right half white.
        let row: Vec<u8> = (0..3_000_000).flat_map(|x| [if x < 1_500_000 { 0 } else { 255 }; 3]).collect();
        let wide = Picture::from_rgb(3_000_000, 1, row.clone()).unwrap();
        let tall = Picture::from_rgb(1, 3_000_000, row).unwrap();
        for (picture, ends) in [(wide, [0, 3 * 15]), (tall, [0, 3 * 16 * 15])] {
            assert!(shortened(&picture).unwrap().pixels().len() <= 3 << 15);
            let resized = resize(&picture, 16, 16, Filter::Bicubic).unwrap();
            assert_eq!(ends.map(|end| resized.pixels()[end]), [0, 255]);
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let picture = pattern(4, 4);
        assert_eq!(resize(&picture, 0, 5, Filter::Bicubic).unwrap_err().code(), "image-shape");
        assert_eq!(resize(&picture, 5, u32::MAX, Filter::Bicubic).unwrap_err().code(), "image-too-large");
    }
}
