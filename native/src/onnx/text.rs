//! The BERT encoder as ONNX nodes.

use anyhow::Result;
use mixed_feelings::text::{Activation, BertConfig};

use super::{
    graph::{Axis, GraphBuilder, Value, int},
    layers::Layers,
    proto::ElementType,
};

/// What the text encoder says.
pub struct Text {
    /// Hidden states `[batch, tokens, hidden_size]`.
    pub hidden: Value,
    /// 1 for a real token, 0 for padding: `[batch, tokens]`, floats.
    pub mask: Value,
    /// The mean over the real tokens, `[batch, hidden_size]`.
    pub pooled: Value,
}

/// Adds the inputs `input_ids` and `attention_mask` (`[batch, tokens]`, int64) and the encoder `text.*`.
///
/// # Errors
/// When the checkpoint lacks a tensor.
pub fn encode(layers: &mut Layers<'_>, config: &BertConfig) -> Result<Text> {
    let axes = [Axis::Free("batch"), Axis::Free("tokens")];
    let ids = layers.graph.input("input_ids", ElementType::Int64, &axes);
    let mask = layers.graph.input("attention_mask", ElementType::Int64, &axes);
    let mask = layers.graph.cast("text.mask", &mask, ElementType::Float);

    let mut hidden = embed(layers, config, &ids)?;
    let bias = layers.key_bias("text.key_bias", &mask);
    for number in 0..config.num_hidden_layers {
        hidden = layer(layers, config, &format!("text.encoder.layer.{number}"), &hidden, &bias)?;
    }
    let pooled = layers.mean_pool("text.pooled", &hidden, &mask);
    Ok(Text { hidden, mask, pooled })
}

fn embed(layers: &mut Layers<'_>, config: &BertConfig, ids: &Value) -> Result<Value> {
    let name = |part: &str| format!("text.embeddings.{part}");
    let places = places(&mut layers.graph, ids);
    let words = layers.embedding(&name("words"), &name("word_embeddings"), ids)?;
    let positions = layers.embedding(&name("positions"), &name("position_embeddings"), &places)?;
    // All tokens are of type 0, and each position gets that row too.
    let types = layers.tensor(&name("token_type_embeddings.weight"))?.narrow(0, 0, 1)?;
    let types = layers.graph.tensor(&name("token_type_embeddings.weight.0"), &types)?;
    let sum = layers.graph.op("Add", &name("placed"), &[&words, &positions]);
    let sum = layers.graph.op("Add", &name("typed"), &[&sum, &types]);
    layers.layer_norm(&name("LayerNorm"), &sum, config.layer_norm_eps)
}

/// 0, 1, 2, ... for the tokens of each row. Counted, so that their shape is known to be that of `ids`: a slice of the table
/// has axes of its own, and runtimes join a sum with a LayerNorm where they know that its sides are of one shape.
fn places(graph: &mut GraphBuilder, ids: &Value) -> Value {
    let (zero, one) = (graph.integer("id.0", 0), graph.integer("id.1", 1));
    let zeros = graph.op("Mul", "text.zeros", &[ids, &zero]);
    let ones = graph.op("Add", "text.ones", &[&zeros, &one]);
    graph.op_with("CumSum", "text.places", &[&ones, &one], vec![int("exclusive", 1)])
}

fn layer(layers: &mut Layers<'_>, config: &BertConfig, name: &str, x: &Value, bias: &Value) -> Result<Value> {
    let of = |part: &str| format!("{name}.{part}");
    let (width, heads, eps) = (config.hidden_size, config.num_attention_heads, config.layer_norm_eps);
    let query = layers.linear(&of("attention.self.query"), x)?;
    let key = layers.linear(&of("attention.self.key"), x)?;
    let value = layers.linear(&of("attention.self.value"), x)?;
    let context = layers.attend(&of("attention.self"), [&query, &key, &value], Some(bias), width, heads);
    let attended = layers.linear(&of("attention.output.dense"), &context)?;
    let sum = layers.graph.op("Add", &of("attention.output.sum"), &[&attended, x]);
    let x = layers.layer_norm(&of("attention.output.LayerNorm"), &sum, eps)?;
    let inner = layers.linear(&of("intermediate.dense"), &x)?;
    let activated = of("intermediate.activation");
    let inner = match config.hidden_act {
        Activation::Gelu => layers.gelu(&activated, &inner),
        Activation::GeluNew => layers.gelu_new(&activated, &inner),
        Activation::Relu => layers.graph.op("Relu", &activated, &[&inner]),
    };
    let fed = layers.linear(&of("output.dense"), &inner)?;
    let sum = layers.graph.op("Add", &of("output.sum"), &[&fed, &x]);
    layers.layer_norm(&of("output.LayerNorm"), &sum, eps)
}
