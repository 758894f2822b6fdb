//! The image room against Pillow (`tests/parity/image.py`), against bombs, and against damage.

use std::{fs, path::Path, path::PathBuf};

use mixed_feelings::{
    image::{ImageError, Limits, Picture, decode, resize},
    model::{Filter, Fit, Preprocess},
};
use safetensors::SafeTensors;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

/// Each fixture's name and bytes.
fn files() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let images = entries.filter(|path| path.extension().is_some_and(|extension| extension != "safetensors"));
    let mut files: Vec<_> = images
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Calls `check` with the name and the picture of every expectation whose name starts with `prefix`.
fn each_expected(prefix: &str, mut check: impl FnMut(&str, Picture)) {
    let bytes = fs::read(folder().join("expected.safetensors")).unwrap();
    let table = SafeTensors::deserialize(&bytes).unwrap();
    let mut count = 0;
    for (name, tensor) in table.iter() {
        if let Some(name) = name.strip_prefix(prefix) {
            let &[height, width, 3] = tensor.shape() else { panic!("{name}: {:?}", tensor.shape()) };
            check(name, Picture::from_rgb(width as u32, height as u32, tensor.data().to_vec()).unwrap());
            count += 1;
        }
    }
    assert!(count > 0, "no expectation starts with {prefix}");
}

fn mean_difference(a: &Picture, b: &Picture) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let sum: u64 = a.pixels().iter().zip(b.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.pixels().len() as f64
}

/// A deterministic stream of numbers (xorshift64*).
fn numbers(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize
    }
}

#[test]
fn every_kind_of_file_decodes_as_pillow_decodes_it() {
    let mut worst = Vec::new();
    each_expected("decode.", |name, expected| {
        if name == "exif6.webp" {
            return; // Pillow turns it; Chromium does not, and neither do we (`what_chromium_does_not_turn`)
        }
        let bytes = fs::read(folder().join(name)).unwrap();
        let picture = decode(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}")).picture;
        let difference = mean_difference(&picture, &expected);
        println!("{name}: {difference:.3}");
        if difference > 1.0 {
            worst.push(format!("{name}: {difference:.3}"));
        }
    });
    assert!(worst.is_empty(), "more than one level from Pillow: {worst:?}");
}

/// The orientation in a WebP is not looked at: an `<img>` of it in Chromium is not turned either.
#[test]
fn what_chromium_does_not_turn() {
    let picture =
        decode(&fs::read(folder().join("exif6.webp")).unwrap(), &Limits::default()).unwrap().picture;
    assert_eq!((picture.width(), picture.height()), (24, 16));
}

#[test]
fn resize_is_pillows() {
    each_expected("resize.", |case, expected| {
        let parts: Vec<&str> = case.split('.').collect();
        let &[filter, from, to] = parts.as_slice() else { panic!("{case}") };
        let filter = if filter == "bicubic" { Filter::Bicubic } else { Filter::Bilinear };
        let sides = |size: &str| {
            let (width, height) = size.split_once('x').unwrap();
            (width.parse().unwrap(), height.parse().unwrap())
        };
        let (width, height) = sides(from);
        let (to_width, to_height) = sides(to);
        let resized = resize(&pattern(width, height), to_width, to_height, filter).unwrap();
        assert!(resized == expected, "{case}: {:.3} levels off", mean_difference(&resized, &expected));
    });
}

#[test]
fn crop_is_torchvisions() {
    each_expected("crop.", |case, expected| {
        let (from, side) = case.split_once('.').unwrap();
        let (width, height) = from.split_once('x').unwrap();
        let picture = pattern(width.parse().unwrap(), height.parse().unwrap());
        let input_size = side.parse().unwrap();
        let (fit, filter, mean, std) = (Fit::Crop, Filter::Bicubic, [0.5; 3], [0.5; 3]);
        let cropped = Preprocess { input_size, fit, filter, mean, std }.apply(&picture);
        assert!(cropped == expected, "{case}: {:.3} levels off", mean_difference(&cropped, &expected));
    });
}

