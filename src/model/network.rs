//! A CNN as data: a list of nodes in the order of the forward pass. Whatever has to know a CNN walks this list: the float
//! encoder, the quantized pass, the parameters' names, the calibration, counts of products.

use super::LinearParameter;

/// How many zeros a convolution sees around its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// This many on each side (PyTorch).
    Symmetric(usize),
    /// As many as make the output `ceil(input / stride)`; an odd one goes to the bottom and right (TensorFlow).
    Same,
}

/// The activation at the end of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x min(max(x + 3, 0), 6) / 6` (Howard et al. 2019).
    HardSwish,
}

impl Activation {
    /// The least and the largest value that it gives.
    pub fn bounds(self) -> (f32, f32) {
        match self {
            Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::HardSwish => (-0.375, f32::INFINITY),
        }
    }
}

/// A convolution without bias, and its BatchNorm. Kernels are square, groups are 1 or depthwise.
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
}

impl ConvSpec {
    /// Whether each channel has its own kernel.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1
    }

    /// Whether it mixes the channels of one cell: a linear layer for each.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.groups == 1
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

/// What a node computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A convolution with its BatchNorm.
    Conv(ConvSpec),
    /// The 3x3 maximum of stride 2 and padding 1.
    MaxPool,
    /// Squeeze and excitation (Hu et al. 2018): each channel times a number of `0..=1`, the hard sigmoid of `layers[1]` of
    /// the ReLU of `layers[0]` of the channels' means.
    SqueezeExcite([LinearParameter; 2]),
}

/// One step of the forward pass: `activation(op(input) + residual)`.
///
/// Values are numbered: 0 is the pixels, `i + 1` the output of node `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name: the convolution's, or the block's where a residual is added.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The value that it reads.
    pub input: usize,
    /// The value that is added before the activation.
    pub residual: Option<usize>,
    /// The activation.
    pub activation: Activation,
}

impl Node {
    /// Its convolution, if it is one.
    pub fn conv(&self) -> Option<&ConvSpec> {
        match &self.op {
            Op::Conv(conv) => Some(conv),
            Op::MaxPool | Op::SqueezeExcite(_) => None,
        }
    }

    /// Its linear layers, if it has any.
    pub fn linears(&self) -> &[LinearParameter] {
        match &self.op {
            Op::Conv(_) | Op::MaxPool => &[],
            Op::SqueezeExcite(layers) => layers,
        }
    }

    /// Output rows (or columns) for `size` input rows.
    pub fn output_size(&self, size: usize) -> usize {
        match &self.op {
            Op::Conv(conv) => conv.output_size(size),
            Op::MaxPool => max_pool_size(size),
            Op::SqueezeExcite(_) => size,
        }
    }

    /// Whether it has a range of levels of its own. All but a convolution keep that of their input.
    fn has_range(&self) -> bool {
        self.conv().is_some()
    }
}

/// A whole CNN without its classifier: pixels in, the last grid of features out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The nodes, each behind those that it reads. The last one gives the last grid.
    pub nodes: Vec<Node>,
    /// Channels of the last grid.
    pub channels: usize,
}

impl Network {
    /// Every convolution, in order.
    pub fn convs(&self) -> impl Iterator<Item = &ConvSpec> {
        self.nodes.iter().filter_map(Node::conv)
    }

    /// Every linear layer, in order.
    pub fn linears(&self) -> impl Iterator<Item = &LinearParameter> {
        self.nodes.iter().flat_map(Node::linears)
    }

    /// The side of each value, the pixels' first, for a square input of `input_size`.
    pub fn sizes(&self, input_size: usize) -> Vec<usize> {
        let mut sizes = vec![input_size];
        for node in &self.nodes {
            sizes.push(node.output_size(sizes[node.input]));
        }
        sizes
    }

    /// Side of the last grid for a square input of `input_size`.
    pub fn grid_size(&self, input_size: usize) -> usize {
        self.sizes(input_size).pop().unwrap_or(input_size)
    }

    /// Products of one forward pass over a square of `input_size`.
    pub fn products(&self, input_size: usize) -> u64 {
        let sizes = self.sizes(input_size);
        let of = |(i, node): (usize, &Node)| {
            let weights = node.conv().map_or(0, |conv| conv.weight_shape().iter().product::<usize>());
            let linear: usize = node.linears().iter().map(|linear| linear.outputs * linear.inputs).sum();
            (weights * sizes[i + 1] * sizes[i + 1] + linear) as u64
        };
        self.nodes.iter().enumerate().map(of).sum()
    }

    /// Whether the nodes from the number `nodes` on read nothing of the earlier ones but the value `nodes`.
    pub fn splits_at(&self, nodes: usize) -> bool {
        let reads =
            |node: &Node| [Some(node.input), node.residual].into_iter().flatten().all(|value| value >= nodes);
        self.nodes.get(nodes..).is_some_and(|rest| rest.iter().all(reads))
    }

    /// The nodes whose outputs are quantized, each with a range of its own: the convolutions' but for the last node's,
    /// which stays real.
    pub fn quantized(&self) -> impl Iterator<Item = &Node> {
        let last = self.nodes.len().saturating_sub(1);
        self.nodes[..last].iter().filter(|node| node.has_range())
    }

    /// The node whose range the levels of `value` have; `None` for the pixels'.
    pub fn range_of(&self, value: usize) -> Option<&Node> {
        let node = &self.nodes[value.checked_sub(1)?];
        if node.has_range() { Some(node) } else { self.range_of(node.input) }
    }

    /// Places in memory for all values, so that a value's is used again once no node reads it any more.
    pub fn slots(&self) -> Slots {
        let mut last_read: Vec<usize> = vec![0; self.nodes.len() + 1];
        for (i, node) in self.nodes.iter().enumerate() {
            for value in [Some(node.input), node.residual].into_iter().flatten() {
                last_read[value] = i;
            }
        }
        let mut of = vec![0];
        // The last node that reads what lies in a slot.
        let mut busy = vec![last_read[0]];
        for i in 0..self.nodes.len() {
            let slot = busy.iter().position(|&until| until < i).unwrap_or(busy.len());
            if slot == busy.len() {
                busy.push(0);
            }
            busy[slot] = last_read[i + 1].max(i);
            of.push(slot);
        }
        Slots { count: busy.len(), of }
    }
}

/// See [`Network::slots`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// How many there are.
    pub count: usize,
    /// The slot of each value.
    pub of: Vec<usize>,
}

/// Output rows of the 3x3 maximum of stride 2 and padding 1.
pub fn max_pool_size(size: usize) -> usize {
    size.saturating_sub(1) / 2 + 1
}
