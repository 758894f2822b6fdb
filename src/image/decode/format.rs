//! What a file is, from its first bytes: a format that is read, one that is not and its name, or no picture at all.

use crate::image::{ImageError, Limits};

use super::{bmp, gif, png, webp};

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
}

/// How far into a file a text is searched for what it is.
const TEXT: usize = 64 << 10;

/// Formats of pictures that are not read, by how they begin.
const PICTURES: [(&[u8], &str); 30] = [
    (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
    (b"\xFF\x0A", "JPEG XL"),
    (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"II\xBC", "JPEG XR"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"8BPS", "PSD"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"\x76\x2F\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"gimp xcf", "XCF"),
    (b"BPG\xFB", "BPG"),
    (b"FLIF", "FLIF"),
    (b"farbfeld", "farbfeld"),
    (b"icns", "ICNS"),
    (b"\x8BJNG\r\n\x1A\n", "JNG"),
    (b"\x8AMNG\r\n\x1A\n", "MNG"),
    (b"\xD7\xCD\xC6\x9A", "WMF"),
    (b"%!PS", "PostScript"),
    (b"\xC5\xD0\xD3\xC6", "PostScript"),
    (b"SIMPLE  =", "FITS"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"\xFF\x10\xFF\x50", "JPEG XS"),
    (b"\x0A\x05\x01\x08", "PCX"),
    (b"/* XPM */", "XPM"),
];

/// Files that are no pictures but are given for one, by how they begin.
const OTHERS: [(&[u8], &str); 20] = [
    (b"%PDF-", "it is a PDF document"),
    (b"\x1A\x45\xDF\xA3", "it is a WebM or Matroska video"),
    (b"\0\0\x01\xBA", "it is an MPEG video"),
    (b"\0\0\x01\xB3", "it is an MPEG video"),
    (b"FLV\x01", "it is a Flash video"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "it is a Windows Media file"),
    (b"OggS", "it is an Ogg file"),
    (b"fLaC", "it is a FLAC sound"),
    (b"ID3", "it is an MP3 sound"),
    (b"\x1F\x8B", "it is compressed by gzip"),
    (b"BZh", "it is compressed by bzip2"),
    (b"\xFD7zXZ\0", "it is compressed by xz"),
    (b"\x28\xB5\x2F\xFD", "it is compressed by Zstandard"),
    (b"PK\x03\x04", "it is a ZIP archive or an office document"),
    (b"PK\x05\x06", "it is an empty ZIP archive"),
    (b"7z\xBC\xAF\x27\x1C", "it is a 7-Zip archive"),
    (b"Rar!\x1A\x07", "it is a RAR archive"),
    (b"\0asm", "it is a WebAssembly program"),
    (b"version https://git-lfs", "it is a pointer of Git LFS, not the file that it stands for"),
    (b"\x7FELF", "it is a program"),
];

/// The format of a file that begins with `bytes`.
///
/// # Errors
/// [`ImageError::Unsupported`] with the name of a format that is not read; [`ImageError::NotAnImage`] with what it is.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    if bytes.starts_with(b"\xFF\xD8\xFF") {
        return Ok(Format::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1A\n") {
        return Ok(Format::Png);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Ok(Format::WebP),
            Some(b"AVI ") => Err(not_an_image("it is an AVI video")),
            Some(b"WAVE") => Err(not_an_image("it is a WAV sound")),
            _ => Err(unknown(bytes)),
        };
    }
    if bmp::begins(bytes) {
        return Ok(Format::Bmp);
    }
    Err(other(bytes))
}

/// Whether a file that begins with `first` is worth reading whole: its format, and its sides if they are in these bytes.
///
/// 64 KiB are enough for nearly every file; fewer are no error.
///
/// # Errors
/// [`ImageError::Unsupported`], [`ImageError::NotAnImage`], [`ImageError::TooLarge`], and [`ImageError::Empty`] for no bytes.
pub fn inspect(first: &[u8], limits: &Limits) -> Result<(), ImageError> {
    if first.is_empty() {
        return Err(ImageError::Empty);
    }
    let format = match sniff(first) {
        Ok(format) => format,
        // A file of fewer bytes than a signature has is told by reading it.
        Err(ImageError::NotAnImage { .. }) if first.len() < 16 && may_begin(first) => return Ok(()),
        Err(error) => return Err(error),
    };
    let sides = match format {
        Format::Jpeg => jpeg_sides(first),
        Format::Png => {
            png::check_kind(first)?;
            png::sides(first)
        }
        Format::WebP => webp::sides(first),
        Format::Gif => gif::sides(first),
        Format::Bmp => bmp::sides(first),
    };
    sides.map_or(Ok(()), |(width, height)| limits.check(width, height))
}

