//! Writing a bundle. The same contents give the same bytes, so that a SHA-256 says something.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    BundleError, DType,
    format::{ALIGNMENT, FORMAT, LENGTH_BYTES, MAX_HEADER_BYTES, METADATA, TensorEntry, VERSION},
};
use crate::{
    analysis::Sentiment,
    config::{ConfigError, ModelConfig},
};

/// Collects tensors and metadata, then writes them as one `.safetensors` file.
///
/// ```
/// # fn main() -> Result<(), mixed_feelings::bundle::BundleError> {
/// # let config_json = r#"{"text": {"vocab_size": 8, "hidden_size": 4, "num_hidden_layers": 1,
/// #   "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8}, "max_tokens": 8,
/// #   "image": {"architecture": "efficientnet_lite0"},
/// #   "preprocess": {"input_size": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}, "fusion": {}}"#;
/// use mixed_feelings::{bundle::{Bundle, BundleWriter}, config::ModelConfig};
///
/// let config = ModelConfig::from_json(config_json)?;
/// let mut writer = BundleWriter::new(&config, r#"{"version": "1.0"}"#)?;
/// writer.i8("heads.text.weight", &[3, 4], &[1; 12])?;
/// writer.f32("heads.text.scale", &[3], &[0.5; 3])?;
/// writer.metadata("licence", "CC0-1.0")?;
/// let bundle = Bundle::parse(writer.finish()?)?;
/// assert_eq!(bundle.f32("heads.text.scale", &[3])?, [0.5; 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BundleWriter {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Debug)]
struct Tensor {
    dtype: DType,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

/// What the header's JSON says under one key.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor(TensorEntry),
}

impl BundleWriter {
    /// A bundle without tensors.
    ///
    /// # Errors
    /// [`BundleError::Config`] when the configuration makes no model, [`BundleError::MissingMetadata`] when the
    /// tokenizer is empty.
    pub fn new(config: &ModelConfig, tokenizer_json: &str) -> Result<Self, BundleError> {
        config.check()?;
        if tokenizer_json.is_empty() {
            return Err(BundleError::MissingMetadata("tokenizer".into()));
        }
        let metadata = [
            ("format", FORMAT.into()),
            ("version", VERSION.into()),
            ("config", json("config", config)?),
            ("labels", json("labels", &Sentiment::ALL)?),
            ("tokenizer", tokenizer_json.into()),
        ];
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Ok(BundleWriter { metadata, tensors: BTreeMap::new() })
    }

    /// Adds a free-form metadata entry.
    ///
    /// # Errors
    /// [`BundleError::Metadata`] when there is one of this name already.
    pub fn metadata(&mut self, key: &str, value: &str) -> Result<(), BundleError> {
        if self.metadata.contains_key(key) {
            return Err(BundleError::Metadata { key: key.into(), reason: "is there already".into() });
        }
        self.metadata.insert(key.into(), value.into());
        Ok(())
    }

    /// Adds an int8 tensor, in row-major order.
    ///
    /// # Errors
    /// [`BundleError::Unwritable`] when the name is taken or `values` does not fill `shape`.
    pub fn i8(&mut self, name: &str, shape: &[usize], values: &[i8]) -> Result<(), BundleError> {
        let bytes = values.iter().map(|&value| value as u8).collect();
        self.add(name, DType::I8, shape, values.len(), bytes)
    }

    /// Adds a float tensor, in row-major order.
    ///
    /// # Errors
    /// [`BundleError::Unwritable`] when the name is taken or `values` does not fill `shape`;
    /// [`BundleError::NotFinite`] when a value is an infinity or a NaN.
    pub fn f32(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), BundleError> {
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(BundleError::NotFinite { name: name.into(), index, value });
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(name, DType::F32, shape, values.len(), bytes)
    }

    /// The file's bytes: floats first, so that they are aligned, then by name.
    ///
    /// # Errors
    /// [`BundleError::Header`] when the header would be longer than [`MAX_HEADER_BYTES`].
    pub fn finish(self) -> Result<Vec<u8>, BundleError> {
        let mut tensors: Vec<_> = self.tensors.into_iter().collect();
        tensors.sort_by_key(|(_, tensor)| tensor.dtype);

        let mut header = BTreeMap::from([(METADATA, Entry::Metadata(&self.metadata))]);
        let mut end = 0;
        for (name, tensor) in &tensors {
            let start = end;
            end += tensor.bytes.len() as u64;
            let shape = tensor.shape.clone();
            let entry = TensorEntry { dtype: tensor.dtype, shape, data_offsets: (start, end) };
            header.insert(name, Entry::Tensor(entry));
        }
        let mut header = json("header", &header)?.into_bytes();
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        if header.len() > MAX_HEADER_BYTES {
            return Err(BundleError::Header(format!(
                "{} bytes, at most {MAX_HEADER_BYTES} are read",
                header.len()
            )));
        }

        let mut file = Vec::with_capacity(LENGTH_BYTES + header.len() + end as usize);
        file.extend((header.len() as u64).to_le_bytes());
        file.append(&mut header);
        for (_, mut tensor) in tensors {
            file.append(&mut tensor.bytes);
        }
        Ok(file)
    }

    fn add(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        values: usize,
        bytes: Vec<u8>,
    ) -> Result<(), BundleError> {
        let unwritable = |reason: String| BundleError::Unwritable { name: name.into(), reason };
        let wanted = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
        if wanted != Some(values) || values == 0 {
            return Err(unwritable(format!("{values} values do not fill the shape {shape:?}")));
        }
        if name == METADATA || self.tensors.contains_key(name) {
            return Err(unwritable("the name is taken".into()));
        }
        let shape = shape.iter().map(|&axis| axis as u64).collect();
        self.tensors.insert(name.into(), Tensor { dtype, shape, bytes });
        Ok(())
    }
}

fn json<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<String, BundleError> {
    let syntax = |e: serde_json::Error| ConfigError::Syntax { what: what.into(), reason: e.to_string() };
    Ok(serde_json::to_string(value).map_err(syntax)?)
}
