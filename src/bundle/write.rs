//! Writing a bundle. The same contents give the same bytes, so that a SHA-256 says something.

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;
use serde::Serialize;

use super::{
    Bundle, BundleError, DType,
    format::{ALIGNMENT, FORMAT, LENGTH_BYTES, MAX_HEADER_BYTES, METADATA, VERSION},
    packed::{
        BITS, GROUP, MULTIPLIER_BITS, NARROWEST, code_range, largest_multiplier, multiplier_bytes, pack,
        packed_bytes,
    },
};

/// Weights of a few bits, before they are packed: see [`crate::bundle::Rows`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedWeights {
    /// Bits of a code.
    pub bits: u32,
    /// Weights in a row.
    pub width: usize,
    /// `[rows, width]`.
    pub codes: Vec<i8>,
    /// `[rows, groups]`, 1 to 15.
    pub multipliers: Vec<i8>,
}

impl PackedWeights {
    /// The levels `[rows, width]`: each code times its group's multiplier.
    pub fn levels(&self) -> Vec<i8> {
        let groups = self.width.div_ceil(GROUP).max(1);
        let rows = self.codes.chunks(self.width.max(1)).zip(self.multipliers.chunks(groups));
        let row = |(codes, multipliers): (&[i8], &[i8])| -> Vec<i8> {
            let groups = codes.chunks(GROUP).zip(multipliers);
            groups.flat_map(|(codes, &m)| codes.iter().map(move |code| code.wrapping_mul(m))).collect()
        };
        rows.flat_map(row).collect()
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// What is wrong, where a reader would refuse them or find others.
    fn rows(&self) -> Result<usize, String> {
        let PackedWeights { bits, width, .. } = *self;
        if !BITS.contains(&bits) || width < NARROWEST {
            return Err(format!(
                "{width} weights a row of {bits} bits: expected at least {NARROWEST} of {BITS:?}"
            ));
        }
        let rows = self.codes.len().checked_div(width).unwrap_or_default();
        let fills = |fields: &[i8], row: usize| rows.checked_mul(row) == Some(fields.len());
        if rows == 0 || !fills(&self.codes, width) || !fills(&self.multipliers, width.div_ceil(GROUP)) {
            let (codes, multipliers) = (self.codes.len(), self.multipliers.len());
            return Err(format!(
                "{codes} codes and {multipliers} multipliers make no rows of {width} weights"
            ));
        }
        let (code, multiplier) = (code_range(bits), 1..=largest_multiplier(bits));
        let in_range = self.codes.iter().all(|it| code.contains(it))
            && self.multipliers.iter().all(|it| multiplier.contains(it));
        if in_range {
            Ok(rows)
        } else {
            Err(format!("a code is not of {code:?}, or a multiplier of {multiplier:?}"))
        }
    }
}

/// Collects tensors and metadata, then writes them as one `.safetensors` file.
///
/// ```
/// # fn main() -> Result<(), mixed_feelings::bundle::BundleError> {
/// use mixed_feelings::bundle::{Bundle, BundleWriter};
///
/// let mut writer = BundleWriter::new();
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
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// What the header's JSON says under one key.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor(TensorInfo),
}

impl Default for BundleWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl BundleWriter {
    /// An empty one.
    pub fn new() -> Self {
        let metadata = [("format", FORMAT), ("version", VERSION)];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        BundleWriter { metadata, tensors: BTreeMap::new() }
    }

    /// Adds a metadata entry.
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

    /// Adds weights of a few bits as `{name}.codes` and `{name}.multipliers`.
    ///
    /// # Errors
    /// [`BundleError::Unwritable`] when a name is taken, codes and multipliers do not fill the same rows, or one is out of range.
    pub fn packed(&mut self, name: &str, weights: &PackedWeights) -> Result<(), BundleError> {
        let rows = weights.rows();
        let rows =
            rows.map_err(|reason| BundleError::Unwritable { name: format!("{name}.codes"), reason })?;
        let PackedWeights { bits, width, codes, multipliers } = weights;
        let mut add = |part: &str, fields: &[i8], count: usize, bits: u32, bytes: usize| {
            let mut packed = Vec::new();
            fields.chunks(count.max(1)).for_each(|row| pack(row.iter().copied(), bits, &mut packed));
            self.add(&format!("{name}.{part}"), DType::U8, &[rows, bytes], packed.len(), packed)
        };
        add("codes", codes, *width, *bits, packed_bytes(*width, *bits))?;
        let groups = width.div_ceil(GROUP);
        add("multipliers", multipliers, groups, MULTIPLIER_BITS, multiplier_bytes(*width))
    }

    /// Adds the tensor `name` of another bundle as it is there.
    ///
    /// # Errors
    /// [`BundleError::MissingTensor`] when it is not; [`BundleError::Unwritable`] when the name is taken.
    pub fn copy(&mut self, bundle: &Bundle, name: &str) -> Result<(), BundleError> {
        let (info, bytes) = bundle.stored(name)?;
        let bytes: Vec<u8> = bytes.iter().map(|&byte| byte as u8).collect();
        let width = if info.dtype == DType::F32 { size_of::<f32>() } else { 1 };
        let values = bytes.len().checked_div(width).unwrap_or_default();
        self.add(name, info.dtype, &info.shape, values, bytes)
    }

    /// The file's bytes: floats first, so that they are aligned, then by name.
    ///
    /// # Errors
    /// [`BundleError::Header`] when the header would be longer than [`MAX_HEADER_BYTES`].
    pub fn finish(self) -> Result<Vec<u8>, BundleError> {
        let mut tensors: Vec<_> = self.tensors.into_iter().collect();
        tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype));

        let mut header = BTreeMap::from([(METADATA, Entry::Metadata(&self.metadata))]);
        let mut end = 0_usize;
        for (name, tensor) in &tensors {
            let start = end;
            end = start.saturating_add(tensor.bytes.len());
            let shape = tensor.shape.clone();
            let entry = TensorInfo { dtype: tensor.dtype, shape, data_offsets: (start, end) };
            header.insert(name, Entry::Tensor(entry));
        }
        let header = serde_json::to_vec(&header);
        let mut header = header.map_err(|e| BundleError::Header(e.to_string()))?;
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        if header.len() > MAX_HEADER_BYTES {
            return Err(BundleError::Header(format!(
                "{} bytes, at most {MAX_HEADER_BYTES} are read",
                header.len()
            )));
        }

        let mut file = Vec::with_capacity(LENGTH_BYTES.saturating_add(header.len()).saturating_add(end));
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
        self.tensors.insert(name.into(), Tensor { dtype, shape: shape.into(), bytes });
        Ok(())
    }
}
