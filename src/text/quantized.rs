//! BERT (Devlin et al. 2018) with int8 weights, over any backend: the text's real length, one fused product for queries,
//! keys and values. Agrees with `bert` up to the rounding of weights and activations.

use super::TextError;
use crate::{
    backend::{Backend, Cpu},
    model::{BertConfig, HiddenActivation, LayerParameters, TextParameters},
};

/// A BERT encoder without a pooler: token ids in, hidden states out.
#[derive(Clone, Debug)]
pub struct TextEncoder<B: Backend = Cpu> {
    width: usize,
    inner: usize,
    heads: usize,
    activation: HiddenActivation,
    /// Number of WordPieces and positions with an embedding.
    vocabulary: usize,
    positions: usize,
    embeddings: B::Embeddings,
    norm: B::LayerNorm,
    layers: Vec<Layer<B>>,
    workspace: Workspace<B>,
}

/// One encoder layer: self-attention and feed-forward, each with a residual sum and a LayerNorm after it.
#[derive(Clone, Debug)]
struct Layer<B: Backend> {
    query_key_value: B::Linear,
    attention_output: B::Linear,
    attention_norm: B::LayerNorm,
    intermediate: B::Linear,
    output: B::Linear,
    output_norm: B::LayerNorm,
}

/// Everything that a forward pass writes. Grows to the largest pass seen and allocates no more.
#[derive(Clone, Debug)]
struct Workspace<B: Backend> {
    /// Tokens of each text.
    lengths: Vec<usize>,
    hidden: B::Reals,
    query_key_value: B::Reals,
    /// What is added to the hidden states to become the next ones.
    next: B::Reals,
    inner: B::Reals,
    rows: B::Rows,
}

impl<B: Backend> TextEncoder<B> {
    /// Makes the encoder of `parameters`, which are those of `config`.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    pub fn load(
        backend: &mut B,
        source: &B::Source,
        config: &BertConfig,
        parameters: &TextParameters,
    ) -> Result<Self, B::Error> {
        Ok(TextEncoder {
            width: config.hidden_size,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            embeddings: backend.make_embeddings(source, parameters)?,
            norm: backend.make_layer_norm(source, &parameters.norm)?,
            layers: parameters
                .layers
                .iter()
                .map(|layer| Layer::load(backend, source, layer))
                .collect::<Result<_, _>>()?,
            workspace: Workspace::default(),
        })
    }

    /// The hidden states `[ids, hidden_size]` of each text, one after the other, which are valid until the next call. Those
    /// of a text do not depend on the others, not by a bit.
    ///
    /// # Errors
    /// [`TextError::TokenIds`] when an id is not in the vocabulary or a text has more ids than there are positions.
    pub fn encode(&mut self, backend: &mut B, texts: &[&[u32]]) -> Result<&B::Reals, TextError> {
        texts.iter().try_for_each(|ids| self.check(ids))?;
        let w = &mut self.workspace;
        w.lengths.clear();
        w.lengths.extend(texts.iter().map(|ids| ids.len()));
        backend.embed(&self.embeddings, texts, &mut w.hidden);
        backend.layer_norm(&self.norm, &mut w.hidden, None);
        for layer in &self.layers {
            layer.forward(backend, w, (self.width, self.inner), self.heads, self.activation);
        }
        Ok(&w.hidden)
    }

    /// Numbers of a hidden state.
    pub fn width(&self) -> usize {
        self.width
    }

    fn check(&self, ids: &[u32]) -> Result<(), TextError> {
        if ids.len() > self.positions {
            let reason = format!("{} of them, at most {} fit", ids.len(), self.positions);
            return Err(TextError::TokenIds { reason });
        }
        let known = |&id: &u32| usize::try_from(id).is_ok_and(|id| id < self.vocabulary);
        match ids.iter().find(|id| !known(id)) {
            Some(id) => {
                Err(TextError::TokenIds { reason: format!("{id}, the vocabulary has {}", self.vocabulary) })
            }
            None => Ok(()),
        }
    }
}

impl<B: Backend> Default for Workspace<B> {
    fn default() -> Self {
        Workspace {
            lengths: Vec::new(),
            hidden: B::Reals::default(),
            query_key_value: B::Reals::default(),
            next: B::Reals::default(),
            inner: B::Reals::default(),
            rows: B::Rows::default(),
        }
    }
}

impl<B: Backend> Layer<B> {
    fn load(backend: &mut B, source: &B::Source, parameters: &LayerParameters) -> Result<Self, B::Error> {
        let LayerParameters {
            query_key_value,
            attention_output,
            attention_norm,
            intermediate,
            output,
            output_norm,
        } = parameters;
        Ok(Layer {
            query_key_value: backend.make_linear(source, query_key_value)?,
            attention_output: backend.make_linear(source, std::slice::from_ref(attention_output))?,
            attention_norm: backend.make_layer_norm(source, attention_norm)?,
            intermediate: backend.make_linear(source, std::slice::from_ref(intermediate))?,
            output: backend.make_linear(source, std::slice::from_ref(output))?,
            output_norm: backend.make_layer_norm(source, output_norm)?,
        })
    }

    /// Replaces `w.hidden` by the layer's output.
    fn forward(
        &self,
        backend: &mut B,
        w: &mut Workspace<B>,
        (width, inner): (usize, usize),
        heads: usize,
        activation: HiddenActivation,
    ) {
        backend.quantize_rows(&w.hidden, width, &mut w.rows);
        backend.linear(&self.query_key_value, &mut w.rows, None, &mut w.query_key_value);
        backend.attend(&w.query_key_value, &w.lengths, width, heads, &mut w.next);
        backend.quantize_rows(&w.next, width, &mut w.rows);
        backend.linear(&self.attention_output, &mut w.rows, None, &mut w.next);
        backend.layer_norm(&self.attention_norm, &mut w.next, Some(&w.hidden));
        std::mem::swap(&mut w.hidden, &mut w.next);

        backend.quantize_rows(&w.hidden, width, &mut w.rows);
        backend.linear(&self.intermediate, &mut w.rows, Some(activation), &mut w.inner);
        backend.quantize_rows(&w.inner, inner, &mut w.rows);
        backend.linear(&self.output, &mut w.rows, None, &mut w.next);
        backend.layer_norm(&self.output_norm, &mut w.next, Some(&w.hidden));
        std::mem::swap(&mut w.hidden, &mut w.next);
    }
}