/// Whether `first` could be the beginning of a format that is read.
fn may_begin(first: &[u8]) -> bool {
    let begin = |signature: &[u8]| signature.starts_with(first);
    begin(b"\xFF\xD8\xFF")
        || begin(b"\x89PNG\r\n\x1A\n")
        || begin(b"GIF87a")
        || begin(b"GIF89a")
        || first.starts_with(b"BM")
        || begin(b"BM")
        || (begin(b"RIFF")
            || first.starts_with(b"RIFF") && first.get(8..).is_none_or(|rest| b"WEBP".starts_with(rest)))
}

/// The sides in a JPEG's frame header.
fn jpeg_sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    loop {
        let at = rest.iter().position(|&byte| byte == 0xFF)?;
        let (&marker, tail) = rest.get(at + 1..)?.split_first()?;
        match marker {
            // Fill bytes, stuffed zeros, restart markers and a nested start have no length.
            0xFF => rest = rest.get(at + 1..)?,
            0x00 | 0x01 | 0xD0..=0xD8 => rest = tail,
            0xD9 | 0xDA => return None,
            // All frame headers, among the other markers from 0xC0 on: Huffman tables, a reserved one, arithmetic conditions.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => {
                let &[_, _, _, h0, h1, w0, w1] = tail.first_chunk()?;
                return Some((u16::from_be_bytes([w0, w1]).into(), u16::from_be_bytes([h0, h1]).into()));
            }
            _ => rest = tail.get(usize::from(u16::from_be_bytes(*tail.first_chunk()?))..)?,
        }
    }
}

/// What a file is that is not read.
fn other(bytes: &[u8]) -> ImageError {
    if let Some(brand) =
        bytes.get(4..12).filter(|bytes| bytes.starts_with(b"ftyp")).and_then(|bytes| bytes.get(4..))
    {
        return media(brand, bytes);
    }
    if let Some((_, format)) = PICTURES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return unsupported(format);
    }
    // An icon or a cursor: its first entry has a zero at its fourth byte.
    if let Some([0, 0, kind @ (1 | 2), 0, 1..=255, 0, _, _, _, 0]) = bytes.get(..10) {
        return unsupported(if *kind == 1 { "ICO" } else { "CUR" });
    }
    if bytes.starts_with(b"\x01\0\0\0") && bytes.get(40..44) == Some(b" EMF") {
        return unsupported("EMF");
    }
    if let Some([b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n']) = bytes.get(..3) {
        return unsupported("PNM");
    }
    if bytes.starts_with(b"Pf\n") || bytes.starts_with(b"PF\n") {
        return unsupported("PFM");
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return unsupported("DICOM");
    }
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return not_an_image(what);
    }
    if let Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip") = bytes.get(4..8) {
        return not_an_image("it is a QuickTime video");
    }
    text(bytes).unwrap_or_else(|| unknown(bytes))
}

