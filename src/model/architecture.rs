//! Each CNN written down once, with the tensor names of its published checkpoints.

use serde::{Deserialize, Serialize};

use super::{Activation, ConvSpec, LinearLayout, LinearParameter, Network, Node, Op, Padding};

/// The image encoders that can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// ResNet-18 (He et al. 2015), torchvision names.
    Resnet18,
    /// ResNet-34.
    Resnet34,
    /// ResNet-50, v1.5 (stride in the 3x3).
    Resnet50,
    /// ResNet-101.
    Resnet101,
    /// ResNet-152.
    Resnet152,
    /// EfficientNet-Lite0 (Tan & Le 2019, the Lite variant), timm names.
    #[serde(alias = "tf_efficientnet_lite0")]
    EfficientnetLite0,
    /// EfficientNet-Lite1.
    #[serde(alias = "tf_efficientnet_lite1")]
    EfficientnetLite1,
    /// EfficientNet-Lite2.
    #[serde(alias = "tf_efficientnet_lite2")]
    EfficientnetLite2,
    /// EfficientNet-Lite3.
    #[serde(alias = "tf_efficientnet_lite3")]
    EfficientnetLite3,
    /// EfficientNet-Lite4.
    #[serde(alias = "tf_efficientnet_lite4")]
    EfficientnetLite4,
    /// MobileNetV3-Small (Howard et al. 2019), timm names.
    #[serde(alias = "mobilenetv3_small_100")]
    MobilenetV3Small,
    /// MobileNetV3-Large.
    #[serde(alias = "mobilenetv3_large_100")]
    MobilenetV3Large,
}

/// A network that grows node by node.
#[derive(Default)]
struct Builder(Vec<Node>);

impl Builder {
    /// The value that the last node gives.
    fn last(&self) -> usize {
        self.0.len()
    }

    /// Adds a convolution over the value `input` and returns the value of its output.
    fn conv(&mut self, input: usize, conv: ConvSpec, activation: Activation) -> usize {
        self.add(conv.name.clone(), Op::Conv(conv), input, None, activation)
    }

    /// Adds the convolution at the end of the block `name`, to whose output the value `residual` is added.
    fn conv_sum(
        &mut self,
        name: &str,
        input: usize,
        conv: ConvSpec,
        residual: usize,
        activation: Activation,
    ) -> usize {
        self.add(name.into(), Op::Conv(conv), input, Some(residual), activation)
    }

    fn add(
        &mut self,
        name: String,
        op: Op,
        input: usize,
        residual: Option<usize>,
        activation: Activation,
    ) -> usize {
        self.0.push(Node { name, op, input, residual, activation });
        self.last()
    }

    fn finish(self, channels: usize) -> Network {
        Network { nodes: self.0, channels }
    }
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Architecture; 12] = [
        Architecture::Resnet18,
        Architecture::Resnet34,
        Architecture::Resnet50,
        Architecture::Resnet101,
        Architecture::Resnet152,
        Architecture::EfficientnetLite0,
        Architecture::EfficientnetLite1,
        Architecture::EfficientnetLite2,
        Architecture::EfficientnetLite3,
        Architecture::EfficientnetLite4,
        Architecture::MobilenetV3Small,
        Architecture::MobilenetV3Large,
    ];

    /// Its layers.
    pub fn network(self) -> Network {
        match self {
            Architecture::Resnet18 => resnet([2, 2, 2, 2], false),
            Architecture::Resnet34 => resnet([3, 4, 6, 3], false),
            Architecture::Resnet50 => resnet([3, 4, 6, 3], true),
            Architecture::Resnet101 => resnet([3, 4, 23, 3], true),
            Architecture::Resnet152 => resnet([3, 8, 36, 3], true),
            Architecture::EfficientnetLite0 => efficientnet_lite(1.0, 1.0),
            Architecture::EfficientnetLite1 => efficientnet_lite(1.0, 1.1),
            Architecture::EfficientnetLite2 => efficientnet_lite(1.1, 1.2),
            Architecture::EfficientnetLite3 => efficientnet_lite(1.2, 1.4),
            Architecture::EfficientnetLite4 => efficientnet_lite(1.4, 1.8),
            Architecture::MobilenetV3Small => mobilenet_v3(&MOBILENET_V3_SMALL, 576),
            Architecture::MobilenetV3Large => mobilenet_v3(&MOBILENET_V3_LARGE, 960),
        }
    }

    /// What BatchNorm adds to the variance.
    pub fn batch_norm_eps(self) -> f64 {
        match self {
            Architecture::EfficientnetLite0
            | Architecture::EfficientnetLite1
            | Architecture::EfficientnetLite2
            | Architecture::EfficientnetLite3
            | Architecture::EfficientnetLite4 => 1e-3,
            _ => 1e-5,
        }
    }
}

