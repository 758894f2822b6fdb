//! The CNN as ONNX nodes, its BatchNorms folded into the convolutions.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use mixed_feelings::image::{
    architecture::{Activation, ConvSpec, Shortcut, max_pool_size},
    cnn::Cnn,
};

use super::{
    graph::{Axis, GraphBuilder, Value, int, ints},
    layers::Layers,
    proto::{Attribute, ElementType},
};

/// What the image encoder says.
pub struct Image {
    /// The last grid, `[batch, channels, rows, columns]`.
    pub grid: Value,
    /// The mean over its cells, `[batch, channels]`.
    pub pooled: Value,
}

impl Image {
    /// From the last grid.
    pub fn of_grid(graph: &mut GraphBuilder, grid: Value) -> Self {
        let mean = graph.op("GlobalAveragePool", "image.mean", &[&grid]);
        let pooled = graph.op_with("Flatten", "image.pooled", &[&mean], vec![int("axis", 1)]);
        Image { grid, pooled }
    }
}

/// Adds the input `pixel_values` (`[batch, 3, input_size, input_size]`, normalised floats). It has one size, because the
/// zeros around it depend on it.
pub fn pixels(graph: &mut GraphBuilder, input_size: usize) -> Value {
    let axes = [Axis::Free("batch"), Axis::Fixed(3), Axis::Fixed(input_size), Axis::Fixed(input_size)];
    graph.input("pixel_values", ElementType::Float, &axes)
}

/// Adds the [`pixels`] and the encoder.
///
/// # Errors
/// Those of candle.
pub fn encode(layers: &mut Layers<'_>, cnn: &Cnn, input_size: usize) -> Result<Image> {
    let folded = cnn.folded()?.into_iter().map(|(spec, weight, bias)| (spec.name, (weight, bias))).collect();
    let pixels = pixels(&mut layers.graph, input_size);
    let mut convs = Convs { graph: &mut layers.graph, folded };
    let network = cnn.network();

    let (mut x, mut size) = convs.conv(&network.stem, &pixels, input_size)?;
    if network.max_pool {
        x = convs.graph.op_with("MaxPool", "image.max_pool", &[&x], max_pool_settings());
        size = max_pool_size(size);
    }
    for block in &network.blocks {
        let (input, input_size) = (x.clone(), size);
        for spec in &block.convs {
            (x, size) = convs.conv(spec, &x, size)?;
        }
        let shortcut = match &block.shortcut {
            Shortcut::None => continue,
            Shortcut::Identity => input,
            Shortcut::Projection(spec) => convs.conv(spec, &input, input_size)?.0,
        };
        let name = format!("image.{}", block.name);
        let sum = convs.graph.op("Add", &format!("{name}.sum"), &[&x, &shortcut]);
        x = activate(convs.graph, &name, &sum, block.activation);
    }
    if let Some(spec) = &network.head {
        x = convs.conv(spec, &x, size)?.0;
    }
    Ok(Image::of_grid(&mut layers.graph, x))
}

/// The folded convolutions by name, and where their nodes go.
struct Convs<'a> {
    graph: &'a mut GraphBuilder,
    folded: HashMap<String, (Tensor, Tensor)>,
}

impl Convs<'_> {
    /// The convolution and its activation, and the side of its output.
    fn conv(&mut self, spec: &ConvSpec, x: &Value, size: usize) -> Result<(Value, usize)> {
        let name = format!("image.{}", spec.name);
        let (weight, bias) =
            self.folded.get(&spec.name).with_context(|| format!("no convolution `{name}`"))?;
        let weight = self.graph.tensor(&format!("{name}.weight"), weight)?;
        let bias = self.graph.tensor(&format!("{name}.bias"), bias)?;
        let settings = conv_settings(spec, size);
        let y = self.graph.op_with("Conv", &format!("{name}.sums"), &[x, &weight, &bias], settings);
        Ok((activate(self.graph, &name, &y, spec.activation), spec.output_size(size)))
    }
}

/// The settings of a convolution over a square of side `size`.
pub fn conv_settings(spec: &ConvSpec, size: usize) -> Vec<Attribute> {
    let (before, after) = spec.pads(size);
    vec![
        ints("kernel_shape", &[spec.kernel; 2]),
        ints("strides", &[spec.stride; 2]),
        ints("pads", &[before, before, after, after]),
        int("group", spec.groups.max(1)),
    ]
}

/// The settings of the maximum that follows a ResNet's stem.
pub fn max_pool_settings() -> Vec<Attribute> {
    vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])]
}

/// The activation of floats, under the name `name` unless there is none.
pub fn activate(graph: &mut GraphBuilder, name: &str, x: &Value, activation: Activation) -> Value {
    match activation {
        Activation::None => x.clone(),
        Activation::Relu => graph.op("Relu", name, &[x]),
        Activation::Relu6 => {
            let (least, most) = (graph.scalar("zero", 0.0), graph.scalar("six", 6.0));
            graph.op("Clip", name, &[x, &least, &most])
        }
    }
}
