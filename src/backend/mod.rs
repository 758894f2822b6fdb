//! The operations of the quantized encoders, as one trait. The forward passes in
//! [`crate::text`] and [`crate::image`] are written once over it; [`cpu`] has the kernels that run in every page, `gpu` those
//! of feature `webgpu`, and an ONNX export records the same passes.
//!
//! Fusion and heads are a thousandth of the work and stay on the CPU for every backend.

pub mod cpu;
#[cfg(feature = "webgpu")]
pub mod gpu;

use std::{fmt::Debug, future::Future};

pub use cpu::{
    Cpu, pixel_range,
    quantize::{LEVELS, Quantization},
};

use crate::model::{
    Activation, ConvParameter, HiddenActivation, LayerNormParameter, LinearParameter, Preprocess,
    RangeParameter, TextParameters,
};

/// A convolution with its place in the network.
#[derive(Clone, Copy, Debug)]
pub struct ConvStep<'a> {
    /// The name of its output, which is the convolution's or, of a residual sum, the block's.
    pub name: &'a str,
    /// Its weights.
    pub parameter: &'a ConvParameter,
    /// Side of the square that it reads.
    pub side: usize,
    /// The range of what it reads.
    pub input: &'a RangeParameter,
    /// The range of what is added to its output, if anything is.
    pub residual: Option<&'a RangeParameter>,
    /// The activation after the sum.
    pub activation: Activation,
    /// The range of its output; `None` where the output stays in floats.
    pub output: Option<&'a RangeParameter>,
}

/// A squeeze and excitation with its place in the network.
#[derive(Clone, Copy, Debug)]
pub struct GateStep<'a> {
    /// The name of its output.
    pub name: &'a str,
    /// Side of the square that it reads.
    pub side: usize,
    /// Channels of it.
    pub channels: usize,
    /// The range of what it reads, which its output keeps.
    pub range: &'a RangeParameter,
}

/// How much of a batch is worth encoding in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Tokens of the texts.
    pub tokens: usize,
    /// Pictures.
    pub pictures: usize,
}

/// The operations of the quantized encoders.
///
/// Weights are made once, from a [`Source`](Self::Source). Operations write to what they are given as `out`, which grows to
/// the largest use: nothing is allocated after the largest pass. Floats are `[rows, width]`, levels
/// `[pictures, side, side, channels]`, rows are quantized one by one.
///
/// An operation works on a pass of several texts or pictures, one after the other in the rows or grids. What it gives one
/// of them is, bit for bit, what it would give it alone.
///
/// An operation may only be asked for what its weights were made for: the caller is responsible for shapes, and all come
/// from a checked configuration. `read` is the only operation that may wait for a device.
#[allow(
    async_fn_in_trait,
    reason = "the passes are driven where they are made; nothing is sent to other threads"
)]
pub trait Backend {
    /// Where weights come from.
    type Source: ?Sized;
    /// What can go wrong with weights and with reading back.
    type Error;
    /// A buffer of floats.
    type Reals: Clone + Debug + Default;
    /// Rows of levels, each with its own scale and zero point.
    type Rows: Clone + Debug + Default;
    /// A grid of levels of one range.
    type Levels: Clone + Debug + Default;
    /// BERT's three tables.
    type Embeddings: Clone + Debug;
    /// One or several linear layers over the same inputs.
    type Linear: Clone + Debug;
    /// A LayerNorm.
    type LayerNorm: Clone + Debug;
    /// A table from pixels to levels.
    type Pixels: Clone + Debug;
    /// A convolution with its epilogue: bias, residual sum, activation, requantization.
    type Conv: Clone + Debug;
    /// What squeeze and excitation have to know of the levels that they read.
    type Gate: Clone + Debug;

    /// On the CPU a pass of many short texts spares rereading the weights, while of pictures one is enough to do. More would
    /// only need memory.
    const PASS: Pass = Pass { tokens: 256, pictures: 1 };

    /// Makes the tables of a text encoder.
    ///
    /// # Errors
    /// When a tensor is missing or wrong.
    fn make_embeddings(
        &mut self,
        source: &Self::Source,
        text: &TextParameters,
    ) -> Result<Self::Embeddings, Self::Error>;

    /// Makes linear layers over the same inputs; their outputs are concatenated.
    ///
    /// # Errors
    /// As [`make_embeddings`](Self::make_embeddings).
    fn make_linear(
        &mut self,
        source: &Self::Source,
        layers: &[LinearParameter],
    ) -> Result<Self::Linear, Self::Error>;

