//! A picture from anyone. A panic in somebody else's decoder is caught and only told; one in this repository is a finding.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use mixed_feelings::{
    image::{Limits, decode, decode_for, inspect},
    model::{Filter, Fit, Preprocess},
};

/// Panics in files of this repository.
static OURS: AtomicUsize = AtomicUsize::new(0);

/// Decodes the bytes, within small limits so that a try is quick.
pub fn run(bytes: &[u8]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(tell_panics_apart);
    let before = OURS.load(Ordering::Relaxed);
    let limits = Limits { max_bytes: 1 << 20, max_pixels: 1 << 18 };
    let seen = inspect(bytes, &limits);
    let whole = decode(bytes, &limits);
    match &whole {
        Ok(decoded) => {
            let picture = &decoded.picture;
            let pixels = u64::from(picture.width()) * u64::from(picture.height());
            assert!((1..=limits.max_pixels).contains(&pixels), "{pixels} pixels");
            assert_eq!(picture.pixels().len() as u64, 3 * pixels);
            assert!(seen.is_ok(), "the first bytes were refused: {seen:?}");
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
    let (mean, std) = ([0.5; 3], [0.5; 3]);
    let preprocess = Preprocess { input_size: 32, fit: Fit::Stretch, filter: Filter::Bicubic, mean, std };
    if let Ok(decoded) = decode_for(bytes, &limits, &preprocess) {
        assert_eq!((decoded.picture.width(), decoded.picture.height()), (32, 32));
        assert!(whole.is_ok(), "what is read small is read whole: {whole:?}");
    }
    assert_eq!(OURS.load(Ordering::Relaxed), before, "a panic in this repository was caught");
}

/// The fuzzer ends at every panic, also at one that is caught. Decoders of others may panic.
fn tell_panics_apart() {
    let usual = panic::take_hook();
    let ours = |file: &str| !file.contains("registry") && !file.contains("rustc");
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if ours(&place) {
            OURS.fetch_add(1, Ordering::Relaxed);
            usual(info);
        } else {
            eprintln!("caught: {place}");
        }
    }));
}
