//! Heads and fusion as ONNX nodes.

use anyhow::Result;
use mixed_feelings::{Sentiment, fusion::FusionKind};

use super::{
    graph::{Axis, Value, int, signed},
    image::Image,
    layers::Layers,
    proto::ElementType,
    text::Text,
};

/// LayerNorm's epsilon in the fusion.
const NORM_EPS: f64 = 1e-5;

/// One modality that may be missing in a row.
struct Side {
    /// `text` or `image`, as the checkpoint names it.
    name: &'static str,
    pooled: Value,
    /// `[batch, items, features]` and which of them count, `[batch, items]`.
    items: Value,
    mask: Value,
    /// 1 in the rows that have it, `[batch, 1]`.
    has: Value,
    /// 0 in the rows that have it, `[batch, 1]`.
    lacks: Value,
    logits: Value,
}

/// Adds the inputs `has_text` and `has_image` (`[batch]`, 1 or 0), the heads and the joint part, and makes their logits
/// outputs. A row of a head whose side is missing in that row means nothing.
///
/// # Errors
/// When the checkpoint lacks a tensor.
pub fn join(
    layers: &mut Layers<'_>,
    kind: FusionKind,
    (width, heads): (usize, usize),
    text: Text,
    image: &Image,
) -> Result<()> {
    let (cells, cells_mask) = cells(layers, image);
    let text = side(layers, "text", text.pooled, (text.hidden, text.mask))?;
    let image = side(layers, "image", image.pooled.clone(), (cells, cells_mask))?;
    let fused = match kind {
        FusionKind::Pooled => {
            let sides = [pooled_item(layers, &text)?, pooled_item(layers, &image)?];
            attend(layers, sides.map(|side| (side, None)), (width, heads))?
        }
        FusionKind::Tokens => {
            let sides = [sequence(layers, &text, width)?, sequence(layers, &image, width)?];
            attend(layers, sides.map(|(side, mask)| (side, Some(mask))), (width, heads))?
        }
        FusionKind::Concat => {
            let sides = [projected(layers, &text)?, projected(layers, &image)?];
            let both =
                layers.graph.op_with("Concat", "fusion.both", &[&sides[0], &sides[1]], vec![int("axis", 1)]);
            layers.head("fusion.classifier", &both)?
        }
        FusionKind::Late => late(layers, &text, &image)?,
    };
    let contradiction = contradiction(layers, &text.logits, &image.logits)?;
    let classes = [Axis::Free("batch"), Axis::Fixed(Sentiment::ALL.len())];
    for (name, value) in
        [("text_logits", &text.logits), ("image_logits", &image.logits), ("fused_logits", &fused)]
    {
        layers.graph.output(name, value, &classes);
    }
    layers.graph.output("contradiction_logit", &contradiction, &classes[..1]);
    Ok(())
}

/// The cells of the grid row by row, `[batch, cells, channels]`, all of which count.
fn cells(layers: &mut Layers<'_>, image: &Image) -> (Value, Value) {
    let graph = &mut layers.graph;
    let shape = graph.integers("flat", &[0, 0, -1]);
    let flat = graph.op("Reshape", "image.grid.flat", &[&image.grid, &shape]);
    let order = vec![super::graph::ints("perm", &[0, 2, 1])];
    let cells = graph.op_with("Transpose", "image.cells", &[&flat], order);
    let whole = vec![int("start", 0), int("end", 2)];
    let size = graph.op_with("Shape", "image.cells.shape", &[&cells], whole);
    let one = graph.scalar("one", 1.0);
    (cells, graph.op("Expand", "image.cells.mask", &[&one, &size]))
}

fn side(
    layers: &mut Layers<'_>,
    name: &'static str,
    pooled: Value,
    (items, mask): (Value, Value),
) -> Result<Side> {
    let graph = &mut layers.graph;
    let has = graph.input(&format!("has_{name}"), ElementType::Float, &[Axis::Free("batch")]);
    let axis = graph.integers("axes.1", &[1]);
    let has = graph.op("Unsqueeze", &format!("{name}.has"), &[&has, &axis]);
    let one = graph.scalar("one", 1.0);
    let lacks = graph.op("Sub", &format!("{name}.lacks"), &[&one, &has]);
    let logits = layers.head(&format!("heads.{name}"), &pooled)?;
    Ok(Side { name, pooled, items, mask, has, lacks, logits })
}

/// The projected pooled vector, or the stand-in where the side is missing: `[batch, width]`.
fn projected(layers: &mut Layers<'_>, side: &Side) -> Result<Value> {
    let name = format!("fusion.{}", side.name);
    let vector = layers.linear(&name, &side.pooled)?;
    let missing = layers.weight(&format!("fusion.missing.{}", side.name))?;
    let graph = &mut layers.graph;
    let there = graph.op("Mul", &format!("{name}.there"), &[&vector, &side.has]);
    let stand_in = graph.op("Mul", &format!("{name}.stand_in"), &[&side.lacks, &missing]);
    Ok(graph.op("Add", &format!("{name}.pooled"), &[&there, &stand_in]))
}

/// The same with the modality's vector added, as a sequence of one.
fn pooled_item(layers: &mut Layers<'_>, side: &Side) -> Result<Value> {
    let vector = projected(layers, side)?;
    let graph = &mut layers.graph;
    let axis = graph.integers("axes.1", &[1]);
    let item = graph.op("Unsqueeze", &format!("fusion.{}.item", side.name), &[&vector, &axis]);
    modality(layers, side, &item)
}

