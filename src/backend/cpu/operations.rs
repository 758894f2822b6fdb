//! The CPU as a [`Backend`].

use super::{
    InstructionSet,
    attention::Attention,
    conv::ConvWorkspace,
    image::{Conv, PixelLevels},
    lanes::F32x8,
    layer_norm::LayerNorm,
    linear::Linear,
    math::{gelu, gelu_new, max},
    pool::{Gate, max_pool},
    quantize::{Quantization, QuantizedRows},
};
use crate::{
    backend::{Backend, ConvStep, GateStep},
    bundle::{Bundle, BundleError, Rows},
    model::{
        HiddenActivation, LayerNormParameter, LinearParameter, Preprocess, RangeParameter, Table,
        TextParameters,
    },
};

/// The processor that this runs on, with its workspace.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    set: InstructionSet,
    attention: Attention,
    workspace: ConvWorkspace,
    /// A number for each channel of a gate.
    gates: Vec<f32>,
    /// The levels of a word's embedding.
    word: Vec<i8>,
}

impl Cpu {
    /// With the kernels of an instruction set instead of the fastest ones, or `None` where this machine does not run it.
    pub fn with(set: InstructionSet) -> Option<Self> {
        let runs = InstructionSet::available().contains(&set);
        runs.then(|| Cpu { set, attention: Attention::new(set), ..Cpu::default() })
    }
}

/// BERT's tables. Words stay as they are stored, and a row becomes real when it is read: they are half of a model's memory.
#[derive(Clone, Debug)]
pub struct Embeddings {
    words: Rows<'static>,
    scale: Vec<f32>,
    /// Position plus token type 0, one row a position.
    positions: Vec<f32>,
    width: usize,
}

impl Linear {
    /// Layers over the same inputs as one, from a bundle, for an instruction set.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(
        set: InstructionSet,
        bundle: &Bundle,
        layers: &[LinearParameter],
    ) -> Result<Self, BundleError> {
        let weights = LinearParameter::read_stacked(layers, bundle)?;
        let inputs = layers.first().map_or(0, |layer| layer.inputs);
        Ok(Linear::new(set, &weights.levels, &weights.scale, &weights.bias, inputs))
    }
}

impl LayerNorm {
    /// From a bundle, for an instruction set.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(
        set: InstructionSet,
        bundle: &Bundle,
        norm: &LayerNormParameter,
    ) -> Result<Self, BundleError> {
        let [weight, bias] = norm.read(bundle)?;
        Ok(LayerNorm::new(set, weight, bias, norm.eps as f32))
    }
}

impl Quantization {
    /// From a bundle.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing or wrong.
    pub fn load(bundle: &Bundle, range: &RangeParameter) -> Result<Self, BundleError> {
        range.read(bundle).map(|(scale, zero_point)| Quantization { scale, zero_point })
    }
}

impl Backend for Cpu {
    type Source = Bundle;
    type Error = BundleError;
    type Reals = Vec<f32>;
    type Rows = QuantizedRows;
    type Levels = Vec<u8>;
    type Embeddings = Embeddings;
    type Linear = Linear;
    type LayerNorm = LayerNorm;
    type Pixels = PixelLevels;
    type Conv = Conv;
    type Gate = Gate;

    fn make_embeddings(&mut self, bundle: &Bundle, text: &TextParameters) -> Result<Embeddings, BundleError> {
        let width = text.words.width;
        let mut positions = text.positions.read(bundle)?.dequantized();
        let token_types = text.token_types.read(bundle)?.dequantized();
        for row in positions.chunks_exact_mut(width) {
            for (position, &token_type) in row.iter_mut().zip(&token_types) {
                *position += token_type;
            }
        }
        let Table { rows, scale } = text.words.read(bundle)?;
        Ok(Embeddings { words: rows.into_owned(), scale, positions, width })
    }

    fn make_linear(&mut self, bundle: &Bundle, layers: &[LinearParameter]) -> Result<Linear, BundleError> {
        Linear::load(self.set, bundle, layers)
    }

    fn make_layer_norm(
        &mut self,
        bundle: &Bundle,
        norm: &LayerNormParameter,
    ) -> Result<LayerNorm, BundleError> {
        LayerNorm::load(self.set, bundle, norm)
    }