    /// Makes a LayerNorm.
    ///
    /// # Errors
    /// As [`make_embeddings`](Self::make_embeddings).
    fn make_layer_norm(
        &mut self,
        source: &Self::Source,
        norm: &LayerNormParameter,
    ) -> Result<Self::LayerNorm, Self::Error>;

    /// Makes the table that maps pixels to levels of `range`.
    ///
    /// # Errors
    /// As [`make_embeddings`](Self::make_embeddings).
    fn make_pixels(
        &mut self,
        source: &Self::Source,
        preprocess: &Preprocess,
        range: &RangeParameter,
    ) -> Result<Self::Pixels, Self::Error>;

    /// Makes a convolution, dense or depthwise.
    ///
    /// # Errors
    /// As [`make_embeddings`](Self::make_embeddings).
    fn make_conv(&mut self, source: &Self::Source, step: &ConvStep<'_>) -> Result<Self::Conv, Self::Error>;

    /// Makes what [`squeeze`](Self::squeeze) and [`excite`](Self::excite) need.
    ///
    /// # Errors
    /// As [`make_embeddings`](Self::make_embeddings).
    fn make_gate(&mut self, source: &Self::Source, step: &GateStep<'_>) -> Result<Self::Gate, Self::Error>;

    /// Word, position and token type 0 of each token, summed: a row a token, text after text. Positions begin anew with
    /// each text. Each id is in the vocabulary, and no text has more of them than there are positions.
    fn embed(&mut self, tables: &Self::Embeddings, texts: &[&[u32]], out: &mut Self::Reals);

    /// Normalizes each row of `x`, or of `x + residual`, in place (Ba et al. 2016).
    fn layer_norm(&mut self, norm: &Self::LayerNorm, x: &mut Self::Reals, residual: Option<&Self::Reals>);

    /// Quantizes each row of `x`, `width` numbers, by its own smallest and largest one.
    fn quantize_rows(&mut self, x: &Self::Reals, width: usize, out: &mut Self::Rows);

    /// `x W^T + b`, then the activation.
    fn linear(
        &mut self,
        linear: &Self::Linear,
        x: &mut Self::Rows,
        activation: Option<HiddenActivation>,
        out: &mut Self::Reals,
    );

    /// `softmax(q k^T / sqrt(width / heads)) v` head by head (Vaswani et al. 2017). `lengths` are the rows of each text,
    /// and every row attends to every row of its own text. `qkv` is `[rows, 3 * width]`, `out` `[rows, width]`.
    fn attend(
        &mut self,
        qkv: &Self::Reals,
        lengths: &[usize],
        width: usize,
        heads: usize,
        out: &mut Self::Reals,
    );

    /// The levels of 8-bit RGB pixels, row by row, picture after picture: squares of the encoder's input size.
    fn pixels(&mut self, pixels: &Self::Pixels, squares: &[&[u8]], out: &mut Self::Levels);

    /// A convolution whose output is quantized.
    fn conv(
        &mut self,
        conv: &Self::Conv,
        input: &Self::Levels,
        residual: Option<&Self::Levels>,
        out: &mut Self::Levels,
    );

    /// A convolution whose output stays in floats: the last grid.
    fn conv_to_reals(
        &mut self,
        conv: &Self::Conv,
        input: &Self::Levels,
        residual: Option<&Self::Levels>,
        out: &mut Self::Reals,
    );

    /// The 3x3 maximum of stride 2 and padding 1 over `[pictures, side, side, channels]`.
    fn max_pool(&mut self, input: &Self::Levels, side: usize, channels: usize, out: &mut Self::Levels);

    /// The mean of each channel over the cells, one row a picture. What becomes of it until [`excite`](Self::excite) is
    /// [`quantize_rows`](Self::quantize_rows) and [`linear`](Self::linear).
    fn squeeze(&mut self, gate: &Self::Gate, input: &Self::Levels, out: &mut Self::Reals);

    /// Each channel times the hard sigmoid of its picture's logit, as levels of the same range.
    fn excite(
        &mut self,
        gate: &Self::Gate,
        input: &Self::Levels,
        logits: &Self::Reals,
        out: &mut Self::Levels,
    );

    /// Reads all real numbers back, row by row.
    ///
    /// # Errors
    /// When the device is lost.
    fn read(&mut self, x: &Self::Reals) -> impl Future<Output = Result<Vec<f32>, Self::Error>>;
}
