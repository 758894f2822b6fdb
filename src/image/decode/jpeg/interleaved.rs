//! A baseline JPEG of which a scan holds some of the components, neither one nor all: written anew with a scan for each. That is the same
//! picture, and the decoder reads it. Only the order of the blocks changes: their Huffman codes are copied, but for the first coefficient's,
//! which is the difference to the block before (ITU-T T.81, A.2 and F.1.2).

use super::scans::{next_marker, segments};

const SIDE: usize = 8;
/// Categories of the first coefficient's difference, at 8 bits a sample.
const CATEGORIES: usize = 12;
/// How many codes of each length they have here, and their codes: those of T.81, K.3.
const DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_CODES: [(u32, u32); CATEGORIES] = [
    (0b00, 2),
    (0b010, 3),
    (0b011, 3),
    (0b100, 3),
    (0b101, 3),
    (0b110, 3),
    (0b1110, 4),
    (0b1_1110, 5),
    (0b11_1110, 6),
    (0b111_1110, 7),
    (0b1111_1110, 8),
    (0b1_1111_1110, 9),
];

/// The file with a scan for each component; `None` where it has no such scans, or they are damaged.
pub(super) fn apart(bytes: &[u8]) -> Option<Vec<u8>> {
    let segments = segments(bytes);
    let frame =
        segments.iter().find(|s| matches!(s.kind, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF))?;
    let components = usize::from(*bytes.get(frame.body + 7)?);
    let some = |count: u8| (2..components).contains(&usize::from(count));
    let counts = || segments.iter().filter(|s| s.kind == 0xDA).filter_map(|s| bytes.get(s.body + 2));
    if !matches!(frame.kind, 0xC0 | 0xC1) || !counts().any(|&count| some(count)) {
        return None;
    }
    let frame = Frame::read(bytes.get(frame.body + 2..frame.end)?)?;
    let mut out = vec![0xFF, 0xD8];
    let mut tables = Tables::default();
    for segment in &segments {
        let content = bytes.get(segment.body + 2..segment.end)?;
        match segment.kind {
            0xC4 => tables.define(content)?,
            0xDD => tables.interval = content.first_chunk().map(|&n| usize::from(u16::from_be_bytes(n)))?,
            0xDA => {
                let end = next_marker(bytes, segment.end).unwrap_or(bytes.len());
                scan(&frame, &tables, content, bytes.get(segment.end..end)?, &mut out)?;
            }
            _ => out.extend_from_slice(bytes.get(segment.body - 2..segment.end)?),
        }
    }
    out.extend([0xFF, 0xD9]);
    Some(out)
}

/// A component of the frame header.
struct Component {
    number: u8,
    /// Blocks of a unit, across and down.
    sampling: (usize, usize),
    /// Blocks that show something.
    blocks: (usize, usize),
}

struct Frame {
    components: Vec<Component>,
    /// Units of all components: across and down.
    units: (usize, usize),
}

impl Frame {
    fn read(content: &[u8]) -> Option<Frame> {
        let (&[_, h0, h1, w0, w1, _], rest) = content.split_first_chunk()?;
        let sides = [[w0, w1], [h0, h1]].map(|side| usize::from(u16::from_be_bytes(side)));
        let sampling: Vec<(u8, (usize, usize))> = (rest.as_chunks::<3>().0.iter())
            .map(|&[number, sampling, _]| (number, (usize::from(sampling >> 4), usize::from(sampling & 15))))
            .collect();
        if !sampling.iter().all(|(_, (across, down))| (1..=4).contains(across) && (1..=4).contains(down)) {
            return None;
        }
        let most = sampling.iter().fold((1, 1), |most, (_, s)| (most.0.max(s.0), most.1.max(s.1)));
        let of = |side: usize, share: usize, most: usize| (side * share).div_ceil(most).div_ceil(SIDE);
        let [width, height] = sides;
        let component = |(number, sampling): (u8, (usize, usize))| Component {
            number,
            sampling,
            blocks: (of(width, sampling.0, most.0), of(height, sampling.1, most.1)),
        };
        Some(Frame {
            components: sampling.into_iter().map(component).collect(),
            units: (width.div_ceil(SIDE * most.0), height.div_ceil(SIDE * most.1)),
        })
    }
}

/// A Huffman table: how many codes of each length there are, and what they stand for.
#[derive(Clone)]
struct Table {
    lengths: [u8; 16],
    symbols: Vec<u8>,
}

