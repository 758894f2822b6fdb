//! The header of a `.safetensors` file, and the rules that this crate adds to it.
//!
//! A file is eight bytes with the header's length (little endian), the header (JSON, padded with spaces), and the
//! tensors' bytes. The JSON maps each tensor's name to its element type, shape and byte range, and `__metadata__` to
//! strings. <https://huggingface.co/docs/safetensors/index#format>

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};

use super::BundleError;

/// The metadata entry `format` of every bundle.
pub const FORMAT: &str = "mixed-feelings";
/// The metadata entry `version` of the bundles that this crate writes and reads.
pub const VERSION: &str = "2";
/// The longest header that is looked at. A vocabulary of 30,000 WordPieces takes one of about 1 MB.
pub const MAX_HEADER_BYTES: usize = 16 << 20;

/// Bytes before the header: its length.
pub(super) const LENGTH_BYTES: usize = 8;
/// The header is padded to a multiple of this, so that `F32` data is aligned in the file.
pub(super) const ALIGNMENT: usize = 8;
/// The key of the metadata among the tensors.
pub(super) const METADATA: &str = "__metadata__";
/// No tensor here has more than the four axes of a convolution's weight.
const MAX_AXES: usize = 4;

/// The element types that a bundle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DType {
    /// 32-bit floating point, little endian.
    F32,
    /// 8-bit two's complement.
    I8,
}

impl DType {
    /// Bytes an element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::I8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "F32",
            DType::I8 => "I8",
        })
    }
}

/// One tensor's entry in the header. Sizes are 64 bits wide because the file decides them, not this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorEntry {
    pub dtype: DType,
    pub shape: Vec<u64>,
    /// First byte and the one after the last, counted from the end of the header.
    pub data_offsets: (u64, u64),
}

impl TensorEntry {
    /// Bytes that the shape asks for, or why there is no such number.
    fn bytes(&self) -> Result<u64, String> {
        if self.shape.len() > MAX_AXES {
            return Err(format!("has {} axes, at most {MAX_AXES} are allowed", self.shape.len()));
        }
        if self.shape.contains(&0) {
            return Err(format!("has an empty axis in its shape {:?}", self.shape));
        }
        self.shape
            .iter()
            .try_fold(self.dtype.size() as u64, |product, &axis| product.checked_mul(axis))
            .ok_or_else(|| format!("has the impossible shape {:?}", self.shape))
    }
}

/// The parsed header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, TensorEntry>,
}

impl Header {
    /// Checks that the tensors tile `data_bytes` bytes exactly: none overlaps another, none reaches outside, no byte
    /// belongs to nobody.
    pub fn check_tiling(&self, data_bytes: u64) -> Result<(), BundleError> {
        let mut in_file_order: Vec<_> = self.tensors.iter().collect();
        in_file_order.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut position = 0;
        for (name, entry) in in_file_order {
            let wrong = |reason: String| BundleError::Header(format!("tensor {name:?} {reason}"));
            let bytes = entry.bytes().map_err(wrong)?;
            let (start, end) = entry.data_offsets;
            if start != position {
                return Err(wrong(format!("starts at byte {start} where {position} would be right")));
            }
            if start.checked_add(bytes) != Some(end) {
                return Err(wrong(format!("of {bytes} bytes lies at {start}..{end}")));
            }
            position = end;
        }
        match position {
            end if end > data_bytes => {
                Err(BundleError::Header(format!("tensors end at byte {end} of {data_bytes}")))
            }
            end if end < data_bytes => {
                Err(BundleError::Header(format!("{} bytes at the end belong to no tensor", data_bytes - end)))
            }
            _ => Ok(()),
        }
    }

    /// Where the tensors' bytes end, as the entries say; not checked yet.
    pub fn announced_bytes(&self) -> u64 {
        self.tensors.values().map(|entry| entry.data_offsets.1).max().unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Reads the header entry by entry, so that a name given twice is an error and not a silent choice between the two.
struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a safetensors header: a map from tensor names to their entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            let twice = if name == METADATA {
                header.metadata = map.next_value::<Strings>()?.0;
                std::mem::replace(&mut has_metadata, true)
            } else {
                let entry = map.next_value()?;
                header.tensors.insert(name.clone(), entry).is_some()
            };
            if twice {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
        }
        Ok(header)
    }
}

/// A map of strings, each key once.
struct Strings(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StringsVisitor)
    }
}

struct StringsVisitor;

impl<'de> Visitor<'de> for StringsVisitor {
    type Value = Strings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if strings.contains_key(&key) {
                return Err(A::Error::custom(format!("{key:?} is there twice")));
            }
            strings.insert(key, value);
        }
        Ok(Strings(strings))
    }
}