/// The stand-in and all projected items, and which of them count.
fn sequence(layers: &mut Layers<'_>, side: &Side, width: usize) -> Result<(Value, Value)> {
    let name = format!("fusion.{}", side.name);
    let items = layers.linear(&name, &side.items)?;
    let missing = layers.weight(&format!("fusion.missing.{}", side.name))?;
    let graph = &mut layers.graph;
    let batch = vec![int("start", 0), int("end", 1)];
    let rows = graph.op_with("Shape", &format!("{name}.rows"), &[&items], batch);
    let rest = graph.integers(&format!("one.{width}"), &[1, width as i64]);
    let shape =
        graph.op_with("Concat", &format!("{name}.stand_in.shape"), &[&rows, &rest], vec![int("axis", 0)]);
    let stand_in = graph.op("Expand", &format!("{name}.stand_in"), &[&missing, &shape]);
    let along = || vec![int("axis", 1)];
    let all = graph.op_with("Concat", &format!("{name}.items"), &[&stand_in, &items], along());
    let there = graph.op("Mul", &format!("{name}.there"), &[&side.mask, &side.has]);
    let mask = graph.op_with("Concat", &format!("{name}.mask"), &[&side.lacks, &there], along());
    Ok((modality(layers, side, &all)?, mask))
}

fn modality(layers: &mut Layers<'_>, side: &Side, items: &Value) -> Result<Value> {
    let row = usize::from(side.name == "image");
    let vector = layers.tensor("fusion.modality")?.narrow(0, row, 1)?;
    let vector = layers.graph.tensor(&format!("fusion.modality.{row}"), &vector)?;
    Ok(layers.graph.op("Add", &format!("fusion.{}.told", side.name), &[items, &vector]))
}

/// `mean(LayerNorm(s + MHA(s)))` into the classifier.
fn attend(
    layers: &mut Layers<'_>,
    [(text, text_mask), (image, image_mask)]: [(Value, Option<Value>); 2],
    (width, heads): (usize, usize),
) -> Result<Value> {
    let along = || vec![int("axis", 1)];
    let items = layers.graph.op_with("Concat", "fusion.items", &[&text, &image], along());
    let mask = match (text_mask, image_mask) {
        (Some(text), Some(image)) => {
            Some(layers.graph.op_with("Concat", "fusion.mask", &[&text, &image], along()))
        }
        _ => None,
    };
    let bias = mask.as_ref().map(|mask| layers.key_bias("fusion.key_bias", mask));
    let parts = ["query", "key", "value"];
    let mut projections = Vec::with_capacity(parts.len());
    for (number, part) in parts.into_iter().enumerate() {
        let name = format!("fusion.attention.{part}");
        projections.push(layers.projection(&name, "fusion.attention.in_proj", number, &items)?);
    }
    let [query, key, value] = projections.as_slice() else { unreachable!("three parts") };
    let context = layers.attend("fusion.attention", [query, key, value], bias.as_ref(), width, heads);
    let attended = layers.linear("fusion.attention.out_proj", &context)?;
    let sum = layers.graph.op("Add", "fusion.sum", &[&items, &attended]);
    let normed = layers.layer_norm("fusion.norm", &sum, NORM_EPS)?;
    let joined = match &mask {
        Some(mask) => layers.mean_pool("fusion.joined", &normed, mask),
        None => {
            let settings = vec![super::graph::ints("axes", &[1]), int("keepdims", 0)];
            layers.graph.op_with("ReduceMean", "fusion.joined", &[&normed], settings)
        }
    };
    layers.head("fusion.classifier", &joined)
}

/// The weighted sum of what the two heads say.
fn late(layers: &mut Layers<'_>, text: &Side, image: &Side) -> Result<Value> {
    let mut sum = layers.weight("fusion.late_bias")?;
    for (row, side) in [text, image].into_iter().enumerate() {
        let weight = layers.tensor("fusion.late")?.narrow(0, row, 1)?;
        let weight = layers.graph.tensor(&format!("fusion.late.{row}"), &weight)?;
        let name = format!("fusion.{}", side.name);
        let graph = &mut layers.graph;
        let said =
            graph.op_with("LogSoftmax", &format!("{name}.said"), &[&side.logits], vec![signed("axis", -1)]);
        let weighed = graph.op("Mul", &format!("{name}.weighed"), &[&said, &weight]);
        let there = graph.op("Mul", &format!("{name}.there"), &[&weighed, &side.has]);
        sum = graph.op("Add", &format!("{name}.sum"), &[&sum, &there]);
    }
    Ok(sum)
}

/// The calibrated logit of `p = T(pos) I(neg) + T(neg) I(pos)`, `[batch]`.
fn contradiction(layers: &mut Layers<'_>, text: &Value, image: &Value) -> Result<Value> {
    let (scale, bias) = (layers.weight("contradiction.scale")?, layers.weight("contradiction.bias")?);
    let graph = &mut layers.graph;
    let mut probability = |name: &str, logits: &Value| {
        graph.op_with("Softmax", &format!("contradiction.{name}"), &[logits], vec![signed("axis", -1)])
    };
    let (text, image) = (probability("text", text), probability("image", image));
    // The image's classes back to front, so that opposites meet; the neutral ones count for nothing.
    let (last, first) =
        (graph.integers("last", &[-1]), graph.integers("before.first", &[-1 - Sentiment::ALL.len() as i64]));
    let (axis, back) = (graph.integers("axes.1", &[1]), graph.integers("back", &[-1]));
    let reversed = graph.op("Slice", "contradiction.reversed", &[&image, &last, &first, &axis, &back]);
    let products = graph.op("Mul", "contradiction.products", &[&text, &reversed]);
    let poles = graph.integers("poles", &[0, 2]);
    let products =
        graph.op_with("Gather", "contradiction.opposed", &[&products, &poles], vec![int("axis", 1)]);
    let gone = vec![int("keepdims", 0)];
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
