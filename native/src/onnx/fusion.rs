//! Heads and fusion as ONNX nodes, for batches in which a row may lack a modality: as
//! [`mixed_feelings::fusion::float`] has them.

use anyhow::Result;
use mixed_feelings::{
    Labels,
    backend::Backend,
    model::{FusionConfig, FusionKind, FusionParameters, LinearParameter, Modality, VectorParameter},
};

use super::{
    graph::{Axis, Value, int, ints},
    proto::ElementType,
    recorder::{Encoded, Recorder},
    weights::Weights,
};

/// One modality of a batch.
struct Input {
    modality: Modality,
    encoded: Encoded,
    /// 1 in the rows that have it, `[batch, 1]`.
    has: Value,
    /// 0 in the rows that have it, `[batch, 1]`.
    lacks: Value,
    /// Of its own head.
    logits: Value,
}

/// Adds the inputs `has_text` and `has_image` (`[batch]`, 1 or 0) and all heads, and makes their logits outputs. A row of a
/// head whose modality is missing in that row means nothing.
///
/// # Errors
/// When a tensor is missing or wrong.
pub fn fuse(recorder: &mut Recorder, weights: &Weights, [text, image]: [Encoded; 2]) -> Result<()> {
    let Weights { checkpoint, parameters, .. } = weights;
    let mut heads = Heads { recorder, weights };
    let text = heads.input(Modality::Text, text, &parameters.heads.text)?;
    let image = heads.input(Modality::Image, image, &parameters.heads.image)?;
    let fused = heads.fused([&text, &image], &checkpoint.config.fusion, &parameters.fusion)?;
    let labels = &checkpoint.config.labels;
    let contradiction = heads.contradiction([&text, &image], labels, &parameters.contradiction)?;
    let graph = &mut heads.recorder.graph;
    let classes = [Axis::Free("batch"), Axis::Fixed(labels.len())];
    graph.output("text_logits", &text.logits, &classes);
    graph.output("image_logits", &image.logits, &classes);
    graph.output("fused_logits", &fused, &classes);
    graph.output("contradiction_logit", &contradiction, &classes[..1]);
    Ok(())
}

struct Heads<'a> {
    recorder: &'a mut Recorder,
    weights: &'a Weights,
}