impl Table {
    /// The next symbol, and its code.
    fn read(&self, bits: &mut Reader<'_>) -> Option<(u8, u32, u32)> {
        let (mut code, mut first, mut at) = (0u32, 0u32, 0usize);
        for (count, length) in self.lengths.iter().zip(1..) {
            code = code << 1 | bits.next()?;
            let count = u32::from(*count);
            if let Some(place) = code.checked_sub(first).filter(|place| *place < count) {
                return Some((*self.symbols.get(at + place as usize)?, code, length));
            }
            at += count as usize;
            first = (first + count) << 1;
        }
        None
    }
}

/// What stands between the scans and counts for those behind.
#[derive(Default)]
struct Tables {
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Units between two restart markers, or 0.
    interval: usize,
}

impl Tables {
    fn define(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((&name, rest)) = content.split_first() {
            let (&lengths, rest) = rest.split_first_chunk::<16>()?;
            let count = lengths.iter().map(|&length| usize::from(length)).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let kind = if name >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *kind.get_mut(usize::from(name & 15))? = Some(Table { lengths, symbols: symbols.to_vec() });
            content = rest;
        }
        Some(())
    }
}

/// A block: its first coefficient, and which bits of its component's are the codes of the others.
#[derive(Clone, Copy, Default)]
struct Block {
    dc: i32,
    start: usize,
    end: usize,
}

/// What a scan says of a component.
struct Part<'a> {
    component: &'a Component,
    dc: &'a Table,
    ac: &'a Table,
    /// Blocks in a row, with those that only fill a unit.
    width: usize,
    blocks: Vec<Block>,
    codes: Bits,
    /// The first coefficient of the block before.
    before: i32,
}

/// Writes the scan of this header and data as one for each of its components.
fn scan(frame: &Frame, tables: &Tables, header: &[u8], data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (&count, rest) = header.split_first()?;
    let (names, spectrum) = rest.split_at_checked(2 * usize::from(count))?;
    if spectrum.first_chunk() != Some(&[0, 63, 0]) {
        return None;
    }
    let single = count == 1;
    let part = |&[number, chosen]: &[u8; 2]| {
        let component = frame.components.iter().find(|c| c.number == number)?;
        let across = if single { component.blocks.0 } else { frame.units.0 * component.sampling.0 };
        let down = if single { component.blocks.1 } else { frame.units.1 * component.sampling.1 };
        Some(Part {
            component,
            dc: tables.dc.get(usize::from(chosen >> 4))?.as_ref()?,
            ac: tables.ac.get(usize::from(chosen & 15))?.as_ref()?,
            width: across,
            blocks: vec![Block::default(); across * down],
            codes: Bits::default(),
            before: 0,
        })
    };
    let mut parts = names.as_chunks().0.iter().map(part).collect::<Option<Vec<_>>>()?;
    let units = match parts.as_slice() {
        [only] if single => only.component.blocks,
        _ => frame.units,
    };
    let mut bits = Reader::new(data);
    for unit in 0..units.0 * units.1 {
        if tables.interval > 0 && unit > 0 && unit.is_multiple_of(tables.interval) {
            bits.restart()?;
            parts.iter_mut().for_each(|part| part.before = 0);
        }
        let (column, row) = (unit % units.0, unit / units.0);
        for part in &mut parts {
            let (across, down) = if single { (1, 1) } else { part.component.sampling };
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                let place = (row * down + y) * part.width + column * across + x;
                part.read(&mut bits, place)?;
            }
        }
    }
    parts.iter().try_for_each(|part| part.write(out))
}

