//! Attacks on the reader: each must end in a typed error, none in a panic.

use super::*;

/// Miri takes a thousand times as long: of what is done at every place, it does every thirty-first.
const EVERY: usize = if cfg!(miri) { 31 } else { 1 };

fn writer() -> BundleWriter {
    BundleWriter::new()
}

fn valid() -> Vec<u8> {
    let mut writer = writer();
    writer.i8("a.weight", &[2, 3], &[-127, 127, 0, 1, -1, 2]).unwrap();
    writer.f32("a.scale", &[2], &[0.25, 4.0]).unwrap();
    writer.i8("b.weight", &[1], &[5]).unwrap();
    writer.metadata("licence", "CC0-1.0").unwrap();
    writer.finish().unwrap()
}

/// As [`valid`], with packed weights.
fn valid_packed() -> Vec<u8> {
    let mut writer = writer();
    writer.i8("a.weight", &[2, 3], &[-127, 127, 0, 1, -1, 2]).unwrap();
    writer.f32("a.scale", &[2], &[0.25, 4.0]).unwrap();
    let weights = PackedWeights { bits: 3, width: 40, codes: vec![-4; 40], multipliers: vec![15, 1] };
    writer.packed("c", &weights).unwrap();
    writer.finish().unwrap()
}

/// A file with this header, padded as a writer would, and this many bytes of data.
fn file(header: &str, data_bytes: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(std::iter::repeat_n(0, data_bytes));
    bytes
}

/// A header with valid metadata, changed by `edit`, and these tensor entries.
fn header_with(edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>), tensors: &str) -> String {
    let mut metadata = serde_json::Map::new();
    for (key, value) in [("format", FORMAT), ("version", VERSION)] {
        metadata.insert(key.into(), value.into());
    }
    edit(&mut metadata);
    let separator = if tensors.is_empty() { "" } else { "," };
    format!(r#"{{"__metadata__":{}{separator}{tensors}}}"#, serde_json::Value::from(metadata))
}

fn header(tensors: &str) -> String {
    header_with(|_| {}, tensors)
}

fn entry(name: &str, dtype: &str, shape: &str, start: &str, end: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{start},{end}]}}"#)
}

fn code(bytes: Vec<u8>) -> &'static str {
    Bundle::parse(bytes).expect_err("must be refused").code()
}

#[test]
fn what_is_written_is_read() {
    let bundle = Bundle::parse(valid()).unwrap();
    assert_eq!(bundle.i8("a.weight", &[2, 3]).unwrap(), [-127, 127, 0, 1, -1, 2]);
    assert_eq!(bundle.f32("a.scale", &[2]).unwrap(), [0.25, 4.0]);
    assert_eq!(bundle.metadata("config"), None);
    assert_eq!(bundle.metadata("licence"), Some("CC0-1.0"));
    assert!(matches!(bundle.check_all_read(), Err(BundleError::UnknownTensor(name)) if name == "b.weight"));
    bundle.i8("b.weight", &[1]).unwrap();
    bundle.check_all_read().unwrap();
}

#[test]
fn what_is_dropped_is_gone_and_the_rest_is_as_before() {
    let mut bundle = Bundle::parse(valid()).unwrap();
    // In the file: a.scale, a.weight, b.weight.
    bundle.drop_tensors("a.");
    assert_eq!(bundle.i8("a.weight", &[2, 3]).unwrap(), [-127, 127, 0, 1, -1, 2], "b.weight lies behind it");
    bundle.drop_tensors("b.");
    assert!(
        matches!(bundle.i8("b.weight", &[1]), Err(BundleError::MissingTensor(name)) if name == "b.weight")
    );
    assert_eq!(bundle.f32("a.scale", &[2]).unwrap(), [0.25, 4.0]);
    bundle.drop_tensors("");
    assert!(bundle.f32("a.scale", &[2]).is_err());
    assert_eq!(bundle.metadata("licence"), Some("CC0-1.0"));

    let mut bundle = Bundle::parse(valid()).unwrap();
    bundle.drop_tensors("b.");
    assert!(bundle.check_all_read().is_err(), "what nobody asked for is not hidden by it");
}

#[test]
fn the_same_contents_give_the_same_bytes() {
    let mut other_order = writer();
    other_order.metadata("licence", "CC0-1.0").unwrap();
    other_order.i8("b.weight", &[1], &[5]).unwrap();
    other_order.f32("a.scale", &[2], &[0.25, 4.0]).unwrap();
    other_order.i8("a.weight", &[2, 3], &[-127, 127, 0, 1, -1, 2]).unwrap();
    assert_eq!(other_order.finish().unwrap(), valid());
}

