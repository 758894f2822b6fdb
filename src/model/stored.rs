//! A model in a bundle: how its configuration and its parameters are stored, read back and checked.
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

use std::borrow::Cow;

use super::{
    ConfigError, ConvParameter, EmbeddingParameter, Labels, LayerNormParameter, LinearParameter, ModelConfig,
    RangeParameter, Temperatures, Thresholds, VectorParameter,
};
use crate::bundle::{Bundle, BundleError, BundleWriter, Rows};

/// The metadata entries that a model needs.
const CONFIG: &str = "config";
const LABELS: &str = "labels";
const TOKENIZER: &str = "tokenizer";

impl ModelConfig {
    /// Reads and checks the configuration and the labels of a bundle.
    ///
    /// # Errors
    /// [`ConfigError`] when an entry is missing, malformed, or makes no model.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, ConfigError> {
        let config = ModelConfig::from_json(bundle.require(CONFIG)?);
        let mut config = config.map_err(|e| ConfigError::OfBundle(e.into()))?;
        let wrong = |reason: String| BundleError::Metadata { key: LABELS.into(), reason };
        let labels = Labels::from_json(bundle.require(LABELS)?).map_err(|e| wrong(e.to_string()))?;
        if !config.labels.is_sentiment() && config.labels != labels {
            return Err(wrong("they are others than the config's".into()).into());
        }
        config.labels = labels;
        bundle.require(TOKENIZER)?;
        Ok(config)
    }

    /// A bundle of this model without tensors.
    ///
    /// # Errors
    /// [`ConfigError`] when this makes no model or `tokenizer_json` is empty.
    pub fn begin_bundle(&self, tokenizer_json: &str) -> Result<BundleWriter, ConfigError> {
        self.check()?;
        if tokenizer_json.is_empty() {
            return Err(BundleError::MissingMetadata(TOKENIZER.into()).into());
        }
        let json = |what: &str, written: serde_json::Result<String>| {
            written.map_err(|e| ConfigError::Syntax { what: what.into(), reason: e.to_string() })
        };
        let mut writer = BundleWriter::new();
        writer.metadata(CONFIG, &json(CONFIG, serde_json::to_string(self))?)?;
        writer.metadata(LABELS, &json(LABELS, serde_json::to_string(&self.labels))?)?;
        writer.metadata(TOKENIZER, tokenizer_json)?;
        Ok(writer)
    }
}

/// The text of the `tokenizer.json` that a bundle's text encoder was trained with.
///
/// # Errors
/// [`BundleError::MissingMetadata`] when there is none.
pub fn tokenizer_json(bundle: &Bundle) -> Result<&str, BundleError> {
    bundle.require(TOKENIZER)
}

/// An int8 table, each row with its scale; its rows may be packed.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    /// `[rows, width]`.
    pub rows: Rows<'a>,
    /// `[rows]`.
    pub scale: Vec<f32>,
}

impl Table<'_> {
    /// The dequantized values, `level * scale`.
    pub fn dequantized(&self) -> Vec<f32> {
        dequantized(&self.rows.levels(), &self.scale)
    }
}

/// The values of rows of levels: `level * scale`.
pub fn dequantized(levels: &[i8], scale: &[f32]) -> Vec<f32> {
    let width = levels.len() / scale.len().max(1);
    let rows = levels.chunks_exact(width.max(1)).zip(scale);
    rows.flat_map(|(row, scale)| row.iter().map(move |&level| f32::from(level) * scale)).collect()
}

/// The int8 weights of one or several linear layers over the same inputs, concatenated by output.
#[derive(Clone, Debug)]
pub struct LinearWeights<'a> {
    /// `[outputs, inputs]`.
    pub levels: Cow<'a, [i8]>,
    /// `[outputs]`.
    pub scale: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// The int8 weights of a convolution.