/// A ResNet (He et al. 2015) of four stages; with `bottleneck`, version 1.5, whose stride is in the 3x3.
fn resnet(depths: [usize; 4], bottleneck: bool) -> Network {
    use Activation::{None, Relu};
    let conv = |name: String, norm: String, channels: (usize, usize), kernel, stride| ConvSpec {
        name,
        norm,
        in_channels: channels.0,
        out_channels: channels.1,
        kernel,
        stride,
        groups: 1,
        padding: Padding::Symmetric(kernel / 2),
    };
    let mut network = Builder::default();
    let stem = network.conv(0, conv("conv1".into(), "bn1".into(), (3, 64), 7, 2), Relu);
    let mut x = network.add("max_pool".into(), Op::MaxPool, stem, Option::None, None);
    let mut channels = 64;
    for (stage, depth) in depths.into_iter().enumerate() {
        let width = 64 << stage;
        let out = if bottleneck { 4 * width } else { width };
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let block = format!("layer{}.{index}", stage + 1);
            let part = |number: usize, channels, kernel, stride| {
                conv(format!("{block}.conv{number}"), format!("{block}.bn{number}"), channels, kernel, stride)
            };
            let shortcut = if stride == 1 && channels == out {
                x
            } else {
                let [name, norm] = [0, 1].map(|i| format!("{block}.downsample.{i}"));
                network.conv(x, conv(name, norm, (channels, out), 1, stride), None)
            };
            let (inner, last) = if bottleneck {
                let inner = network.conv(x, part(1, (channels, width), 1, 1), Relu);
                (network.conv(inner, part(2, (width, width), 3, stride), Relu), part(3, (width, out), 1, 1))
            } else {
                (network.conv(x, part(1, (channels, width), 3, stride), Relu), part(2, (width, out), 3, 1))
            };
            x = network.conv_sum(&block, inner, last, shortcut, Relu);
            channels = out;
        }
    }
    network.finish(channels)
}

/// The seven stages of EfficientNet-B0 (Tan & Le 2019, table 1): expansion, kernel, stride, channels, depth.
const EFFICIENTNET_STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// An EfficientNet-Lite: no squeeze-and-excitation, ReLU6, stem and head of fixed width, first and last stage of fixed
/// depth.
fn efficientnet_lite(width: f64, depth: f64) -> Network {
    use Activation::{None, Relu6};
    let dense = |name: String, norm: String, channels: (usize, usize), kernel, stride| {
        let (in_channels, out_channels) = channels;
        ConvSpec { name, norm, in_channels, out_channels, kernel, stride, groups: 1, padding: Padding::Same }
    };
    let depthwise = |name, norm, channels, kernel, stride| ConvSpec {
        groups: channels,
        ..dense(name, norm, (channels, channels), kernel, stride)
    };
    let mut network = Builder::default();
    let mut x = network.conv(0, dense("conv_stem".into(), "bn1".into(), (3, 32), 3, 2), Relu6);
    let mut channels = 32;
    for (stage, (expansion, kernel, stride, base, repeats)) in EFFICIENTNET_STAGES.into_iter().enumerate() {
        let out = round_channels(base as f64 * width);
        let fixed = stage == 0 || stage + 1 == EFFICIENTNET_STAGES.len();
        let repeats = if fixed { repeats } else { (repeats as f64 * depth).ceil() as usize };
        for index in 0..repeats {
            let stride = if index == 0 { stride } else { 1 };
            let block = format!("blocks.{stage}.{index}");
            let part = |part: &str| format!("{block}.{part}");
            let wide = channels * expansion;
            let (inner, last) = if expansion == 1 {
                let inner = depthwise(part("conv_dw"), part("bn1"), wide, kernel, stride);
                (network.conv(x, inner, Relu6), dense(part("conv_pw"), part("bn2"), (wide, out), 1, 1))
            } else {
                let inner =
                    network.conv(x, dense(part("conv_pw"), part("bn1"), (channels, wide), 1, 1), Relu6);
                let inner =
                    network.conv(inner, depthwise(part("conv_dw"), part("bn2"), wide, kernel, stride), Relu6);
                (inner, dense(part("conv_pwl"), part("bn3"), (wide, out), 1, 1))
            };
            x = if stride == 1 && channels == out {
                network.conv_sum(&block, inner, last, x, None)
            } else {
                network.conv(inner, last, None)
            };
            channels = out;
        }
    }
    network.conv(x, dense("conv_head".into(), "bn2".into(), (channels, 1280), 1, 1), Relu6);
    network.finish(1280)
}

