//! Restart markers that are lost, wrong or too many, put right as libjpeg does while it decodes (`jpeg_resync_to_restart`), so
//! that a fault costs the blocks up to the next restart only.

/// A file in which restart markers come in their order, when in `bytes` they do not.
pub(super) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Mended { bytes, copied: 0, out: Vec::new() };
    let (mut at, mut interval) = (2, false);
    while let Some(&[0xFF, kind]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        match kind {
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => break,
            _ => {
                let Some(&length) = bytes.get(at + 2..).and_then(|rest| rest.first_chunk()) else { break };
                let end = at + 2 + usize::from(u16::from_be_bytes(length));
                if kind == 0xDD {
                    interval = bytes.get(at + 4..at + 6).is_some_and(|interval| interval != [0, 0]);
                }
                at = if kind == 0xDA { mended.scan(end, interval) } else { end };
            }
        }
    }
    mended.finish()
}

struct Mended<'a> {
    bytes: &'a [u8],
    /// Bytes that are copied or dropped already, once there is a fault.
    copied: usize,
    out: Vec<u8>,
}

impl Mended<'_> {
    /// Goes through a scan's data from `at` on and returns where it ends.
    fn scan(&mut self, mut at: usize, interval: bool) -> usize {
        let mut expected = 0;
        while let Some(marker) = marker(self.bytes, at) {
            let kind = self.bytes.get(marker + 1).copied().unwrap_or_default();
            at = marker + 2;
            match kind {
                _ if !interval => {
                    if !matches!(kind, 0xD0..=0xD7) {
                        return marker;
                    }
                }
                // No marker at all: what comes up to the next one is dropped.
                0x01..0xC0 => self.drop(marker, at),
                0xD0..=0xD7 => match (kind - 0xD0).wrapping_sub(expected) & 7 {
                    0 => expected = (expected + 1) & 7,
                    // One or two were lost: their blocks stay empty.
                    lost @ (1 | 2) => {
                        self.copy(marker);
                        for _ in 0..lost {
                            self.out.extend([0xFF, 0xD0 + expected]);
                            expected = (expected + 1) & 7;
                        }
                        expected = (expected + 1) & 7;
                    }
                    // One that came late.
                    6 | 7 => self.drop(marker, at),
                    // Too far off: it is taken for the one that is due.
                    _ => {
                        self.copy(marker);
                        self.out.extend([0xFF, 0xD0 + expected]);
                        self.copied = at;
                        expected = (expected + 1) & 7;
                    }
                },
                _ => return marker,
            }
        }
        self.bytes.len()
    }

    fn copy(&mut self, end: usize) {
        self.out.extend_from_slice(self.bytes.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// Leaves out what stands from `marker` to the next one behind `at`.
    fn drop(&mut self, from: usize, at: usize) {
        self.copy(from);
        self.copied = marker(self.bytes, at).unwrap_or(self.bytes.len());
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.copy(self.bytes.len());
        Some(self.out)
    }
}

/// Where the next marker stands, from `at` on. Stuffed zeros and fill bytes are data.
fn marker(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        at += memchr::memchr(0xFF, bytes.get(at..)?)?;
        if !matches!(bytes.get(at + 1)?, 0x00 | 0xFF) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(data: &[u8]) -> Vec<u8> {
        [b"\xFF\xD8\xFF\xDD\0\x04\0\x01\xFF\xDA\0\x02", data, b"\xFF\xD9"].concat()
    }

    #[test]
    fn what_is_in_order_stays() {
        assert_eq!(mended(&file(b"a\xFF\0\xFF\xD0b\xFF\xFF\xD1c")), None);
        // Without an interval there are no restarts to put right.
        assert_eq!(mended(b"\xFF\xD8\xFF\xDA\0\x02a\xFF\xD3b\xFF\xD9"), None);
        let whole = file(b"a\xFF\xD3b");
        for length in 0..whole.len() {
            mended(&whole[..length]);
        }
    }

    #[test]
    fn as_libjpeg_does() {
        let is = |data: &[u8], right: &[u8]| assert_eq!(mended(&file(data)), Some(file(right)));
        // Lost, late, far off, and no marker.
        is(b"a\xFF\xD1b", b"a\xFF\xD0\xFF\xD1b");
        is(b"a\xFF\xD2b", b"a\xFF\xD0\xFF\xD1\xFF\xD2b");
        is(b"a\xFF\xD0b\xFF\xD0c\xFF\xD1d", b"a\xFF\xD0b\xFF\xD1d");
        is(b"a\xFF\xD4b\xFF\xD1c", b"a\xFF\xD0b\xFF\xD1c");
        is(b"a\xFF\x35b\xFF\xD0c", b"a\xFF\xD0c");
    }
}
