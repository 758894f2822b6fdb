//! Reading a bundle: every check between bytes from outside and weights that a model trusts.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use safetensors::tensor::TensorInfo;

use super::{
    BundleError, DType,
    format::{FORMAT, Header, LENGTH_BYTES, MAX_HEADER_BYTES, VERSIONS},
    packed::{Rows, bits_of, multiplier_bytes},
};

/// A checked bundle in memory.
#[derive(Debug)]
pub struct Bundle {
    /// The whole file. Signed, so that `I8` tensors are handed out as they lie.
    file: Vec<i8>,
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

/// Where a tensor lies in the file, and whether somebody asked for it.
#[derive(Debug)]
struct Tensor {
    info: TensorInfo,
    start: usize,
    end: usize,
    read: AtomicBool,
}

impl Bundle {
    /// Reads and checks the bytes of a `.safetensors` file; the tensors are not copied.
    ///
    /// # Errors
    /// [`BundleError`], naming what is wrong. No bytes make this panic or allocate more than a small multiple of their
    /// number.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BundleError> {
        let (header, data_start) = read_header(&bytes)?;
        let data_bytes = bytes.len().saturating_sub(data_start);
        let announced = header.announced_bytes();
        if data_bytes < announced {
            return Err(BundleError::Truncated {
                expected: announced.saturating_add(data_start) as u64,
                found: bytes.len() as u64,
            });
        }
        header.check(data_bytes)?;
        let place = |(name, info): (String, TensorInfo)| {
            let (start, end) = info.data_offsets;
            let read = AtomicBool::new(false);
            // Within the file, as was checked.
            let (start, end) = (start.saturating_add(data_start), end.saturating_add(data_start));
            (name, Tensor { start, end, info, read })
        };
        let Header { metadata, tensors } = header;
        let tensors = tensors.into_iter().map(place).collect();
        // Collecting a vector's own items of the same size reuses its allocation.
        let file = bytes.into_iter().map(|byte| byte as i8).collect();
        Ok(Bundle { file, tensors, metadata })
    }

    /// A metadata entry, such as `config`, `created_by`, `trained_on` or `licence`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A metadata entry that must be there.
    ///
    /// # Errors
    /// [`BundleError::MissingMetadata`] when it is not, or is empty.
    pub fn require(&self, key: &str) -> Result<&str, BundleError> {
        require(&self.metadata, key)
    }