impl Part<'_> {
    fn read(&mut self, bits: &mut Reader<'_>, place: usize) -> Option<()> {
        let (category, _, _) = self.dc.read(bits)?;
        (usize::from(category) < CATEGORIES).then_some(())?;
        self.before += difference(bits.take(category.into())?, category.into());
        let start = self.codes.len;
        let mut coefficient = 1;
        while coefficient < SIDE * SIDE {
            let (symbol, code, length) = self.ac.read(bits)?;
            self.codes.push(code, length);
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            self.codes.push(bits.take(size)?, size);
            match (run, size) {
                (15, 0) => coefficient += 16,
                (_, 0) => break,
                _ => coefficient += run + 1,
            }
        }
        *self.blocks.get_mut(place)? = Block { dc: self.before, start, end: self.codes.len };
        Some(())
    }

    fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let mut segment = |kind: u8, content: &[u8]| {
            let length = u16::try_from(content.len() + 2).ok()?;
            out.extend([0xFF, kind]);
            out.extend(length.to_be_bytes());
            out.extend_from_slice(content);
            Some(())
        };
        let categories: Vec<u8> = (0..CATEGORIES as u8).collect();
        segment(0xC4, &[&[0x00][..], &DC_LENGTHS, &categories].concat())?;
        segment(0xC4, &[&[0x10][..], &self.ac.lengths, &self.ac.symbols].concat())?;
        segment(0xDD, &[0, 0])?;
        segment(0xDA, &[1, self.component.number, 0x00, 0, 63, 0])?;
        let mut bits = Bits::default();
        let mut before = 0;
        let (across, down) = self.component.blocks;
        for place in (0..down).flat_map(|row| (0..across).map(move |column| row * self.width + column)) {
            let block = self.blocks.get(place)?;
            let difference = block.dc - before;
            before = block.dc;
            let category = 32 - difference.unsigned_abs().leading_zeros();
            let &(code, length) = DC_CODES.get(category as usize)?;
            bits.push(code, length);
            let low = if difference < 0 { difference - 1 } else { difference };
            bits.push(low as u32 & ((1 << category) - 1), category);
            (block.start..block.end).for_each(|at| bits.push(self.codes.bit(at), 1));
        }
        bits.push(0x7F, (8 - bits.len as u32 % 8) % 8);
        for &byte in &bits.bytes {
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
        }
        Some(())
    }
}

/// The number that `bits` of a category stand for.
fn difference(bits: u32, category: u32) -> i32 {
    let negative = category > 0 && bits >> (category - 1) == 0;
    bits as i32 - if negative { (1 << category) - 1 } else { 0 }
}

/// The bits of a scan's data.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// Bits of the byte before `at` that are still to come.
    left: u32,
    byte: u8,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8]) -> Self {
        Reader { data, at: 0, left: 0, byte: 0 }
    }

    fn next(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.byte = *self.data.get(self.at)?;
            self.at += 1;
            if self.byte == 0xFF {
                // A stuffed zero; anything else is a marker.
                (*self.data.get(self.at)? == 0).then_some(())?;
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count.min(16)).try_fold(0, |bits, _| Some(bits << 1 | self.next()?))
    }

    /// Goes on behind the restart marker, which must come now.
    fn restart(&mut self) -> Option<()> {
        let fill = self.data.get(self.at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
        let marker = *self.data.get(self.at + fill)?;
        (fill > 0 && matches!(marker, 0xD0..=0xD7)).then_some(())?;
        self.at += fill + 1;
        self.left = 0;
        Some(())
    }
}

/// Bits in a row.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    /// Appends the last `count` of `bits`, the highest first.
    fn push(&mut self, bits: u32, count: u32) {
        for number in (0..count).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((bits >> number & 1) as u8) << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }

    fn bit(&self, at: usize) -> u32 {
        self.bytes.get(at / 8).map_or(0, |byte| u32::from(byte >> (7 - at % 8) & 1))
    }
}

#[cfg(test)]
mod tests {
    use crate::image::decode::fixtures::{decoded, fixture};

    use super::*;

    fn case(name: &str) -> Vec<u8> {
        fixture(&format!("../../cases/images/{name}"))
    }

    /// One picture, its chroma halved both ways: Y, Cb, Cr apart; Y before Cb and Cr; Y and Cb before Cr.
    #[test]
    fn scans_of_some_components_show_the_same_picture() {
        let right = decoded(&case("j40_scans_0_1_2.jpg")).unwrap();
        assert!(!right.incomplete && apart(&case("j40_scans_0_1_2.jpg")).is_none());
        for name in ["j41_scans_0_12.jpg", "j42_scans_01_2.jpg"] {
            let shown = decoded(&case(name)).unwrap();
            assert!(shown == right, "{name}");
        }
    }

    #[test]
    fn damaged_files_are_left_as_they_are() {
        let file = case("j41_scans_0_12.jpg");
        for cut in (4..file.len() - 3).step_by(7) {
            assert!(apart(&file[..cut]).is_none(), "{cut} of {}", file.len());
        }
        // Whatever it says, nothing panics.
        for at in 2..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x55;
            let _ = apart(&broken);
        }
    }
}