/// A block of a MobileNetV3.
struct Bottleneck {
    /// Its number has two parts, as in the checkpoint.
    stage: usize,
    kernel: usize,
    /// Channels within; where they are as many as come in, nothing expands them.
    wide: usize,
    out: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
}

/// A row of the paper's tables 1 and 2, with the stage in front.
const fn row(
    stage: usize,
    kernel: usize,
    wide: usize,
    out: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
) -> Bottleneck {
    Bottleneck { stage, kernel, wide, out, squeeze, activation, stride }
}

const MOBILENET_V3_SMALL: [Bottleneck; 11] = {
    use Activation::{HardSwish, Relu};
    [
        row(0, 3, 16, 16, true, Relu, 2),
        row(1, 3, 72, 24, false, Relu, 2),
        row(1, 3, 88, 24, false, Relu, 1),
        row(2, 5, 96, 40, true, HardSwish, 2),
        row(2, 5, 240, 40, true, HardSwish, 1),
        row(2, 5, 240, 40, true, HardSwish, 1),
        row(3, 5, 120, 48, true, HardSwish, 1),
        row(3, 5, 144, 48, true, HardSwish, 1),
        row(4, 5, 288, 96, true, HardSwish, 2),
        row(4, 5, 576, 96, true, HardSwish, 1),
        row(4, 5, 576, 96, true, HardSwish, 1),
    ]
};

const MOBILENET_V3_LARGE: [Bottleneck; 15] = {
    use Activation::{HardSwish, Relu};
    [
        row(0, 3, 16, 16, false, Relu, 1),
        row(1, 3, 64, 24, false, Relu, 2),
        row(1, 3, 72, 24, false, Relu, 1),
        row(2, 5, 72, 40, true, Relu, 2),
        row(2, 5, 120, 40, true, Relu, 1),
        row(2, 5, 120, 40, true, Relu, 1),
        row(3, 3, 240, 80, false, HardSwish, 2),
        row(3, 3, 200, 80, false, HardSwish, 1),
        row(3, 3, 184, 80, false, HardSwish, 1),
        row(3, 3, 184, 80, false, HardSwish, 1),
        row(4, 3, 480, 112, true, HardSwish, 1),
        row(4, 3, 672, 112, true, HardSwish, 1),
        row(5, 5, 672, 160, true, HardSwish, 2),
        row(5, 5, 960, 160, true, HardSwish, 1),
        row(5, 5, 960, 160, true, HardSwish, 1),
    ]
};

/// A MobileNetV3 up to the last convolution before the mean over the grid, which has `features` channels.
fn mobilenet_v3(rows: &[Bottleneck], features: usize) -> Network {
    use Activation::{HardSwish, None};
    let conv = |name: String, norm: String, channels: (usize, usize), kernel, stride| ConvSpec {
        name,
        norm,
        in_channels: channels.0,
        out_channels: channels.1,
        kernel,
        stride,
        groups: 1,
        padding: Padding::Symmetric(kernel / 2),
    };
    let mut network = Builder::default();
    let mut x = network.conv(0, conv("conv_stem".into(), "bn1".into(), (3, 16), 3, 2), HardSwish);
    let (mut channels, mut place) = (16, (0, 0));
    for &Bottleneck { stage, kernel, wide, out, squeeze, activation, stride } in rows {
        place = if stage == place.0 { place } else { (stage, 0) };
        let block = format!("blocks.{stage}.{}", place.1);
        place.1 += 1;
        let part = |part: &str| format!("{block}.{part}");
        let (inner, [dw_norm, last, last_norm]) = if wide == channels {
            (x, ["bn1", "conv_pw", "bn2"])
        } else {
            let expand = conv(part("conv_pw"), part("bn1"), (channels, wide), 1, 1);
            (network.conv(x, expand, activation), ["bn2", "conv_pwl", "bn3"])
        };
        let depthwise = conv(part("conv_dw"), part(dw_norm), (wide, wide), kernel, stride);
        let mut inner = network.conv(inner, ConvSpec { groups: wide, ..depthwise }, activation);
        if squeeze {
            let narrow = round_channels(wide as f64 / 4.0);
            let layer = |name: &str, outputs, inputs| LinearParameter {
                name: part(name),
                outputs,
                inputs,
                layout: LinearLayout::Pointwise,
            };
            let layers = [layer("se.conv_reduce", narrow, wide), layer("se.conv_expand", wide, narrow)];
            inner = network.add(part("se"), Op::SqueezeExcite(layers), inner, Option::None, None);
        }
        let last = conv(part(last), part(last_norm), (wide, out), 1, 1);
        x = if stride == 1 && channels == out {
            network.conv_sum(&block, inner, last, x, None)
        } else {
            network.conv(inner, last, None)
        };
        channels = out;
    }
    let last = format!("blocks.{}.0", place.0 + 1);
    let last = conv(format!("{last}.conv"), format!("{last}.bn1"), (channels, features), 1, 1);
    network.conv(x, last, HardSwish);
    network.finish(features)
}

