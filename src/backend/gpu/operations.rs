//! The GPU as a [`Backend`].

use super::{
    Conv, Embeddings, Gate, Gpu, GpuError, LayerNorm, Levels, Linear, Pixels, Reals, Rows,
    device::Piece,
    kernels::Kernel,
    memory::Memory,
    weights::{TILE, WORD, words},
};
use crate::{
    backend::{Backend, ConvStep, GateStep, Pass},
    bundle::Bundle,
    model::{
        HiddenActivation, LayerNormParameter, LinearParameter, Preprocess, RangeParameter, TextParameters,
    },
};

/// Threads of a workgroup.
const LANES: usize = 64;

/// Longest head and longest text that `attention.wgsl` holds.
const LONGEST_HEAD: usize = 256;
const LONGEST_TEXT: usize = 1024;

/// What a convolution gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Levels = 0,
    Reals = 1,
    Sums = 2,
}

impl Gpu {
    /// Workgroups in two directions, and how many lie side by side.
    fn spread(&self, groups: usize) -> ((usize, usize), u32) {
        let line = groups.min(self.context.most_groups as usize).max(1);
        ((line, groups.div_ceil(line)), line as u32)
    }

    fn grow(&mut self, memory: &mut Memory, words: usize) -> Option<Piece> {
        memory.of(&mut self.context, &mut self.recorder, (WORD * words) as u64)
    }

    fn run(&mut self, kernel: Kernel, parameters: &[u32], pieces: &[&Piece], groups: (usize, usize)) {
        self.recorder.run(&mut self.context, kernel, parameters, pieces, groups);
    }

    fn upload(&mut self, bytes: Vec<u8>) -> Option<Piece> {
        self.recorder.upload(&mut self.context, bytes)
    }

    /// The first row and the length of each row's text.
    fn texts(&mut self, lengths: &[usize]) -> Option<Piece> {
        if let Some((known, piece)) = &self.texts
            && known == lengths
        {
            return Some(piece.clone());
        }
        let mut bytes = Vec::new();
        let mut first = 0;
        for &length in lengths {
            let span = [first as u32, length as u32].map(u32::to_le_bytes);
            (0..length).for_each(|_| bytes.extend_from_slice(span.as_flattened()));
            first += length;
        }
        let piece = self.upload(bytes)?;
        self.texts = Some((lengths.to_vec(), piece.clone()));
        Some(piece)
    }

    /// A convolution over grids, to levels, floats or sums in `out`.
    pub(super) fn convolve(
        &mut self,
        conv: &Conv,
        input: &Levels,
        residual: Option<&Levels>,
        output: Output,
        out: &mut Memory,
    ) {
        let shape = conv.shape;
        let (in_words, out_words) = (words(shape.in_channels), words(shape.out_channels));
        let cells = input.pictures * shape.out_side * shape.out_side;
        let numbers = if output == Output::Levels { out_words } else { shape.out_channels };
        let (kernel, (groups, line)) = match shape.is_depthwise {
            true => (Kernel::Depthwise, self.spread((cells * out_words).div_ceil(LANES))),
            false => (Kernel::Dense, ((cells.div_ceil(TILE), shape.out_channels.div_ceil(TILE)), 0)),
        };
        let Some(levels) = input.memory.piece() else { return };
        let added = match residual {
            Some(residual) => residual.memory.piece(),
            None => Some(self.nothing.clone()),
        };
        let (Some(out), Some(added)) = (self.grow(out, cells * numbers), added) else { return };
        let (factor, zero) = conv.epilogue.hard_swish.unwrap_or_default();
        let parameters = [
            cells as u32,
            shape.out_channels as u32,
            in_words as u32,
            out_words as u32,
            (shape.kernel * shape.kernel * in_words) as u32,
            shape.in_side as u32,
            shape.out_side as u32,
            shape.kernel as u32,
            shape.stride as u32,
            shape.padding as u32,
            u32::from_le_bytes([shape.zero_point; WORD]),
            u32::from(residual.is_some()),
            output as u32,
            u32::from(conv.epilogue.hard_swish.is_some()),
            conv.epilogue.residual.to_bits(),
            conv.epilogue.low.to_bits(),
            conv.epilogue.high.to_bits(),
            factor.to_bits(),
            zero.to_bits(),
            line,
        ];
        self.run(kernel, &parameters, &[&levels, &conv.weights, &conv.channels, &added, &out], groups);
    }
}

impl Backend for Gpu {
    type Source = Bundle;
    type Error = GpuError;
    type Reals = Reals;
    type Rows = Rows;
    type Levels = Levels;
    type Embeddings = Embeddings;
    type Linear = Linear;
    type LayerNorm = LayerNorm;
    type Pixels = Pixels;
    type Conv = Conv;
    type Gate = Gate;