/// Every pixel another; the script draws the same.
fn pattern(width: u32, height: u32) -> Picture {
    let pixel = |i: u32| {
        let (x, y) = (i % width, i / width);
        [x * 7 + y * 3, x * y / 5 + 40, (x ^ y) * 11].map(|value| (value % 256) as u8)
    };
    Picture::from_rgb(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
}

#[test]
fn demo_photos_reduce_as_pillow_reduces_them() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/demo_photos/images");
    if !photos.is_dir() {
        println!("skipped: needs ../shared/data/demo_photos");
        return;
    }
    each_expected("photo.", |name, expected| {
        let picture = decode(&fs::read(photos.join(name)).unwrap(), &Limits::default()).unwrap().picture;
        let reduced = resize(&picture, 12, 12, Filter::Bicubic).unwrap();
        let difference = mean_difference(&reduced, &expected);
        println!("{name}: {difference:.3}");
        assert!(difference <= 1.0, "{name}: {difference:.3} levels from Pillow");
    });
}

/// A few bytes that claim 60,000 x 60,000 pixels, one a format.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    const SIDE: u32 = 60_000;
    let (big, little) = (SIDE.to_be_bytes(), SIDE.to_le_bytes());
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &big, &big, b"\x08\x02\0\0\0\0\0\0\0"].concat();
    let gif = [&b"GIF89a"[..], &little[..2], &little[..2], b"\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"]
        .concat();
    let bmp_info = [&b"\x28\0\0\0"[..], &little, &little, b"\x01\0\x18\0", &[0; 24]].concat();
    let bmp = [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0"[..], &bmp_info].concat();
    let canvas = &(SIDE - 1).to_le_bytes()[..3];
    let webp = [&b"RIFF\x22\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0"[..], canvas, canvas, b"VP8 \x04\0\0\0\0\0\0\0"]
        .concat();
    let sides = [&big[2..], &big[2..]].concat();
    let jpeg = [
        &b"\xFF\xD8\xFF\xC0\0\x11\x08"[..],
        &sides,
        b"\x03\x01\x11\0\x02\x11\0\x03\x11\0\xFF\xDA\0\x0C\x03\x01\0\x02\0\x03\0\0\x3F\0\xFF\xD9",
    ]
    .concat();
    vec![("PNG", png), ("GIF", gif), ("BMP", bmp), ("WebP", webp), ("JPEG", jpeg)]
}

#[test]
fn image_bombs_are_refused_by_their_header() {
    for (format, bytes) in bombs() {
        assert!(bytes.len() < 100);
        match decode(&bytes, &Limits::default()) {
            Err(ImageError::TooLarge { width: 60_000, height: 60_000, .. }) => {}
            other => panic!("{format}: {other:?}"),
        }
    }
    let good = fs::read(folder().join("420.jpg")).unwrap();
    assert!(decode(&good, &Limits::default()).is_ok(), "the next call works");
}

#[test]
fn limits_are_the_callers() {
    let bytes = fs::read(folder().join("rgb.png")).unwrap();
    let code = |limits| decode(&bytes, &limits).unwrap_err().code();
    assert_eq!(code(Limits { max_pixels: 45 * 31 - 1, ..Limits::default() }), "image-too-large");
    assert_eq!(code(Limits { max_bytes: bytes.len() - 1, ..Limits::default() }), "image-too-large");
    let exact = Limits { max_bytes: bytes.len(), max_pixels: 45 * 31 };
    assert!(decode(&bytes, &exact).is_ok());
}

#[test]
fn what_is_no_image_is_named() {
    let code = |bytes: &[u8]| decode(bytes, &Limits::default()).unwrap_err().code();
    assert_eq!(code(b""), "image-empty");
    assert_eq!(code(b"GI"), "not-an-image");
    assert_eq!(code(b"hello, world"), "not-an-image");
    assert_eq!(code(&[0; 5000]), "not-an-image");
    assert_eq!(code(b"II*\0\x08\0\0\0"), "image-unsupported");
    assert_eq!(code(b"\0\0\0\x18ftypheic\0\0\0\0"), "image-unsupported");
    assert_eq!(code(b"\n<svg xmlns='http://www.w3.org/2000/svg'/>"), "image-unsupported");
}

/// No prefix panics, and none that lacks half of the file passes for a whole picture.
#[test]
fn truncated_files_are_refused_or_marked() {
    for (name, bytes) in files() {
        for length in 0..bytes.len() {
            let whole = decode(&bytes[..length], &Limits::default()).is_ok_and(|decoded| !decoded.incomplete);
            assert!(!whole || length > bytes.len() / 2, "{name} passes for whole with {length} bytes");
        }
    }
}