/// To the nearest multiple of 8, but never more than a tenth below.
fn round_channels(channels: f64) -> usize {
    let rounded = ((channels + 4.0) / 8.0) as usize * 8;
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }.max(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_takes_what_the_ones_before_give() {
        for architecture in Architecture::ALL {
            let network = architecture.network();
            let mut channels = vec![3];
            for (i, node) in network.nodes.iter().enumerate() {
                assert!(node.input <= i && node.residual.is_none_or(|value| value <= i), "{}", node.name);
                let out = match node.conv() {
                    Some(conv) => {
                        assert_eq!(conv.in_channels, channels[node.input], "{}", node.name);
                        conv.out_channels
                    }
                    None => channels[node.input],
                };
                assert!(node.residual.is_none_or(|value| channels[value] == out), "{}", node.name);
                channels.push(out);
            }
            assert_eq!(channels.last(), Some(&network.channels), "{architecture:?}");
            assert_eq!(network.grid_size(224), 7, "{architecture:?}");
            let read =
                |value| network.nodes.iter().any(|node| node.input == value || node.residual == Some(value));
            assert!((0..network.nodes.len()).all(read), "{architecture:?}: every value but the last is read");
        }
    }

    #[test]
    fn no_value_is_overwritten_before_it_is_read() {
        for architecture in Architecture::ALL {
            let network = architecture.network();
            let slots = network.slots();
            assert!(slots.count <= 4, "{architecture:?}: {}", slots.count);
            let mut holds = vec![usize::MAX; slots.count];
            holds[slots.of[0]] = 0;
            for (i, node) in network.nodes.iter().enumerate() {
                for value in [Some(node.input), node.residual].into_iter().flatten() {
                    assert_eq!(holds[slots.of[value]], value, "{architecture:?}, {}", node.name);
                    assert_ne!(slots.of[value], slots.of[i + 1], "a node does not write where it reads");
                }
                holds[slots.of[i + 1]] = i + 1;
            }
        }
    }

    #[test]
    fn same_padding_is_tensorflows() {
        let network = Architecture::EfficientnetLite0.network();
        let conv = |name: &str| network.convs().find(|conv| conv.name == name).unwrap();
        let stem = conv("conv_stem");
        assert_eq!((stem.pads(224), stem.pads(225), stem.output_size(225)), ((0, 1), (1, 1), 113));
        let strided = conv("blocks.2.0.conv_dw");
        assert_eq!((strided.kernel, strided.stride, strided.pads(56)), (5, 2, (1, 2)));
        let plain = conv("blocks.2.1.conv_dw");
        assert_eq!((plain.kernel, plain.stride, plain.pads(28)), (5, 1, (2, 2)));
    }

    #[test]
    fn products_are_those_of_the_published_sizes() {
        // Published with the classifier: 1.82, 4.09 (v1.5: 4.11), 0.407, 0.057 and 0.217 GMAC.
        for (architecture, giga) in [
            (Architecture::Resnet18, 1.814),
            (Architecture::Resnet50, 4.087),
            (Architecture::EfficientnetLite0, 0.384),
            (Architecture::MobilenetV3Small, 0.0549),
            (Architecture::MobilenetV3Large, 0.2141),
        ] {
            let counted = architecture.network().products(224) as f64 / 1e9;
            assert!((counted / giga - 1.0).abs() < 0.01, "{architecture:?}: {counted}");
        }
    }
}
