//! Each CNN written down once, as data, with the tensor names of its published checkpoints. The float encoder and the
//! int8 plan both interpret these lists.

use super::Architecture;

/// How many zeros a convolution sees around its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// This many on each side (PyTorch).
    Symmetric(usize),
    /// As many as make the output `ceil(input / stride)`; an odd one goes to the bottom and right (TensorFlow).
    Same,
}

/// The activation after a convolution, or after a block's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// A convolution without bias, its BatchNorm and its activation. Kernels are square, groups are 1 or depthwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// The convolution's name in the checkpoint; `{name}.weight` is `[out, in / groups, kernel, kernel]`.
    pub name: String,
    /// The BatchNorm's name; a folded checkpoint has `{name}.bias` in its stead.
    pub norm: String,
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step, the same in both directions.
    pub stride: usize,
    /// 1, or `in_channels` when each channel has its own kernel.
    pub groups: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// What follows the BatchNorm.
    pub activation: Activation,
}

impl ConvSpec {
    /// Whether each channel has its own kernel.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1
    }

    /// Zeros before and after `size` input rows (or columns).
    pub fn pads(&self, size: usize) -> (usize, usize) {
        match self.padding {
            Padding::Symmetric(n) => (n, n),
            Padding::Same => {
                let span = (size.div_ceil(self.stride).saturating_sub(1)) * self.stride + self.kernel;
                let total = span.saturating_sub(size);
                (total / 2, total - total / 2)
            }
        }
    }

    /// Output rows (or columns) for `size` input rows, which must be at least one.
    pub fn output_size(&self, size: usize) -> usize {
        let (before, after) = self.pads(size);
        (size + before + after).saturating_sub(self.kernel) / self.stride + 1
    }

    /// Shape of the weight, `[out, in / groups, kernel, kernel]`.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.out_channels, self.in_channels / self.groups.max(1), self.kernel, self.kernel]
    }
}

/// What a block adds to the output of its convolutions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing: there is no sum.
    None,
    /// Its input.
    Identity,
    /// Its input through a 1x1 convolution.
    Projection(ConvSpec),
}

/// Convolutions in a row, and a shortcut past them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its name in the checkpoint, and that of its sum.
    pub name: String,
    /// The convolutions, in order.
    pub convs: Vec<ConvSpec>,
    /// What is added to the last one's output.
    pub shortcut: Shortcut,
    /// The activation after the sum.
    pub activation: Activation,
}

/// A whole CNN without its classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first convolution.
    pub stem: ConvSpec,
    /// Whether a 3x3 maximum of stride 2 and padding 1 follows the stem.
    pub max_pool: bool,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// The 1x1 convolution that widens the last grid.
    pub head: Option<ConvSpec>,
    /// Channels of the last grid.
    pub channels: usize,
}

impl Network {
    /// Every convolution in the order of the forward pass; a block's projection comes after its other convolutions.
    pub fn convs(&self) -> impl Iterator<Item = &ConvSpec> {
        let blocks = self.blocks.iter().flat_map(|block| {
            let projection = match &block.shortcut {
                Shortcut::Projection(conv) => Some(conv),
                _ => None,
            };
            block.convs.iter().chain(projection)
        });
        std::iter::once(&self.stem).chain(blocks).chain(&self.head)
    }

    /// Side of the last grid for a square input of `input_size`.
    pub fn grid_size(&self, input_size: usize) -> usize {
        let mut size = self.stem.output_size(input_size);
        if self.max_pool {
            size = max_pool_size(size);
        }
        self.blocks.iter().flat_map(|block| &block.convs).fold(size, |size, conv| conv.output_size(size))
    }
}

/// Output rows of the 3x3 maximum of stride 2 and padding 1.
pub fn max_pool_size(size: usize) -> usize {
    size.saturating_sub(1) / 2 + 1
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Architecture; 10] = [
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
        }
    }

    /// What BatchNorm adds to the variance.
    pub fn batch_norm_eps(self) -> f64 {
        match self {
            Architecture::Resnet18
            | Architecture::Resnet34
            | Architecture::Resnet50
            | Architecture::Resnet101
            | Architecture::Resnet152 => 1e-5,
            _ => 1e-3,
        }
    }
}

