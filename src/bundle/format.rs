//! The header of a `.safetensors` file, and the rules that this crate adds to it.
//!
//! A file is eight bytes with the header's length (little endian), the header (JSON, padded with spaces), and the
//! tensors' bytes. The JSON maps each tensor's name to its element type, shape and byte range, and `__metadata__` to
//! strings. <https://huggingface.co/docs/safetensors/index#format>
//!
//! The safetensors crate holds tensors to their byte ranges and the ranges to the file. What it lets pass is refused here:
//! a name given twice, other element types, an empty axis, more than four axes.

use std::collections::BTreeMap;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::{BundleError, DType};

/// The metadata entry `format` of every bundle.
pub const FORMAT: &str = "mixed-feelings";
/// The metadata entry `version` of the bundles that this crate writes.
pub const VERSION: &str = "3";
/// Those that it reads. Version 2 has no `U8` tensors.
pub(super) const VERSIONS: [&str; 2] = ["2", VERSION];
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

/// The parsed header.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// Checks that the tensors tile `data_bytes` bytes exactly: none overlaps another, none reaches outside, no byte
    /// belongs to nobody.
    pub(super) fn check(&self, data_bytes: usize) -> Result<(), BundleError> {
        for (name, tensor) in &self.tensors {
            let wrong = |reason: String| Err(BundleError::Header(format!("tensor {name:?} {reason}")));
            let known = match tensor.dtype {
                DType::F32 | DType::I8 => true,
                DType::U8 => self.metadata.get("version").is_some_and(|version| version == VERSION),
                _ => false,
            };
            if !known {
                return wrong(format!("is {}, which no bundle of this version holds", tensor.dtype));
            }
            if tensor.shape.len() > MAX_AXES {
                return wrong(format!("has {} axes, at most {MAX_AXES} are allowed", tensor.shape.len()));
            }
            if tensor.shape.contains(&0) {
                return wrong(format!("has an empty axis in its shape {:?}", tensor.shape));
            }
        }
        let mut in_file_order: Vec<_> = self.tensors.clone().into_iter().collect();
        in_file_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
        let end = self.announced_bytes();
        Metadata::new(None, in_file_order).map_err(|e| BundleError::Header(e.to_string()))?;
        if end < data_bytes {
            let spare = data_bytes.saturating_sub(end);
            return Err(BundleError::Header(format!("{spare} bytes at the end belong to no tensor")));
        }
        Ok(())
    }

    /// Where the tensors' bytes end, as the entries say.
    pub(super) fn announced_bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.data_offsets.1).max().unwrap_or(0)
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

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a safetensors header: a map from tensor names to their entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            let twice = if name == METADATA {
                header.metadata = map.next_value::<Unique>()?.0;
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
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if strings.contains_key(&key) {
                return Err(A::Error::custom(format!("{key:?} is there twice")));
            }
            strings.insert(key, value);
        }
        Ok(Unique(strings))
    }
}
