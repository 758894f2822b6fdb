//! The BERT encoder (Devlin et al. 2018) in candle: trainable, with real dropout, for any Hugging Face config.

use std::{collections::HashMap, slice};

use candle_core::{DType, Result, Tensor};
use candle_nn::{Embedding, Init, Module, VarBuilder};

use crate::{
    layers::{LayerNorm, Linear, Mode, attend, dropout, gelu, keep_layouts, key_bias},
    model::{
        BertConfig, EmbeddingParameter, HiddenActivation, LayerNormParameter, LayerParameters,
        LinearParameter, TextParameters,
    },
};

/// Is shown linear layers, and what they are about to read.
pub type Observer<'a> = dyn FnMut(&[LinearParameter], &Tensor) -> Result<()> + 'a;

/// A BERT encoder without a pooler: token ids in, hidden states out.
#[derive(Clone, Debug)]
pub struct Bert {
    words: Embedding,
    positions: Embedding,
    token_types: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    dropout: f64,
    /// What the layers compute in.
    numbers: DType,
}

impl Bert {
    /// Loads the tensors that Hugging Face's `BertModel` has, with its names.
    ///
    /// # Errors
    /// When a tensor is missing or does not have the shape that `config` says.
    pub fn load(vb: VarBuilder<'_>, config: &BertConfig) -> Result<Self> {
        let parameters = TextParameters::new(config, "");
        let table = |table: &EmbeddingParameter| -> Result<Embedding> {
            let init = Init::Randn { mean: 0.0, stdev: 0.02 };
            let weight = vb.pp(&table.name).get_with_hints((table.rows, table.width), "weight", init)?;
            Ok(Embedding::new(weight, table.width))
        };
        let layer = |layer| Layer::load(&vb, config, layer);
        Ok(Bert {
            words: table(&parameters.words)?,
            positions: table(&parameters.positions)?,
            token_types: table(&parameters.token_types)?,
            norm: layer_norm(&vb, &parameters.norm)?,
            layers: parameters.layers.iter().map(layer).collect::<Result<_>>()?,
            dropout: config.hidden_dropout_prob,
            numbers: vb.dtype(),
        })
    }

    /// Lets the layers compute in other numbers than those of the weights, such as bfloat16: products and what is kept for the
    /// gradients are then half as large. Norms, softmax and sums stay in float32, and so do weights, gradients and the answer.
    pub fn computing_in(self, numbers: DType) -> Self {
        Bert { numbers, ..self }
    }

    /// `ids` is `[batch, tokens]` (u32), `mask` is `[batch, tokens]` with 1 for a real token and 0 for padding; all
    /// tokens are of type 0. Returns the hidden states `[batch, tokens, hidden_size]`.
    ///
    /// # Errors
    /// When an id is not in the vocabulary or the sequence is longer than the position table.
    pub fn forward(&self, ids: &Tensor, mask: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.forward_embedded(&self.words.forward(ids)?, mask, mode)
    }

    /// The table of word embeddings, `[vocab_size, hidden_size]`.
    pub fn word_embeddings(&self) -> &Tensor {
        self.words.embeddings()
    }

    /// [`forward`](Self::forward) of word embeddings `[batch, tokens, hidden_size]` that were looked up already: a
    /// training takes the gradient of the rows that it looked up, and not of the whole table.
    ///
    /// # Errors
    /// When the sequence is longer than the position table.
    pub fn forward_embedded(&self, words: &Tensor, mask: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.run(words, mask, mode, &mut |_, _| Ok(()))
    }

    /// As [`forward`](Self::forward) in [`Mode::Infer`], and shows `observer` what linear layers read,
    /// `[batch, tokens, inputs]`, before they do.
    ///
    /// # Errors
    /// Those of `forward` and of `observer`.
    pub fn forward_observed(
        &self,
        ids: &Tensor,
        mask: &Tensor,
        observer: &mut Observer<'_>,
    ) -> Result<Tensor> {
        self.run(&self.words.forward(ids)?, mask, Mode::Infer, observer)
    }

    fn run(
        &self,
        words: &Tensor,
        mask: &Tensor,
        mode: Mode<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Tensor> {
        let (_, tokens, _) = words.dims3()?;
        let _kept = keep_layouts(words.device());
        let positions = self.positions.embeddings().narrow(0, 0, tokens)?;
        let token_type = self.token_types.embeddings().narrow(0, 0, 1)?;
        let summed = words.broadcast_add(&positions)?.broadcast_add(&token_type)?;
        let mut hidden = dropout(&self.norm.forward(&summed)?.to_dtype(self.numbers)?, self.dropout, mode)?;
        let bias = key_bias(mask)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, &bias, mode, observer)?;
        }
        hidden.to_dtype(words.dtype())
    }
}

