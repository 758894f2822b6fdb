//! The image encoder in candle: interprets the lists of [`architecture`](super::architecture), trainable.

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    Architecture,
    architecture::{Activation, Block, ConvSpec, Network, Shortcut},
};
use crate::layers::{ConvNorm, Mode, Pads, max_pool2d, relu6};

/// A CNN without its classifier: pixels in, the last grid of features out.
#[derive(Clone, Debug)]
pub struct Cnn {
    network: Network,
    stem: ConvNorm,
    blocks: Vec<Layers>,
    head: Option<ConvNorm>,
}

/// The layers of one [`Block`].
#[derive(Clone, Debug)]
struct Layers {
    convs: Vec<ConvNorm>,
    projection: Option<ConvNorm>,
}

/// The name under which an observer sees the maximum that follows a ResNet's stem.
pub const MAX_POOL: &str = "max_pool";

/// Sees each activation of a forward pass: its name and the tensor.
type Observer<'a> = dyn FnMut(&str, &Tensor) -> Result<()> + 'a;

impl Cnn {
    /// Loads the tensors of a torchvision (ResNet) or timm (EfficientNet-Lite) checkpoint, with their names; or those
    /// of a folded one, which has `{conv}.bias` in place of the BatchNorms.
    ///
    /// # Errors
    /// When a tensor is missing or does not have the shape that the architecture says.
    pub fn load(vb: VarBuilder<'_>, architecture: Architecture) -> Result<Self> {
        Self::load_network(vb, architecture.network(), architecture.batch_norm_eps())
    }

    fn load_network(vb: VarBuilder<'_>, network: Network, eps: f64) -> Result<Self> {
        let load = |spec: &ConvSpec| {
            let (conv, norm) = (vb.pp(&spec.name), vb.pp(&spec.norm));
            ConvNorm::load(conv, norm, spec.weight_shape(), spec.stride, spec.groups, eps)
        };
        let block = |block: &Block| -> Result<Layers> {
            let projection = match &block.shortcut {
                Shortcut::Projection(spec) => Some(load(spec)?),
                Shortcut::None | Shortcut::Identity => None,
            };
            Ok(Layers { convs: block.convs.iter().map(load).collect::<Result<_>>()?, projection })
        };
        Ok(Cnn {
            stem: load(&network.stem)?,
            blocks: network.blocks.iter().map(block).collect::<Result<_>>()?,
            head: network.head.as_ref().map(load).transpose()?,
            network,
        })
    }

    /// The layers as data.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Freezes each convolution and each BatchNorm of whose checkpoint name (`layer1.0.conv1`, `layer1.0.bn1`)
    /// `frozen` is true. No gradient reaches a frozen layer's parameters, and a frozen BatchNorm keeps to its running
    /// statistics in training too.
    pub fn freeze(&mut self, frozen: impl Fn(&str) -> bool) {
        for (spec, layer) in pairs(&self.network, &mut self.stem, &mut self.blocks, &mut self.head) {
            if frozen(&spec.name) {
                layer.freeze_conv();
            }
            if frozen(&spec.norm) {
                layer.freeze_norm();
            }
        }
    }

    /// `pixels` `[batch, 3, rows, columns]`, normalised, to the last grid `[batch, channels, .., ..]`.
    ///
    /// # Errors
    /// When `pixels` has another shape.
    pub fn forward(&self, pixels: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.run(pixels, mode, &mut |_, _| Ok(()))
    }

    /// As [`Cnn::forward`] in [`Mode::Infer`], and shows `observer` each convolution's output after its activation,
    /// under the convolution's name, each residual sum after its activation, under the block's name, and the maximum after
    /// the stem, if there is one, as [`MAX_POOL`].
    ///
    /// # Errors
    /// When `pixels` has another shape, and those of `observer`.
    pub fn forward_observed(&self, pixels: &Tensor, observer: &mut Observer<'_>) -> Result<Tensor> {
        self.run(pixels, Mode::Infer, observer)
    }

    /// Each convolution with its BatchNorm folded in, in the order of [`Network::convs`]: what it is, weight `[out, in
    /// / groups, kernel, kernel]`, bias `[out]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn folded(&self) -> Result<Vec<(ConvSpec, Tensor, Tensor)>> {
        let blocks = self.blocks.iter().flat_map(|block| block.convs.iter().chain(&block.projection));
        let layers = std::iter::once(&self.stem).chain(blocks).chain(&self.head);
        let fold = |(spec, layer): (&ConvSpec, &ConvNorm)| {
            let (weight, bias) = layer.folded()?;
            Ok((spec.clone(), weight, bias))
        };
        self.network.convs().zip(layers).map(fold).collect()
    }

    fn run(&self, pixels: &Tensor, mode: Mode<'_>, observer: &mut Observer<'_>) -> Result<Tensor> {
        let mut x = apply(&self.network.stem, &self.stem, pixels, mode, observer)?;
        if self.network.max_pool {
            x = max_pool2d(&x, mode)?;
            observer(MAX_POOL, &x)?;
        }
        for (block, layers) in self.network.blocks.iter().zip(&self.blocks) {
            let mut y = x.clone();
            for (spec, layer) in block.convs.iter().zip(&layers.convs) {
                y = apply(spec, layer, &y, mode, observer)?;
            }
            let shortcut = match (&block.shortcut, &layers.projection) {
                (Shortcut::Projection(spec), Some(layer)) => Some(apply(spec, layer, &x, mode, observer)?),
                (Shortcut::Identity, _) => Some(x),
                _ => None,
            };
            if let Some(shortcut) = shortcut {
                y = activate(&(y + shortcut)?, block.activation)?;
                observer(&block.name, &y)?;
            }
            x = y;
        }
        match (&self.network.head, &self.head) {
            (Some(spec), Some(layer)) => apply(spec, layer, &x, mode, observer),
            _ => Ok(x),
        }
    }
}