fn jpeg(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// What the encoder gets of a JPEG that lacks only its end marker, or has bytes behind it, is what the file shows.
#[test]
fn a_jpeg_needs_no_end_and_may_have_more_behind_it() {
    for name in ["420.jpg", "progressive.jpg", "restart.jpg", "grey.jpg", "cmyk.jpg"] {
        let bytes = jpeg(name);
        let whole = decode(&bytes, &Limits::default()).unwrap();
        assert!(!whole.incomplete);
        let cut = decode(&bytes[..bytes.len() - 2], &Limits::default()).unwrap();
        assert_eq!(cut.picture, whole.picture, "{name} without an end marker");
        let longer = decode(&[&bytes[..], b"and more"].concat(), &Limits::default()).unwrap();
        assert_eq!(longer, whole, "{name} with bytes behind it");
    }
}

#[test]
fn what_came_of_a_cut_jpeg_is_read_and_marked() {
    for name in ["420.jpg", "progressive.jpg"] {
        let bytes = jpeg(name);
        let whole = decode(&bytes, &Limits::default()).unwrap();
        let cut = decode(&bytes[..bytes.len() * 4 / 5], &Limits::default()).unwrap();
        assert!(cut.incomplete, "{name}");
        assert_ne!(cut.picture, whole.picture);
        // What did not come of the first scan is white; its first block is there.
        for (cut, whole) in cut.picture.pixels().iter().zip(whole.picture.pixels()).take(3 * 8) {
            assert!(cut.abs_diff(*whole) < 60, "{name}: {cut} for {whole}");
        }
    }
    let bytes = jpeg("420.jpg");
    let scan = bytes.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
    let code = |bytes: &[u8]| decode(bytes, &Limits::default()).unwrap_err().code();
    assert_eq!(code(&bytes[..scan + 14]), "image-corrupt", "nothing came");
    assert_eq!(code(&bytes[..scan]), "image-corrupt");
}

/// A lost restart marker costs blocks, not the rest of the picture.
#[test]
fn a_jpeg_that_lost_a_restart_marker() {
    let bytes = jpeg("restart.jpg");
    let whole = decode(&bytes, &Limits::default()).unwrap();
    let at = bytes.windows(2).position(|marker| marker == [0xFF, 0xD0]).unwrap();
    let lost = decode(&[&bytes[..at], &bytes[at + 2..]].concat(), &Limits::default()).unwrap();
    assert!(lost.incomplete);
    // Two blocks of the three in a row of them make an interval: the last two are the last interval.
    let end = |picture: &Picture| picture.pixels()[picture.pixels().len() - 3 * 20..].to_vec();
    assert_eq!(end(&lost.picture), end(&whole.picture), "what follows stands where it stood");
}

#[test]
fn jpegs_of_other_processes_are_named() {
    let bytes = jpeg("420.jpg");
    let frame = bytes.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    for (marker, name) in [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic")] {
        let mut other = bytes.clone();
        other[frame + 1] = marker;
        let error = decode(&other, &Limits::default()).unwrap_err();
        assert!(error.code() == "image-unsupported" && error.to_string().contains(name), "{error}");
    }
    let mut other = bytes.clone();
    other[frame + 4] = 12;
    let error = decode(&other, &Limits::default()).unwrap_err();
    assert!(error.code() == "image-unsupported" && error.to_string().contains("12 bits"), "{error}");
}

/// Every scan costs a walk over all blocks, however few bytes it has.
#[test]
fn a_jpeg_of_many_empty_scans_is_refused() {
    let bytes = jpeg("progressive.jpg");
    let scan = bytes.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
    let (head, last) = bytes.split_at(scan);
    let bomb = [head, &last[..last.len() - 2].repeat(2_000), b"\xFF\xD9"].concat();
    assert_eq!(decode(&bomb, &Limits::default()).unwrap_err().code(), "image-unsupported");
}

#[test]
fn damaged_files_never_panic() {
    let small = Limits { max_pixels: 1_000_000, ..Limits::default() };
    let rounds = std::env::var("FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(100);
    for (seed, (_, bytes)) in files().into_iter().enumerate() {
        let mut next = numbers(seed as u64 + 1);
        for _ in 0..rounds {
            let mut damaged = bytes.clone();
            for _ in 0..1 + next() % 4 {
                // Mostly in the header, where it hurts.
                let reach = if next().is_multiple_of(2) { damaged.len() } else { damaged.len().min(64) };
                let place = next() % reach;
                damaged[place] = match next() % 3 {
                    0 => damaged[place] ^ (1 << (next() % 8)),
                    1 => [0, 0xFF, 0x7F, 0x80][next() % 4],
                    _ => next() as u8,
                };
            }
            let _ = decode(&damaged, &small);
        }
    }
}