    /// A pass must be large to keep a GPU busy, and each ends with a read-back of milliseconds.
    const PASS: Pass = Pass { tokens: 2048, pictures: 16 };

    fn make_embeddings(&mut self, bundle: &Bundle, text: &TextParameters) -> Result<Embeddings, GpuError> {
        Embeddings::load(&mut self.context, bundle, text)
    }

    fn make_linear(&mut self, bundle: &Bundle, layers: &[LinearParameter]) -> Result<Linear, GpuError> {
        Linear::load(&mut self.context, bundle, layers)
    }

    fn make_layer_norm(&mut self, bundle: &Bundle, norm: &LayerNormParameter) -> Result<LayerNorm, GpuError> {
        LayerNorm::load(&mut self.context, bundle, norm)
    }

    fn make_pixels(
        &mut self,
        bundle: &Bundle,
        preprocess: &Preprocess,
        range: &RangeParameter,
    ) -> Result<Pixels, GpuError> {
        Pixels::load(&mut self.context, bundle, preprocess, range)
    }

    fn make_conv(&mut self, bundle: &Bundle, step: &ConvStep<'_>) -> Result<Conv, GpuError> {
        Conv::load(&mut self.context, bundle, step)
    }

    fn make_gate(&mut self, bundle: &Bundle, step: &GateStep<'_>) -> Result<Gate, GpuError> {
        Gate::load(bundle, step)
    }

    fn embed(&mut self, tables: &Embeddings, texts: &[&[u32]], out: &mut Reals) {
        let tokens = texts.iter().flat_map(|text| text.iter().zip(0u32..));
        let bytes: Vec<u8> =
            tokens.flat_map(|(id, position)| [*id, position]).flat_map(u32::to_le_bytes).collect();
        let (rows, width) = (bytes.len() / (2 * WORD), tables.width);
        out.len = rows * width;
        let (Some(memory), Some(tokens)) = (self.grow(&mut out.memory, out.len), self.upload(bytes)) else {
            return;
        };
        let (groups, line) = self.spread(out.len.div_ceil(LANES));
        let parameters = [rows as u32, width as u32, words(width) as u32, line];
        let pieces = [&tokens, &tables.words, &tables.scale, &tables.positions, &memory];
        self.run(Kernel::Embed, &parameters, &pieces, groups);
    }

    fn layer_norm(&mut self, norm: &LayerNorm, x: &mut Reals, residual: Option<&Reals>) {
        let rows = x.len / norm.width.max(1);
        let added = match residual {
            Some(residual) => residual.memory.piece(),
            None => Some(self.nothing.clone()),
        };
        let (Some(x), Some(added)) = (x.memory.piece(), added) else { return };
        let (groups, line) = self.spread(rows);
        let parameters =
            [rows as u32, norm.width as u32, norm.eps.to_bits(), u32::from(residual.is_some()), line];
        self.run(Kernel::LayerNorm, &parameters, &[&added, &norm.parameters, &x], groups);
    }

    fn quantize_rows(&mut self, x: &Reals, width: usize, out: &mut Rows) {
        out.rows = x.len.checked_div(width).unwrap_or(0);
        let levels = self.grow(&mut out.levels, out.rows * words(width));
        let quantizations = self.grow(&mut out.quantizations, 2 * out.rows);
        let (Some(x), Some(levels), Some(quantizations)) = (x.memory.piece(), levels, quantizations) else {
            return;
        };
        let (groups, line) = self.spread(out.rows);
        let parameters = [out.rows as u32, width as u32, words(width) as u32, line];
        self.run(Kernel::QuantizeRows, &parameters, &[&x, &levels, &quantizations], groups);
    }

    fn linear(
        &mut self,
        linear: &Linear,
        x: &mut Rows,
        activation: Option<HiddenActivation>,
        out: &mut Reals,
    ) {
        out.len = x.rows * linear.outputs;
        let memory = self.grow(&mut out.memory, out.len);
        let pieces = (x.levels.piece(), x.quantizations.piece(), memory);
        let (Some(levels), Some(quantizations), Some(memory)) = pieces else { return };
        let activation = match activation {
            None => 0,
            Some(HiddenActivation::Gelu) => 1,
            Some(HiddenActivation::GeluNew) => 2,
            Some(HiddenActivation::Relu) => 3,
        };
        let parameters = [x.rows as u32, linear.outputs as u32, words(linear.inputs) as u32, activation];
        let groups = (x.rows.div_ceil(TILE), linear.outputs.div_ceil(TILE));
        let pieces = [&levels, &quantizations, &linear.weights, &linear.columns, &memory];
        self.run(Kernel::Linear, &parameters, &pieces, groups);
    }

