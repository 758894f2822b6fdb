//! The chunks of a PNG: which there are, whether they are whole, and a new file of those that make one picture.

use crate::image::ImageError;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";
/// The longest profile that is looked at, unpacked: far above any real one.
const LONGEST_PROFILE: usize = 8 << 20;

fn corrupt(reason: impl Into<String>) -> ImageError {
    ImageError::Corrupt { format: "PNG", reason: reason.into() }
}

/// Refuses the variety that Apple's tools make of the pictures in an app: no other viewer reads it.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), ImageError> {
    if bytes.get(12..16) == Some(b"CgBI") {
        let reason = "it is one of an iPhone app (CgBI), which no browser but Safari reads; `pngcrush -revert-iphone-optimizations` mends it";
        return Err(ImageError::Unsupported { format: "PNG".into(), reason: reason.into() });
    }
    Ok(())
}

/// The sides in the header.
pub(super) fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.get(16..)?.split_first_chunk()?;
    (bytes.get(12..16) == Some(b"IHDR"))
        .then_some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// A part of the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// What is needed of a file.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    header: &'a [u8],
    pub(super) interlaced: bool,
    palette: Option<&'a [u8]>,
    transparency: Option<&'a [u8]>,
    profile: Option<&'a [u8]>,
    pub(super) srgb: bool,
    /// In 100,000ths.
    pub(super) gamma: Option<u32>,
    /// White, red, green and blue, x and y each, in 100,000ths.
    pub(super) chromaticities: Option<[[u32; 2]; 4]>,
    pub(super) coding_points: Option<[u8; 4]>,
    pub(super) exif: Option<&'a [u8]>,
    /// The packed pixels of the picture that stands for the whole file.
    pub(super) data: Vec<&'a [u8]>,
    animated: bool,
    /// Of an animation: where the first frame is, and its packed pixels if they are not those of the picture.
    first: Option<(Frame, Option<Vec<&'a [u8]>>)>,
    first_ended: bool,
}

struct Chunk<'a> {
    name: &'a [u8; 4],
    body: &'a [u8],
    /// Whether the checksum is there and right.
    sound: bool,
}

impl Chunk<'_> {
    /// Whether a picture can be shown without it.
    fn is_ancillary(&self) -> bool {
        self.name[0].is_ascii_lowercase()
    }
}

struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (length, named) = self.rest.split_first_chunk::<4>()?;
        let (name, after) = named.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let body = after.get(..length).unwrap_or(after);
        let checksum = after.get(body.len()..).and_then(|rest| rest.first_chunk());
        let sound = checksum.is_some_and(|&checksum| {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(name);
            hasher.update(body);
            hasher.finalize() == u32::from_be_bytes(checksum)
        });
        // No chunk at all, unless its checksum says that somebody means it.
        if !sound && !name.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        self.rest = after.get(body.len() + 4..).unwrap_or_default();
        Some(Chunk { name, body, sound })
    }
}

