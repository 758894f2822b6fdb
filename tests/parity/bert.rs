//! BERT against transformers.

use candle_core::{DType, Device, Result};
use candle_nn::VarBuilder;
use mixed_feelings::{
    layers::Mode,
    model::BertConfig,
    text::bert::{Bert, normalise_checkpoint},
};

use crate::{
    expected::assert_output,
    hashed::{checkpoint, collect, tokens},
};

/// The `config.json` of bert-base-uncased, in what shapes the encoder.
pub const BERT_BASE: &str = r#"{
    "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 12,
    "num_hidden_layers": 12, "pad_token_id": 0, "type_vocab_size": 2, "vocab_size": 30522}"#;

/// The `config.json` of MiniLM-L6, in what shapes the encoder.
pub const MINILM: &str = r#"{
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 384,
    "initializer_range": 0.02, "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert",
    "num_attention_heads": 12, "num_hidden_layers": 6, "pad_token_id": 0, "type_vocab_size": 2,
    "vocab_size": 30522}"#;

/// A configuration that must be valid.
pub fn config(json: &str) -> BertConfig {
    BertConfig::from_json(json).expect("a valid config")
}

fn hidden_is_expected(vb: VarBuilder<'_>, config: &BertConfig, name: &str) -> Result<()> {
    let (ids, mask) = tokens(config.vocab_size)?;
    let hidden = Bert::load(vb, config)?.forward(&ids, &mask, Mode::Infer)?;
    assert_output(&format!("{name}/hidden"), &hidden)
}

#[test]
fn bert_base() -> Result<()> {
    hidden_is_expected(checkpoint(), &config(BERT_BASE), "bert_base")
}

#[test]
fn minilm() -> Result<()> {
    hidden_is_expected(checkpoint(), &config(MINILM), "minilm")
}

#[test]
fn minilm_with_the_tanh_gelu() -> Result<()> {
    let config = config(&MINILM.replace("\"gelu\"", "\"gelu_new\""));
    hidden_is_expected(checkpoint(), &config, "minilm_gelu_new")
}

/// As TensorFlow-born checkpoints are: `bert.` before each name, LayerNorm's `gamma` and `beta`.
#[test]
fn minilm_with_old_names() -> Result<()> {
    let config = config(MINILM);
    let tensors = collect(|vb| Bert::load(vb, &config))?;
    let old = tensors.into_iter().map(|(name, tensor)| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        (format!("bert.{name}"), tensor)
    });
    let tensors = normalise_checkpoint(old.collect())?;
    hidden_is_expected(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &config, "minilm")
}