#[test]
fn any_safetensors_reader_opens_it() {
    let bytes = valid();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("a.weight").unwrap().shape(), [2, 3]);
    assert_eq!(
        tensors.tensor("a.scale").unwrap().data(),
        [0.25f32, 4.0].map(f32::to_le_bytes).as_flattened()
    );
}

#[test]
fn cut_off_anywhere() {
    for bytes in [valid(), valid_packed()] {
        for length in (0..bytes.len()).step_by(EVERY) {
            let expected = if length < 8 { "not-a-bundle" } else { "bundle-truncated" };
            assert_eq!(code(bytes[..length].to_vec()), expected, "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn bytes_after_the_end() {
    let mut bytes = valid();
    bytes.push(0);
    assert_eq!(code(bytes), "bundle-header");
}

#[test]
fn lies_about_the_header_length() {
    let bytes = valid();
    let honest = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    for lie in
        [0, 1, honest - 8, honest - 1, honest + 1, honest + 7, 1 << 24, (1 << 24) + 1, 1 << 63, u64::MAX]
    {
        let mut bytes = bytes.clone();
        bytes[..8].copy_from_slice(&lie.to_le_bytes());
        let code = code(bytes);
        assert!(["not-a-bundle", "bundle-header", "bundle-truncated"].contains(&code), "{lie}: {code}");
    }
}

#[test]
fn a_header_that_is_another_kind_of_json() {
    for json in ["[]", "null", "7", "\"\"", "{", "{}x", "{\"a\":1}", "{\"__metadata__\":{\"format\":1}}"] {
        assert!(["not-a-bundle", "bundle-header"].contains(&code(file(json, 0))), "{json}");
    }
    assert_eq!(code(file("{}", 0)), "not-a-bundle");
    assert_eq!(code(file(&format!("{{\"a\":{}", "[".repeat(100_000)), 0)), "bundle-header");
    let mut invalid_utf8 = file("{\"aa\":0}", 0);
    invalid_utf8[10] = 0xff;
    assert_eq!(code(invalid_utf8), "bundle-header");
}

#[test]
fn tensors_that_do_not_tile_the_data() {
    let a = |start, end| entry("a", "I8", "4", start, end);
    let b = |start, end| entry("b", "I8", "4", start, end);
    for (what, tensors) in [
        ("gap in front", [a("1", "5"), b("5", "9")]),
        ("gap between", [a("0", "4"), b("5", "9")]),
        ("gap behind", [a("0", "4"), b("4", "8")]),
        ("overlap", [a("0", "4"), b("3", "7")]),
        ("the same bytes twice", [a("0", "4"), b("0", "4")]),
        ("backwards", [a("4", "0"), b("4", "8")]),
        ("longer than its shape", [a("0", "5"), b("5", "9")]),
        ("shorter than its shape", [a("0", "3"), b("3", "9")]),
    ] {
        assert_eq!(code(file(&header(&tensors.join(",")), 9)), "bundle-header", "{what}");
    }
    assert_eq!(code(file(&header(&a("0", "4")), 3)), "bundle-truncated");
    assert!(
        Bundle::parse(file(&header(&[b("4", "8"), a("0", "4")].join(",")), 8)).is_ok(),
        "any order is fine"
    );
}

#[test]
fn shapes_and_offsets_that_overflow() {
    let huge = u64::MAX.to_string();
    for (what, tensor) in [
        ("product", entry("a", "I8", "4294967296,4294967296", "0", "0")),
        ("product to 4", entry("a", "F32", "4611686018427387905", "0", "4")),
        ("empty axis", entry("a", "I8", "0", "0", "0")),
        ("huge and empty", entry("a", "I8", &format!("{huge},0"), "0", "0")),
        ("too many axes", entry("a", "I8", "1,1,1,1,1", "0", "1")),
        ("above 64 bits", entry("a", "I8", "18446744073709551616", "0", "4")),
        ("negative", entry("a", "I8", "-4", "0", "4")),
        ("fraction", entry("a", "I8", "4.0", "0", "4")),
        ("offset at the end of the numbers", entry("a", "I8", "4", &huge, "3")),
    ] {
        assert_eq!(code(file(&header(&tensor), 4)), "bundle-header", "{what}");
    }
    for shape in ["4", &huge] {
        assert_eq!(
            code(file(&header(&entry("a", "I8", shape, "0", &huge)), 4)),
            "bundle-truncated",
            "{shape}"
        );
    }
}

#[test]
fn element_types_that_a_bundle_does_not_hold() {
    for dtype in ["F64", "U16", "BF16", "i8", ""] {
        assert_eq!(code(file(&header(&entry("a", dtype, "4", "0", "4")), 4)), "bundle-header", "{dtype}");
    }
}

/// A header of version 2.
fn old_header(tensors: &str) -> String {
    header_with(|metadata| drop(metadata.insert("version".into(), "2".into())), tensors)
}

#[test]
fn packed_weights_in_a_file_of_version_2() {
    let bytes = entry("a.codes", "U8", "4", "0", "4");
    assert_eq!(code(file(&old_header(&bytes), 4)), "bundle-header");
    assert!(Bundle::parse(file(&header(&bytes), 4)).is_ok());
    // Under their name, but of a type that version 2 has.
    let codes = entry("a.codes", "I8", "1,16", "0", "16");
    let multipliers = entry("a.multipliers", "I8", "1,1", "16", "17");
    let bundle = Bundle::parse(file(&old_header(&[codes, multipliers].join(",")), 17)).unwrap();
    let error = bundle.rows("a", &[1, 32]).unwrap_err();
    assert!(matches!(error, BundleError::WrongDType { .. }), "{error}");
    // Whole weights are read in either version.
    let whole = entry("a.weight", "I8", "2,2", "0", "4");
    for header in [header(&whole), old_header(&whole)] {
        assert_eq!(*Bundle::parse(file(&header, 4)).unwrap().rows("a", &[2, 2]).unwrap().levels(), [0; 4]);
    }
}

/// A bundle of `a.codes` and `a.multipliers` with these shapes and bytes.
fn packed(codes: (&str, &[u8]), multipliers: (&str, &[u8])) -> Bundle {
    let middle = codes.1.len().to_string();
    let end = (codes.1.len() + multipliers.1.len()).to_string();
    let tensors = [
        entry("a.codes", "U8", codes.0, "0", &middle),
        entry("a.multipliers", "U8", multipliers.0, &middle, &end),
    ];
    let mut bytes = file(&header(&tensors.join(",")), 0);
    bytes.extend([codes.1, multipliers.1].concat());
    Bundle::parse(bytes).unwrap()
}

/// The code of the error that two rows of 80 weights, three groups each, are refused with.
fn packed_code(codes: (&str, &[u8]), multipliers: (&str, &[u8])) -> &'static str {
    packed(codes, multipliers).rows("a", &[2, 80]).expect_err("must be refused").code()
}

#[test]
fn packed_weights_of_wrong_shapes() {
    let (codes, multipliers) = (("2,40", &[0x97; 80][..]), ("2,2", &[0x21, 0x03, 0xff, 0x0f][..]));
    let bundle = packed(codes, multipliers);
    let levels = bundle.rows("a", &[2, 80]).unwrap().into_levels();
    let groups = [(7, -7), (14, -14), (21, -21), (105, -105), (105, -105), (105, -105)];
    let expected: Vec<i8> =
        [16, 16, 8, 16, 16, 8].into_iter().zip(groups).flat_map(|(n, (a, b))| [a, b].repeat(n)).collect();
    assert_eq!(*levels, expected);

    for (what, shape, length) in [
        ("7 bits", "2,70", 140),
        ("8 bits", "2,80", 160),
        ("1 bit", "2,10", 20),
        ("between 4 and 5 bits", "2,45", 90),
        ("a row short of a byte", "2,39", 78),
        ("one row", "1,40", 40),
        ("three rows", "3,40", 120),
        ("one axis", "80", 80),
        ("three axes", "2,1,40", 80),
        ("one axis, as long as a row", "40", 40),
    ] {
        assert_eq!(packed_code((shape, &vec![0; length]), multipliers), "bundle-tensor", "{what}");
    }
    for (what, shape, length) in [
        ("a byte a group", "2,3", 6),
        ("none for the last group", "2,1", 2),
        ("one row", "1,2", 2),
        ("three rows", "3,2", 6),
        ("one axis", "4", 4),
    ] {
        assert_eq!(packed_code(codes, (shape, &vec![0x11; length])), "bundle-tensor", "{what}");
    }
    for shape in [&[2, 64][..], &[2, 96], &[80, 2], &[160], &[2], &[], &[2, usize::MAX], &[usize::MAX, 80]] {
        assert_eq!(bundle.rows("a", shape).unwrap_err().code(), "bundle-tensor", "{shape:?}");
    }
    assert!(bundle.rows("a", &[2, 5, 4, 4]).is_ok(), "a convolution's axes");
}

#[test]
fn multipliers_out_of_range() {
    for (what, bits, bytes) in [
        ("0 in front", 4, [0x10, 0x01, 0x11, 0x01]),
        ("0 in the middle", 4, [0x01, 0x01, 0x11, 0x01]),
        ("0 at the end", 4, [0x11, 0x01, 0x11, 0x10]),
        ("8 times -16 is no int8 here", 5, [0x11, 0x01, 0x81, 0x01]),
        ("4 times -32 neither", 6, [0x11, 0x04, 0x11, 0x01]),
    ] {
        let codes = vec![0; 2 * 80 * bits / 8];
        let bundle = packed((&format!("2,{}", codes.len() / 2), &codes), ("2,2", &bytes));
        let error = bundle.rows("a", &[2, 80]).unwrap_err();
        assert!(matches!(&error, BundleError::WrongValue { .. }), "{what}: {error}");
        assert!(error.to_string().contains("a.multipliers"), "{what}: {error}");
    }
    // Three groups have four fields; the fourth belongs to none.
    assert!(packed(("2,40", &[0; 80]), ("2,2", &[0x11, 0xf1, 0x11, 0x01])).rows("a", &[2, 80]).is_ok());
}

#[test]
fn packed_weights_without_their_other_half() {
    let codes = entry("a.codes", "U8", "2,16", "0", "32");
    let bundle = Bundle::parse(file(&header(&codes), 32)).unwrap();
    let error = bundle.rows("a", &[2, 32]).unwrap_err();
    assert!(matches!(&error, BundleError::MissingTensor(name) if name == "a.multipliers"), "{error}");

    let multipliers = entry("a.multipliers", "U8", "2,1", "0", "2");
    let bundle = Bundle::parse(file(&header(&multipliers), 2)).unwrap();
    let error = bundle.rows("a", &[2, 32]).unwrap_err();
    assert!(matches!(&error, BundleError::MissingTensor(name) if name == "a.weight"), "{error}");
}

#[test]
fn a_weight_that_is_there_whole_and_packed() {
    let mut writer = writer();
    writer.i8("a.weight", &[1, 32], &[3; 32]).unwrap();
    let weights = PackedWeights { bits: 4, width: 32, codes: vec![1; 32], multipliers: vec![1] };
    writer.packed("a", &weights).unwrap();
    let bundle = Bundle::parse(writer.finish().unwrap()).unwrap();
    assert_eq!(*bundle.rows("a", &[1, 32]).unwrap().levels(), [3; 32]);
    let error = bundle.check_all_read().unwrap_err();
    assert!(matches!(&error, BundleError::UnknownTensor(name) if name == "a.codes"), "{error}");
}

#[test]
fn rows_too_narrow_to_show_their_bits() {
    // 2 and 3 bits of two weights take one byte.
    let bundle = packed(("3,1", &[0; 3]), ("3,1", &[0x11; 3]));
    assert_eq!(bundle.rows("a", &[3, 2]).unwrap_err().code(), "bundle-tensor");
    assert_eq!(bundle.rows("a", &[3, 0]).unwrap_err().code(), "bundle-tensor");
}

#[test]
fn anything_twice() {
    let a = entry("a", "I8", "4", "0", "4");
    assert_eq!(code(file(&header(&format!("{a},{a}")), 4)), "bundle-header");
    let metadata = header("").replacen("{\"", "{\"x\":\"1\",\"x\":\"2\",\"", 2);
    assert_eq!(code(file(&metadata, 0)), "bundle-header");
    let twice = header(&format!(r#""__metadata__":{{"format":"{FORMAT}"}}"#));
    assert_eq!(code(file(&twice, 0)), "bundle-header");
}

#[test]
fn metadata_missing_or_wrong() {
    for (key, expected) in [("format", "not-a-bundle"), ("version", "bundle-metadata")] {
        let missing = header_with(|metadata| drop(metadata.remove(key)), "");
        assert_eq!(code(file(&missing, 0)), expected, "no {key}");
    }
    for (key, value, expected) in [
        ("format", "pt", "not-a-bundle"),
        ("version", "1", "bundle-version"),
        ("version", "4", "bundle-version"),
        ("version", "2.0", "bundle-version"),
        ("version", "3 ", "bundle-version"),
        ("version", "03", "bundle-version"),
    ] {
        let wrong = header_with(|metadata| drop(metadata.insert(key.into(), value.into())), "");
        assert_eq!(code(file(&wrong, 0)), expected, "{key} = {value}");
    }
}

#[test]
fn tensors_that_do_not_suit_the_config() {
    let bundle = Bundle::parse(valid()).unwrap();
    let text = |e: BundleError| e.to_string();
    let missing = bundle.i8("heads.text.weight", &[3, 4]).map_err(text);
    assert_eq!(
        missing.unwrap_err(),
        "the bundle has no tensor \"heads.text.weight\", which its config asks for"
    );
    let dtype = bundle.f32("a.weight", &[2, 3]).map_err(text);
    assert_eq!(dtype.unwrap_err(), "tensor \"a.weight\" is I8, expected F32");
    let shape = bundle.i8("a.weight", &[3, 2]).map_err(text);
    assert_eq!(shape.unwrap_err(), "tensor \"a.weight\" has shape [2, 3], expected [3, 2]");
}

#[test]
fn numbers_that_are_none() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut bytes = file(&header(&entry("a.scale", "F32", "2", "0", "8")), 4);
        bytes.extend(value.to_le_bytes());
        let bundle = Bundle::parse(bytes).unwrap();
        let error = bundle.f32("a.scale", &[2]).unwrap_err();
        assert!(matches!(error, BundleError::NotFinite { index: 1, .. }), "{value}: {error}");
        assert!(writer().f32("a.scale", &[1], &[value]).is_err());
    }
}

#[test]
fn a_writer_refuses_what_a_reader_would() {
    let mut writer = writer();
    assert!(writer.i8("a", &[2, 2], &[0; 3]).is_err());
    assert!(writer.i8("a", &[usize::MAX, 2], &[0; 3]).is_err());
    assert!(writer.i8("a", &[0], &[]).is_err());
    assert!(writer.f32("__metadata__", &[1], &[0.0]).is_err());
    writer.i8("a", &[1], &[0]).unwrap();
    assert!(writer.f32("a", &[1], &[0.0]).is_err());
    assert!(writer.metadata("format", "{}").is_err());
}

#[test]
fn a_writer_refuses_weights_that_do_not_pack() {
    let sound = PackedWeights { bits: 4, width: 40, codes: vec![-8; 80], multipliers: vec![15; 4] };
    let refused = |edit: &dyn Fn(&mut PackedWeights)| {
        let mut weights = sound.clone();
        edit(&mut weights);
        let error = writer().packed("a", &weights).unwrap_err();
        assert!(matches!(&error, BundleError::Unwritable { .. }), "{weights:?}: {error}");
        assert!(error.to_string().contains("\"a"), "{error}");
    };
    writer().packed("a", &sound).unwrap();
    for bits in [0, 1, 7, 8, u32::MAX] {
        refused(&|weights| weights.bits = bits);
    }
    for width in [0, 7, 41, 80] {
        refused(&|weights| weights.width = width);
    }
    for code in [8, -9] {
        refused(&|weights| weights.codes[79] = code);
    }
    for multiplier in [0, 16, -1] {
        refused(&|weights| weights.multipliers[3] = multiplier);
    }
    refused(&|weights| (weights.bits, weights.codes) = (5, vec![0; 80]));
    refused(&|weights| weights.codes.truncate(79));
    refused(&|weights| weights.codes.clear());
    refused(&|weights| weights.multipliers.truncate(3));
    refused(&|weights| weights.multipliers.push(1));
    let mut writer = writer();
    writer.f32("a.multipliers", &[1], &[0.0]).unwrap();
    assert!(writer.packed("a", &sound).is_err());
}

#[test]
fn one_flipped_bit_in_the_header() {
    for bytes in [valid(), valid_packed()] {
        let header_end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for position in (0..header_end).step_by(EVERY) {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[position] ^= 1 << bit;
                // Some flips give another valid file, such as one with another licence: only a panic is wrong here.
                if let Ok(bundle) = Bundle::parse(bytes) {
                    let _ = bundle.i8("a.weight", &[2, 3]);
                    let _ = bundle.f32("a.scale", &[2]);
                    let _ = bundle.rows("c", &[1, 40]).map(|rows| rows.levels().into_owned());
                }
            }
        }
    }
}

#[test]
fn random_bytes() {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    for length in (0..600).step_by(EVERY) {
        let mut bytes: Vec<u8> = (0..length).map(|_| next()).collect();
        assert!(Bundle::parse(bytes.clone()).is_err());
        if length >= 16 {
            // A plausible header length, so that the JSON is looked at too.
            bytes[..8].copy_from_slice(&((length - 8) as u64 / 2).to_le_bytes());
            bytes[8] = b'{';
            assert!(Bundle::parse(bytes).is_err());
        }
    }
}
