//! A file of weights from anyone: read, made a model of, and asked.

use mixed_feelings::{
    Analyzer, Bundle, Post,
    analyzer::ImageInput,
    bundle::{BITS, DType},
    image::Picture,
};
use serde_json::Value;

use crate::{TEXT, check};

/// The largest bundle that [`filled`] makes.
const MOST_BYTES: usize = 8 << 20;

/// The bytes as they are, and with the weights that their header announces put behind it: an input of a few kilobytes
/// then reaches everything that comes after the weights are read.
pub fn run(bytes: &[u8]) {
    ask(bytes.to_vec());
    if let Some(bytes) = filled(bytes) {
        ask(bytes);
    }
}

fn ask(bytes: Vec<u8>) {
    if let Ok(bundle) = Bundle::parse(bytes.clone()) {
        let mut packed = false;
        for (name, dtype, shape) in bundle.tensors() {
            let _ = (bundle.i8(name, shape), bundle.f32(name, shape));
            packed |= dtype == DType::U8;
            for bits in BITS {
                let codes = name.strip_suffix(".codes").zip(shape.split_last());
                let Some((name, (bytes, &[rows]))) = codes else { continue };
                unpack(&bundle, name, [rows, bytes * 8 / bits as usize]);
            }
        }
        assert!(packed || bundle.check_all_read().is_ok(), "every tensor is I8, F32 or U8");
    }
    match Analyzer::from_bundle(bytes) {
        Ok(mut analyzer) => {
            let picture = Picture::from_rgb(5, 4, (0..60).map(|i| i * 4).collect()).expect("60 bytes");
            let image = Some(ImageInput::Picture(&picture));
            check(analyzer.analyze(Post { text: Some(TEXT), image }));
            check(analyzer.analyze(Post { text: Some(TEXT), image: None }));
            check(analyzer.analyze(Post { text: None, image }));
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}

/// Reads a weight as so many rows of so many weights: whole, and a row at a time.
fn unpack(bundle: &Bundle, name: &str, shape: [usize; 2]) {
    let Ok(rows) = bundle.rows(name, &shape) else { return };
    let levels = rows.levels();
    assert_eq!(levels.len(), shape[0] * shape[1], "{name}");
    let rows = rows.clone().into_owned();
    let mut row = Vec::new();
    rows.append(shape[0] - 1, &mut row);
    assert!(levels.ends_with(&row) && row.len() == shape[1], "{name}");
    assert!(
        rows.bits() == 8 || !levels.contains(&-128),
        "{name}: a level that no product of a code and its multiplier is"
    );
}

/// The bundle with all the bytes that its header asks for: what is missing of them are usual weights.
pub fn filled(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let header: Value = serde_json::from_slice(rest.get(..length)?).ok()?;
    let mut filled = bytes.to_vec();
    for (name, tensor) in header.as_object()? {
        let offset = |i: usize| Some(tensor.get("data_offsets")?.get(i)?.as_u64()? as usize);
        let (Some(start), Some(end)) = (offset(0), offset(1)) else { continue };
        if start > end || end > MOST_BYTES {
            return None;
        }
        let from = (8 + length + start).max(bytes.len());
        let to = 8 + length + end;
        if filled.len() < to {
            filled.resize(to, 0);
        }
        let is_float = tensor.get("dtype").and_then(Value::as_str) == Some("F32");
        let number: f32 = if name.ends_with(".scale") { 1.0 / 256.0 } else { 1.0 };
        let missing = filled.get_mut(from..to).unwrap_or_default().iter_mut();
        for (byte, place) in missing.zip(from - 8 - length - start..) {
            *byte = match is_float {
                true => number.to_le_bytes()[place % 4],
                // Multipliers of 1 and 3, which every number of bits may have.
                false if name.ends_with(".multipliers") => 0x13,
                false => (place * 37 % 251) as u8,
            };
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_packed_weights_are_models() {
        let seeds = [
            &include_bytes!("../../corpus/bundle/seed-3-bits")[..],
            include_bytes!("../../corpus/bundle/seed-4-bits"),
        ];
        for seed in seeds {
            let bytes = filled(seed).expect("a header");
            let bundle = Bundle::parse(bytes.clone()).expect("a bundle");
            assert!(bundle.tensors().filter(|(_, dtype, _)| *dtype == DType::U8).count() > 100);
            Analyzer::from_bundle(bytes).expect("a model");
        }
    }
}