impl Heads<'_> {
    fn input(&mut self, modality: Modality, encoded: Encoded, head: &LinearParameter) -> Result<Input> {
        let name = modality.name();
        let graph = &mut self.recorder.graph;
        let has = graph.input(&format!("has_{name}"), ElementType::Float, &[Axis::Free("batch")]);
        let axis = graph.integers("axes.1", &[1]);
        let has = graph.op("Unsqueeze", &format!("{name}.has"), &[&has, &axis]);
        let one = graph.scalar("one", 1.0);
        let lacks = graph.op("Sub", &format!("{name}.lacks"), &[&one, &has]);
        let logits = self.recorder.classify(self.weights, head, &encoded.pooled)?;
        Ok(Input { modality, encoded, has, lacks, logits })
    }

    /// The logits of the fused head.
    fn fused(
        &mut self,
        inputs: [&Input; 2],
        config: &FusionConfig,
        parameters: &FusionParameters,
    ) -> Result<Value> {
        match parameters {
            FusionParameters::Late { weights, bias } => self.late(inputs, weights, bias),
            FusionParameters::Concat { projections, missing, classifier } => {
                let mut pooled = vec![];
                for input in inputs {
                    let modality = input.modality;
                    pooled.push(self.pooled(input, (projections.get(modality), missing.get(modality)))?);
                }
                let both = self.concat("fusion.both", &pooled, 1);
                self.recorder.classify(self.weights, classifier, &both)
            }
            FusionParameters::Attention {
                projections,
                missing,
                modality: modalities,
                in_proj,
                out_proj,
                norm,
                classifier,
            } => {
                let (mut items, mut masks) = (vec![], vec![]);
                for (row, input) in inputs.into_iter().enumerate() {
                    let modality = input.modality;
                    let projection = (projections.get(modality), missing.get(modality));
                    let of = |part: &str| format!("{}.{part}", projection.0.name);
                    let all = if config.kind == FusionKind::Tokens {
                        let (all, mask) = self.sequence(input, projection)?;
                        masks.push(mask);
                        all
                    } else {
                        let vector = self.pooled(input, projection)?;
                        let axis = self.recorder.graph.integers("axes.1", &[1]);
                        self.recorder.graph.op("Unsqueeze", &of("item"), &[&vector, &axis])
                    };
                    let graph = &mut self.recorder.graph;
                    let vector = self.weights.row(graph, &modalities.name, row)?;
                    items.push(graph.op("Add", &of("modality"), &[&all, &vector]));
                }
                let items = self.concat("fusion.items", &items, 1);
                // Each of the two pooled items is always there, as itself or as its stand-in.
                let mask = (!masks.is_empty()).then(|| self.concat("fusion.mask", &masks, 1));
                let context = self.context(&items, mask.as_ref(), config, in_proj)?;
                let mut normed = self.linear(out_proj, &context)?;
                let norm = self.recorder.make_layer_norm(self.weights, norm)?;
                self.recorder.layer_norm(&norm, &mut normed, Some(&vec![items]));
                let (graph, gone) = (&mut self.recorder.graph, int("keepdims", 0));
                let mean = match &mask {
                    Some(mask) => graph.mean_pool("fusion.mean", &normed[0], mask),
                    None => {
                        let settings = vec![ints("axes", &[1]), gone];
                        graph.op_with("ReduceMean", "fusion.mean", &[&normed[0]], settings)
                    }
                };
                self.recorder.classify(self.weights, classifier, &mean)
            }
        }
    }

    /// What the attention reads from the values, `[batch, items, width]`.
    fn context(
        &mut self,
        items: &Value,
        mask: Option<&Value>,
        &FusionConfig { width, heads, .. }: &FusionConfig,
        in_proj: &LinearParameter,
    ) -> Result<Value> {
        let graph = &mut self.recorder.graph;
        let bias = mask.map(|mask| graph.key_bias("fusion.key_bias", mask));
        let name = in_proj.name.trim_end_matches(".in_proj");
        let parts = ["query", "key", "value"].map(|part| format!("{name}.{part}"));
        let layers = self.weights.linear(graph, in_proj, &parts.each_ref().map(String::as_str))?;
        let projected = self.recorder.project(&layers, items);
        let [query, key, value] = [0, 1, 2].map(|part| &projected[part]);
        Ok(self.recorder.graph.attention(name, [query, key, value], bias.as_ref(), (width, heads)))
    }

    fn linear(&mut self, layer: &LinearParameter, x: &Value) -> Result<Vec<Value>> {
        let layers = self.weights.linear(&mut self.recorder.graph, layer, &[&layer.name])?;
        Ok(self.recorder.project(&layers, x))
    }

    fn concat(&mut self, name: &str, values: &[Value], axis: i64) -> Value {
        let values: Vec<&Value> = values.iter().collect();
        self.recorder.graph.op_with("Concat", name, &values, vec![int("axis", axis)])
    }

    /// The projected pooled vector, or the stand-in where the modality is missing: `[batch, width]`.
    fn pooled(
        &mut self,
        input: &Input,
        (projection, missing): (&LinearParameter, &VectorParameter),
    ) -> Result<Value> {
        let vector = self.linear(projection, &input.encoded.pooled)?;
        let graph = &mut self.recorder.graph;
        let missing = self.weights.floats(graph, &missing.name)?;
        let of = |part: &str| format!("{}.{part}", projection.name);
        let present = graph.op("Mul", &of("present"), &[&vector[0], &input.has]);
        let stand_in = graph.op("Mul", &of("stand_in"), &[&input.lacks, &missing]);
        Ok(graph.op("Add", &of("pooled"), &[&present, &stand_in]))
    }

    /// The stand-in and all projected items, and which of them count.
    fn sequence(
        &mut self,
        input: &Input,
        (projection, missing): (&LinearParameter, &VectorParameter),
    ) -> Result<(Value, Value)> {
        let of = |part: &str| format!("{}.{part}", projection.name);
        let (items, mask) = match &input.encoded.mask {
            Some(mask) => (input.encoded.items.clone(), mask.clone()),
            None => self.cells(&input.encoded.items),
        };
        let items = self.linear(projection, &items)?.concat();
        let graph = &mut self.recorder.graph;
        let missing = self.weights.floats(graph, &missing.name)?;
        let batch = vec![int("start", 0), int("end", 1)];
        let rows = graph.op_with("Shape", &of("rows"), &[&items], batch);
        let width = projection.outputs;
        let rest = graph.integers(&format!("one.{width}"), &[1, width as i64]);
        let shape = self.concat(&of("stand_in.shape"), &[rows, rest], 0);
        let stand_in = self.recorder.graph.op("Expand", &of("stand_in"), &[&missing, &shape]);
        let all = self.concat(&of("items"), &[stand_in, items], 1);
        let present = self.recorder.graph.op("Mul", &of("present"), &[&mask, &input.has]);
        Ok((all, self.concat(&of("mask"), &[input.lacks.clone(), present], 1)))
    }

    /// The cells of the grid row by row, `[batch, cells, channels]`, all of which count.
    fn cells(&mut self, grid: &Value) -> (Value, Value) {
        let graph = &mut self.recorder.graph;
        let shape = graph.integers("flat", &[0, 0, -1]);
        let flat = graph.op("Reshape", "image.grid.flat", &[grid, &shape]);
        let cells = graph.op_with("Transpose", "image.cells", &[&flat], vec![ints("perm", &[0, 2, 1])]);
        let whole = vec![int("start", 0), int("end", 2)];
        let size = graph.op_with("Shape", "image.cells.shape", &[&cells], whole);
        let one = graph.scalar("one", 1.0);
        let mask = graph.op("Expand", "image.cells.mask", &[&one, &size]);
        (cells, mask)
    }

    /// The weighted sum of the two heads' log-probabilities.
    fn late(
        &mut self,
        inputs: [&Input; 2],
        weights: &VectorParameter,
        bias: &VectorParameter,
    ) -> Result<Value> {
        let graph = &mut self.recorder.graph;
        let mut sum = self.weights.floats(graph, &bias.name)?;
        for (row, input) in inputs.into_iter().enumerate() {
            let weight = self.weights.row(graph, &weights.name, row)?;
            let of = |part: &str| format!("fusion.{}.{part}", input.modality.name());
            let last = vec![int("axis", -1)];
            let said = graph.op_with("LogSoftmax", &of("log_probabilities"), &[&input.logits], last);
            let weighted = graph.op("Mul", &of("weighted"), &[&said, &weight]);
            let present = graph.op("Mul", &of("present"), &[&weighted, &input.has]);
            sum = graph.op("Add", &of("sum"), &[&sum, &present]);
        }
        Ok(sum)
    }

    /// The calibrated logit of [`Labels::opposition`], `[batch]`.
    fn contradiction(
        &mut self,
        inputs: [&Input; 2],
        labels: &Labels,
        [scale, bias]: &[VectorParameter; 2],
    ) -> Result<Value> {
        let graph = &mut self.recorder.graph;
        let (scale, bias) =
            (self.weights.floats(graph, &scale.name)?, self.weights.floats(graph, &bias.name)?);
        let [text, image] = inputs.map(|input| {
            let name = format!("contradiction.{}", input.modality.name());
            graph.op_with("Softmax", &name, &[&input.logits], vec![int("axis", -1)])
        });
        let classes = labels.len();
        let mut weights = vec![0.0; classes * classes];
        for (i, j, weight) in labels.opposed() {
            weights[i * classes + j] = weight;
        }
        let weights = graph.constant("contradiction.weights", &[classes, classes], &weights);
        let opposed = graph.op("MatMul", "contradiction.opposed", &[&text, &weights]);
        let products = graph.op("Mul", "contradiction.products", &[&opposed, &image]);
        let (axis, gone) = (graph.integers("axes.1", &[1]), vec![int("keepdims", 0)]);
        let p = graph.op_with("ReduceSum", "contradiction.sum", &[&products, &axis], gone);
        let (least, most) = (graph.scalar("least.p", 1e-6), graph.scalar("most.p", 1.0 - 1e-6));
        let p = graph.op("Clip", "contradiction.p", &[&p, &least, &most]);
        let one = graph.scalar("one", 1.0);
        let q = graph.op("Sub", "contradiction.q", &[&one, &p]);
        let odds = graph.op("Div", "contradiction.odds", &[&p, &q]);
        let logit = graph.op("Log", "contradiction.logit", &[&odds]);
        let scaled = graph.op("Mul", "contradiction.scaled", &[&logit, &scale]);
        Ok(graph.op("Add", "contradiction.calibrated", &[&scaled, &bias]))
    }
}