#[derive(Clone, Debug)]
pub struct ConvWeights<'a> {
    /// `[out, kernel, kernel, in / groups]`.
    pub levels: Cow<'a, [i8]>,
    /// `[out]`.
    pub scale: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

impl EmbeddingParameter {
    /// Reads the table.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn read<'a>(&self, bundle: &'a Bundle) -> Result<Table<'a>, BundleError> {
        table(bundle, &self.name, &[self.rows, self.width])
    }
}

impl LinearParameter {
    /// Reads the layer.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn read<'a>(&self, bundle: &'a Bundle) -> Result<LinearWeights<'a>, BundleError> {
        let Table { rows, scale } = table(bundle, &self.name, &[self.outputs, self.inputs])?;
        let bias = bundle.f32(&format!("{}.bias", self.name), &[self.outputs])?;
        Ok(LinearWeights { levels: rows.into_levels(), scale, bias })
    }

    /// Reads several layers over the same inputs as one.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_stacked<'a>(layers: &[Self], bundle: &'a Bundle) -> Result<LinearWeights<'a>, BundleError> {
        if let [layer] = layers {
            return layer.read(bundle);
        }
        let mut stacked = LinearWeights { levels: Cow::Owned(vec![]), scale: vec![], bias: vec![] };
        for layer in layers {
            let LinearWeights { levels, scale, bias } = layer.read(bundle)?;
            stacked.levels.to_mut().extend_from_slice(&levels);
            stacked.scale.extend(scale);
            stacked.bias.extend(bias);
        }
        Ok(stacked)
    }
}

impl ConvParameter {
    /// Reads the convolution.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn read<'a>(&self, bundle: &'a Bundle) -> Result<ConvWeights<'a>, BundleError> {
        let [out, inputs, rows, columns] = self.spec.weight_shape();
        let Table { rows, scale } = table(bundle, &self.name, &[out, rows, columns, inputs])?;
        Ok(ConvWeights {
            levels: rows.into_levels(),
            scale,
            bias: bundle.f32(&format!("{}.bias", self.name), &[out])?,
        })
    }
}

impl LayerNormParameter {
    /// Reads weight and bias.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn read(&self, bundle: &Bundle) -> Result<[Vec<f32>; 2], BundleError> {
        let [weight, bias] = self.tensors().map(|name| bundle.f32(&name, &[self.width]));
        Ok([weight?, bias?])
    }

    /// The names of weight and bias.
    pub fn tensors(&self) -> [String; 2] {
        ["weight", "bias"].map(|tensor| format!("{}.{tensor}", self.name))
    }
}

impl RangeParameter {
    /// Reads scale and zero point: a positive number, and one of 0 to 127.
    ///
    /// # Errors
    /// [`BundleError::WrongValue`] when they are not, else as [`LinearParameter::read`].
    pub fn read(&self, bundle: &Bundle) -> Result<(f32, u8), BundleError> {
        let values = bundle.f32(&self.name, &[2])?;
        let &[scale, zero_point] = values.as_slice() else {
            return Err(BundleError::MissingTensor(self.name.clone()));
        };
        let sound =
            scale >= f32::MIN_POSITIVE && (0.0..=127.0).contains(&zero_point) && zero_point.fract() == 0.0;
        if !sound {
            let reason = format!(
                "has scale {scale} and zero point {zero_point}; expected a positive one and one of 0 to 127"
            );
            return Err(BundleError::WrongValue { name: self.name.clone(), reason });
        }
        Ok((scale, zero_point as u8))
    }
}

impl VectorParameter {
    /// Reads the floats.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn read(&self, bundle: &Bundle) -> Result<Vec<f32>, BundleError> {
        bundle.f32(&self.name, &self.shape)
    }
}

impl Temperatures {
    /// Reads `temperature.*` of a bundle.
    ///
    /// # Errors
    /// [`BundleError`] when one is missing or not within [`BOUNDS`](Self::BOUNDS).
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, BundleError> {
        Self::each(|name| Self::read(bundle, name))
    }