    /// Name, element type and shape of each tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, DType, &[usize])> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.info.dtype, tensor.info.shape.as_slice()))
    }

    /// The values of an int8 tensor in row-major order.
    ///
    /// # Errors
    /// [`BundleError`] when it is missing, not `I8`, or not of this shape.
    pub fn i8(&self, name: &str, shape: &[usize]) -> Result<&[i8], BundleError> {
        self.slice(name, DType::I8, shape)
    }

    /// The int8 levels of the weight `name` of so many rows (the first axis of `shape`), each of them the product of the other axes
    /// wide: `{name}.weight`, or in its stead `{name}.codes` and `{name}.multipliers`.
    ///
    /// # Errors
    /// [`BundleError`] when it is missing, has another element type or shape, or a multiplier is none.
    pub fn rows(&self, name: &str, shape: &[usize]) -> Result<Rows<'_>, BundleError> {
        let whole = format!("{name}.weight");
        let codes = format!("{name}.codes");
        let (rows, axes) = shape.split_first().unwrap_or((&0, &[]));
        let width = axes.iter().fold(1_usize, |width, axis| width.saturating_mul(*axis));
        let Some(found) = self.tensors.get(&codes).filter(|_| !self.contains(&whole)) else {
            return Ok(Rows::whole(self.i8(&whole, shape)?, width));
        };
        let bytes = found.info.shape.last().copied().unwrap_or_default();
        let Some(bits) = bits_of(width, bytes) else {
            return Err(BundleError::WrongCodes { name: codes, width, bytes });
        };
        let multipliers = format!("{name}.multipliers");
        let multipliers = self.slice(&multipliers, DType::U8, &[*rows, multiplier_bytes(width)])?;
        Rows::packed(name, self.slice(&codes, DType::U8, &[*rows, bytes])?, multipliers, (width, bits))
    }

    /// The values of a float tensor in row-major order, each of them finite.
    ///
    /// # Errors
    /// [`BundleError`] when it is missing, not `F32`, not of this shape, or holds an infinity or a NaN.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, BundleError> {
        let (chunks, _) = self.slice(name, DType::F32, shape)?.as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|b| f32::from_le_bytes(b.map(|byte| byte as u8))).collect();
        match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            Some((index, &value)) => Err(BundleError::NotFinite { name: name.into(), index, value }),
            None => Ok(values),
        }
    }

    /// Whether there is a tensor of this name; does not count as reading it.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Refuses tensors that nobody asked for. A model calls this once it has all its weights: twelve layers under a
    /// configuration that says six would otherwise load, and answer nonsense.
    ///
    /// # Errors
    /// [`BundleError::UnknownTensor`] naming the first of them.
    pub fn check_all_read(&self) -> Result<(), BundleError> {
        match self.tensors.iter().find(|(_, tensor)| !tensor.read.load(Ordering::Relaxed)) {
            Some((name, _)) => Err(BundleError::UnknownTensor(name.clone())),
            None => Ok(()),
        }
    }

    /// Frees the memory of the tensors whose names begin with `prefix`, as far as no tensor of another name lies behind them:
    /// once layers are made of them, they are not needed any more. They cannot be read after this.
    pub fn drop_tensors(&mut self, prefix: &str) {
        let others = self.tensors.iter().filter(|(name, _)| !name.starts_with(prefix));
        self.file.truncate(others.map(|(_, tensor)| tensor.end).max().unwrap_or_default());
        self.file.shrink_to_fit();
    }

    /// A tensor as it lies in the file; counts as reading it.
    pub(super) fn stored(&self, name: &str) -> Result<(&TensorInfo, &[i8]), BundleError> {
        let info = self.tensors.get(name).map(|tensor| &tensor.info);
        let info = info.ok_or_else(|| BundleError::MissingTensor(name.into()))?;
        Ok((info, self.slice(name, info.dtype, &info.shape)?))
    }

    fn slice(&self, name: &str, dtype: DType, shape: &[usize]) -> Result<&[i8], BundleError> {
        let missing = || BundleError::MissingTensor(name.into());
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        if tensor.info.dtype != dtype {
            return Err(BundleError::WrongDType {
                name: name.into(),
                expected: dtype,
                found: tensor.info.dtype,
            });
        }
        if tensor.info.shape != shape {
            return Err(BundleError::WrongShape {
                name: name.into(),
                expected: shape.to_vec(),
                found: tensor.info.shape.clone(),
            });
        }
        tensor.read.store(true, Ordering::Relaxed);
        self.file.get(tensor.start..tensor.end).ok_or_else(missing)
    }
}

/// The header, and where the data starts. `format` and `version` come first: of a file that is not ours, nothing
/// else is worth complaining about.
fn read_header(bytes: &[u8]) -> Result<(Header, usize), BundleError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(BundleError::NotABundle(format!("it has {} bytes", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES as u64 {
        return Err(BundleError::NotABundle("it does not start with a safetensors header".into()));
    }
    let length = length as usize;
    let Some(json) = rest.get(..length) else {
        let expected = LENGTH_BYTES.saturating_add(length) as u64;
        return Err(match rest.first() {
            Some(b'{') | None => BundleError::Truncated { expected, found: bytes.len() as u64 },
            Some(_) => BundleError::NotABundle("it does not start with a safetensors header".into()),
        });
    };
    if json.first() != Some(&b'{') {
        return Err(BundleError::NotABundle("it does not start with a safetensors header".into()));
    }
    let header: Header = serde_json::from_slice(json).map_err(|e| BundleError::Header(e.to_string()))?;
    match header.metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(BundleError::NotABundle(format!("its metadata says format {other:?}"))),
        None => return Err(BundleError::NotABundle("its metadata names no format".into())),
    }
    let version = require(&header.metadata, "version")?;
    if !VERSIONS.contains(&version) {
        return Err(BundleError::Version { found: version.into() });
    }
    Ok((header, LENGTH_BYTES.saturating_add(length)))
}

fn require<'a>(metadata: &'a BTreeMap<String, String>, key: &str) -> Result<&'a str, BundleError> {
    match metadata.get(key).map(String::as_str) {
        None | Some("") => Err(BundleError::MissingMetadata(key.into())),
        Some(value) => Ok(value),
    }
}
