//! From a picture of any size to the encoder's input.

use super::{Picture, area::Area, resize::resize_window};
use crate::model::{Fit, Preprocess};

/// The share of the short side that [`Fit::Crop`] keeps.
const CROP: f64 = 0.875;

impl Preprocess {
    /// The short side, in pixels, that [`apply`](Self::apply) resizes a picture to.
    #[cfg(feature = "decoders")]
    pub(super) fn short_side(&self) -> u32 {
        let side = self.input_size.clamp(1, 1024) as u32;
        match self.fit {
            Fit::Stretch => side,
            Fit::Crop => (f64::from(side) / CROP) as u32,
        }
    }

    /// The square of `input_size` that the encoder sees, still as 8-bit RGB.
    ///
    /// `input_size` is one that [`check`](Self::check) accepts; others are brought into its range.
    pub fn apply(&self, picture: &Picture) -> Picture {
        self.apply_area(picture, Area::whole(picture))
    }

    /// The same of a part of the picture.
    pub(super) fn apply_area(&self, picture: &Picture, area: Area) -> Picture {
        let side = self.input_size.clamp(1, 1024) as u32;
        match self.fit {
            Fit::Stretch => resize_window(picture, area, (side, side), 0..side, 0..side, self.filter),
            Fit::Crop => {
                let (width, height) = (area.across.length, area.down.length);
                let short = f64::from(side) / CROP;
                let short = short as u32;
                // As torchvision: the long side is rounded down, the window's corner half to even.
                let long = |long: f64, of: f64| (f64::from(short) * long / of) as u32;
                let size =
                    if width < height { (short, long(height, width)) } else { (long(width, height), short) };
                let start = |length: u32| (f64::from(length - side) / 2.0).round_ties_even() as u32;
                let (left, top) = (start(size.0), start(size.1));
                resize_window(picture, area, size, left..left + side, top..top + side, self.filter)
            }
        }
    }

    /// `(pixel / 255 - mean) / std` in the picture's own order: height x width x 3 (NHWC).
    pub fn normalise(&self, picture: &Picture) -> Vec<f32> {
        let [red, green, blue] = self.tables();
        let pixel = |&[r, g, b]: &[u8; 3]| [red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]];
        picture.pixels().as_chunks().0.iter().flat_map(pixel).collect()
    }

    /// The same numbers channel by channel: 3 x height x width (as candle reads).
    pub fn to_chw(&self, picture: &Picture) -> Vec<f32> {
        let mut values = Vec::with_capacity(picture.pixels().len());
        for (channel, table) in self.tables().iter().enumerate() {
            values.extend(
                picture.pixels().iter().skip(channel).step_by(3).map(|&value| table[usize::from(value)]),
            );
        }
        values
    }

    /// For each channel, what each of the 256 pixel values becomes.
    fn tables(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            std::array::from_fn(|value| (value as f32 / 255.0 - self.mean[channel]) / self.std[channel])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Filter;

    fn preprocess(fit: Fit) -> Preprocess {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        Preprocess { input_size: 32, fit, filter: Filter::Bicubic, mean, std }
    }

    #[test]
    fn both_orders_hold_the_same_numbers() {
        let picture = Picture::from_rgb(2, 1, vec![0, 51, 102, 153, 204, 255]).unwrap();
        let preprocess = preprocess(Fit::Stretch);
        let rows = preprocess.normalise(&picture);
        let channels = preprocess.to_chw(&picture);
        assert_eq!([rows[0], rows[3], rows[1], rows[4], rows[2], rows[5]], channels[..]);
        assert_eq!(rows[0], (0.0 - 0.485) / 0.229);
        assert_eq!(rows[5], (1.0 - 0.406) / 0.225);
    }

    #[test]
    fn stretch_keeps_the_edges_and_crop_cuts_them() {
        // Black, with a white column at each end.
        let row: Vec<u8> = (0..96).flat_map(|x| [if x % 95 == 0 { 255 } else { 0 }; 3]).collect();
        let picture = Picture::from_rgb(96, 48, row.repeat(48)).unwrap();
        let stretched = preprocess(Fit::Stretch).apply(&picture);
        assert_eq!((stretched.width(), stretched.height()), (32, 32));
        assert!(stretched.pixels()[0] > 50);
        let cropped = preprocess(Fit::Crop).apply(&picture);
        assert_eq!((cropped.width(), cropped.height()), (32, 32));
        assert!(cropped.pixels().iter().all(|&value| value == 0));
    }

    #[test]
    fn a_crop_of_a_very_long_picture_is_cheap() {
        let picture = Picture::from_rgb(1, 16_384, vec![9; 3 * 16_384]).unwrap();
        assert_eq!(preprocess(Fit::Crop).apply(&picture).pixels(), [9; 3 * 32 * 32]);
        let picture = Picture::from_rgb(4_000_000, 1, vec![9; 3 * 4_000_000]).unwrap();
        assert_eq!(preprocess(Fit::Crop).apply(&picture).pixels(), [9; 3 * 32 * 32]);
    }
}
