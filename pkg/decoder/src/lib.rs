//! From any picture, a file's bytes or RGBA, to the pixels that the image encoder sees.
//!
//! A program of its own, because it is the part that touches bytes from anyone. It has no imports, so it can reach nothing;
//! when it traps or has grown, JavaScript drops the instance and makes another of the compiled module. All numbers are `u32`.
//!
//! 1. `allocate(bytes)` gives the place for the input, or 0 where there is no memory; write it there.
//! 2. `inspect`, `decode` or `rgba` reads it, frees it, and returns 0 for success, 1 for an error.
//! 3. `output()` and `output_length()` say where the answer is, until the next call: RGB pixels, or JSON that says what was
//!    wrong. `incomplete()` is 1 when parts of the picture were missing.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![allow(unsafe_code, reason = "the border to JavaScript: raw pointers into this program's memory")]

use std::{alloc::Layout, cell::RefCell, ptr};

use mixed_feelings::{
    image::{Decoded, ImageError, Limits, Picture, decode_for, inspect as inspect_file},
    model::{Filter, Fit, Preprocess},
};

/// What the last call left.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    incomplete: bool,
}

thread_local! {
    static OUTPUT: RefCell<Output> = const { RefCell::new(Output { bytes: Vec::new(), incomplete: false }) };
}

/// Memory for the next call's input, which that call frees; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn allocate(bytes: usize) -> *mut u8 {
    let layout = Layout::array::<u8>(bytes.max(1));
    // SAFETY: the layout is not empty.
    layout.map_or(ptr::null_mut(), |layout| unsafe { std::alloc::alloc_zeroed(layout) })
}

/// The input that JavaScript has written.
///
/// # Safety
/// `pointer` is from [`allocate`] with `length` bytes, and no other call was given it.
unsafe fn input(pointer: *mut u8, length: usize) -> Vec<u8> {
    // SAFETY: all `length` bytes were allocated with this layout, and are zeros or what JavaScript wrote.
    unsafe { Vec::from_raw_parts(pointer, length, length.max(1)) }
}

/// The limits with at most so many pixels, and never more than by default.
fn limits(max_pixels: u32) -> Limits {
    let limits = Limits::default();
    Limits { max_pixels: limits.max_pixels.min(max_pixels.into()), ..limits }
}

/// Whether a file that begins with these bytes is worth reading, with at most `max_pixels`: never that it is cut short.
///
/// # Safety
/// As [`decode`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inspect(pointer: *mut u8, length: usize, max_pixels: u32) -> u32 {
    // SAFETY: the caller's.
    let first = unsafe { input(pointer, length) };
    answer(inspect_file(&first, &limits(max_pixels)).map(|()| Output::default()))
}

/// Decodes a file of at most `max_pixels`. `fit` is 0 to stretch, 1 to crop; `filter` 0 for bilinear, 1 for bicubic.
///
/// # Safety
/// `pointer` is from [`allocate`] with `length` bytes, and no other call was given it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn decode(
    pointer: *mut u8,
    length: usize,
    max_pixels: u32,
    size: u32,
    fit: u32,
    filter: u32,
) -> u32 {
    // SAFETY: the caller's.
    let file = unsafe { input(pointer, length) };
    answer(decode_for(&file, &limits(max_pixels), &preprocess(size, fit, filter)).map(Output::from))
}

/// Takes pixels with straight alpha, `4 * width * height` bytes.
///
/// # Safety
/// As [`decode`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rgba(
    pointer: *mut u8,
    length: usize,
    width: u32,
    height: u32,
    size: u32,
    fit: u32,
    filter: u32,
) -> u32 {
    // SAFETY: the caller's.
    let pixels = unsafe { input(pointer, length) };
    let picture = || {
        Limits::default().check(width, height)?;
        let picture = Picture::from_rgba(width, height, &pixels)?;
        Ok(Decoded { picture: preprocess(size, fit, filter).apply(&picture), incomplete: false })
    };
    answer(picture().map(Output::from))
}

/// Where the answer of the last call is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.bytes.as_ptr())
}

/// Its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn output_length() -> usize {
    OUTPUT.with_borrow(|output| output.bytes.len())
}