impl<'a> Parts<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Parts<'a>, ImageError> {
        let mut chunks = Chunks { rest: bytes.get(SIGNATURE.len()..).unwrap_or_default() };
        let header =
            chunks.next().filter(|chunk| chunk.name == b"IHDR" && chunk.sound && chunk.body.len() == 13);
        let header = header.ok_or_else(|| corrupt("its header is damaged"))?.body;
        let mut parts = Parts { header, interlaced: header.last() == Some(&1), ..Parts::default() };
        for chunk in chunks {
            let before_data = parts.data.is_empty();
            if !chunk.sound && chunk.is_ancillary() && chunk.name != b"fdAT" {
                continue;
            }
            match chunk.name {
                b"IDAT" => parts.data.push(chunk.body),
                b"IEND" => break,
                b"fcTL" => parts.begin_frame(chunk.body, before_data),
                b"fdAT" => {
                    if let Some((_, Some(data))) = &mut parts.first
                        && !parts.first_ended
                    {
                        data.push(chunk.body.get(4..).unwrap_or_default());
                    }
                }
                // Of two of a kind the first counts.
                _ if !before_data || !parts.is_first(chunk.name) => {}
                b"eXIf" => parts.exif = Some(chunk.body),
                b"PLTE" => parts.palette = Some(chunk.body),
                // Of a palette that is not there yet it is none.
                b"tRNS" if parts.palette.is_some() || header.get(9) != Some(&3) => {
                    parts.transparency = Some(chunk.body);
                }
                b"acTL" => parts.animated = chunk.body.len() == 8 && !chunk.body.starts_with(&[0; 4]),
                b"iCCP" => parts.profile = Some(chunk.body),
                // By one of the four intents that there are.
                b"sRGB" => parts.srgb = matches!(chunk.body, [0..=3]),
                b"gAMA" => parts.gamma = chunk.body.try_into().ok().map(u32::from_be_bytes),
                b"cICP" => parts.coding_points = chunk.body.try_into().ok(),
                b"cHRM" => {
                    let numbers: &[[u8; 4]] = chunk.body.as_chunks().0;
                    let numbers: Vec<u32> =
                        numbers.iter().map(|&number| u32::from_be_bytes(number)).collect();
                    parts.chromaticities = numbers.as_chunks().0.try_into().ok();
                }
                _ if chunk.is_ancillary() => {}
                name => {
                    return Err(corrupt(format!("it has a chunk {} that nobody knows", name.escape_ascii())));
                }
            }
            // Behind a damaged chunk that is needed nothing can be trusted; what came before it is shown.
            if !chunk.sound {
                if parts.data.is_empty() {
                    return Err(corrupt(format!("its {} chunk is damaged", chunk.name.escape_ascii())));
                }
                break;
            }
        }
        parts.check()?;
        Ok(parts)
    }

    /// Whether nothing of this chunk's kind is here yet.
    fn is_first(&self, name: &[u8; 4]) -> bool {
        match name {
            b"PLTE" => self.palette.is_none(),
            b"tRNS" => self.transparency.is_none(),
            b"iCCP" => self.profile.is_none(),
            b"gAMA" => self.gamma.is_none(),
            b"cHRM" => self.chromaticities.is_none(),
            b"cICP" => self.coding_points.is_none(),
            b"eXIf" => self.exif.is_none(),
            _ => true,
        }
    }

    fn begin_frame(&mut self, body: &'a [u8], before_data: bool) {
        let Some(&[_, _, _, _, sides @ .., _, _, _, _, _, _]) = body.first_chunk::<26>() else { return };
        let number =
            |i: usize| sides.as_chunks::<4>().0.get(i).map_or(0, |&number| u32::from_be_bytes(number));
        let frame = Frame { width: number(0), height: number(1), left: number(2), top: number(3) };
        match &mut self.first {
            None => self.first = Some((frame, (!before_data).then(Vec::new))),
            // The second frame: what follows is no more of the first.
            Some((_, data)) if !self.first_ended => {
                self.first_ended = data.as_ref().is_none_or(|data| !data.is_empty());
            }
            Some(_) => {}
        }
    }

    /// What the decoder takes for granted.
    fn check(&mut self) -> Result<(), ImageError> {
        let Some(&[depth, kind, ..]) = self.header.get(8..) else {
            return Err(corrupt("its header is damaged"));
        };
        if kind == 3 {
            let palette = self.palette.ok_or_else(|| corrupt("it has no palette"))?;
            if palette.is_empty() || palette.len() % 3 != 0 || palette.len() > 768 {
                return Err(corrupt(format!("its palette has {} bytes", palette.len())));
            }
            let most = 3usize << depth.min(8);
            self.palette = Some(palette.get(..most).unwrap_or(palette));
        } else {
            self.palette = None;
        }
        let colours = self.palette.map_or(0, |palette| palette.len() / 3);
        self.transparency = self.transparency.filter(|alpha| match kind {
            0 => alpha.len() == 2,
            2 => alpha.len() == 6,
            3 => (1..=colours).contains(&alpha.len()),
            _ => false,
        });
        self.profile = self.profile.filter(|profile| is_bounded(profile));
        if self.data.is_empty() && self.first_frame().is_none() {
            return Err(corrupt("it ends before its pixels"));
        }
        Ok(())
    }

    /// The frame that an animation begins with, if it is another than the picture.
    pub(super) fn first_frame(&self) -> Option<(Frame, &[&'a [u8]])> {
        let (frame, Some(data)) = self.first.as_ref().filter(|_| self.animated)? else { return None };
        let (width, height) = (self.side(0), self.side(4));
        let within = |start: u32, length: u32, of: u32| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= of)
        };
        let fits = within(frame.left, frame.width, width) && within(frame.top, frame.height, height);
        (fits && !data.is_empty()).then_some((*frame, data))
    }

    /// The colours and alphas of all indices that the pixels can have: beyond its palette a file has the last colour, as in
    /// Chromium.
    fn whole_palette(&self) -> (Vec<u8>, Vec<u8>) {
        let mut colours = self.palette.unwrap_or_default().to_vec();
        let mut alphas = self.transparency.unwrap_or_default().to_vec();
        if let Some(&last) = colours.last_chunk::<3>() {
            let all = 1usize << self.header.get(8).map_or(0, |&depth| depth.min(8));
            if let Some(&alpha) = alphas.last().filter(|_| 3 * alphas.len() == colours.len()) {
                alphas.resize(all, alpha);
            }
            while colours.len() < 3 * all {
                colours.extend(last);
            }
        }
        (colours, alphas)
    }

    fn side(&self, at: usize) -> u32 {
        self.header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |&side| u32::from_be_bytes(side))
    }

    /// Bytes of a stored row: its filter and `columns` pixels.
    pub(super) fn row_bytes(&self, columns: u32) -> usize {
        let samples = match self.header.get(9) {
            Some(2) => 3,
            Some(4) => 2,
            Some(6) => 4,
            _ => 1,
        };
        let bits = samples * self.header.get(8).map_or(0, |&depth| u64::from(depth));
        1 + (u64::from(columns) * bits).div_ceil(8) as usize
    }

    /// A file of one picture: `data` with the sides of `frame`. Its checksums are zero.
    pub(super) fn file(&self, frame: Frame, data: &[&[u8]]) -> Vec<u8> {
        let size: usize = data.iter().map(|part| part.len()).sum();
        let mut file = Vec::with_capacity(size + self.profile.map_or(0, <[u8]>::len) + 2048);
        let mut push = |name: &[u8], bodies: &[&[u8]]| {
            let length: usize = bodies.iter().map(|body| body.len()).sum();
            file.extend((length as u32).to_be_bytes());
            file.extend(name);
            bodies.iter().for_each(|body| file.extend_from_slice(body));
            file.extend([0; 4]);
        };
        let sides = [frame.width.to_be_bytes(), frame.height.to_be_bytes()];
        push(b"IHDR", &[sides.as_flattened(), self.header.get(8..).unwrap_or_default()]);
        if let Some(profile) = self.profile {
            push(b"iCCP", &[profile]);
        }
        let (colours, alphas) = self.whole_palette();
        if !colours.is_empty() {
            push(b"PLTE", &[&colours]);
        }
        if !alphas.is_empty() {
            push(b"tRNS", &[&alphas]);
        }
        push(b"IDAT", data);
        push(b"IEND", &[]);
        [SIGNATURE, &file].concat()
    }
}

