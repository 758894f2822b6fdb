//! A backend that records: an encoder that runs over it once writes the nodes that compute it.
//!
//! Of integers, every level and every sum is one that the CPU computes too; a picture's are in the quantize-dequantize form.
//! The CPU's levels are of 7 bits, and `QuantizeLinear` saturates at 8. A `Clip` of levels holds them: it stands behind
//! `QuantizeLinear`, where it does not come between a convolution and its quantization, which runtimes compute as one; and
//! as its bounds are levels, it does not matter whether numbers are held before they are rounded or after. An activation's
//! bounds are levels too, so that the same `Clip` is the ReLU.
//!
//! In floats nothing is quantized: rows and levels are real numbers.

use anyhow::{Result, bail};
use mixed_feelings::{
    backend::{Backend, ConvStep, GateStep},
    image::{Picture, quantized::ImageEncoder},
    model::{
        Activation, HiddenActivation, LayerNormParameter, LinearParameter, Preprocess, RangeParameter,
        TextParameters,
    },
    text::quantized::TextEncoder,
};

use super::{
    graph::{Axis, GraphBuilder, Value, float, int, ints},
    nodes::RowLevels,
    proto::ElementType,
    weights::{self, Conv, Levels, Linear, Range, Table, Weights},
};

/// A graph that the encoders are written to.
pub struct Recorder {
    /// What the nodes are added to.
    pub graph: GraphBuilder,
    /// The input of token ids.
    ids: Value,
    /// What hides padding from the text's attention.
    key_bias: Value,
}

/// Rows of real numbers, and of levels once a layer with int8 weights has read them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    reals: Value,
    levels: Option<RowLevels>,
}

/// BERT's tables. All tokens are of type 0.
#[derive(Clone, Debug)]
pub struct Embeddings {
    words: Table,
    positions: Table,
    token_type: Value,
}

/// What an encoder gives.
pub struct Encoded {
    /// Hidden states `[batch, tokens, hidden_size]`, or the last grid `[batch, channels, rows, columns]`.
    pub items: Value,
    /// 1 for a token, 0 for padding: `[batch, tokens]`, floats. All cells of a grid count.
    pub mask: Option<Value>,
    /// The mean over the items, `[batch, features]`.
    pub pooled: Value,
}

impl Recorder {
    /// An empty graph.
    pub fn new() -> Self {
        let graph = GraphBuilder::new("mixed-feelings");
        Recorder { graph, ids: Value::new(), key_bias: Value::new() }
    }

