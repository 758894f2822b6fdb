//! The layers that text encoder and fusion share, as ONNX nodes. Each method takes the checkpoint's name of the layer and
//! names its nodes after it.

use anyhow::{Context, Result};
use candle_core::Tensor;
use std::collections::HashMap;

use mixed_feelings::Bundle;

use super::{
    graph::{GraphBuilder, Value, float, int, ints, signed},
    rows::{QuantizedRows, Weights},
};

/// A graph and the weights that its layers come from.
pub struct Layers<'a> {
    /// What the nodes are added to.
    pub graph: GraphBuilder,
    /// The checkpoint's weights, or those of a bundle as floats.
    pub tensors: &'a HashMap<String, Tensor>,
    /// The bundle whose integers are written in the place of most floats, if any are.
    pub int8: Option<&'a Bundle>,
    /// What has been quantised already, by its name.
    pub quantized: HashMap<Value, QuantizedRows>,
}

impl<'a> Layers<'a> {
    /// An empty graph over `tensors`, and over the integers of `int8` if they are to be written.
    pub fn new(tensors: &'a HashMap<String, Tensor>, int8: Option<&'a Bundle>) -> Self {
        Layers { graph: GraphBuilder::new("mixed-feelings"), tensors, int8, quantized: HashMap::new() }
    }

