//! The CNNs with int8 weights, over any backend: walks the nodes of a [`Network`](crate::model::Network), as the float
//! encoder does, and agrees with it up to the rounding of weights and activations.

use super::Picture;
use crate::{
    backend::{Backend, ConvStep, Cpu, GateStep},
    model::{HiddenActivation, ImageParameters, Op, Preprocess},
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
    workspace: Workspace<B>,
    grid: B::Reals,
}

/// What squeezes and excitations write on the way.
#[derive(Clone, Debug)]
struct Workspace<B: Backend> {
    rows: B::Rows,
    reals: B::Reals,
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
    SqueezeExcite {
        gate: B::Gate,
        channels: usize,
        layers: [B::Linear; 2],
        narrow: usize,
    },
}

impl<B: Backend> ImageEncoder<B> {
    /// Makes the encoder of `parameters` for pictures that are prepared by `preprocess`.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    ///
    /// # Panics
    /// When `parameters` are not those of their network; [`ImageParameters::new`] makes no others.
    pub fn load(
        backend: &mut B,
        source: &B::Source,
        preprocess: &Preprocess,
        parameters: &ImageParameters,
    ) -> Result<Self, B::Error> {
        let network = &parameters.network;
        let sizes = network.sizes(preprocess.input_size);
        let slots = network.slots();
        let (mut convs, mut linears) = (parameters.convs.iter(), parameters.linears.as_slice());
        // The channels of each value, the pixels' first.
        let mut channels = vec![3];
        let mut steps = Vec::with_capacity(network.nodes.len());
        for (i, node) in network.nodes.iter().enumerate() {
            let is_last = i + 1 == network.nodes.len();
            let side = sizes[node.input];
            let mut out = channels[node.input];
            let op = match &node.op {
                Op::Conv(spec) => {
                    out = spec.out_channels;
                    let parameter = convs.next().expect("a parameter for each convolution");
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
                Op::MaxPool => StepOp::MaxPool { side, channels: out },
                Op::SqueezeExcite(_) => {
                    let layers = linears.split_first_chunk();
                    let ([reduce, expand], rest) = layers.expect("parameters for each linear layer");
                    linears = rest;
                    let range = parameters.range_of(node.input);
                    let step = GateStep { name: &node.name, side, channels: out, range };
                    StepOp::SqueezeExcite {
                        gate: backend.make_gate(source, &step)?,
                        channels: out,
                        layers: [
                            backend.make_linear(source, std::slice::from_ref(reduce))?,
                            backend.make_linear(source, std::slice::from_ref(expand))?,
                        ],
                        narrow: reduce.outputs,
                    }
                }
            };
            channels.push(out);
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
            workspace: Workspace { rows: B::Rows::default(), reals: B::Reals::default() },
            grid: B::Reals::default(),
        })
    }

    /// How pictures are prepared.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
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
        self.encode_squares(backend, &[square.pixels()])
    }

    /// As [`encode`](Self::encode), for the pixels of pictures that [`preprocess`](Self::preprocess) has prepared: their
    /// grids, one after the other. That of a picture does not depend on the others, not by a bit.
    pub fn encode_squares(&mut self, backend: &mut B, squares: &[&[u8]]) -> &B::Reals {
        let (slots, Workspace { rows, reals }) = (&mut self.slots, &mut self.workspace);
        backend.pixels(&self.pixels, squares, &mut slots[self.pixels_slot]);
        for step in &self.steps {
            // A node never writes where it reads, so that its output can be taken out meanwhile.
            let mut out = std::mem::take(&mut slots[step.output]);
            let (input, residual) = (&slots[step.input], step.residual.map(|slot| &slots[slot]));
            match &step.op {
                StepOp::Conv(conv) => backend.conv(conv, input, residual, &mut out),
                StepOp::LastConv(conv) => backend.conv_to_reals(conv, input, residual, &mut self.grid),
                StepOp::MaxPool { side, channels } => backend.max_pool(input, *side, *channels, &mut out),
                StepOp::SqueezeExcite { gate, channels, layers: [reduce, expand], narrow } => {
                    backend.squeeze(gate, input, reals);
                    backend.quantize_rows(reals, *channels, rows);
                    backend.linear(reduce, rows, Some(HiddenActivation::Relu), reals);
                    backend.quantize_rows(reals, *narrow, rows);
                    backend.linear(expand, rows, None, reals);
                    backend.excite(gate, input, reals, &mut out);
                }
            }
            slots[step.output] = out;
        }
        &self.grid
    }
}