/// The mean of the hidden states `[batch, tokens, width]` over the tokens that `mask` `[batch, tokens]` marks as
/// real: `[batch, width]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn mean_pool(hidden: &Tensor, mask: &Tensor) -> Result<Tensor> {
    // At least 1: of a whole number this is exact, and `clamp` would send both bounds to a GPU.
    let count = (mask.sum_keepdim(1)? - 1.0)?.relu()?.affine(1.0, 1.0)?;
    hidden.broadcast_mul(&mask.unsqueeze(2)?)?.sum(1)?.broadcast_div(&count)
}

/// One encoder layer: self-attention and feed-forward, each with a residual sum and a LayerNorm after it.
#[derive(Clone, Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    activation: HiddenActivation,
    heads: usize,
    hidden_dropout: f64,
    attention_dropout: f64,
    parameters: LayerParameters,
}

impl Layer {
    fn load(vb: &VarBuilder<'_>, config: &BertConfig, layer: &LayerParameters) -> Result<Self> {
        let linear = |layer: &LinearParameter| Linear::load(vb.pp(&layer.name), layer.inputs, layer.outputs);
        let [query, key, value] = &layer.query_key_value;
        Ok(Layer {
            query: linear(query)?,
            key: linear(key)?,
            value: linear(value)?,
            attention_output: linear(&layer.attention_output)?,
            attention_norm: layer_norm(vb, &layer.attention_norm)?,
            intermediate: linear(&layer.intermediate)?,
            output: linear(&layer.output)?,
            output_norm: layer_norm(vb, &layer.output_norm)?,
            activation: config.hidden_act,
            heads: config.num_attention_heads,
            hidden_dropout: config.hidden_dropout_prob,
            attention_dropout: config.attention_probs_dropout_prob,
            parameters: layer.clone(),
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        bias: &Tensor,
        mode: Mode<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Tensor> {
        let LayerParameters { query_key_value, attention_output, intermediate, output, .. } =
            &self.parameters;
        observer(query_key_value, x)?;
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        let (context, _) = attend(&q, &k, &v, Some(bias), self.heads, self.attention_dropout, mode)?;
        observer(slice::from_ref(attention_output), &context)?;
        let attended = dropout(&self.attention_output.forward(&context)?, self.hidden_dropout, mode)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        observer(slice::from_ref(intermediate), &x)?;
        let inner = self.intermediate.forward(&x)?;
        let inner = match self.activation {
            HiddenActivation::Gelu => gelu(&inner)?,
            HiddenActivation::GeluNew => inner.gelu()?,
            HiddenActivation::Relu => inner.relu()?,
        };
        observer(slice::from_ref(output), &inner)?;
        let fed = dropout(&self.output.forward(&inner)?, self.hidden_dropout, mode)?;
        self.output_norm.forward(&(fed + x)?)
    }
}

fn layer_norm(vb: &VarBuilder<'_>, norm: &LayerNormParameter) -> Result<LayerNorm> {
    LayerNorm::load(vb.pp(&norm.name), norm.width, norm.eps)
}

/// Turns the tensors of a real checkpoint into the ones that [`Bert::load`] asks for: drops a `bert.` prefix, renames
/// the old `gamma` / `beta` of LayerNorm, casts float16 and bfloat16 to float32, and leaves out what is no part of
/// the encoder (`position_ids`, the pooler, pre-training heads).
///
/// # Errors
/// Those of the cast.
pub fn normalise_checkpoint(tensors: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    let mut normal = HashMap::new();
    for (name, tensor) in tensors {
        let name = name.strip_prefix("bert.").unwrap_or(&name);
        let name =
            name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
        let encoder = name.starts_with("embeddings.") || name.starts_with("encoder.");
        if encoder && tensor.dtype().is_float() {
            normal.insert(name, tensor.to_dtype(DType::F32)?);
        }
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::layers::{
        NoiseSource,
        gradient_check::{assert_gradients, randomise},
    };

    fn tiny() -> BertConfig {
        BertConfig::from_json(
            r#"{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                "intermediate_size": 16, "max_position_embeddings": 10, "hidden_act": "gelu_new"}"#,
        )
        .expect("a valid config")
    }

    #[test]
    fn padding_does_not_change_the_answer() -> Result<()> {
        let vars = candle_nn::VarMap::new();
        let bert = Bert::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &tiny())?;
        let pooled = |ids: &[u32], mask: &[f32]| -> Result<Vec<f32>> {
            let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
            let mask = Tensor::new(mask, &Device::Cpu)?.unsqueeze(0)?;
            mean_pool(&bert.forward(&ids, &mask, Mode::Infer)?, &mask)?.squeeze(0)?.to_vec1()
        };
        let short = pooled(&[1, 5, 2], &[1.0; 3])?;
        let padded = pooled(&[1, 5, 2, 0, 9], &[1.0, 1.0, 1.0, 0.0, 0.0])?;
        for (a, b) in short.iter().zip(&padded) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
        Ok(())
    }

    #[test]
    fn dropout_is_for_training_alone() -> Result<()> {
        let vars = candle_nn::VarMap::new();
        let answer = |hidden: f64, attention: f64, mode: Mode<'_>| -> Result<Vec<f32>> {
            let config =
                BertConfig { hidden_dropout_prob: hidden, attention_probs_dropout_prob: attention, ..tiny() };
            let bert = Bert::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
            let ids = Tensor::new(&[[1u32, 5, 7, 2]], &Device::Cpu)?;
            bert.forward(&ids, &ids.ones_like()?.to_dtype(DType::F32)?, mode)?.flatten_all()?.to_vec1()
        };
        let train = |hidden, attention, seed| answer(hidden, attention, Mode::Train(&NoiseSource::new(seed)));
        let calm = answer(0.3, 0.3, Mode::Infer)?;
        for (hidden, attention) in [(0.3, 0.0), (0.0, 0.3)] {
            assert_ne!(train(hidden, attention, 1)?, calm);
            assert_ne!(train(hidden, attention, 1)?, train(hidden, attention, 2)?);
            assert_eq!(train(hidden, attention, 1)?, train(hidden, attention, 1)?);
        }
        assert_eq!(train(0.0, 0.0, 1)?, calm);
        Ok(())
    }

    #[test]
    fn an_id_outside_the_vocabulary_is_an_error() -> Result<()> {
        let vars = candle_nn::VarMap::new();
        let bert = Bert::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &tiny())?;
        let ids = Tensor::new(&[[1u32, 99]], &Device::Cpu)?;
        assert!(bert.forward(&ids, &Tensor::ones((1, 2), DType::F32, &Device::Cpu)?, Mode::Infer).is_err());
        Ok(())
    }

    #[test]
    fn old_checkpoint_names_are_understood() -> Result<()> {
        let one = Tensor::ones(2, DType::F16, &Device::Cpu)?;
        let raw =
            ["bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.beta", "bert.pooler.dense.weight"];
        let normal = normalise_checkpoint(raw.iter().map(|n| (n.to_string(), one.clone())).collect())?;
        let mut names: Vec<_> = normal.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["embeddings.LayerNorm.bias", "embeddings.LayerNorm.weight"]);
        assert!(normal.values().all(|t| t.dtype() == DType::F32));
        Ok(())
    }