/// Whether a packed profile does not become one of hundreds of megabytes.
fn is_bounded(profile: &[u8]) -> bool {
    // A name, its end, and the method of packing stand before it.
    let packed = profile.iter().position(|&byte| byte == 0).and_then(|end| profile.get(end + 2..));
    let unpacked =
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed.unwrap_or_default(), LONGEST_PROFILE);
    !unpacked.is_err_and(|error| error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of `chunks` with right checksums.
    pub(crate) fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut file = SIGNATURE.to_vec();
        for (name, body) in chunks {
            file.extend((body.len() as u32).to_be_bytes());
            file.extend(*name);
            file.extend(*body);
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(*name);
            hasher.update(body);
            file.extend(hasher.finalize().to_be_bytes());
        }
        file
    }

    fn header(kind: u8) -> Vec<u8> {
        [&1u32.to_be_bytes()[..], &1u32.to_be_bytes(), &[8, kind, 0, 0, 0]].concat()
    }

    #[test]
    fn palettes_that_are_none() {
        for palette in [0, 1, 4, 769, 771] {
            let file = png(&[(b"IHDR", &header(3)), (b"PLTE", &vec![0; palette]), (b"IDAT", b"x")]);
            assert_eq!(Parts::read(&file).unwrap_err().code(), "image-corrupt", "{palette} bytes");
        }
        assert!(Parts::read(&png(&[(b"IHDR", &header(3)), (b"IDAT", b"x")])).is_err());
    }

    #[test]
    fn damage() {
        let mut file =
            png(&[(b"IHDR", &header(0)), (b"gAMA", &[0, 0, 0, 1]), (b"IDAT", b"ab"), (b"IDAT", b"cd")]);
        let at = |name: &[u8], file: &[u8]| file.windows(4).position(|four| four == name).unwrap();
        let gamma = at(b"gAMA", &file);
        file[gamma + 4] ^= 1;
        let parts = Parts::read(&file).unwrap();
        assert_eq!((parts.gamma, parts.data.len()), (None, 2), "a damaged gamma is passed over");
        let data = at(b"IDAT", &file);
        file[data + 4] ^= 1;
        assert_eq!(Parts::read(&file).unwrap().data.len(), 1, "nothing behind damaged pixels");
        file[20] ^= 1;
        assert_eq!(Parts::read(&file).unwrap_err().code(), "image-corrupt", "a damaged header");
    }

    #[test]
    fn an_animation_whose_picture_is_not_part_of_it() {
        let control = |sides: [u32; 4]| {
            let sides = sides.map(u32::to_be_bytes);
            [&[0; 4][..], sides.as_flattened(), &[0; 6]].concat()
        };
        let (whole, beyond) = (control([1, 1, 0, 0]), control([1, 1, 1, 0]));
        let file = |control: &[u8], frames: u8| {
            png(&[
                (b"IHDR", &header(0)),
                (b"acTL", &[0, 0, 0, frames, 0, 0, 0, 0]),
                (b"IDAT", b"hidden"),
                (b"fcTL", control),
                (b"fdAT", b"\0\0\0\x01shown"),
                (b"fdAT", b"\0\0\0\x02 in parts"),
            ])
        };
        let frame = Frame { left: 0, top: 0, width: 1, height: 1 };
        let (shown, not) = (file(&whole, 1), file(&beyond, 1));
        assert_eq!(
            Parts::read(&shown).unwrap().first_frame(),
            Some((frame, &[&b"shown"[..], b" in parts"][..]))
        );
        assert_eq!(Parts::read(&not).unwrap().first_frame(), None, "beyond the canvas");
        assert_eq!(Parts::read(&file(&whole, 0)).unwrap().first_frame(), None, "of no frames");
    }

    #[test]
    fn apples_own_variety_is_named() {
        let file = png(&[(b"CgBI", &[0x50, 0, 0x20, 2]), (b"IHDR", &header(2))]);
        assert!(check_kind(&file).unwrap_err().to_string().contains("iPhone"));
    }
}