    /// Adds the inputs `input_ids` and `attention_mask` (`[batch, tokens]`, int64) and the text encoder.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    pub fn text(&mut self, weights: &Weights) -> Result<Encoded> {
        let (config, parameters) = (&weights.checkpoint.config, &weights.parameters);
        let axes = [Axis::Free("batch"), Axis::Free("tokens")];
        self.ids = self.graph.input("input_ids", ElementType::Int64, &axes);
        let mask = self.graph.input("attention_mask", ElementType::Int64, &axes);
        let mask = self.graph.cast("text.mask", &mask, ElementType::Float);
        self.key_bias = self.graph.key_bias("text.key_bias", &mask);
        let mut encoder = TextEncoder::load(self, weights, &config.text, &parameters.text)?;
        // Any id will do: the graph's come in.
        let items = encoder.encode(self, &[&[0]])?[0].clone();
        let pooled = self.graph.mean_pool("text.pooled", &items, &mask);
        Ok(Encoded { items, mask: Some(mask), pooled })
    }

    /// Adds the input `pixel_values` (`[batch, 3, input_size, input_size]`, normalized floats) and the image encoder. The
    /// input has one size, because the zeros around it depend on it.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    pub fn image(&mut self, weights: &Weights) -> Result<Encoded> {
        let (config, parameters) = (&weights.checkpoint.config, &weights.parameters);
        let mut encoder = ImageEncoder::load(self, weights, &config.preprocess, &parameters.image)?;
        // Any picture will do: the graph's pixels come in.
        let items = encoder.encode(self, &Picture::from_rgb(1, 1, vec![0; 3])?)[0].clone();
        let mean = self.graph.op("GlobalAveragePool", "image.mean", &[&items]);
        let pooled = self.graph.op_with("Flatten", "image.pooled", &[&mean], vec![int("axis", 1)]);
        Ok(Encoded { items, mask: None, pooled })
    }

    /// The logits of a head. It is in floats, whatever the other layers are: it has few weights.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub fn classify(&mut self, weights: &Weights, head: &LinearParameter, x: &Value) -> Result<Value> {
        let layer = weights.float_linear(&mut self.graph, head)?;
        Ok(self.project(&vec![layer], x).concat())
    }

    /// Linear layers over the same rows, which are quantized if the weights are.
    pub fn project(&mut self, layers: &Vec<Linear>, x: &Value) -> Vec<Value> {
        let mut out = vec![];
        self.linear(layers, &mut Rows { reals: x.clone(), levels: None }, None, &mut out);
        out
    }

    /// The rows of a table.
    fn look_up(&mut self, Table { name, values, scale }: &Table, ids: &Value) -> Value {
        let rows = format!("{name}.rows");
        let Some(scale) = scale else { return self.graph.op("Gather", &rows, &[values, ids]) };
        let levels = self.graph.op("Gather", &format!("{name}.levels"), &[values, ids]);
        let levels = self.graph.cast(&format!("{name}.reals"), &levels, ElementType::Float);
        let scale = self.graph.op("Gather", &format!("{name}.scales"), &[scale, ids]);
        self.graph.op("Mul", &rows, &[&levels, &scale])
    }

    /// What levels stand for; of weights along an axis. Every reader has its own node, as the quantize-dequantize form asks
    /// for.
    fn reals(&mut self, name: &str, Levels { value, quantization }: &Levels, axis: Option<i64>) -> Value {
        let Some([scale, zero]) = quantization else { return value.clone() };
        let settings = axis.map(|axis| int("axis", axis)).into_iter().collect();
        self.graph.op_with("DequantizeLinear", name, &[value, scale, zero], settings)
    }

    /// The levels of real numbers, if they have a range.
    fn levels(&mut self, name: &str, reals: Value, range: &Option<Range>) -> Levels {
        let Some(Range { quantization: [scale, zero], bounds: [least, most] }) = range else {
            return Levels { value: reals, quantization: None };
        };
        let rounded = self.graph.op("QuantizeLinear", &format!("{name}.rounded"), &[&reals, scale, zero]);
        let value = self.graph.op("Clip", &format!("{name}.levels"), &[&rounded, least, most]);
        Levels { value, quantization: Some([scale.clone(), zero.clone()]) }
    }

    /// A convolution with its bias, and the residual.
    fn sums(&mut self, conv: &Conv, input: &Levels, residual: Option<&Levels>) -> Value {
        let of = |part: &str| format!("{}.{part}", conv.name);
        let input = self.reals(&of("input"), input, None);
        let weight = self.reals(&of("weight.reals"), &conv.weight, Some(0));
        let inputs = [&input, &weight, &conv.bias];
        let sums = self.graph.op_with("Conv", &of("sums"), &inputs, conv.settings.clone());
        let Some(residual) = residual else { return sums };
        let residual = self.reals(&format!("{}.residual", conv.output_name), residual, None);
        self.graph.op("Add", &format!("{}.sum", conv.output_name), &[&sums, &residual])
    }
}

impl Backend for Recorder {
    type Source = Weights;
    type Error = anyhow::Error;
    /// One value for each of the layers whose outputs lie side by side: optimizers look for queries, keys and values
    /// that are three.
    type Reals = Vec<Value>;
    type Rows = Rows;
    type Levels = Levels;
    type Embeddings = Embeddings;
    type Linear = Vec<Linear>;
    /// With weight and bias.
    type LayerNorm = (LayerNormParameter, [Value; 2]);
    /// The side of the input, and its range if it is quantized.
    type Pixels = (usize, Option<Range>);
    type Conv = Conv;
    /// The name of its output, and the range of that if it is quantized.
    type Gate = (String, Option<Range>);

