//! A BERT's `config.json`, as Hugging Face writes it.
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

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// The feed-forward activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenActivation {
    /// `x Φ(x)` with the error function.
    #[default]
    Gelu,
    /// The tanh approximation.
    #[serde(alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// `max(x, 0)`.
    Relu,
}

/// A BERT encoder of any size. Fields of a Hugging Face `config.json` that do not shape the encoder are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// WordPieces.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Attention heads a layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Feed-forward activation.
    #[serde(default)]
    pub hidden_act: HiddenActivation,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Token types (segments).
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Added to the variance in LayerNorm.
    #[serde(default = "bert_eps")]
    pub layer_norm_eps: f64,
    /// Dropout on hidden states, in training.
    #[serde(default = "tenth")]
    pub hidden_dropout_prob: f64,
    /// Dropout on attention probabilities, in training.
    #[serde(default = "tenth")]
    pub attention_probs_dropout_prob: f64,
    /// The padding token's id.
    #[serde(default)]
    pub pad_token_id: u32,
}

fn two() -> usize {
    2
}
fn bert_eps() -> f64 {
    1e-12
}
fn tenth() -> f64 {
    0.1
}

impl BertConfig {
    /// Reads and checks a Hugging Face `config.json`.
    ///
    /// # Errors
    /// [`ConfigError`] when the JSON is malformed, describes another kind of encoder, or a value makes none.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        Family::from_json(json)?.check()?;
        let config: BertConfig = serde_json::from_str(json).map_err(syntax)?;
        config.check()?;
        Ok(config)
    }

    /// Products of one forward pass over `tokens` tokens. A token in a layer meets four `h x h` matrices (query, key, value,
    /// output) and two `h x i` ones (feed-forward), and all tokens twice in `h` dimensions (scores and weighted sum).
    pub fn products(&self, tokens: usize) -> u64 {
        let [h, i, layers, tokens] =
            [self.hidden_size, self.intermediate_size, self.num_hidden_layers, tokens]
                .map(|size| size as u64);
        layers * tokens * (4 * h * h + 2 * h * i + 2 * tokens * h)
    }

    /// Checks every value; the limits are far above any published BERT and keep sizes from overflowing.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sized = |ok, field, value: usize| require(ok, field, value, "is out of range for a BERT encoder");
        sized((4..=1_000_000).contains(&self.vocab_size), "vocab_size", self.vocab_size)?;
        sized((1..=8192).contains(&self.hidden_size), "hidden_size", self.hidden_size)?;
        sized((1..=96).contains(&self.num_hidden_layers), "num_hidden_layers", self.num_hidden_layers)?;
        sized((1..=32_768).contains(&self.intermediate_size), "intermediate_size", self.intermediate_size)?;
        sized(
            (3..=8192).contains(&self.max_position_embeddings),
            "max_position_embeddings",
            self.max_position_embeddings,
        )?;
        sized((1..=16).contains(&self.type_vocab_size), "type_vocab_size", self.type_vocab_size)?;
        sized(
            (1..=512).contains(&self.num_attention_heads),
            "num_attention_heads",
            self.num_attention_heads,
        )?;
        require(
            self.hidden_size.is_multiple_of(self.num_attention_heads),
            "num_attention_heads",
            self.num_attention_heads,
            "must divide hidden_size",
        )?;
        let fraction = |field, p: f64| require((0.0..1.0).contains(&p), field, p, "must be in 0..1");
        fraction("hidden_dropout_prob", self.hidden_dropout_prob)?;
        fraction("attention_probs_dropout_prob", self.attention_probs_dropout_prob)?;
        fraction("layer_norm_eps", self.layer_norm_eps)
    }
}

/// What tells a BERT from its relatives, whose `config.json` has the same fields: RoBERTa counts positions otherwise,
/// relative positions are added elsewhere.
#[derive(Deserialize)]
struct Family {
    model_type: Option<String>,
    position_embedding_type: Option<String>,
}

impl Family {
    fn from_json(json: &str) -> Result<Self, ConfigError> {
        serde_json::from_str(json).map_err(syntax)
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (field, value, known) in [
            ("model_type", &self.model_type, "bert"),
            ("position_embedding_type", &self.position_embedding_type, "absolute"),
        ] {
            if let Some(value) = value {
                require(value == known, field, value, "the text encoder must be a BERT (bert, absolute)")?;
            }
        }
        Ok(())
    }
}

fn syntax(error: serde_json::Error) -> ConfigError {
    ConfigError::Syntax { what: "BERT config".into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<BertConfig, ConfigError> {
        BertConfig::from_json(&format!(
            r#"{{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                "intermediate_size": 16, "max_position_embeddings": 10{more}}}"#
        ))
    }

    #[test]
    fn a_bert_may_say_that_it_is_one() {
        let plain = read("").unwrap();
        for more in [
            r#", "model_type": "bert", "position_embedding_type": "absolute""#,
            r#", "model_type": null, "position_embedding_type": null"#,
        ] {
            assert_eq!(read(more).unwrap(), plain);
        }
    }

    #[test]
    fn products_are_those_of_the_published_sizes() {
        let bert = |hidden_size, num_hidden_layers| BertConfig {
            hidden_size,
            num_hidden_layers,
            intermediate_size: 4 * hidden_size,
            ..read("").unwrap()
        };
        // 12 layers of 7,077,888 weights each, and the attention on top.
        assert_eq!(bert(768, 12).products(1), 12 * (7_077_888 + 2 * 768));
        assert_eq!(bert(768, 12).products(128), 12 * 128 * (7_077_888 + 256 * 768));
        assert_eq!(bert(384, 6).products(32), 6 * 32 * (1_769_472 + 64 * 384));
    }

    #[test]
    fn another_kind_of_encoder_is_refused_by_field() {
        for (name, found) in
            [("model_type", "roberta"), ("model_type", ""), ("position_embedding_type", "relative_key")]
        {
            let error = read(&format!(r#", "{name}": "{found}""#)).unwrap_err();
            let ConfigError::Value { field, value, .. } = error else { panic!("{error}") };
            assert_eq!((field, value.as_str()), (name, found));
        }
        // Its fields are called otherwise, but its type says more than the first of them that is missing.
        let error = BertConfig::from_json(r#"{"model_type": "distilbert", "dim": 768}"#).unwrap_err();
        assert!(error.to_string().contains("model_type = distilbert"), "{error}");
    }
}
