//! The image encoder in candle: walks the nodes of a [`Network`], trainable.

use std::ops::Range;

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

use crate::{
    layers::{ConvNorm, Linear, Mode, Pads, keep_layouts, max_pool2d, relu6},
    model::{Activation, Architecture, ConvSpec, LinearParameter, Network, Node, Op},
};

/// A CNN without its classifier: pixels in, the last grid of features out.
#[derive(Clone, Debug)]
pub struct Cnn {
    network: Network,
    /// One for each node.
    layers: Vec<Layer>,
}

/// What a node computes, with its parameters.
#[derive(Clone, Debug)]
enum Layer {
    Conv(ConvSpec, ConvNorm),
    MaxPool,
    SqueezeExcite([(LinearParameter, Linear); 2]),
}

impl Layer {
    fn load(vb: &VarBuilder<'_>, node: &Node, eps: f64) -> Result<Self> {
        Ok(match &node.op {
            Op::Conv(spec) => {
                let (conv, norm) = (vb.pp(&spec.name), vb.pp(&spec.norm));
                let layer = ConvNorm::load(conv, norm, spec.weight_shape(), spec.stride, spec.groups, eps)?;
                Layer::Conv(spec.clone(), layer)
            }
            Op::MaxPool => Layer::MaxPool,
            Op::SqueezeExcite([reduce, expand]) => {
                let load = |layer: &LinearParameter| -> Result<_> {
                    let hints = (candle_nn::init::DEFAULT_KAIMING_NORMAL, candle_nn::Init::Const(0.0));
                    let [weight, bias] = layer.float_names();
                    let weight = vb.get_with_hints(layer.float_shape(), &weight, hints.0)?;
                    let bias = vb.get_with_hints(layer.outputs, &bias, hints.1)?;
                    Ok((layer.clone(), Linear::new(weight.flatten_from(1)?, bias)))
                };
                Layer::SqueezeExcite([load(reduce)?, load(expand)?])
            }
        })
    }

    /// See [`Cnn::freeze`].
    fn freeze(&mut self, frozen: &impl Fn(&str) -> bool) {
        match self {
            Layer::Conv(spec, layer) => {
                if frozen(&spec.name) {
                    layer.freeze_conv();
                }
                if frozen(&spec.norm) {
                    layer.freeze_norm();
                }
            }
            Layer::MaxPool => {}
            Layer::SqueezeExcite(layers) => {
                for (_, layer) in layers.iter_mut().filter(|(layer, _)| frozen(&layer.name)) {
                    let [weight, bias] = layer.parameters().map(Tensor::detach);
                    *layer = Linear::new(weight, bias);
                }
            }
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        match self {
            Layer::Conv(spec, layer) => {
                let (_, _, rows, columns) = x.dims4()?;
                let pads = Pads { rows: spec.pads(rows), columns: spec.pads(columns) };
                layer.forward(x, pads, mode)
            }
            Layer::MaxPool => max_pool2d(x, mode),
            Layer::SqueezeExcite([(_, reduce), (_, expand)]) => {
                let logits = expand.forward(&reduce.forward(&average_pool(x)?)?.relu()?)?;
                x.broadcast_mul(&hard_sigmoid(&logits)?.unsqueeze(2)?.unsqueeze(3)?)
            }
        }
    }
}

/// Sees the output of each node of a forward pass: its name and the tensor.
type Observer<'a> = dyn FnMut(&str, &Tensor) -> Result<()> + 'a;

impl Cnn {
    /// Loads the tensors of a torchvision (ResNet) or timm (EfficientNet-Lite, MobileNetV3) checkpoint, with their names; or those
    /// of a folded one, which has `{conv}.bias` in place of the BatchNorms.
    ///
    /// # Errors
    /// When a tensor is missing or does not have the shape that the architecture says.
    pub fn load(vb: VarBuilder<'_>, architecture: Architecture) -> Result<Self> {
        Self::load_network(vb, architecture.network(), architecture.batch_norm_eps())
    }

    fn load_network(vb: VarBuilder<'_>, network: Network, eps: f64) -> Result<Self> {
        let load = |node| Layer::load(&vb, node, eps);
        Ok(Cnn { layers: network.nodes.iter().map(load).collect::<Result<_>>()?, network })
    }

    /// The layers as data.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Freezes each convolution, BatchNorm and linear layer of whose checkpoint name (`layer1.0.conv1`, `layer1.0.bn1`)
    /// `frozen` is true. No gradient reaches a frozen layer's parameters, and a frozen BatchNorm keeps to its running
    /// statistics in training too.
    pub fn freeze(&mut self, frozen: impl Fn(&str) -> bool) {
        self.layers.iter_mut().for_each(|layer| layer.freeze(&frozen));
    }