    /// Half of the digits cost a little of each answer and of each gradient, and no more.
    #[test]
    fn half_precision_is_near() -> Result<()> {
        let vars = candle_nn::VarMap::new();
        let config = BertConfig { hidden_act: HiddenActivation::Gelu, layer_norm_eps: 1e-5, ..tiny() };
        let bert = Bert::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
        randomise(&vars)?;
        let ids = Tensor::new(&[[1u32, 5, 2, 5], [1, 7, 2, 0]], &Device::Cpu)?;
        let mask = Tensor::new(&[[1f32; 4], [1., 1., 1., 0.]], &Device::Cpu)?;
        let learned = |numbers: DType| -> Result<Vec<Vec<f32>>> {
            let bert = bert.clone().computing_in(numbers);
            let answer = mean_pool(&bert.forward(&ids, &mask, Mode::Train(&NoiseSource::new(5)))?, &mask)?;
            let gradients = answer.sqr()?.sum_all()?.backward()?;
            let mut vars: Vec<_> = vars.data().lock().unwrap().clone().into_iter().collect();
            vars.sort_by(|a, b| a.0.cmp(&b.0));
            let gradients = vars.iter().map(|(name, var)| match gradients.get(var) {
                Some(gradient) if gradient.dtype() == DType::F32 => gradient.flatten_all()?.to_vec1(),
                _ => panic!("{name} has no gradient in float32"),
            });
            std::iter::once(answer.flatten_all()?.to_vec1()).chain(gradients).collect()
        };
        let (whole, half) = (learned(DType::F32)?, learned(DType::BF16)?);
        let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
        let all = norm(&whole[1..].concat());
        for (i, (a, b)) in whole.iter().zip(&half).enumerate() {
            let apart: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            assert!(norm(&apart) <= 0.1 * norm(a).max(0.1 * all), "{i}: {a:?} against {b:?}");
        }
        assert_ne!(whole[0], half[0], "bfloat16 was used");
        Ok(())
    }

    /// Embeddings and layers, with dropout and padding.
    #[test]
    fn every_parameter_has_its_gradient() -> Result<()> {
        for hidden_act in [HiddenActivation::Relu, HiddenActivation::Gelu, HiddenActivation::GeluNew] {
            let vars = candle_nn::VarMap::new();
            let config = BertConfig { hidden_act, layer_norm_eps: 1e-5, ..tiny() };
            let bert = Bert::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu), &config)?;
            randomise(&vars)?;
            let ids = Tensor::new(&[[1u32, 5, 2, 5], [1, 7, 2, 0]], &Device::Cpu)?;
            let mask = Tensor::new(&[[1f64; 4], [1., 1., 1., 0.]], &Device::Cpu)?;
            assert_gradients(
                &vars,
                &[],
                |_| true,
                || {
                    // A state that leaves no feed-forward input so near 0 that a difference steps over ReLU's kink.
                    let noise = NoiseSource::new(5);
                    bert.forward(&ids, &mask, Mode::Train(&noise))
                },
            )?;
        }
        Ok(())
    }
}