    /// The checkpoint's tensor `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn tensor(&self, name: &str) -> Result<&'a Tensor> {
        self.tensors.get(name).with_context(|| format!("the checkpoint has no tensor `{name}`"))
    }

    /// The checkpoint's tensor `name` as a constant.
    ///
    /// # Errors
    /// When there is none.
    pub fn weight(&mut self, name: &str) -> Result<Value> {
        let tensor = self.tensor(name)?.clone();
        Ok(self.graph.tensor(name, &tensor)?)
    }

    /// A linear layer on the last axis, from `{name}.weight` and `{name}.bias`.
    ///
    /// # Errors
    /// When a tensor is missing or of another rank.
    pub fn linear(&mut self, name: &str, x: &Value) -> Result<Value> {
        let Some(bundle) = self.int8 else { return self.head(name, x) };
        let (outputs, inputs) = self.tensor(&format!("{name}.weight"))?.dims2()?;
        let weights = Weights::read(bundle, name, outputs, inputs)?;
        Ok(self.int8_linear(name, &weights, x))
    }

    /// The same in floats, whatever the other layers are: a classifier has few weights.
    ///
    /// # Errors
    /// When a tensor is missing or of another rank.
    pub fn head(&mut self, name: &str, x: &Value) -> Result<Value> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight"))?, self.tensor(&format!("{name}.bias"))?);
        self.float_linear(name, weight, bias, x)
    }

    /// The linear layer `name` that is the `part`th of those that torch keeps in one, the attention's `in_proj`.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub fn projection(&mut self, name: &str, stack: &str, part: usize, x: &Value) -> Result<Value> {
        let (weight, bias) =
            (self.tensor(&format!("{stack}_weight"))?, self.tensor(&format!("{stack}_bias"))?);
        let (rows, width) = weight.dims2()?;
        if let Some(bundle) = self.int8 {
            let weights = Weights::read(bundle, stack, rows, width)?.rows(part * width, width);
            return Ok(self.int8_linear(name, &weights, x));
        }
        let (weight, bias) = (weight.narrow(0, part * width, width)?, bias.narrow(0, part * width, width)?);
        self.float_linear(name, &weight, &bias, x)
    }

    fn float_linear(&mut self, name: &str, weight: &Tensor, bias: &Tensor, x: &Value) -> Result<Value> {
        // A matrix product takes `[in, out]`: a constant that need not be turned at run time.
        let weight = self.graph.tensor(&format!("{name}.weight.T"), &weight.t()?.contiguous()?)?;
        let bias = self.graph.tensor(&format!("{name}.bias"), bias)?;
        let product = self.graph.op("MatMul", &format!("{name}.product"), &[x, &weight]);
        Ok(self.graph.op("Add", name, &[&product, &bias]))
    }

    /// The rows `ids` of the table `{table}.weight`.
    ///
    /// # Errors
    /// When the tensor is missing.
    pub fn embedding(&mut self, name: &str, table: &str, ids: &Value) -> Result<Value> {
        if let Some(bundle) = self.int8 {
            let (rows, width) = self.tensor(&format!("{table}.weight"))?.dims2()?;
            return self.int8_embedding(name, bundle, (table, rows, width), ids);
        }
        let table = self.weight(&format!("{table}.weight"))?;
        Ok(self.graph.op("Gather", name, &[&table, ids]))
    }

    /// LayerNorm over the last axis.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub fn layer_norm(&mut self, name: &str, x: &Value, eps: f64) -> Result<Value> {
        let (weight, bias) = (self.weight(&format!("{name}.weight"))?, self.weight(&format!("{name}.bias"))?);
        let settings = vec![signed("axis", -1), float("epsilon", eps)];
        Ok(self.graph.op_with("LayerNormalization", name, &[x, &weight, &bias], settings))
    }

    /// Attention of several heads: `query`, `key` and `value` are `[batch, items, width]`, `bias` is added to the scores.
    pub fn attend(
        &mut self,
        name: &str,
        [query, key, value]: [&Value; 3],
        bias: Option<&Value>,
        width: usize,
        heads: usize,
    ) -> Value {
        let graph = &mut self.graph;
        let head = width / heads;
        let apart = graph.integers(&format!("split.{heads}.{head}"), &[0, 0, heads as i64, head as i64]);
        let mut split = |what: &str, x: &Value, order: [usize; 4]| {
            let parts = graph.op("Reshape", &format!("{name}.{what}.split"), &[x, &apart]);
            graph.op_with("Transpose", &format!("{name}.{what}.heads"), &[&parts], vec![ints("perm", &order)])
        };
        let query = split("query", query, [0, 2, 1, 3]);
        let key = split("key", key, [0, 2, 3, 1]);
        let value = split("value", value, [0, 2, 1, 3]);
        let product = graph.op("MatMul", &format!("{name}.products"), &[&query, &key]);
        let divisor = graph.scalar(&format!("sqrt.{head}"), (head as f64).sqrt());
        let mut scores = graph.op("Div", &format!("{name}.scores"), &[&product, &divisor]);
        if let Some(bias) = bias {
            scores = graph.op("Add", &format!("{name}.masked"), &[&scores, bias]);
        }
        let probabilities =
            graph.op_with("Softmax", &format!("{name}.probabilities"), &[&scores], vec![signed("axis", -1)]);
        let context = graph.op("MatMul", &format!("{name}.context.heads"), &[&probabilities, &value]);
        let order = vec![ints("perm", &[0, 2, 1, 3])];
        let context = graph.op_with("Transpose", &format!("{name}.context.split"), &[&context], order);
        let together = graph.integers(&format!("join.{width}"), &[0, 0, width as i64]);
        graph.op("Reshape", &format!("{name}.context"), &[&context, &together])
    }

    /// What [`attend`](Self::attend) adds to its scores for a mask `[batch, items]` of 1 and 0: 0 and -1e9, `[batch, 1, 1,
    /// items]`. In the steps by which exporters of BERT write it, because optimizers of attention look for them.
    pub fn key_bias(&mut self, name: &str, mask: &Value) -> Value {
        let graph = &mut self.graph;
        let (one, large) = (graph.scalar("one", 1.0), graph.scalar("large", -1e9));
        let (heads, queries) = (graph.integers("axes.1", &[1]), graph.integers("axes.2", &[2]));
        let mask = graph.op("Unsqueeze", &format!("{name}.heads"), &[mask, &heads]);
        let mask = graph.op("Unsqueeze", &format!("{name}.queries"), &[&mask, &queries]);
        let hidden = graph.op("Sub", &format!("{name}.hidden"), &[&one, &mask]);
        graph.op("Mul", name, &[&hidden, &large])
    }

    /// The mean of `[batch, items, width]` over the items that the mask `[batch, items]` marks with 1.
    pub fn mean_pool(&mut self, name: &str, items: &Value, mask: &Value) -> Value {
        let graph = &mut self.graph;
        let axis = graph.integers("axes.1", &[1]);
        let last = graph.integers("axes.2", &[2]);
        let wide = graph.op("Unsqueeze", &format!("{name}.mask"), &[mask, &last]);
        let real = graph.op("Mul", &format!("{name}.real"), &[items, &wide]);
        let gone = vec![int("keepdims", 0)];
        let sum = graph.op_with("ReduceSum", &format!("{name}.sum"), &[&real, &axis], gone);
        let count = graph.op("ReduceSum", &format!("{name}.count"), &[mask, &axis]);
        let one = graph.scalar("one", 1.0);
        let count = graph.op("Max", &format!("{name}.divisor"), &[&count, &one]);
        graph.op("Div", name, &[&sum, &count])
    }

    /// `x Φ(x)`, written with the error function as every runtime's optimizer knows it.
    pub fn gelu(&mut self, name: &str, x: &Value) -> Value {
        let graph = &mut self.graph;
        let (root, one, half) =
            (graph.scalar("sqrt.2", 2f64.sqrt()), graph.scalar("one", 1.0), graph.scalar("half", 0.5));
        let scaled = graph.op("Div", &format!("{name}.scaled"), &[x, &root]);
        let erf = graph.op("Erf", &format!("{name}.erf"), &[&scaled]);
        let shifted = graph.op("Add", &format!("{name}.shifted"), &[&erf, &one]);
        let product = graph.op("Mul", &format!("{name}.product"), &[x, &shifted]);
        graph.op("Mul", name, &[&product, &half])
    }

    /// Its approximation `x / 2 (1 + tanh(sqrt(2 / π) (x + 0.044715 x³)))` (Hendrycks & Gimpel 2016).
    pub fn gelu_new(&mut self, name: &str, x: &Value) -> Value {
        let graph = &mut self.graph;
        let (one, half) = (graph.scalar("one", 1.0), graph.scalar("half", 0.5));
        let cubic = graph.scalar("gelu.cubic", 0.044715);
        let root = graph.scalar("gelu.root", (2.0 / std::f64::consts::PI).sqrt());
        let square = graph.op("Mul", &format!("{name}.square"), &[x, x]);
        let cube = graph.op("Mul", &format!("{name}.cube"), &[&square, x]);
        let bent = graph.op("Mul", &format!("{name}.bent"), &[&cube, &cubic]);
        let sum = graph.op("Add", &format!("{name}.sum"), &[x, &bent]);
        let inner = graph.op("Mul", &format!("{name}.inner"), &[&sum, &root]);
        let tanh = graph.op("Tanh", &format!("{name}.tanh"), &[&inner]);
        let shifted = graph.op("Add", &format!("{name}.shifted"), &[&tanh, &one]);
        let product = graph.op("Mul", &format!("{name}.product"), &[x, &shifted]);
        graph.op("Mul", name, &[&product, &half])
    }
}