/// The mean of the grid `[batch, channels, rows, columns]` over its cells: `[batch, channels]`.
///
/// # Errors
/// When `grid` is of a lower rank.
pub fn average_pool(grid: &Tensor) -> Result<Tensor> {
    grid.flatten_from(2)?.mean(D::Minus1)
}

fn apply(
    spec: &ConvSpec,
    layer: &ConvNorm,
    x: &Tensor,
    mode: Mode<'_>,
    observer: &mut Observer<'_>,
) -> Result<Tensor> {
    let (_, _, rows, columns) = x.dims4()?;
    let pads = Pads { rows: spec.pads(rows), columns: spec.pads(columns) };
    let y = activate(&layer.forward(x, pads, mode)?, spec.activation)?;
    observer(&spec.name, &y)?;
    Ok(y)
}

fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x.clone()),
        Activation::Relu => x.relu(),
        Activation::Relu6 => relu6(x),
    }
}

/// Each convolution's data and layer, in the order of [`Network::convs`].
fn pairs<'a>(
    network: &'a Network,
    stem: &'a mut ConvNorm,
    blocks: &'a mut [Layers],
    head: &'a mut Option<ConvNorm>,
) -> impl Iterator<Item = (&'a ConvSpec, &'a mut ConvNorm)> {
    let blocks = blocks.iter_mut().flat_map(|block| block.convs.iter_mut().chain(&mut block.projection));
    network.convs().zip(std::iter::once(stem).chain(blocks).chain(head))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::{super::architecture::Padding, *};
    use crate::layers::{
        NoiseSource,
        gradient_check::{assert_gradients, input, randomise},
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
        for architecture in [Architecture::Resnet18, Architecture::EfficientnetLite0] {
            let (_, cnn) = random(architecture)?;
            let mut tensors = HashMap::new();
            for (spec, weight, bias) in cnn.folded()? {
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
    fn the_observer_sees_each_convolution_and_each_sum() -> Result<()> {
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
        assert_eq!(cnn.network().grid_size(64), 2);
        let network = cnn.network();
        let sums = network.blocks.iter().filter(|block| block.shortcut != Shortcut::None);
        assert_eq!(seen.len(), network.convs().count() + sums.count());
        assert!(network.convs().all(|conv| seen.contains(&conv.name)));
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

    fn spec(name: &str, channels: (usize, usize), kernel: usize, stride: usize, groups: usize) -> ConvSpec {
        ConvSpec {
            name: name.into(),
            norm: format!("{name}_norm"),
            in_channels: channels.0,
            out_channels: channels.1,
            kernel,
            stride,
            groups,
            padding: Padding::Same,
            activation: Activation::Relu6,
        }
    }

    /// Gradients of a small network in training mode, on 6 x 6 pixels.
    fn assert_trains(max_pool: bool, block: Block) -> Result<()> {
        let stem = spec("stem", (3, 4), 3, 1, 1);
        let network = Network { stem, max_pool, blocks: vec![block], head: None, channels: 6 };
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let cnn = Cnn::load_network(vb, network, 1e-3)?;
        randomise(&vars)?;
        let x = input((2, 3, 6, 6), 1)?;
        let noise = NoiseSource::new(0);
        let trainable = |name: &str| !name.contains("running");
        assert_gradients(&vars, &[("pixels", &x)], trainable, || cnn.forward(&x, Mode::Train(&noise)))
    }

    #[test]
    fn gradients_of_a_bottleneck_after_the_maximum() -> Result<()> {
        let last = ConvSpec { activation: Activation::None, ..spec("c", (2, 6), 1, 1, 1) };
        let plain = ConvSpec { padding: Padding::Symmetric(1), ..spec("b", (2, 2), 3, 2, 1) };
        let projection = ConvSpec { activation: Activation::None, ..spec("down", (4, 6), 1, 2, 1) };
        assert_trains(
            true,
            Block {
                name: "block".into(),
                convs: vec![spec("a", (4, 2), 1, 1, 1), plain, last],
                shortcut: Shortcut::Projection(projection),
                activation: Activation::Relu,
            },
        )
    }

    #[test]
    fn gradients_of_inverted_residuals() -> Result<()> {
        for (stride, out, shortcut) in [(1, 4, Shortcut::Identity), (2, 6, Shortcut::None)] {
            let last = ConvSpec { activation: Activation::None, ..spec("c", (8, out), 1, 1, 1) };
            assert_trains(
                false,
                Block {
                    name: "block".into(),
                    convs: vec![spec("a", (4, 8), 1, 1, 1), spec("b", (8, 8), 5, stride, 8), last],
                    shortcut,
                    activation: Activation::None,
                },
            )?;
        }
        Ok(())
    }

    #[test]
    fn gradients_through_activations() -> Result<()> {
        // Spread over both kinks of ReLU6.
        let x = input((4, 10), 2)?;
        for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
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
