//! The CNN as ONNX nodes, its BatchNorms folded into the convolutions.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use mixed_feelings::image::{
    architecture::{Activation, ConvSpec, Shortcut},
    cnn::Cnn,
};

use super::{
    graph::{Axis, Value, int, ints},
    layers::Layers,
    proto::ElementType,
};

/// What the image encoder says.
pub struct Image {
    /// The last grid, `[batch, channels, rows, columns]`.
    pub grid: Value,
    /// The mean over its cells, `[batch, channels]`.
    pub pooled: Value,
}

/// Adds the input `pixel_values` (`[batch, 3, input_size, input_size]`, normalised floats) and the encoder. The input has
/// one size, because the zeros around it depend on it.
///
/// # Errors
/// Those of candle.
pub fn encode(layers: &mut Layers<'_>, cnn: &Cnn, input_size: usize) -> Result<Image> {
    let folded = cnn.folded()?.into_iter().map(|(spec, weight, bias)| (spec.name, (weight, bias))).collect();
    let axes = [Axis::Free("batch"), Axis::Fixed(3), Axis::Fixed(input_size), Axis::Fixed(input_size)];
    let pixels = layers.graph.input("pixel_values", ElementType::Float, &axes);
    let mut convs = Convs { layers, folded };
    let network = cnn.network();

    let (mut x, mut size) = convs.conv(&network.stem, &pixels, input_size)?;
    if network.max_pool {
        let settings =
            vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
        x = convs.layers.graph.op_with("MaxPool", "image.max_pool", &[&x], settings);
        size = mixed_feelings::image::architecture::max_pool_size(size);
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
        let sum = convs.layers.graph.op("Add", &format!("{name}.sum"), &[&x, &shortcut]);
        x = convs.activate(&name, &sum, block.activation);
    }
    if let Some(spec) = &network.head {
        x = convs.conv(spec, &x, size)?.0;
    }
    let graph = &mut layers.graph;
    let mean = graph.op("GlobalAveragePool", "image.mean", &[&x]);
    let pooled = graph.op_with("Flatten", "image.pooled", &[&mean], vec![int("axis", 1)]);
    Ok(Image { grid: x, pooled })
}

/// The folded convolutions by name, and where their nodes go.
struct Convs<'a, 'b> {
    layers: &'a mut Layers<'b>,
    folded: HashMap<String, (Tensor, Tensor)>,
}

impl Convs<'_, '_> {
    /// The convolution and its activation, and the side of its output.
    fn conv(&mut self, spec: &ConvSpec, x: &Value, size: usize) -> Result<(Value, usize)> {
        let name = format!("image.{}", spec.name);
        let (weight, bias) =
            self.folded.get(&spec.name).with_context(|| format!("no convolution `{name}`"))?;
        let weight = self.layers.graph.tensor(&format!("{name}.weight"), weight)?;
        let bias = self.layers.graph.tensor(&format!("{name}.bias"), bias)?;
        let (before, after) = spec.pads(size);
        let settings = vec![
            ints("kernel_shape", &[spec.kernel; 2]),
            ints("strides", &[spec.stride; 2]),
            ints("pads", &[before, before, after, after]),
            int("group", spec.groups.max(1)),
        ];
        let y = self.layers.graph.op_with("Conv", &format!("{name}.sums"), &[x, &weight, &bias], settings);
        Ok((self.activate(&name, &y, spec.activation), spec.output_size(size)))
    }

    fn activate(&mut self, name: &str, x: &Value, activation: Activation) -> Value {
        let graph = &mut self.layers.graph;
        match activation {
            Activation::None => x.clone(),
            Activation::Relu => graph.op("Relu", name, &[x]),
            Activation::Relu6 => {
                let (least, most) = (graph.scalar("zero", 0.0), graph.scalar("six", 6.0));
                graph.op("Clip", name, &[x, &least, &most])
            }
        }
    }
}
