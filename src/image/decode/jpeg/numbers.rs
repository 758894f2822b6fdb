//! Color components that have one number in common. Scans name components by it, so each must have its own; what a number
//! names that is given twice, libjpeg decides (`get_sos`), and so browsers do.

use super::scans::{Segment, segments};

/// Whether two of them are the same.
pub(super) fn are_doubled(numbers: &[u8]) -> bool {
    numbers.iter().enumerate().any(|(i, number)| numbers.iter().skip(i + 1).any(|other| other == number))
}

/// The file with the numbers 1, 2, ... in its frame header and in its scans; none where a scan names what there is not.
pub(super) fn told_apart(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut file = bytes.to_vec();
    let mut numbers: Option<Vec<u8>> = None;
    for Segment { kind, body, end } in segments(bytes) {
        match (kind, &numbers) {
            (0xC0..=0xC2, None) => {
                let places = (body + 8..end).step_by(3);
                numbers = Some(places.clone().filter_map(|place| bytes.get(place).copied()).collect());
                for (place, number) in places.zip(1..) {
                    *file.get_mut(place)? = number;
                }
            }
            (0xDA, Some(numbers)) => {
                let count = usize::from(*bytes.get(body + 2)?);
                for (slot, place) in (body + 3..end).step_by(2).take(count).enumerate() {
                    let named = bytes.get(place)?;
                    // As many as the scan has named are passed over.
                    let beyond = numbers.iter().skip(slot).position(|number| number == named)?;
                    *file.get_mut(place)? = u8::try_from(slot + beyond + 1).ok()?;
                }
            }
            _ => {}
        }
    }
    numbers.map(|_| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::decode::fixtures::{decoded, fixture};

    /// `file` with other numbers, in the frame header and in scans of all components.
    fn renumbered(name: &str, numbers: [u8; 3]) -> Vec<u8> {
        let mut file = fixture(name);
        for Segment { kind, body, end } in segments(&fixture(name)) {
            let places: Vec<usize> = match kind {
                0xC0..=0xC2 => (body + 8..end).step_by(3).collect(),
                0xDA => (body + 3..end).step_by(2).take(file[body + 2].into()).collect(),
                _ => continue,
            };
            for place in places {
                file[place] = numbers[usize::from(file[place] - 1)];
            }
        }
        file
    }

    #[test]
    fn components_of_one_number_are_told_by_their_order() {
        for name in ["420.jpg", "444.jpg", "restart.jpg"] {
            let right = decoded(&fixture(name)).unwrap();
            for numbers in [[1, 1, 1], [1, 2, 2], [7, 7, 1], [0, 255, 0]] {
                assert_eq!(decoded(&renumbered(name, numbers)).unwrap(), right, "{name} {numbers:?}");
            }
        }
    }

    /// Scans of one component name the first of that number: the others never come.
    #[test]
    fn what_cannot_be_told_apart_is_no_whole_picture() {
        match decoded(&renumbered("progressive.jpg", [1, 1, 1])) {
            Ok(picture) => {
                assert!(picture.incomplete || picture != decoded(&fixture("progressive.jpg")).unwrap())
            }
            Err(error) => assert_eq!(error.code(), "image-corrupt"),
        }
        let mut unknown = renumbered("420.jpg", [1, 1, 1]);
        let scan = segments(&unknown).into_iter().find(|segment| segment.kind == 0xDA).unwrap();
        unknown[scan.body + 3] = 9;
        assert_eq!(decoded(&unknown).unwrap_err().code(), "image-corrupt");
    }
}