    fn make_embeddings(&mut self, weights: &Weights, text: &TextParameters) -> Result<Embeddings> {
        let token_types = format!("{}.weight", text.token_types.name);
        Ok(Embeddings {
            words: weights.table(&mut self.graph, &text.words)?,
            positions: weights.table(&mut self.graph, &text.positions)?,
            token_type: weights.row(&mut self.graph, &token_types, 0)?,
        })
    }

    fn make_linear(&mut self, weights: &Weights, layers: &[LinearParameter]) -> Result<Vec<Linear>> {
        let each = layers.iter().map(|layer| weights.linear(&mut self.graph, layer, &[&layer.name]));
        Ok(each.collect::<Result<Vec<_>>>()?.concat())
    }

    fn make_layer_norm(&mut self, weights: &Weights, norm: &LayerNormParameter) -> Result<Self::LayerNorm> {
        let [weight, bias] = norm.tensors();
        let graph = &mut self.graph;
        Ok((norm.clone(), [weights.floats(graph, &weight)?, weights.floats(graph, &bias)?]))
    }

    fn make_pixels(
        &mut self,
        weights: &Weights,
        preprocess: &Preprocess,
        range: &RangeParameter,
    ) -> Result<Self::Pixels> {
        let read = |bundle| weights::range(&mut self.graph, bundle, range);
        Ok((preprocess.input_size, weights.integers.as_ref().map(read).transpose()?))
    }

    fn make_conv(&mut self, weights: &Weights, step: &ConvStep<'_>) -> Result<Conv> {
        let graph = &mut self.graph;
        let name = step.parameter.name.clone();
        let (weight, output) = match &weights.integers {
            Some(bundle) => {
                let output = step.output.map(|range| weights::range(graph, bundle, range)).transpose()?;
                (weights::conv_levels(graph, bundle, step)?, output)
            }
            None => {
                let value = weights.floats(graph, &format!("{name}.weight"))?;
                (Levels { value, quantization: None }, None)
            }
        };
        Ok(Conv {
            output_name: format!("image.{}", step.name),
            weight,
            bias: weights.floats(graph, &format!("{name}.bias"))?,
            settings: weights::conv_settings(&step.parameter.spec, step.side),
            activation: step.activation,
            output,
            name,
        })
    }

    fn make_gate(&mut self, weights: &Weights, step: &GateStep<'_>) -> Result<Self::Gate> {
        let range = |bundle| weights::range(&mut self.graph, bundle, step.range);
        Ok((format!("image.{}", step.name), weights.integers.as_ref().map(range).transpose()?))
    }

    fn embed(&mut self, tables: &Embeddings, _texts: &[&[u32]], out: &mut Vec<Value>) {
        let ids = self.ids.clone();
        let positions = self.graph.positions("text.positions", &ids);
        let words = self.look_up(&tables.words, &ids);
        let positions = self.look_up(&tables.positions, &positions);
        let sum = self.graph.op("Add", "text.embeddings.placed", &[&words, &positions]);
        *out = vec![self.graph.op("Add", "text.embeddings.typed", &[&sum, &tables.token_type])];
    }

    fn layer_norm(&mut self, norm: &Self::LayerNorm, x: &mut Vec<Value>, residual: Option<&Vec<Value>>) {
        let (LayerNormParameter { name, eps, .. }, [weight, bias]) = norm;
        let graph = &mut self.graph;
        if let Some(residual) = residual {
            x[0] = graph.op("Add", &format!("{name}.sum"), &[&x[0], &residual[0]]);
        }
        let settings = vec![int("axis", -1), float("epsilon", *eps)];
        x[0] = graph.op_with("LayerNormalization", name, &[&x[0], weight, bias], settings);
    }

    fn quantize_rows(&mut self, x: &Vec<Value>, _width: usize, out: &mut Rows) {
        *out = Rows { reals: x[0].clone(), levels: None };
    }