    /// The temperature `name`.
    ///
    /// # Errors
    /// As [`of_bundle`](Self::of_bundle).
    pub fn read(bundle: &Bundle, name: &str) -> Result<f32, BundleError> {
        let value = bundle.f32(name, &[1])?.first().copied().unwrap_or(f32::NAN);
        if Self::is_sound(value) {
            return Ok(value);
        }
        let reason = format!("is {value}; expected a temperature within {:?}", Self::BOUNDS);
        Err(BundleError::WrongValue { name: name.into(), reason })
    }
}

impl Thresholds {
    /// Reads `threshold.*` of a bundle; those of version 2 have none.
    ///
    /// # Errors
    /// [`BundleError`] when one is no probability.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, BundleError> {
        Self::each(|name| Self::read(bundle, name))
    }

    /// The threshold `name`, if there is one.
    ///
    /// # Errors
    /// As [`of_bundle`](Self::of_bundle).
    pub fn read(bundle: &Bundle, name: &str) -> Result<Option<f32>, BundleError> {
        if !bundle.contains(name) {
            return Ok(None);
        }
        let value = bundle.f32(name, &[1])?.first().copied().unwrap_or(f32::NAN);
        if Self::is_sound(value) {
            return Ok(Some(value));
        }
        let reason = format!("is {value}; expected a probability");
        Err(BundleError::WrongValue { name: name.into(), reason })
    }
}