/// By the brands of a file of ISO's media format: pictures and videos are told apart by nothing else.
fn media(major: &[u8], bytes: &[u8]) -> ImageError {
    let length = bytes.first_chunk().map_or(0, |&length| u32::from_be_bytes(length) as usize);
    let compatible = bytes.get(16..bytes.len().min(length)).unwrap_or_default().as_chunks::<4>().0;
    let of_picture = |brand: &[u8]| match brand {
        b"avif" | b"avis" | b"avio" => Some("AVIF"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some("HEIC"),
        b"jpeg" | b"jpgs" | b"j2ki" | b"j2is" | b"avci" | b"avcs" | b"vvic" | b"vvis" | b"evbi" | b"evbs" => {
            Some("HEIF")
        }
        b"jxl " => Some("JPEG XL"),
        b"jp2 " | b"jpx " | b"jph " => Some("JPEG 2000"),
        b"crx " => Some("CR3"),
        _ => None,
    };
    let structural =
        |brand: &[u8]| matches!(brand, b"mif1" | b"mif2" | b"mif3" | b"msf1" | b"miaf" | b"heif" | b"1pic");
    let named = of_picture(major).or_else(|| compatible.iter().find_map(|brand| of_picture(brand)));
    if let Some(format) = named {
        return unsupported(format);
    }
    if structural(major) || compatible.iter().any(|brand| structural(brand)) {
        return unsupported("HEIF");
    }
    match major {
        b"qt  " => not_an_image("it is a QuickTime video"),
        b"M4A " | b"M4B " => not_an_image("it is an MP4 sound"),
        _ => not_an_image("it is an MP4 video"),
    }
}

/// What a text is: by the first element of XML or HTML, behind whatever may stand before it.
fn text(bytes: &[u8]) -> Option<ImageError> {
    let text = to_utf8(bytes.get(..TEXT).unwrap_or(bytes));
    let mut rest = text.trim_start();
    let mut html = false;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        let after = if let Some(comment) = rest.strip_prefix("<!--") {
            comment.split_once("-->").map(|(_, after)| after)
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            instruction.split_once('>').map(|(_, after)| after)
        } else if let Some(doctype) = strip_word(rest, "<!doctype") {
            let kind = doctype.trim_start();
            // Plain SVG's own document type names it; what stands in brackets may contain any element.
            if strip_word(kind, "svg").is_some() {
                return Some(unsupported("SVG"));
            }
            html |= strip_word(kind, "html").is_some();
            let bracket =
                doctype.find('[').filter(|&bracket| doctype.find('>').is_none_or(|end| bracket < end));
            match bracket {
                Some(_) => doctype
                    .split_once("]")
                    .and_then(|(_, after)| after.split_once('>'))
                    .map(|(_, after)| after),
                None => doctype.split_once('>').map(|(_, after)| after),
            }
        } else {
            break;
        };
        match after {
            Some(after) => rest = after,
            None if html => return Some(not_an_image("it is a web page")),
            // Not even its first element is here: it is some XML.
            None => return Some(not_an_image("it is a text in XML")),
        }
    }
    let element = rest.strip_prefix('<')?;
    let name: &str =
        element.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
    let local = name.rsplit(':').next().unwrap_or_default();
    if local == "svg" && !html {
        return Some(unsupported("SVG"));
    }
    const HTML: [&str; 14] = [
        "html", "head", "body", "title", "meta", "script", "style", "div", "p", "h1", "table", "a", "br",
        "iframe",
    ];
    if html || HTML.contains(&local.to_ascii_lowercase().as_str()) {
        return Some(not_an_image("it is a web page"));
    }
    let xml = !name.is_empty() && name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    xml.then(|| match local {
        "rss" | "feed" | "RDF" => not_an_image("it is a news feed"),
        "Error" => not_an_image("it is an error message of a server, in XML"),
        _ => not_an_image("it is a text in XML"),
    })
}

/// What follows `word`, in any case, at the beginning of `text`.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| text.get(word.len()..)).flatten()
}

