//! The CNNs with int8 weights, over any backend: walks the nodes of a [`Network`](crate::model::Network), as the float
//! encoder does, and agrees with it up to the rounding of weights and activations.

use super::Picture;
use crate::{
    backend::{Backend, ConvStep, Cpu},
    model::{ImageParameters, Op, Preprocess},
};

/// A CNN without its classifier: a picture in, the last grid out.
#[derive(Clone, Debug)]
pub struct ImageEncoder<B: Backend = Cpu> {
    preprocess: Preprocess,
    pixels: B::Pixels,
    /// The slot of the pixels' levels.
    pixels_slot: usize,
    steps: Vec<Step<B>>,
    side: usize,
    channels: usize,
    /// The workspace: everything that a forward pass writes, used again and again.
    slots: Vec<B::Levels>,
    grid: B::Reals,
}

/// A node with the slots that it reads and writes.
#[derive(Clone, Debug)]
struct Step<B: Backend> {
    op: StepOp<B>,
    input: usize,
    residual: Option<usize>,
    output: usize,
}

#[derive(Clone, Debug)]
enum StepOp<B: Backend> {
    Conv(B::Conv),
    /// The convolution whose output is the last grid, in floats.
    LastConv(B::Conv),
    MaxPool {
        side: usize,
        channels: usize,
    },
}

impl<B: Backend> ImageEncoder<B> {
    /// Makes the encoder of `parameters` for pictures that are prepared by `preprocess`.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    pub fn load(
        backend: &mut B,
        source: &B::Source,
        preprocess: &Preprocess,
        parameters: &ImageParameters,
    ) -> Result<Self, B::Error> {
        let network = &parameters.network;
        let sizes = network.sizes(preprocess.input_size);
        let slots = network.slots();
        let mut convs = parameters.convs.iter();
        // The channels of each value, the pixels' first.
        let mut channels = vec![3];
        let mut steps = Vec::with_capacity(network.nodes.len());
        for (i, node) in network.nodes.iter().enumerate() {
            let is_last = i + 1 == network.nodes.len();
            let side = sizes[node.input];
            let op = match (&node.op, convs.as_slice().first()) {
                (Op::Conv(spec), Some(parameter)) => {
                    convs.next();
                    channels.push(spec.out_channels);
                    let conv = backend.make_conv(
                        source,
                        &ConvStep {
                            name: &node.name,
                            parameter,
                            side,
                            input: parameters.range_of(node.input),
                            residual: node.residual.map(|value| parameters.range_of(value)),
                            activation: node.activation,
                            output: (!is_last).then(|| parameters.range_of(i + 1)),
                        },
                    )?;
                    if is_last { StepOp::LastConv(conv) } else { StepOp::Conv(conv) }
                }
                _ => {
                    channels.push(channels[node.input]);
                    StepOp::MaxPool { side, channels: channels[node.input] }
                }
            };
            let slot = |value: usize| slots.of[value];
            steps.push(Step {
                op,
                input: slot(node.input),
                residual: node.residual.map(slot),
                output: slot(i + 1),
            });
        }
        Ok(ImageEncoder {
            pixels: backend.make_pixels(source, preprocess, parameters.range_of(0))?,
            pixels_slot: slots.of[0],
            preprocess: preprocess.clone(),
            steps,
            side: network.grid_size(preprocess.input_size),
            channels: network.channels,
            slots: (0..slots.count).map(|_| B::Levels::default()).collect(),
            grid: B::Reals::default(),
        })
    }

    /// Rows of the last grid, and as many columns.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Channels of the last grid.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The last grid `[side, side, channels]` of a picture of any size, which is valid until the next call.
    pub fn encode(&mut self, backend: &mut B, picture: &Picture) -> &B::Reals {
        let square = self.preprocess.apply(picture);
        let slots = &mut self.slots;
        backend.pixels(&self.pixels, square.pixels(), &mut slots[self.pixels_slot]);
        for step in &self.steps {
            // A node never writes where it reads, so that its output can be taken out meanwhile.
            let mut out = std::mem::take(&mut slots[step.output]);
            let (input, residual) = (&slots[step.input], step.residual.map(|slot| &slots[slot]));
            match &step.op {
                StepOp::Conv(conv) => backend.conv(conv, input, residual, &mut out),
                StepOp::LastConv(conv) => backend.conv_to_reals(conv, input, residual, &mut self.grid),
                StepOp::MaxPool { side, channels } => backend.max_pool(input, *side, *channels, &mut out),
            }
            slots[step.output] = out;
        }
        &self.grid
    }
}
