//! A JPEG of several scans of which one is damaged or cut: the scans before it show the picture, as viewers do.

/// Tries of a file; each may take as long as a picture takes.
const TRIES: usize = 6;
const END: [u8; 2] = [0xFF, 0xD9];

/// What `decode` makes of as many whole scans of the file as it can.
pub(super) fn most<T, E>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, E>) -> Option<T> {
    let ends = ends(bytes);
    let of_first = |scans: usize| {
        let end = *ends.get(scans.checked_sub(1)?)?;
        decode(&[bytes.get(..end)?, &END].concat()).ok()
    };
    // The first scan that is at fault lies between the most that are known to do and the fewest that are known not to.
    let (mut good, mut bad, mut best) = (0, ends.len() + 1, None);
    let mut next = ends.len();
    for _ in 0..TRIES {
        match of_first(next) {
            Some(decoded) => (good, best) = (next, Some(decoded)),
            None => bad = next,
        }
        next = good.midpoint(bad);
        if next == good {
            break;
        }
    }
    best
}

/// The data of a scan, which may be cut.
pub(super) struct Scan<'a> {
    pub(super) data: &'a [u8],
    /// Where they end in the file.
    end: usize,
    /// Groups of blocks between two restart markers, or 0.
    pub(super) interval: u16,
}

/// The only scan of a file that ends with it, without any marker behind.
pub(super) fn cut(bytes: &[u8]) -> Option<Scan<'_>> {
    let mut scans = scans(bytes);
    let scan = scans.pop_if(|scan| scan.end == bytes.len())?;
    scans.is_empty().then_some(scan)
}

fn ends(bytes: &[u8]) -> Vec<usize> {
    scans(bytes).into_iter().map(|scan| scan.end).collect()
}

fn scans(bytes: &[u8]) -> Vec<Scan<'_>> {
    let (mut scans, mut interval) = (Vec::new(), 0);
    for Segment { kind, body, end } in segments(bytes) {
        if kind == 0xDD {
            let number = bytes.get(body + 2..).and_then(|rest| rest.first_chunk());
            interval = number.map_or(0, |&number| u16::from_be_bytes(number));
        }
        if kind == 0xDA {
            let data_end = next_marker(bytes, end).unwrap_or(bytes.len());
            scans.push(Scan { data: bytes.get(end..data_end).unwrap_or_default(), end: data_end, interval });
        }
    }
    scans
}

/// A marker with what belongs to it, a scan's data apart.
pub(super) struct Segment {
    pub(super) kind: u8,
    /// Where its length stands, two bytes before the rest.
    pub(super) body: usize,
    pub(super) end: usize,
}

/// All that are whole.
pub(super) fn segments(bytes: &[u8]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, at) {
        let body = marker + 2;
        let Some(&kind) = bytes.get(marker + 1) else { break };
        at = body;
        if matches!(kind, 0xD9) {
            break;
        }
        if matches!(kind, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        let length = bytes.get(body..).and_then(|rest| rest.first_chunk());
        let Some(&length) = length else { break };
        at = body + usize::from(u16::from_be_bytes(length));
        if at > bytes.len() {
            break;
        }
        segments.push(Segment { kind, body, end: at });
    }
    segments
}

/// Where the next marker stands, from `at` on. Stuffed zeros, restart markers and fill bytes belong to a scan's data.
pub(super) fn next_marker(bytes: &[u8], at: usize) -> Option<usize> {
    let pairs = bytes.get(at..)?.array_windows();
    at.checked_add(
        pairs
            .into_iter()
            .position(|&[first, second]| first == 0xFF && !matches!(second, 0x00 | 0xD0..=0xD7 | 0xFF))?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two scans, the second one cut.
    const FILE: &[u8] = b"\xFF\xD8\xFF\xDA\0\x02ab\xFF\0c\xFF\xD0d\xFF\xC4\0\x02\xFF\xDA\0\x02ef";

    #[test]
    fn scans_end_at_the_next_marker() {
        assert_eq!(ends(FILE), [14, 24]);
        assert_eq!(ends(&FILE[..20]), [14]);
        assert_eq!(ends(&FILE[..4]), [0; 0]);
    }

    #[test]
    fn the_most_scans_that_can_be_decoded() {
        let scans = |good: usize| {
            let decode = |part: &[u8]| if ends(part).len() <= good { Ok(ends(part).len()) } else { Err(()) };
            most(&[b"\xFF\xD8".to_vec(), b"\xFF\xDA\0\x02a".repeat(20)].concat(), decode)
        };
        for good in [1, 2, 7, 19, 20] {
            assert_eq!(scans(good), Some(good));
        }
        assert_eq!(scans(0), None);
    }
}
