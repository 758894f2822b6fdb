//! A JPEG's frame header: its sides, and by which process it was made.

use super::{corrupt, numbers::are_doubled, unsupported};
use crate::image::ImageError;

/// What is decided before anything is decoded.
pub(super) struct Header {
    pub(super) sides: (u32, u32),
    pub(super) components: u8,
    /// Whether two components have the same number.
    pub(super) doubled: bool,
}

impl Header {
    /// Walks the segments up to the frame header.
    ///
    /// # Errors
    /// [`ImageError::Unsupported`] for the processes that no viewer of photos reads.
    pub(super) fn read(bytes: &[u8]) -> Result<Header, ImageError> {
        let cut = || corrupt("it ends inside its header".into());
        let mut rest = bytes;
        loop {
            // Bytes that belong to no segment are skipped, as libjpeg does.
            let start = rest.iter().position(|&byte| byte == 0xFF).ok_or_else(cut)?;
            let (&marker, tail) =
                rest.get(start + 1..).and_then(|rest| rest.split_first()).ok_or_else(cut)?;
            match marker {
                // Fill bytes and markers without a length.
                0xFF => rest = rest.get(start + 1..).ok_or_else(cut)?,
                0x00 | 0x01 | 0xD0..=0xD8 => rest = tail,
                0xD9 | 0xDA => return Err(corrupt("it has no frame header".into())),
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => {
                    return Header::frame(marker, tail);
                }
                0xDE => return Err(unsupported("it is hierarchical".into())),
                _ => {
                    let (&length, _) = tail.split_first_chunk().ok_or_else(cut)?;
                    rest = tail.get(usize::from(u16::from_be_bytes(length)).max(2)..).ok_or_else(cut)?;
                }
            }
        }
    }

    fn frame(marker: u8, segment: &[u8]) -> Result<Header, ImageError> {
        let &[_, _, precision, h0, h1, w0, w1, components] =
            segment.first_chunk().ok_or_else(|| corrupt("it ends inside its header".into()))?;
        match marker {
            0xF7 => return Err(unsupported("it is JPEG-LS".into())),
            0xC3 | 0xC7 | 0xCB | 0xCF => return Err(unsupported("it is lossless JPEG".into())),
            0xC5 | 0xC6 | 0xCD | 0xCE => return Err(unsupported("it is hierarchical".into())),
            0xC9 | 0xCA => return Err(unsupported("it uses arithmetic coding".into())),
            _ => {}
        }
        if precision != 8 {
            return Err(unsupported(format!("it has {precision} bits a sample, not 8")));
        }
        let sides = (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
        if sides.0 == 0 || sides.1 == 0 {
            return Err(corrupt(format!("it has {}x{} pixels", sides.0, sides.1)));
        }
        let numbers: Vec<u8> = segment.iter().skip(8).step_by(3).take(components.into()).copied().collect();
        if !matches!(components, 1 | 3 | 4) {
            return Err(unsupported(format!("it has {components} colour components")));
        }
        Ok(Header { sides, components, doubled: are_doubled(&numbers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_has_its_name() {
        let refused = |marker: u8, frame: &[u8]| {
            let file = [&[0xFF, 0xD8, 0xFF, marker, 0, 17][..], frame].concat();
            let Err(ImageError::Unsupported { reason, .. }) = Header::read(&file) else { panic!("{file:?}") };
            reason
        };
        let frame = |precision: u8, names: [u8; 3]| {
            [&[precision, 0, 9, 0, 9, 3][..], &names.map(|name| [name, 0x11, 0]).concat()].concat()
        };
        let usual = frame(8, [1, 2, 3]);
        assert!(refused(0xF7, &usual).contains("JPEG-LS"));
        assert!(refused(0xC3, &usual).contains("lossless"));
        assert!(refused(0xC9, &usual).contains("arithmetic"));
        assert!(refused(0xC5, &usual).contains("hierarchical"));
        assert!(refused(0xC1, &frame(12, [1, 2, 3])).contains("12 bits"));
        let doubled = |names| {
            let file = [&[0xFF, 0xD8, 0xFF, 0xC0, 0, 17][..], &frame(8, names)].concat();
            Header::read(&file).map(|header| header.doubled)
        };
        assert_eq!((doubled([1, 2, 3]), doubled([1, 2, 1])), (Ok(false), Ok(true)));
    }
}