    fn linear(
        &mut self,
        linear: &Vec<Linear>,
        x: &mut Rows,
        activation: Option<HiddenActivation>,
        out: &mut Vec<Value>,
    ) {
        let graph = &mut self.graph;
        let layer = |Linear { name, weight, bias, integers }: &Linear| {
            let of_product = format!("{name}.product");
            let product = match integers {
                Some([scale, sums]) => {
                    let rows = x.levels.get_or_insert_with(|| graph.row_levels(&x.reals));
                    graph.integer_product(&of_product, rows, [weight, scale, sums])
                }
                None => graph.op("MatMul", &of_product, &[&x.reals, weight]),
            };
            let sum = graph.op("Add", name, &[&product, bias]);
            let of_activation = format!("{name}.activation");
            match activation {
                None => sum,
                Some(HiddenActivation::Gelu) => graph.gelu(&of_activation, &sum),
                Some(HiddenActivation::GeluNew) => graph.gelu_new(&of_activation, &sum),
                Some(HiddenActivation::Relu) => graph.op("Relu", &of_activation, &[&sum]),
            }
        };
        *out = linear.iter().map(layer).collect();
    }

    fn attend(
        &mut self,
        qkv: &Vec<Value>,
        _lengths: &[usize],
        width: usize,
        heads: usize,
        out: &mut Vec<Value>,
    ) {
        let [query, key, value] = [0, 1, 2].map(|part| &qkv[part]);
        let name = query.trim_end_matches(".query");
        *out = vec![self.graph.attention(name, [query, key, value], Some(&self.key_bias), (width, heads))];
    }

    fn pixels(&mut self, (side, range): &Self::Pixels, _squares: &[&[u8]], out: &mut Levels) {
        let axes = [Axis::Free("batch"), Axis::Fixed(3), Axis::Fixed(*side), Axis::Fixed(*side)];
        let input = self.graph.input("pixel_values", ElementType::Float, &axes);
        *out = self.levels("image.pixels", input, range);
    }

    fn conv(&mut self, conv: &Conv, input: &Levels, residual: Option<&Levels>, out: &mut Levels) {
        let sums = self.sums(conv, input, residual);
        // The bounds of levels are the activation's, but for one that is a curve.
        let reals = match (&conv.output, conv.activation) {
            (Some(_), Activation::None | Activation::Relu | Activation::Relu6) => sums,
            _ => self.graph.activate(&conv.output_name, &sums, conv.activation),
        };
        *out = self.levels(&conv.output_name, reals, &conv.output);
    }

    fn conv_to_reals(
        &mut self,
        conv: &Conv,
        input: &Levels,
        residual: Option<&Levels>,
        out: &mut Vec<Value>,
    ) {
        let sums = self.sums(conv, input, residual);
        *out = vec![self.graph.activate(&conv.output_name, &sums, conv.activation)];
    }

    fn max_pool(&mut self, input: &Levels, _side: usize, _channels: usize, out: &mut Levels) {
        let settings =
            vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
        // The order of levels is that of what they stand for.
        let value = self.graph.op_with("MaxPool", "image.max_pool", &[&input.value], settings);
        *out = Levels { value, quantization: input.quantization.clone() };
    }

    fn squeeze(&mut self, (name, _): &Self::Gate, input: &Levels, out: &mut Vec<Value>) {
        let reals = self.reals(&format!("{name}.squeeze.input"), input, None);
        let mean = self.graph.op("GlobalAveragePool", &format!("{name}.squeeze.mean"), &[&reals]);
        let flat = vec![int("axis", 1)];
        *out = vec![self.graph.op_with("Flatten", &format!("{name}.squeeze"), &[&mean], flat)];
    }

    fn excite(&mut self, (name, range): &Self::Gate, input: &Levels, logits: &Vec<Value>, out: &mut Levels) {
        let of = |part: &str| format!("{name}.excite.{part}");
        let reals = self.reals(&of("input"), input, None);
        let graph = &mut self.graph;
        // relu6(x + 3) / 6
        let settings = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
        let gate = graph.op_with("HardSigmoid", &of("gate"), &[&logits[0]], settings);
        let axes = graph.integers("axes.2.3", &[2, 3]);
        let gate = graph.op("Unsqueeze", &of("gate.wide"), &[&gate, &axes]);
        let gated = graph.op("Mul", name, &[&reals, &gate]);
        *out = self.levels(name, gated, range);
    }

    async fn read(&mut self, _x: &Vec<Value>) -> Result<Vec<f32>> {
        bail!("a recorded graph has no numbers to read: run the file that it becomes")
    }
}