/// A ResNet (He et al. 2015) of four stages; with `bottleneck`, version 1.5, whose stride is in the 3x3.
fn resnet(depths: [usize; 4], bottleneck: bool) -> Network {
    let conv =
        |prefix: &str, conv: &str, norm: &str, channels: (usize, usize), kernel, stride, activation| {
            let name = |part: &str| if prefix.is_empty() { part.into() } else { format!("{prefix}.{part}") };
            ConvSpec {
                name: name(conv),
                norm: name(norm),
                in_channels: channels.0,
                out_channels: channels.1,
                kernel,
                stride,
                groups: 1,
                padding: Padding::Symmetric(kernel / 2),
                activation,
            }
        };
    use Activation::Relu;
    let mut channels = 64;
    let mut blocks = Vec::new();
    for (stage, depth) in depths.into_iter().enumerate() {
        let width = 64 << stage;
        let out = if bottleneck { 4 * width } else { width };
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let name = format!("layer{}.{index}", stage + 1);
            let convs = if bottleneck {
                vec![
                    conv(&name, "conv1", "bn1", (channels, width), 1, 1, Relu),
                    conv(&name, "conv2", "bn2", (width, width), 3, stride, Relu),
                    conv(&name, "conv3", "bn3", (width, out), 1, 1, Activation::None),
                ]
            } else {
                vec![
                    conv(&name, "conv1", "bn1", (channels, width), 3, stride, Relu),
                    conv(&name, "conv2", "bn2", (width, out), 3, 1, Activation::None),
                ]
            };
            let shortcut = if stride == 1 && channels == out {
                Shortcut::Identity
            } else {
                Shortcut::Projection(conv(
                    &name,
                    "downsample.0",
                    "downsample.1",
                    (channels, out),
                    1,
                    stride,
                    Activation::None,
                ))
            };
            blocks.push(Block { name, convs, shortcut, activation: Relu });
            channels = out;
        }
    }
    Network {
        stem: conv("", "conv1", "bn1", (3, 64), 7, 2, Relu),
        max_pool: true,
        blocks,
        head: None,
        channels,
    }
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
    let conv =
        |name: String, norm: String, channels: (usize, usize), kernel, stride, depthwise, activation| {
            let (in_channels, out_channels) = channels;
            let groups = if depthwise { in_channels } else { 1 };
            let padding = Padding::Same;
            ConvSpec { name, norm, in_channels, out_channels, kernel, stride, groups, padding, activation }
        };
    use Activation::Relu6;
    let mut channels = 32;
    let mut blocks = Vec::new();
    for (stage, (expansion, kernel, stride, base, repeats)) in EFFICIENTNET_STAGES.into_iter().enumerate() {
        let out = round_channels(base as f64 * width);
        let fixed = stage == 0 || stage + 1 == EFFICIENTNET_STAGES.len();
        let repeats = if fixed { repeats } else { (repeats as f64 * depth).ceil() as usize };
        for index in 0..repeats {
            let stride = if index == 0 { stride } else { 1 };
            let name = format!("blocks.{stage}.{index}");
            let part = |part: &str| format!("{name}.{part}");
            let wide = channels * expansion;
            let convs = if expansion == 1 {
                vec![
                    conv(part("conv_dw"), part("bn1"), (wide, wide), kernel, stride, true, Relu6),
                    conv(part("conv_pw"), part("bn2"), (wide, out), 1, 1, false, Activation::None),
                ]
            } else {
                vec![
                    conv(part("conv_pw"), part("bn1"), (channels, wide), 1, 1, false, Relu6),
                    conv(part("conv_dw"), part("bn2"), (wide, wide), kernel, stride, true, Relu6),
                    conv(part("conv_pwl"), part("bn3"), (wide, out), 1, 1, false, Activation::None),
                ]
            };
            let same = stride == 1 && channels == out;
            let shortcut = if same { Shortcut::Identity } else { Shortcut::None };
            blocks.push(Block { name, convs, shortcut, activation: Activation::None });
            channels = out;
        }
    }
    Network {
        stem: conv("conv_stem".into(), "bn1".into(), (3, 32), 3, 2, false, Relu6),
        max_pool: false,
        blocks,
        head: Some(conv("conv_head".into(), "bn2".into(), (channels, 1280), 1, 1, false, Relu6)),
        channels: 1280,
    }
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
    fn each_block_takes_what_the_one_before_gives() {
        for architecture in Architecture::ALL {
            let network = architecture.network();
            let mut channels = network.stem.out_channels;
            for block in &network.blocks {
                let mut inner = channels;
                for conv in &block.convs {
                    assert_eq!(conv.in_channels, inner, "{}", conv.name);
                    inner = conv.out_channels;
                }
                match &block.shortcut {
                    Shortcut::Identity => assert_eq!(inner, channels, "{}", block.name),
                    Shortcut::Projection(conv) => {
                        assert_eq!(
                            (conv.in_channels, conv.out_channels),
                            (channels, inner),
                            "{}",
                            block.name
                        );
                    }
                    Shortcut::None => {}
                }
                channels = inner;
            }
            let last = network.head.as_ref().map_or(channels, |head| head.out_channels);
            assert_eq!(last, network.channels, "{architecture:?}");
            assert_eq!(network.grid_size(224), 7, "{architecture:?}");
        }
    }

    #[test]
    fn same_padding_is_tensorflows() {
        let network = Architecture::EfficientnetLite0.network();
        assert_eq!(network.stem.pads(224), (0, 1));
        assert_eq!(network.stem.pads(225), (1, 1));
        assert_eq!(network.stem.output_size(225), 113);
        let strided = &network.blocks[3].convs[1];
        assert_eq!((strided.kernel, strided.stride, strided.pads(56)), (5, 2, (1, 2)));
        let plain = &network.blocks[4].convs[1];
        assert_eq!((plain.kernel, plain.stride, plain.pads(28)), (5, 1, (2, 2)));
    }
}