/// 1 when parts of the last picture were missing.
#[unsafe(no_mangle)]
pub extern "C" fn incomplete() -> u32 {
    OUTPUT.with_borrow(|output| output.incomplete.into())
}

/// Mean and deviation are the engine's to apply.
fn preprocess(size: u32, fit: u32, filter: u32) -> Preprocess {
    let fit = if fit == 0 { Fit::Stretch } else { Fit::Crop };
    let filter = if filter == 0 { Filter::Bilinear } else { Filter::Bicubic };
    Preprocess { input_size: size as usize, fit, filter, mean: [0.0; 3], std: [1.0; 3] }
}

impl From<Decoded> for Output {
    fn from(Decoded { picture, incomplete }: Decoded) -> Self {
        Output { bytes: picture.pixels().to_vec(), incomplete }
    }
}

/// Keeps the answer and returns its status.
fn answer(result: Result<Output, ImageError>) -> u32 {
    let (status, output) = match result {
        Ok(output) => (0, output),
        Err(error) => (1, Output { bytes: json(&error), incomplete: false }),
    };
    OUTPUT.set(output);
    status
}

/// `format` is the name of a format that is not read, which the page's browser may.
fn json(error: &ImageError) -> Vec<u8> {
    let format = if let ImageError::Unsupported { format, .. } = error { Some(format) } else { None };
    serde_json::json!({ "code": error.code(), "message": error.to_string(), "format": format })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What JavaScript does first: asks for memory and writes there.
    fn written(bytes: &[u8]) -> (*mut u8, usize) {
        let pointer = allocate(bytes.len());
        assert!(!pointer.is_null());
        // SAFETY: so many bytes were allocated.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, bytes.len()) };
        (pointer, bytes.len())
    }

    /// What it reads in the end.
    fn answered() -> Vec<u8> {
        // SAFETY: the output stays until the next call.
        unsafe { std::slice::from_raw_parts(output(), output_length()) }.to_vec()
    }

    fn error() -> String {
        String::from_utf8_lossy(&answered()).into_owned()
    }

    /// Miri runs this too: each input is freed once, with the layout that it was allocated with.
    #[test]
    fn what_is_written_is_read_and_freed() {
        let (pointer, length) = written(&[255; 16]);
        // SAFETY: it was allocated with this length, and is given away here.
        assert_eq!(unsafe { rgba(pointer, length, 2, 2, 4, 0, 0) }, 0);
        assert_eq!((answered(), incomplete()), (vec![255; 48], 0));

        let (pointer, length) = written(&[0; 15]);
        // SAFETY: as above.
        assert_eq!(unsafe { rgba(pointer, length, 2, 2, 4, 1, 1) }, 1);
        assert!(error().contains("\"code\":\"image-"), "{}", error());

        let (pointer, length) = written(b"");
        // SAFETY: as above.
        assert_eq!(unsafe { inspect(pointer, length, u32::MAX) }, 1);
        assert!(error().contains("image-empty"), "{}", error());

        let (pointer, length) = written(b"no picture at all");
        // SAFETY: as above.
        assert_eq!(unsafe { decode(pointer, length, u32::MAX, 4, 0, 0) }, 1);
        assert!(error().contains("not-an-image"), "{}", error());
        assert!(allocate(usize::MAX).is_null());
    }

    #[test]
    fn more_pixels_than_asked_for_are_refused_by_the_header() {
        let header = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\x0A\0\0\0\x0A\x08\0\0\0\0";
        for (max_pixels, status) in [(99, 1), (100, 0), (u32::MAX, 0)] {
            let (pointer, length) = written(header);
            // SAFETY: it was allocated with this length, and is given away here.
            assert_eq!(unsafe { inspect(pointer, length, max_pixels) }, status, "{max_pixels}: {}", error());
            let (pointer, length) = written(header);
            // SAFETY: as above.
            assert_eq!(unsafe { decode(pointer, length, max_pixels, 4, 0, 0) }, 1);
            assert_eq!(error().contains("image-too-large"), status == 1, "{max_pixels}: {}", error());
        }
    }
}