fn table<'a>(bundle: &'a Bundle, name: &str, shape: &[usize]) -> Result<Table<'a>, BundleError> {
    let rows = bundle.rows(name, shape)?;
    Ok(Table { rows, scale: bundle.f32(&format!("{name}.scale"), shape.get(..1).unwrap_or_default())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle of one tensor of floats.
    fn with(name: &str, values: &[f32]) -> Bundle {
        let mut writer = BundleWriter::new();
        writer.f32(name, &[values.len()], values).unwrap();
        Bundle::parse(writer.finish().unwrap()).unwrap()
    }

    /// Natively and in the browser: of serde_json that is a feature.
    #[test]
    fn a_number_of_the_config_is_the_nearest_one() {
        let number: f64 = serde_json::from_str("7.4992180462352005e-6").unwrap();
        assert_eq!(number.to_bits(), 7.499_218_046_235_200_5e-6_f64.to_bits());
    }

    #[test]
    fn temperatures_that_are_none() {
        for value in [0.0, -0.0, -1.0, f32::MIN_POSITIVE, 1e-9, 1e9, f32::MAX] {
            let bundle = with("temperature.text", &[value]);
            let error = Temperatures::read(&bundle, "temperature.text").unwrap_err();
            assert!(matches!(&error, BundleError::WrongValue { .. }), "{value}: {error}");
            assert_eq!(error.code(), "bundle-tensor");
            assert!(error.to_string().contains("temperature.text"), "{error}");
        }
        let bundle = with("temperature.text", &[1.5]);
        assert_eq!(Temperatures::read(&bundle, "temperature.text").unwrap(), 1.5);
        let missing = Temperatures::of_bundle(&bundle).unwrap_err();
        assert!(matches!(missing, BundleError::MissingTensor(_)), "{missing}");
    }

    #[test]
    fn thresholds_that_are_none() {
        for value in [-0.1, 1.1, f32::MAX] {
            let error = Thresholds::of_bundle(&with("threshold.contradiction", &[value])).unwrap_err();
            assert!(matches!(&error, BundleError::WrongValue { .. }), "{value}: {error}");
        }
        let read = Thresholds::of_bundle(&with("threshold.confidence", &[0.75])).unwrap();
        assert_eq!(read, Thresholds { confidence: 0.75, ..Thresholds::default() });
    }

    #[test]
    fn ranges_that_are_none() {
        let range =
            RangeParameter { name: "r".into(), node: None, activation: super::super::Activation::None };
        for values in [[0.0, 0.0], [-1.0, 0.0], [1.0, 128.0], [1.0, 0.5], [1.0, -1.0], [1e-45, 0.0]] {
            let error = range.read(&with("r", &values)).unwrap_err();
            assert!(matches!(&error, BundleError::WrongValue { .. }), "{values:?}: {error}");
        }
        assert_eq!(range.read(&with("r", &[0.5, 127.0])).unwrap(), (0.5, 127));
    }

    const CONFIG_JSON: &str = r#"{"text": {"vocab_size": 8, "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8}, "max_tokens": 8,
        "image": {"architecture": "efficientnet_lite0"},
        "preprocess": {"input_size": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}, "fusion": {}}"#;

    /// A bundle with these metadata, or without the entry that is `None`.
    fn described(key: &str, value: Option<&str>) -> Bundle {
        let mut writer = BundleWriter::new();
        let labels = r#"["negative","neutral","positive"]"#;
        for (known, usual) in [(CONFIG, CONFIG_JSON), (LABELS, labels), (TOKENIZER, "{}")] {
            match value {
                _ if known != key => writer.metadata(known, usual).unwrap(),
                Some(value) => writer.metadata(key, value).unwrap(),
                None => {}
            }
        }
        Bundle::parse(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn metadata_missing_or_wrong() {
        let code =
            |key, value: Option<&str>| ModelConfig::of_bundle(&described(key, value)).map_err(|e| e.code());
        let with = |from: &str, to: &str| CONFIG_JSON.replace(from, to);
        assert!(code(CONFIG, Some(CONFIG_JSON)).is_ok());
        for key in [CONFIG, LABELS, TOKENIZER] {
            assert_eq!(code(key, None), Err("bundle-metadata"), "no {key}");
        }
        for (key, value, expected) in [
            (CONFIG, "{}".into(), "bad-config"),
            (CONFIG, "\u{0}".into(), "bad-config"),
            (CONFIG, with("\"max_tokens\": 8", "\"max_tokens\": 99"), "bad-config"),
            (CONFIG, with("\"hidden_size\": 4", "\"hidden_size\": 99999999999"), "bad-config"),
            (CONFIG, with("\"fusion\": {}", "\"fusion\": {\"colour\": 1}"), "bad-config"),
            (CONFIG, with("\"fusion\"", "\"text_preparation\": 99, \"fusion\""), "bad-config"),
            (LABELS, r#"["joy"]"#.into(), "bundle-metadata"),
            (LABELS, r#"["joy", "sadness"]"#.into(), "bundle-metadata"),
            (LABELS, "7".into(), "bundle-metadata"),
            (TOKENIZER, String::new(), "bundle-metadata"),
        ] {
            assert_eq!(code(key, Some(&value)), Err(expected), "{key} = {value}");
        }
        let told = ModelConfig::of_bundle(&described(CONFIG, Some("{}"))).unwrap_err().to_string();
        assert!(told.starts_with("the bundle's config: "), "{told}");
        let labels = r#"[{"name": "bad", "polarity": -1}, {"name": "good", "polarity": 1}]"#;
        assert_eq!(code(LABELS, Some(labels)).unwrap().labels.len(), 2);
    }

    #[test]
    fn what_is_begun_is_read() {
        let mut config = ModelConfig::from_json(CONFIG_JSON).unwrap();
        config.labels = Labels::from_json(r#"["positive","negative"]"#).unwrap();
        let bytes = config.begin_bundle("{}").unwrap().finish().unwrap();
        let bundle = Bundle::parse(bytes).unwrap();
        assert_eq!(ModelConfig::of_bundle(&bundle).unwrap(), config);
        assert_eq!(tokenizer_json(&bundle).unwrap(), "{}");
        config.max_tokens = 1;
        assert!(config.begin_bundle("{}").is_err());
    }
}
