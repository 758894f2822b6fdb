//! The end of a JPEG that is cut: white, as a browser leaves it. The decoder makes it gray, as libjpeg makes what a file
//! says is there and is not.

use libjpeg_turbo_rs::FrameHeader;

use super::scans;

/// Paints over what of a cut file's only scan did not come: all behind its first `decoded` groups of blocks. `pixels` are RGB,
/// `width` a row, reduced by `divisor`.
///
/// What several scans leave open is no part of the picture but its detail, so that stays as it is.
pub(super) fn whiten(
    bytes: &[u8],
    frame: &FrameHeader,
    decoded: usize,
    pixels: &mut [u8],
    width: usize,
    divisor: usize,
) {
    let Some(scan) = scans::cut(bytes) else { return };
    let restarts =
        scan.data.array_windows().filter(|[first, second]| *first == 0xFF && matches!(second, 0xD0..=0xD7));
    // Groups can be missing between two restart markers too: not only the end is.
    if scan.interval > 0 && decoded / usize::from(scan.interval) != restarts.count() {
        return;
    }
    let most = |factor: fn(&libjpeg_turbo_rs::ComponentInfo) -> u8| {
        // A scan of one component knows no groups.
        let factors = frame.components.iter().map(factor).filter(|_| frame.components.len() > 1);
        usize::from(factors.max().unwrap_or(1)).max(1)
    };
    let columns = 8 * most(|component| component.horizontal_sampling) / divisor;
    let rows = 8 * most(|component| component.vertical_sampling) / divisor;
    let across = width.div_ceil(columns.max(1)).max(1);
    let (above, beside) = (decoded / across * rows, decoded % across * columns);
    for (y, row) in pixels.chunks_exact_mut(3 * width.max(1)).enumerate().skip(above) {
        let start = if y < above + rows { 3 * beside } else { 0 };
        row.get_mut(start..).unwrap_or_default().fill(255);
    }
}

#[cfg(test)]
mod tests {
    use crate::image::{
        Limits,
        decode::{
            decode_at,
            fixtures::{decoded, fixture},
        },
    };
    use crate::model::{Filter, Fit, Preprocess};

    /// The first two thirds of a scan's data.
    fn cut(file: &[u8]) -> &[u8] {
        let data = file.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
        &file[..data + (file.len() - data) * 2 / 3]
    }

    #[test]
    fn what_did_not_come_is_white() {
        for name in ["420.jpg", "444.jpg", "grey.jpg", "restart.jpg"] {
            let file = fixture(name);
            let whole = decoded(&file).unwrap().picture;
            let cut = decoded(cut(&file)).unwrap();
            assert!(cut.incomplete, "{name}");
            let row = 3 * whole.width() as usize;
            let (whole, cut) = (whole.pixels(), cut.picture.pixels());
            assert_eq!(cut[..row], whole[..row], "{name}");
            assert!(cut[cut.len() - row..].iter().all(|&value| value == 255), "{name}");
            // Between what came and what did not there is nothing gray.
            let same = cut.iter().zip(whole).filter(|(a, b)| a.abs_diff(**b) <= 40 || **a == 255).count();
            assert!(same * 100 >= 99 * cut.len(), "{name}: {same} of {}", cut.len());
        }
    }

    #[test]
    fn what_a_file_says_is_there_is_gray() {
        let file = fixture("420.jpg");
        let cut = decoded(&[cut(&file), b"\xFF\xD9"].concat()).unwrap();
        assert!(cut.incomplete);
        assert_eq!(cut.picture.pixels().last_chunk(), Some(&[128; 3]));
    }

    #[test]
    fn a_reduced_picture_is_white_at_the_same_place() {
        let file = fixture("420.jpg");
        let cut = cut(&file);
        let (mean, std) = ([0.0; 3], [1.0; 3]);
        let preprocess =
            Preprocess { input_size: 20, fit: Fit::Stretch, filter: Filter::Bilinear, mean, std };
        let at = |divisor| decode_at(cut, &Limits::default(), &preprocess, divisor).unwrap().picture;
        for divisor in [2, 4] {
            let (whole, reduced) = (at(1), at(divisor));
            let apart = whole.pixels().iter().zip(reduced.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b)));
            let mean = apart.sum::<u64>() as f64 / whole.pixels().len() as f64;
            assert!(mean < 4.0, "at 1/{divisor}: {mean}");
        }
    }
}
