//! The part of a picture's pixels that shows something.
//!
//! A JPEG that is decoded at a part of its size need not end where its last pixel ends: of 4,001 columns at 1/4 there are
//! 1,001, of which the last shows one column and not four. Resized as if all 1,001 were full, everything would move by
//! up to .75 of an original pixel at 1/4, and 7/8 of one at 1/8: measured, most of what reducing does to the score.

use super::Picture;

/// Where a picture begins and how long it is, in its own pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    pub(super) start: f64,
    pub(super) length: f64,
}

impl Extent {
    pub(super) fn whole(pixels: u32) -> Extent {
        Extent { start: 0.0, length: f64::from(pixels) }
    }

    /// The same with its `pixels` in the opposite order.
    #[cfg(feature = "decoders")]
    fn mirrored(self, pixels: u32) -> Extent {
        Extent { start: f64::from(pixels) - self.start - self.length, length: self.length }
    }
}

/// The [`Extent`]s of columns and rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) across: Extent,
    pub(super) down: Extent,
}

impl Area {
    pub(super) fn whole(picture: &Picture) -> Area {
        Area { across: Extent::whole(picture.width()), down: Extent::whole(picture.height()) }
    }
}

#[cfg(feature = "decoders")]
impl Area {
    /// What a picture of `sides` covers of its pixels at 1 / `divisor`, a power of two.
    pub(super) fn reduced((width, height): (u32, u32), divisor: u32) -> Area {
        let extent = |side: u32| Extent { start: 0.0, length: f64::from(side) / f64::from(divisor) };
        Area { across: extent(width), down: extent(height) }
    }

    /// As [`orient`](super::orientation::orient) turns a picture that has `sides` as it is stored.
    pub(super) fn turned(self, (width, height): (u32, u32), turn: super::orientation::Turn) -> Area {
        let Area { mut across, mut down } = self;
        let (mut columns, mut rows) = (width, height);
        if turn.swapped {
            (across, down, columns, rows) = (down, across, rows, columns);
        }
        Area {
            across: if turn.back_x { across.mirrored(columns) } else { across },
            down: if turn.back_y { down.mirrored(rows) } else { down },
        }
    }
}

#[cfg(all(test, feature = "decoders"))]
mod tests {
    use libjpeg_turbo_rs::{Encoder, PixelFormat};

    use crate::image::{Limits, decode_at};
    use crate::model::{Filter, Fit, Preprocess};

    /// Of sides that 8 does not divide; in each orientation, at each size, what is seen stays where it is.
    #[test]
    fn a_reduced_picture_does_not_move() {
        let (width, height) = (201, 153);
        let wave = |place: usize, length: f64| (127.0 + 120.0 * (place as f64 / length).sin()) as u8;
        let pixels: Vec<u8> =
            (0..width * height).flat_map(|i| [wave(i % width, 9.0), wave(i / width, 7.0), 90]).collect();
        let (mean, std) = ([0.0; 3], [1.0; 3]);
        for orientation in 1..=8 {
            let exif =
                [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat();
            let file = Encoder::new(&pixels, width, height, PixelFormat::Rgb).quality(97).exif_data(&exif);
            let file = file.encode().unwrap();
            for fit in [Fit::Stretch, Fit::Crop] {
                let preprocess = Preprocess { input_size: 12, fit, filter: Filter::Bilinear, mean, std };
                let at =
                    |divisor| decode_at(&file, &Limits::default(), &preprocess, divisor).unwrap().picture;
                for divisor in [2, 4, 8] {
                    let (whole, reduced) = (at(1), at(divisor));
                    let apart =
                        whole.pixels().iter().zip(reduced.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b)));
                    let apart = apart.sum::<u64>() as f64 / whole.pixels().len() as f64;
                    assert!(
                        apart < 0.5 * f64::from(divisor),
                        "orientation {orientation}, {fit:?}, 1/{divisor}: {apart:.2} levels"
                    );
                }
            }
        }
    }
}
