//! BERT (Devlin et al. 2018) with int8 weights: plain buffers, the text's real length, one fused product for queries,
//! keys and values. Agrees with `bert` up to the rounding of weights and activations.

use super::{Activation, BertConfig, TextError};
use crate::{
    bundle::{Bundle, BundleError},
    kernels::{
        attention::Attention,
        lanes::F32x8,
        layer_norm::LayerNorm,
        linear::Linear,
        math::{gelu, gelu_new, max},
        quantize::QuantizedRows,
    },
};

/// A BERT encoder without a pooler: token ids in, hidden states out.
#[derive(Clone, Debug)]
pub struct TextEncoder {
    width: usize,
    heads: usize,
    activation: Activation,
    words: Vec<i8>,
    word_scale: Vec<f32>,
    /// Position plus token type 0, one row a position.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    buffers: Buffers,
}

/// One encoder layer: self-attention and feed-forward, each with a residual sum and a LayerNorm after it.
#[derive(Clone, Debug)]
struct Layer {
    query_key_value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

/// Everything that a forward pass writes. Grows to the longest text seen and allocates no more.
#[derive(Clone, Debug, Default)]
struct Buffers {
    hidden: Vec<f32>,
    query_key_value: Vec<f32>,
    /// The output of a layer's half, before it becomes the next hidden states.
    next: Vec<f32>,
    inner: Vec<f32>,
    rows: QuantizedRows,
    attention: Attention,
}

impl TextEncoder {
    /// Loads the encoder `text.*`, which must have the shapes that `config` says.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(bundle: &Bundle, config: &BertConfig) -> Result<Self, BundleError> {
        let width = config.hidden_size;
        let embeddings = |name: &str| format!("text.embeddings.{name}");
        let words = embeddings("word_embeddings");
        let mut positions =
            bundle.dequantized(&embeddings("position_embeddings"), config.max_position_embeddings, width)?;
        let token_types =
            bundle.dequantized(&embeddings("token_type_embeddings"), config.type_vocab_size, width)?;
        for row in positions.chunks_exact_mut(width) {
            for (position, &token_type) in row.iter_mut().zip(&token_types) {
                *position += token_type;
            }
        }
        Ok(TextEncoder {
            width,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            words: bundle.i8(&format!("{words}.weight"), &[config.vocab_size, width])?.to_vec(),
            word_scale: bundle.f32(&format!("{words}.scale"), &[config.vocab_size])?,
            positions,
            norm: bundle.layer_norm(&embeddings("LayerNorm"), width, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|i| Layer::load(bundle, &format!("text.encoder.layer.{i}"), config))
                .collect::<Result<_, _>>()?,
            buffers: Buffers::default(),
        })
    }

    /// Width of a hidden state.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The hidden states `[ids, width]`, which stay readable until the next call.
    ///
    /// # Errors
    /// [`TextError::TokenIds`] when an id is not in the vocabulary or there are more ids than positions.
    pub fn encode(&mut self, ids: &[u32]) -> Result<&[f32], TextError> {
        self.embed(ids)?;
        let b = &mut self.buffers;
        for layer in &self.layers {
            layer.forward(b, self.width, self.heads, self.activation);
        }
        Ok(&b.hidden)
    }

    /// Word, position and token type, summed and normalised.
    fn embed(&mut self, ids: &[u32]) -> Result<(), TextError> {
        let hidden = &mut self.buffers.hidden;
        hidden.clear();
        let limit = self.positions.len() / self.width;
        if ids.len() > limit {
            return Err(TextError::TokenIds {
                reason: format!("{} of them, at most {limit} fit", ids.len()),
            });
        }
        for (&id, position) in ids.iter().zip(self.positions.chunks_exact(self.width)) {
            let row = usize::try_from(id).ok().filter(|&row| row < self.word_scale.len());
            let Some(row) = row else {
                let reason = format!("{id}, the vocabulary has {}", self.word_scale.len());
                return Err(TextError::TokenIds { reason });
            };
            let scale = self.word_scale[row];
            let word = &self.words[row * self.width..][..self.width];
            hidden.extend(word.iter().zip(position).map(|(&w, &p)| f32::from(w) * scale + p));
        }
        self.norm.forward(hidden);
        Ok(())
    }
}

impl Layer {
    fn load(bundle: &Bundle, name: &str, config: &BertConfig) -> Result<Self, BundleError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let part = |part: &str| format!("{name}.{part}");
        let norm = |name: &str| bundle.layer_norm(&part(name), width, config.layer_norm_eps);
        let [query, key, value] =
            ["query", "key", "value"].map(|which| part(&format!("attention.self.{which}")));
        Ok(Layer {
            query_key_value: bundle.stacked_linear(&[&query, &key, &value], width, width)?,
            attention_output: bundle.linear(&part("attention.output.dense"), width, width)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: bundle.linear(&part("intermediate.dense"), inner, width)?,
            output: bundle.linear(&part("output.dense"), width, inner)?,
            output_norm: norm("output.LayerNorm")?,
        })
    }

    /// Replaces `b.hidden` by the layer's output.
    fn forward(&self, b: &mut Buffers, width: usize, heads: usize, activation: Activation) {
        let tokens = b.hidden.len() / width;
        b.next.resize(tokens * width, 0.0);
        b.query_key_value.resize(tokens * 3 * width, 0.0);
        b.inner.resize(tokens * self.intermediate.outputs(), 0.0);

        b.rows.quantize(&b.hidden, width);
        self.query_key_value.forward(&mut b.rows, &mut b.query_key_value);
        b.attention.attend(&b.query_key_value, width, heads, &mut b.next);
        b.rows.quantize(&b.next, width);
        self.attention_output.forward(&mut b.rows, &mut b.next);
        self.attention_norm.forward_sum(&mut b.next, &b.hidden);
        std::mem::swap(&mut b.hidden, &mut b.next);

        b.rows.quantize(&b.hidden, width);
        match activation {
            Activation::Gelu => self.intermediate.forward_then(&mut b.rows, &mut b.inner, gelu),
            Activation::GeluNew => self.intermediate.forward_then(&mut b.rows, &mut b.inner, gelu_new),
            Activation::Relu => {
                self.intermediate.forward_then(&mut b.rows, &mut b.inner, |x| max(x, F32x8::splat(0.0)));
            }
        }
        b.rows.quantize(&b.inner, self.output.inputs());
        self.output.forward(&mut b.rows, &mut b.next);
        self.output_norm.forward_sum(&mut b.next, &b.hidden);
        std::mem::swap(&mut b.hidden, &mut b.next);
    }
}
