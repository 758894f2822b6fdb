//! Turns a picture upright, as EXIF's orientation says.

use ::image::metadata::Orientation;

use super::Picture;

/// Rows and columns of a block that is turned at once, so that both its source and its target stay in the cache.
const BLOCK: usize = 32;

/// As the bytes of EXIF say. Damaged ones are no reason to refuse a picture: it then stands as it is stored.
pub(super) fn of_exif(exif: &[u8]) -> Orientation {
    // Some writers keep JPEG's prefix in other containers.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// What an orientation asks for: are the sides swapped, then does the picture's x (after the swap) and y run backwards?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) swapped: bool,
    pub(super) back_x: bool,
    pub(super) back_y: bool,
}

impl Turn {
    pub(super) fn of(orientation: Orientation) -> Turn {
        let (swapped, back_x, back_y) = match orientation {
            Orientation::NoTransforms => (false, false, false),
            Orientation::FlipHorizontal => (false, true, false),
            Orientation::Rotate180 => (false, true, true),
            Orientation::FlipVertical => (false, false, true),
            Orientation::Rotate90FlipH => (true, false, false),
            Orientation::Rotate90 => (true, true, false),
            Orientation::Rotate270FlipH => (true, true, true),
            Orientation::Rotate270 => (true, false, true),
        };
        Turn { swapped, back_x, back_y }
    }
}

/// `picture` turned or mirrored as `orientation` says.
pub(super) fn orient(picture: Picture, orientation: Orientation) -> Picture {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let Turn { swapped, back_x, back_y } = Turn::of(orientation);
    let (columns, rows) = if swapped { (height, width) } else { (width, height) };
    // Source pixel of target (x, y): `along_x` pixels further a column, `along_y` a row.
    let (along_x, along_y) = if swapped { (width, 1) } else { (1, width) };
    let source = |x: usize, y: usize| {
        let x = if back_x { columns - 1 - x } else { x };
        let y = if back_y { rows - 1 - y } else { y };
        3 * (x * along_x + y * along_y)
    };

    let pixels = picture.pixels();
    let mut turned = vec![0; pixels.len()];
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            for y in top..rows.min(top + BLOCK) {
                for x in left..columns.min(left + BLOCK) {
                    let (from, to) = (source(x, y), 3 * (y * columns + x));
                    turned[to..to + 3].copy_from_slice(&pixels[from..from + 3]);
                }
            }
        }
    }
    Picture::new(columns as u32, rows as u32, turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each orientation undoes what a camera held that way did; letters as EXIF's own pictures show them.
    #[test]
    fn all_eight() {
        // a b c
        // d e f
        let picture = Picture::new(3, 2, b"abcdef".iter().flat_map(|&letter| [letter; 3]).collect());
        let upright = |exif: u8| {
            let turned = orient(picture.clone(), Orientation::from_exif(exif).unwrap());
            let letters: Vec<u8> = turned.pixels().iter().step_by(3).copied().collect();
            let rows = letters.chunks(turned.width() as usize).map(String::from_utf8_lossy);
            rows.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(upright(1), "abc def");
        assert_eq!(upright(2), "cba fed");
        assert_eq!(upright(3), "fed cba");
        assert_eq!(upright(4), "def abc");
        assert_eq!(upright(5), "ad be cf");
        assert_eq!(upright(6), "da eb fc");
        assert_eq!(upright(7), "fc eb da");
        assert_eq!(upright(8), "cf be ad");
    }
}