    fn make_pixels(
        &mut self,
        bundle: &Bundle,
        preprocess: &Preprocess,
        range: &RangeParameter,
    ) -> Result<PixelLevels, BundleError> {
        Ok(PixelLevels::new(preprocess, Quantization::load(bundle, range)?))
    }

    fn make_conv(&mut self, bundle: &Bundle, step: &ConvStep<'_>) -> Result<Conv, BundleError> {
        Conv::load(self.set, bundle, step)
    }

    fn make_gate(&mut self, bundle: &Bundle, step: &GateStep<'_>) -> Result<Gate, BundleError> {
        let range = Quantization::load(bundle, step.range)?;
        Ok(Gate { cells: step.side * step.side, channels: step.channels, range, set: self.set })
    }

    fn embed(&mut self, tables: &Embeddings, texts: &[&[u32]], out: &mut Vec<f32>) {
        out.clear();
        let positions = || tables.positions.chunks_exact(tables.width);
        for (&id, position) in texts.iter().flat_map(|text| text.iter().zip(positions())) {
            let row = id as usize;
            let scale = tables.scale[row];
            self.word.clear();
            tables.words.append(row, &mut self.word);
            out.extend(self.word.iter().zip(position).map(|(&w, &p)| f32::from(w) * scale + p));
        }
    }

    fn layer_norm(&mut self, norm: &LayerNorm, x: &mut Vec<f32>, residual: Option<&Vec<f32>>) {
        match residual {
            Some(residual) => norm.forward_sum(x, residual),
            None => norm.forward(x),
        }
    }

    fn quantize_rows(&mut self, x: &Vec<f32>, width: usize, out: &mut QuantizedRows) {
        out.quantize_on(self.set, x, width);
    }

    fn linear(
        &mut self,
        linear: &Linear,
        x: &mut QuantizedRows,
        activation: Option<HiddenActivation>,
        out: &mut Vec<f32>,
    ) {
        out.resize(x.rows().len() * linear.outputs(), 0.0);
        match activation {
            None => linear.forward(x, out),
            Some(HiddenActivation::Gelu) => linear.forward_then(x, out, gelu),
            Some(HiddenActivation::GeluNew) => linear.forward_then(x, out, gelu_new),
            Some(HiddenActivation::Relu) => linear.forward_then(x, out, |x| max(x, F32x8::splat(0.0))),
        }
    }

    fn attend(&mut self, qkv: &Vec<f32>, lengths: &[usize], width: usize, heads: usize, out: &mut Vec<f32>) {
        out.resize(qkv.len() / 3, 0.0);
        self.attention.attend(qkv, lengths, width, heads, out);
    }

    fn pixels(&mut self, pixels: &PixelLevels, squares: &[&[u8]], out: &mut Vec<u8>) {
        out.clear();
        squares.iter().for_each(|rgb| pixels.append(rgb, out));
    }

    fn conv(&mut self, conv: &Conv, input: &Vec<u8>, residual: Option<&Vec<u8>>, out: &mut Vec<u8>) {
        conv.run(input, residual.map(Vec::as_slice), &mut self.workspace, out);
    }

    fn conv_to_reals(
        &mut self,
        conv: &Conv,
        input: &Vec<u8>,
        residual: Option<&Vec<u8>>,
        out: &mut Vec<f32>,
    ) {
        conv.run(input, residual.map(Vec::as_slice), &mut self.workspace, out);
    }

    fn max_pool(&mut self, input: &Vec<u8>, side: usize, channels: usize, out: &mut Vec<u8>) {
        max_pool(input, side, side, channels, out);
    }

    fn squeeze(&mut self, gate: &Gate, input: &Vec<u8>, out: &mut Vec<f32>) {
        gate.squeeze(input, out);
    }

    fn excite(&mut self, gate: &Gate, input: &Vec<u8>, logits: &Vec<f32>, out: &mut Vec<u8>) {
        gate.excite(input, logits, &mut self.gates, out);
    }

    async fn read(&mut self, x: &Vec<f32>) -> Result<Vec<f32>, BundleError> {
        Ok(x.clone())
    }
}
