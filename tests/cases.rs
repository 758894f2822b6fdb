//! What the first release failed on, and what is right of each (`tests/cases/`): the formats and kinds of picture.

use std::{fs, path::Path};

use mixed_feelings::{
    Analyzer, Post,
    analyzer::ImageInput,
    image::{Decoded, ImageError, Limits, decode, inspect},
};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/images")
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn decoded(name: &str) -> Result<Decoded, ImageError> {
    decode(&bytes(name), &Limits::default())
}

/// Every file: what becomes of it, and a word of the message if it is refused.
const RIGHT: [(&str, Right); 27] = [
    ("p12_palette_4_bytes.png", Right::Refused("image-corrupt", "palette")),
    ("w12_anim_alph_then_vp8_of_0x0.webp", Right::Refused("image-corrupt", "WebP")),
    ("j02_noninterleaved_420.jpg", Right::Read),
    ("j37_noninterleaved_440.jpg", Right::Read),
    ("j12_no_eoi.jpg", Right::Read),
    ("j31_ff35_inside_scan.jpg", Right::Incomplete),
    ("p09_no_iend.png", Right::Read),
    ("w03_trailing_bytes.webp", Right::Read),
    ("g06_screen_0x0.gif", Right::Read),
    ("j03_odd_3x1.jpg", Right::Read),
    ("p05_apng_hidden_default.png", Right::Read),
    ("g07_frame_larger_than_screen.gif", Right::Read),
    ("b12_v5_rgb_with_alpha_mask.bmp", Right::Read),
    ("j09_arithmetic.jpg", Right::Refused("image-unsupported", "arithmetic")),
    ("j10_12bit_sof1.jpg", Right::Refused("image-unsupported", "12")),
    ("p15_cgbi.png", Right::Refused("image-unsupported", "iPhone")),
    ("o02_avif_major_mif1.avif", Right::Refused("image-unsupported", "AVIF")),
    ("o05_heic_heis.heic", Right::Refused("image-unsupported", "HEIC")),
    ("o06.jxl", Right::Refused("image-unsupported", "JPEG XL")),
    ("o10.jp2", Right::Refused("image-unsupported", "JPEG 2000")),
    ("o16_comment.svg", Right::Refused("image-unsupported", "SVG")),
    ("o18_rss.xml", Right::Refused("not-an-image", "news feed")),
    ("p24_long_screenshot_64x20000.png", Right::Read),
    ("j33_cut_40_end_appended.jpg", Right::Incomplete),
    ("j40_scans_0_1_2.jpg", Right::Read),
    ("j41_scans_0_12.jpg", Right::Read),
    ("j42_scans_01_2.jpg", Right::Read),
];

enum Right {
    /// Whole.
    Read,
    /// As far as it goes.
    Incomplete,
    /// With this code, and this in the message.
    Refused(&'static str, &'static str),
}

#[test]
fn every_case_has_its_right_value() {
    let mut wrong = Vec::new();
    for (name, right) in RIGHT {
        let result = decoded(name);
        let ok = match (&result, right) {
            (Ok(decoded), Right::Read) => !decoded.incomplete,
            (Ok(decoded), Right::Incomplete) => decoded.incomplete,
            (Err(error), Right::Refused(code, word)) => {
                error.code() == code && error.to_string().contains(word) && error.to_string().len() <= 300
            }
            _ => false,
        };
        if !ok {
            let result =
                result.map(|decoded| (decoded.picture.width(), decoded.picture.height(), decoded.incomplete));
            wrong.push(format!("{name}: {result:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let files = fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, RIGHT.len(), "every file has its row");
}

/// The first bytes are enough for the name of what is refused, and refuse nothing that is read.
#[test]
fn the_first_bytes_say_the_same() {
    for (name, right) in RIGHT {
        let bytes = bytes(name);
        let first = inspect(&bytes[..bytes.len().min(64 << 10)], &Limits::default());
        match right {
            Right::Read | Right::Incomplete => assert_eq!(first, Ok(()), "{name}"),
            // What is wrong with these stands further down.
            Right::Refused("image-corrupt", _) => {}
            Right::Refused(code, _) if name.starts_with('j') => {
                assert!(
                    first.is_ok() || first.as_ref().is_err_and(|error| error.code() == code),
                    "{name}: {first:?}"
                );
            }
            Right::Refused(code, word) => {
                let error = first.unwrap_err();
                assert_eq!(error.code(), code, "{name}");
                assert!(error.to_string().contains(word), "{name}: {error}");
            }
        }
    }
}

/// What Chromium shows of these, as sums over their pixels (`tests/variants` compares all of them).
#[test]
fn the_picture_is_the_one_that_browsers_show() {
    let expected = fs::read_to_string(folder().join("../shown.tsv")).unwrap();
    let mut rows = 0;
    for line in expected.lines().skip(1) {
        let [name, width, height, red, green, blue] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let picture = decoded(name).unwrap_or_else(|error| panic!("{name}: {error}")).picture;
        assert_eq!(
            (picture.width().to_string(), picture.height().to_string()),
            (width.into(), height.into()),
            "{name}"
        );
        for (channel, mean) in [red, green, blue].into_iter().enumerate() {
            let values = picture.pixels().iter().skip(channel).step_by(3);
            let sum: u64 = values.map(|&value| u64::from(value)).sum();
            let ours = sum as f64 / f64::from(picture.width() * picture.height());
            let mean: f64 = mean.parse().unwrap();
            assert!(
                (ours - mean).abs() <= 1.0,
                "{name}: the mean of channel {channel} is {ours:.2}, not {mean}"
            );
        }
        rows += 1;
    }
    assert!(rows >= 10);
}

#[test]
fn a_picture_of_scans_one_a_component_is_positive() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("pkg/mixed-feelings-small.safetensors");
    let mut analyzer = Analyzer::from_bundle(fs::read(bundle).unwrap()).unwrap();
    for name in ["j02_noninterleaved_420.jpg", "j37_noninterleaved_440.jpg"] {
        let bytes = bytes(name);
        let image = Some(ImageInput::Encoded(&bytes));
        let analysis = analyzer.analyze(Post { image, ..Post::default() }).unwrap();
        assert_eq!(analysis.label, "positive", "{name}");
        let scores = analysis.scores.probabilities();
        assert!(scores[2] > 0.6, "{name}: {scores:?}");
    }
}

/// A bad picture among good ones costs itself only.
#[test]
fn the_next_call_answers() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("pkg/mixed-feelings-small.safetensors");
    let mut analyzer = Analyzer::from_bundle(fs::read(bundle).unwrap()).unwrap();
    let good = bytes("w03_trailing_bytes.webp");
    let mut label = |bytes: &[u8]| {
        let image = Some(ImageInput::Encoded(bytes));
        analyzer.analyze(Post { image, ..Post::default() }).map(|analysis| (analysis.label, analysis.valence))
    };
    let right = label(&good).unwrap();
    for (name, case) in RIGHT {
        assert_eq!(label(&bytes(name)).is_err(), matches!(case, Right::Refused(..)), "{name}");
        assert_eq!(label(&good).unwrap(), right, "after {name}");
    }
}