    fn attend(&mut self, qkv: &Reals, lengths: &[usize], width: usize, heads: usize, out: &mut Reals) {
        let depth = width / heads.max(1);
        let tokens = lengths.iter().copied().max().unwrap_or(0);
        if depth > LONGEST_HEAD || tokens > LONGEST_TEXT {
            self.context.fault.set(GpuError::Attention { depth, tokens });
        }
        out.len = qkv.len / 3;
        let rows = out.len / width.max(1);
        let (texts, memory) = (self.texts(lengths), self.grow(&mut out.memory, out.len));
        let (Some(from), Some(texts), Some(memory)) = (qkv.memory.piece(), texts, memory) else { return };
        let (groups, line) = self.spread(rows * heads);
        let scale = 1.0 / (depth as f32).sqrt();
        let parameters = [width as u32, heads as u32, depth as u32, scale.to_bits(), rows as u32, line];
        self.run(Kernel::Attend, &parameters, &[&from, &texts, &memory], groups);
    }

    fn pixels(&mut self, pixels: &Pixels, squares: &[&[u8]], out: &mut Levels) {
        out.pictures = squares.len();
        let count = squares.len() * pixels.area;
        let bytes = squares.concat();
        let (memory, rgb) = (self.grow(&mut out.memory, 2 * count), self.upload(bytes));
        let (Some(memory), Some(rgb)) = (memory, rgb) else { return };
        let (groups, line) = self.spread(count.div_ceil(LANES));
        let parameters = [2 * count as u32, 2, 6, 0, 0, line, 0, 0];
        self.run(Kernel::Pixels, &parameters, &[&rgb, &pixels.table, &memory], groups);
    }

    fn conv(&mut self, conv: &Conv, input: &Levels, residual: Option<&Levels>, out: &mut Levels) {
        out.pictures = input.pictures;
        self.convolve(conv, input, residual, Output::Levels, &mut out.memory);
    }

    fn conv_to_reals(&mut self, conv: &Conv, input: &Levels, residual: Option<&Levels>, out: &mut Reals) {
        let area = conv.shape.out_side * conv.shape.out_side;
        out.len = input.pictures * area * conv.shape.out_channels;
        self.convolve(conv, input, residual, Output::Reals, &mut out.memory);
    }

    fn max_pool(&mut self, input: &Levels, side: usize, channels: usize, out: &mut Levels) {
        out.pictures = input.pictures;
        let (in_words, out_side) = (words(channels), side.div_ceil(2));
        let count = input.pictures * out_side * out_side * in_words;
        let (Some(levels), Some(memory)) = (input.memory.piece(), self.grow(&mut out.memory, count)) else {
            return;
        };
        let (groups, line) = self.spread(count.div_ceil(LANES));
        let parameters = [count, in_words, channels, side, out_side].map(|n| n as u32);
        let parameters = [&parameters[..], &[line, 0, 0]].concat();
        let nothing = self.nothing.clone();
        self.run(Kernel::MaxPool, &parameters, &[&levels, &nothing, &memory], groups);
    }

    fn squeeze(&mut self, gate: &Gate, input: &Levels, out: &mut Reals) {
        out.len = input.pictures * gate.channels;
        let memory = self.grow(&mut out.memory, out.len);
        let (Some(levels), Some(memory)) = (input.memory.piece(), memory) else { return };
        let nothing = self.nothing.clone();
        self.gate(
            Kernel::Squeeze,
            gate,
            input.pictures * words(gate.channels),
            &[&levels, &nothing, &memory],
        );
    }

    fn excite(&mut self, gate: &Gate, input: &Levels, logits: &Reals, out: &mut Levels) {
        out.pictures = input.pictures;
        let count = input.pictures * gate.side * gate.side * words(gate.channels);
        let memory = self.grow(&mut out.memory, count);
        let (Some(levels), Some(logits), Some(memory)) =
            (input.memory.piece(), logits.memory.piece(), memory)
        else {
            return;
        };
        self.gate(Kernel::Excite, gate, count, &[&levels, &logits, &memory]);
    }

    async fn read(&mut self, x: &Reals) -> Result<Vec<f32>, GpuError> {
        let bytes = self.words(x.memory.piece(), x.len).await?;
        let (words, _) = bytes.as_chunks::<WORD>();
        Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
    }
}

impl Gpu {
    /// One end of squeeze and excitation, a thread for each of `count` words.
    fn gate(&mut self, kernel: Kernel, gate: &Gate, count: usize, pieces: &[&Piece]) {
        let (groups, line) = self.spread(count.div_ceil(LANES));
        let sizes = [count, words(gate.channels), gate.channels, gate.side, gate.side].map(|n| n as u32);
        let range = [gate.range.scale, f32::from(gate.range.zero_point)].map(f32::to_bits);
        let parameters = [&sizes[..], &[line], &range].concat();
        self.run(kernel, &parameters, pieces, groups);
    }
}