    /// The most nodes at the beginning that are all frozen, in the sense of [`Cnn::freeze`], and hand on nothing but the
    /// last one's output: what they say of a picture stays what it is through a training.
    pub fn frozen_nodes(&self, frozen: impl Fn(&str) -> bool) -> usize {
        let learns = |node: &Node| {
            let conv = node.conv().is_some_and(|conv| !frozen(&conv.name) || !frozen(&conv.norm));
            conv || node.linears().iter().any(|linear| !frozen(&linear.name))
        };
        let nodes = &self.network.nodes;
        let end = nodes.iter().position(learns).unwrap_or(nodes.len());
        (0..=end).rev().find(|&nodes| self.network.splits_at(nodes)).unwrap_or(0)
    }

    /// What the first `nodes` nodes make of `pixels`, without dropout and gradients: the beginning of [`Cnn::forward`].
    ///
    /// # Errors
    /// When `pixels` has another shape.
    pub fn begin(&self, pixels: &Tensor, nodes: usize) -> Result<Tensor> {
        self.run(pixels, 0..nodes, Mode::Infer, &mut |_, _| Ok(()))
    }

    /// The rest of [`Cnn::forward`] after the first `nodes` nodes, which must be a number that [`Network::splits_at`].
    ///
    /// # Errors
    /// When `value` is not of the shape that [`Cnn::begin`] gives.
    pub fn go_on(&self, value: &Tensor, nodes: usize, mode: Mode<'_>) -> Result<Tensor> {
        self.run(value, nodes..self.network.nodes.len(), mode, &mut |_, _| Ok(()))
    }

    /// `pixels` `[batch, 3, rows, columns]`, normalized, to the last grid `[batch, channels, .., ..]`.
    ///
    /// # Errors
    /// When `pixels` has another shape.
    pub fn forward(&self, pixels: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.go_on(pixels, 0, mode)
    }

    /// As [`Cnn::forward`] in [`Mode::Infer`], and shows `observer` the output of each node under its name.
    ///
    /// # Errors
    /// When `pixels` has another shape, and those of `observer`.
    pub fn forward_observed(&self, pixels: &Tensor, observer: &mut Observer<'_>) -> Result<Tensor> {
        self.run(pixels, 0..self.network.nodes.len(), Mode::Infer, observer)
    }

    /// Each convolution with its BatchNorm folded in, in the order of [`Network::convs`]: weight `[out, in / groups, kernel,
    /// kernel]` and bias `[out]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn folded(&self) -> Result<Vec<(Tensor, Tensor)>> {
        let conv = |layer: &Layer| match layer {
            Layer::Conv(_, conv) => Some(conv.folded()),
            Layer::MaxPool | Layer::SqueezeExcite(_) => None,
        };
        self.layers.iter().filter_map(conv).collect()
    }

    /// Runs these nodes on the output of the node before them.
    fn run(
        &self,
        start: &Tensor,
        nodes: Range<usize>,
        mode: Mode<'_>,
        observer: &mut Observer<'_>,
    ) -> Result<Tensor> {
        let _kept = keep_layouts(start.device());
        let slots = self.network.slots();
        let mut values = vec![start.clone(); slots.count];
        let mut x = start.clone();
        let all = self.network.nodes.iter().zip(&self.layers).enumerate();
        for (i, (node, layer)) in all.take(nodes.end).skip(nodes.start) {
            x = layer.forward(&values[slots.of[node.input]], mode)?;
            if let Some(residual) = node.residual {
                x = (x + &values[slots.of[residual]])?;
            }
            x = activate(&x, node.activation)?;
            observer(&node.name, &x)?;
            values[slots.of[i + 1]] = x.clone();
        }
        Ok(x)
    }
}

/// The mean of the grid `[batch, channels, rows, columns]` over its cells: `[batch, channels]`.
///
/// # Errors
/// When `grid` is of a lower rank.
pub fn average_pool(grid: &Tensor) -> Result<Tensor> {
    grid.flatten_from(2)?.mean(D::Minus1)
}

fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x.clone()),
        Activation::Relu => x.relu(),
        Activation::Relu6 => relu6(x),
        Activation::HardSwish => x * hard_sigmoid(x)?,
    }
}