/// A text in UTF-8 or, as its first bytes say, UTF-16.
fn to_utf8(bytes: &[u8]) -> String {
    let utf16 = |decode: fn([u8; 2]) -> u16| {
        let units = bytes.as_chunks().0.iter().map(|&unit| decode(unit));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => utf16(u16::from_le_bytes),
        [0xFE, 0xFF, ..] | [0, b'<', ..] => utf16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn unsupported(format: &str) -> ImageError {
    let suffix = match format {
        "JPEG 2000" => "jp2".to_owned(),
        "JPEG XR" => "jxr".to_owned(),
        "JPEG XS" => "jxs".to_owned(),
        "OpenEXR" => "exr".to_owned(),
        "Radiance HDR" => "hdr".to_owned(),
        "PostScript" => "ps".to_owned(),
        "farbfeld" => "ff".to_owned(),
        format => format.to_ascii_lowercase(),
    };
    let tool = match format {
        "SVG" => "rsvg-convert in.svg -o out.png".to_owned(),
        "JPEG XL" => "djxl in.jxl out.png".to_owned(),
        "JPEG XS" => "ffmpeg -i in.jxs out.png".to_owned(),
        _ => format!("magick in.{suffix} out.jpg"),
    };
    ImageError::Unsupported {
        format: format.to_owned(),
        reason: format!("this format is not read here (on a command line, `{tool}` converts it)"),
    }
}

fn not_an_image(what: &str) -> ImageError {
    ImageError::NotAnImage { what: what.to_owned() }
}

fn unknown(bytes: &[u8]) -> ImageError {
    let start = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    ImageError::NotAnImage { what: format!("it begins with {start}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the format that is not read, or what the file is instead of a picture.
    fn name(bytes: &[u8]) -> String {
        match sniff(bytes) {
            Err(ImageError::Unsupported { format, .. }) => format,
            Err(ImageError::NotAnImage { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let (major, compatible) = brands.split_first().unwrap();
        let length = (16 + 4 * compatible.len()) as u32;
        let compatible = compatible.iter().flat_map(|brand| brand.to_vec()).collect::<Vec<_>>();
        [&length.to_be_bytes()[..], b"ftyp", &major[..], &[0; 4], &compatible, b"\0\0\0\x08mdatavif"].concat()
    }

    #[test]
    fn brands() {
        assert_eq!(name(&ftyp(&[b"avif", b"mif1", b"miaf"])), "AVIF");
        assert_eq!(name(&ftyp(&[b"avis", b"msf1"])), "AVIF");
        assert_eq!(name(&ftyp(&[b"mif1", b"miaf", b"avif"])), "AVIF");
        assert_eq!(name(&ftyp(&[b"mif1", b"heic"])), "HEIC");
        for brand in [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"] {
            assert_eq!(name(&ftyp(&[brand])), "HEIC");
            assert_eq!(name(&ftyp(&[b"msf1", brand])), "HEIC");
        }
        assert_eq!(name(&ftyp(&[b"mif1", b"miaf"])), "HEIF");
        assert_eq!(name(&ftyp(&[b"isom", b"iso2", b"avc1", b"mp41"])), "it is an MP4 video");
        assert_eq!(name(&ftyp(&[b"qt  "])), "it is a QuickTime video");
        assert_eq!(name(b"\0\0\0\x18ftypheic"), "HEIC");
        assert_eq!(name(b"\0\0\0\x18ftypmp42\0"), "it is an MP4 video");
    }

    #[test]
    fn svg_behind_what_may_stand_before_it() {
        let before = [
            "",
            "\u{FEFF}",
            " \n\t",
            "<?xml version=\"1.0\"?>",
            "<?xml version='1.0' encoding='UTF-8'?>\r\n<!-- a > b -->\n",
            "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">",
            "<!doctype svg [ <!ENTITY a \"<html>\"> ]>",
            "<!-- <html> --><?xml-stylesheet href='a.css'?>",
        ];
        for before in before {
            for root in [
                "<svg xmlns='http://www.w3.org/2000/svg'>",
                "<svg>",
                "<svg:svg xmlns:svg='…'>",
                "<svg\nwidth='1'/>",
            ] {
                let file = format!("{before}{root}");
                assert_eq!(name(file.as_bytes()), "SVG", "{file}");
                let units = || "\u{FEFF}".encode_utf16().chain(file.encode_utf16());
                assert_eq!(name(&units().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), "SVG", "{file}");
                assert_eq!(name(&units().flat_map(u16::to_be_bytes).collect::<Vec<_>>()), "SVG", "{file}");
            }
        }
    }

    #[test]
    fn texts_that_are_no_pictures() {
        assert_eq!(name(b"<?xml version=\"1.0\"?><rss><channel/></rss>"), "it is a news feed");
        assert_eq!(name(b"<feed xmlns='http://www.w3.org/2005/Atom'><svg/></feed>"), "it is a news feed");
        assert_eq!(name(b"<!DOCTYPE html><html><body><svg></svg>"), "it is a web page");
        assert_eq!(name(b"<!doctype html>\n<svg>"), "it is a web page");
        assert_eq!(name(b"<!doctype HTML"), "it is a web page");
        assert_eq!(
            name(b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>"),
            "it is a web page"
        );
        assert_eq!(name(b"<HTML>"), "it is a web page");
        assert_eq!(name(b"<Error><Code>NoSuchKey"), "it is an error message of a server, in XML");
        assert_eq!(name(b"<?xml version='1.0'?><svgs/>"), "it is a text in XML");
        assert_eq!(name(b"hello world"), "it begins with 68 65 6c 6c 6f 20 77 6f");
        assert_eq!(
            name(b"BMW builds cars, and this is no picture"),
            "it begins with 42 4d 57 20 62 75 69 6c"
        );
        assert_eq!(name(b"{\"error\": \"<svg>\"}"), "it begins with 7b 22 65 72 72 6f 72 22");
    }

    #[test]
    fn pictures_of_other_formats() {
        assert_eq!(name(b"\xFF\x0A\xFA\x01"), "JPEG XL");
        assert_eq!(name(b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl "), "JPEG XL");
        assert_eq!(name(b"\0\0\0\x0CjP  \r\n\x87\n"), "JPEG 2000");
        assert_eq!(name(b"\xFF\x4F\xFF\x51\0\x2F"), "JPEG 2000");
        assert_eq!(name(b"II*\0\x08\0\0\0"), "TIFF");
        assert_eq!(name(b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0"), "ICO");
        assert_eq!(name(b"P6\n2 2\n255\n"), "PNM");
        assert_eq!(name(b"%PDF-1.7"), "it is a PDF document");
        assert_eq!(name(b"\x1F\x8B\x08"), "it is compressed by gzip");
        assert_eq!(name(b"RIFF\0\0\0\0AVI LIST"), "it is an AVI video");
        let error = sniff(b"\xFF\x0A").unwrap_err();
        assert_eq!(error.code(), "image-unsupported");
        assert!(error.to_string().contains("djxl in.jxl out.png"), "{error}");
        for (start, tool) in [
            (&b"\x76\x2F\x31\x01"[..], "magick in.exr"),
            (b"#?RADIANCE\n", "magick in.hdr"),
            (b"II\xBC\x01", "magick in.jxr"),
            (b"%!PS-Adobe", "magick in.ps"),
            (b"II*\0", "magick in.tiff"),
            (b"\x0A\x05\x01\x08\0\0", "magick in.pcx"),
        ] {
            let error = sniff(start).unwrap_err().to_string();
            assert!(error.contains(tool), "{error}");
        }
    }

    /// No file that is read is refused for the shortness of what is looked at.
    #[test]
    fn a_short_beginning_is_no_error() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for length in 1..bytes.len().min(600) {
                let result = inspect(&bytes[..length], &Limits::default());
                assert!(result.is_ok(), "{} with {length} bytes: {result:?}", path.display());
            }
        }
    }

    #[test]
    fn sides_are_judged() {
        let limits = Limits::default();
        let jpeg = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC2\0\x11\x08\xFF\xFF\xFF\xFF\x03";
        assert_eq!(inspect(jpeg, &limits).unwrap_err().code(), "image-too-large");
        let png = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x40\0\0\0\x40\0\x08\x02\0\0\0";
        assert_eq!(inspect(png, &limits).unwrap_err().code(), "image-too-large");
        let gif = b"GIF89a\xFF\xFF\xFF\xFF\0\0\0";
        assert_eq!(inspect(gif, &limits).unwrap_err().code(), "image-too-large");
        let webp = b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xFF\xFF\0\xFF\xFF\0";
        assert_eq!(inspect(webp, &limits).unwrap_err().code(), "image-too-large");
        let bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\0\x01\0\0\0\x01\0\x01\0\x18\0";
        assert_eq!(inspect(bmp, &limits).unwrap_err().code(), "image-too-large");
        let narrow = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x40\0\0\x4E\x20\x08\x02\0\0\0";
        assert_eq!(inspect(narrow, &limits), Ok(()));
    }
}