/// `min(max(x + 3, 0), 6) / 6`.
fn hard_sigmoid(x: &Tensor) -> Result<Tensor> {
    relu6(&(x + 3.0)?)? / 6.0
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;
    use crate::{
        layers::{
            NoiseSource,
            gradient_check::{assert_gradients, input, randomise},
        },
        model::{LinearLayout, Padding},
    };

    fn random(architecture: Architecture) -> Result<(VarMap, Cnn)> {
        let vars = VarMap::new();
        let cnn = Cnn::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), architecture)?;
        Ok((vars, cnn))
    }

    fn pixels(batch: usize) -> Result<Tensor> {
        Tensor::rand(-1f32, 1.0, (batch, 3, 64, 64), &Device::Cpu)
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f32> {
        (a - b)?.abs()?.max_all()?.to_scalar()
    }

    #[test]
    fn a_folded_checkpoint_gives_the_same_grid() -> Result<()> {
        for architecture in
            [Architecture::Resnet18, Architecture::EfficientnetLite0, Architecture::MobilenetV3Small]
        {
            let (vars, cnn) = random(architecture)?;
            let mut tensors = HashMap::new();
            for (name, var) in vars.data().lock().expect("not poisoned").iter() {
                if name.contains(".se.") {
                    tensors.insert(name.clone(), var.as_tensor().clone());
                }
            }
            for (spec, (weight, bias)) in cnn.network().convs().zip(cnn.folded()?) {
                tensors.insert(format!("{}.weight", spec.name), weight);
                tensors.insert(format!("{}.bias", spec.name), bias);
            }
            let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
            let folded = Cnn::load(vb, architecture)?;
            let x = pixels(1)?;
            let (a, b) = (cnn.forward(&x, Mode::Infer)?, folded.forward(&x, Mode::Infer)?);
            assert!(largest_difference(&a, &b)? < 1e-5);
        }
        Ok(())
    }

    #[test]
    fn the_observer_sees_each_node_after_its_activation() -> Result<()> {
        let (_, cnn) = random(Architecture::EfficientnetLite0)?;
        let mut seen = Vec::new();
        let mut least = f32::MAX;
        let grid = cnn.forward_observed(&pixels(1)?, &mut |name, x| {
            if name.ends_with("conv_dw") {
                least = least.min(x.min_all()?.to_scalar()?);
            }
            seen.push(name.to_owned());
            Ok(())
        })?;
        assert_eq!(grid.dims(), [1, 1280, 2, 2]);
        let names: Vec<_> = cnn.network().nodes.iter().map(|node| node.name.clone()).collect();
        assert_eq!(seen, names);
        assert!(seen.contains(&"blocks.1.1".to_owned()) && !seen.contains(&"blocks.1.0".to_owned()));
        assert!(least >= 0.0, "observed before the activation");
        Ok(())
    }

    #[test]
    fn frozen_layers_learn_nothing_and_keep_their_statistics() -> Result<()> {
        let (vars, mut cnn) = random(Architecture::Resnet18)?;
        cnn.freeze(|name| !name.starts_with("layer4."));
        let noise = NoiseSource::new(0);
        let grid = cnn.forward(&pixels(2)?, Mode::Train(&noise))?;
        let gradients = average_pool(&grid)?.sqr()?.sum_all()?.backward()?;
        let vars = vars.data().lock().expect("not poisoned");
        for (name, var) in vars.iter() {
            let trains = name.starts_with("layer4.");
            if name.ends_with("running_mean") {
                let moved = var.abs()?.max_all()?.to_scalar::<f32>()? > 0.0;
                assert_eq!(moved, trains, "{name}");
            } else if !name.contains("running") {
                assert_eq!(gradients.get(var).is_some(), trains, "{name}");
            }
        }
        Ok(())
    }

    #[test]
    fn two_halves_are_the_whole() -> Result<()> {
        for architecture in [Architecture::Resnet18, Architecture::EfficientnetLite0] {
            let (_, cnn) = random(architecture)?;
            let x = pixels(2)?;
            let whole = cnn.forward(&x, Mode::Infer)?;
            let last = |name: &str| {
                name.starts_with("layer4.") || name.starts_with("blocks.6.") || name == "conv_head"
            };
            let nodes = cnn.frozen_nodes(|name| !last(name) && name != "bn2");
            assert!(nodes > 0 && last(&cnn.network().nodes[nodes].name));
            let halves = cnn.go_on(&cnn.begin(&x, nodes)?, nodes, Mode::Infer)?;
            assert_eq!(largest_difference(&whole, &halves)?, 0.0);
            assert_eq!(cnn.frozen_nodes(|_| true), cnn.network().nodes.len());
            assert_eq!(cnn.frozen_nodes(|name| name != "bn1"), 0);
        }
        Ok(())
    }

    #[test]
    fn a_network_splits_where_no_residual_passes_by() {
        let network = Architecture::Resnet18.network();
        let inside =
            network.nodes.iter().position(|node| node.name == "layer1.0.conv1").expect("a bottleneck");
        assert!(network.splits_at(0) && network.splits_at(inside) && network.splits_at(network.nodes.len()));
        assert!(!network.splits_at(inside + 1) && !network.splits_at(network.nodes.len() + 1));
    }

    fn conv(name: &str, channels: (usize, usize), kernel: usize, stride: usize, groups: usize) -> Op {
        Op::Conv(ConvSpec {
            name: name.into(),
            norm: format!("{name}_norm"),
            in_channels: channels.0,
            out_channels: channels.1,
            kernel,
            stride,
            groups,
            padding: Padding::Same,
        })
    }

    /// A node that reads the value `input`.
    fn node(input: usize, op: Op, residual: Option<usize>, activation: Activation) -> Node {
        Node { name: format!("{op:?}"), op, input, residual, activation }
    }

    /// Gradients of a small network in training mode, on 6 x 6 pixels.
    fn assert_trains(nodes: Vec<Node>) -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let cnn = Cnn::load_network(vb, Network { nodes, channels: 6 }, 1e-3)?;
        randomise(&vars)?;
        let x = input((2, 3, 6, 6), 1)?;
        let noise = NoiseSource::new(0);
        let trainable = |name: &str| !name.contains("running");
        assert_gradients(&vars, &[("pixels", &x)], trainable, || cnn.forward(&x, Mode::Train(&noise)))
    }

    #[test]
    fn gradients_of_a_bottleneck_after_the_maximum() -> Result<()> {
        use Activation::{Relu, Relu6};
        let mut plain = conv("b", (2, 2), 3, 2, 1);
        if let Op::Conv(spec) = &mut plain {
            spec.padding = Padding::Symmetric(1);
        }
        assert_trains(vec![
            node(0, conv("stem", (3, 4), 3, 1, 1), None, Relu6),
            node(1, Op::MaxPool, None, Activation::None),
            node(2, conv("down", (4, 6), 1, 2, 1), None, Activation::None),
            node(2, conv("a", (4, 2), 1, 1, 1), None, Relu6),
            node(4, plain, None, Relu6),
            node(5, conv("c", (2, 6), 1, 1, 1), Some(3), Relu),
        ])
    }

    #[test]
    fn gradients_of_inverted_residuals() -> Result<()> {
        use Activation::Relu6;
        for (stride, out, residual) in [(1, 4, Some(1)), (2, 6, None)] {
            assert_trains(vec![
                node(0, conv("stem", (3, 4), 3, 1, 1), None, Relu6),
                node(1, conv("a", (4, 8), 1, 1, 1), None, Relu6),
                node(2, conv("b", (8, 8), 5, stride, 8), None, Relu6),
                node(3, conv("c", (8, out), 1, 1, 1), residual, Activation::None),
            ])?;
        }
        Ok(())
    }

    #[test]
    fn gradients_through_squeeze_and_excitation() -> Result<()> {
        use Activation::{HardSwish, None as Identity};
        let layer = |name: &str, outputs, inputs| LinearParameter {
            name: name.into(),
            outputs,
            inputs,
            layout: LinearLayout::Pointwise,
        };
        assert_trains(vec![
            node(0, conv("stem", (3, 4), 3, 1, 1), None, HardSwish),
            node(1, conv("a", (4, 4), 3, 1, 4), None, HardSwish),
            node(2, Op::SqueezeExcite([layer("reduce", 2, 4), layer("expand", 4, 2)]), None, Identity),
            node(3, conv("c", (4, 6), 1, 1, 1), None, Identity),
        ])
    }

    #[test]
    fn a_frozen_squeeze_learns_nothing() -> Result<()> {
        let (vars, mut cnn) = random(Architecture::MobilenetV3Small)?;
        cnn.freeze(|name| name.starts_with("blocks.2.") || name == "blocks.3.0.se.conv_reduce");
        let noise = NoiseSource::new(0);
        let grid = cnn.forward(&pixels(2)?, Mode::Train(&noise))?;
        let gradients = average_pool(&grid)?.sqr()?.sum_all()?.backward()?;
        let vars = vars.data().lock().expect("not poisoned");
        for (name, var) in vars.iter().filter(|(name, _)| name.contains(".se.")) {
            let frozen = name.starts_with("blocks.2.") || name.starts_with("blocks.3.0.se.conv_reduce");
            assert_eq!(gradients.get(var).is_none(), frozen, "{name}");
        }
        Ok(())
    }

    #[test]
    fn gradients_through_activations() -> Result<()> {
        // Spread over both kinks of ReLU6.
        let x = input((4, 10), 2)?;
        for activation in [Activation::None, Activation::Relu, Activation::Relu6, Activation::HardSwish] {
            assert_gradients(
                &VarMap::new(),
                &[("x", &x)],
                |_| true,
                || activate(&x.affine(20.0, 3.0)?, activation),
            )?;
        }
        Ok(())
    }
}
