//! A linear layer with int8 weights over rows quantized on the fly.
//!
//! Costs `rows * inputs * outputs` byte products; and for each sum a product and a difference that take the row's zero point
//! off, a conversion, two products and a sum of floats.

use super::{
    Epilogue, InstructionSet, PANEL, PackedMatrix, gemm,
    lanes::{F32x8, I32x8},
    quantize::{Quantization, QuantizedRows},
};

/// `y = x W^T + b` with int8 weights `[outputs, inputs]`, each output scaled by its own factor.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: PackedMatrix,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// For an instruction set, from `weights` `[outputs, inputs]`, and `scale` and `bias`, each `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit, or as [`PackedMatrix::new`].
    pub fn new(set: InstructionSet, weights: &[i8], scale: &[f32], bias: &[f32], inputs: usize) -> Self {
        let outputs = scale.len();
        assert_eq!(bias.len(), outputs, "one bias an output");
        Linear {
            weights: PackedMatrix::new(set, weights, outputs, 1, inputs),
            scale: padded(scale),
            bias: padded(bias),
        }
    }

    /// Numbers a row in.
    pub fn inputs(&self) -> usize {
        self.weights.depth()
    }

    /// Numbers a row out.
    pub fn outputs(&self) -> usize {
        self.weights.columns()
    }

    /// `[outputs]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias[..self.outputs()]
    }

    /// Replaces `out` by the transposed weights times `gradient` `[outputs]`, in floats: `[inputs]`.
    ///
    /// # Panics
    /// When `gradient` has another length.
    pub fn pull_back(&self, gradient: &[f32], out: &mut Vec<f32>) {
        assert_eq!(gradient.len(), self.outputs(), "one number an output");
        let scaled: Vec<f32> = padded(gradient).iter().zip(&self.scale).map(|(g, scale)| g * scale).collect();
        out.clear();
        out.resize(self.inputs(), 0.0);
        self.weights.transposed_product(&scaled, out);
    }

    /// The product, into `out` `[rows, outputs]`. The integer sums are exact, their zero points taken off before they
    /// become floats.
    ///
    /// # Panics
    /// When `out` has another length or the rows another width.
    pub fn forward(&self, x: &mut QuantizedRows, out: &mut [f32]) {
        self.forward_then(x, out, |y| y);
    }

    /// [`forward`](Self::forward), with an activation on each number before it is written.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[inline(always)]
    pub fn forward_then(
        &self,
        x: &mut QuantizedRows,
        out: &mut [f32],
        activation: impl Fn(F32x8) -> F32x8 + Copy,
    ) {
        let (x, quantizations, workspace) = x.parts();
        assert_eq!(out.len(), quantizations.len() * self.outputs(), "out is [rows, outputs]");
        gemm(&x, &self.weights, workspace, &mut Floats { linear: self, quantizations, activation, out });
    }
}

/// Takes the sums of a linear layer to floats.
struct Floats<'a, A> {
    linear: &'a Linear,
    quantizations: &'a [Quantization],
    activation: A,
    out: &'a mut [f32],
}

impl<A: Fn(F32x8) -> F32x8> Floats<'_, A> {
    /// [`Epilogue::tile`] of the first `width` columns of a panel.
    #[inline(always)]
    fn write<const R: usize>(&mut self, row: usize, column: usize, width: usize, sums: [I32x8; R]) {
        let Linear { weights, scale, bias } = self.linear;
        let weight_sums = I32x8::load(&weights.sums()[column..]);
        let (scale, bias) = (F32x8::load(&scale[column..]), F32x8::load(&bias[column..]));
        for (i, (sums, quantization)) in sums.into_iter().zip(&self.quantizations[row..][..R]).enumerate() {
            let zero = I32x8::splat(i32::from(quantization.zero_point));
            let factor = F32x8::splat(quantization.scale) * scale;
            let y = (sums - zero * weight_sums).to_f32() * factor + bias;
            let out = &mut self.out[(row + i) * weights.columns() + column..][..width];
            (self.activation)(y).store(out);
        }
    }
}

impl<A: Fn(F32x8) -> F32x8> Epilogue for Floats<'_, A> {
    #[inline(always)]
    fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [I32x8; R]) {
        // Almost all panels are whole: what is known to be needs no loop over lanes.
        match self.linear.outputs() - column {
            PANEL.. => self.write(row, column, PANEL, sums),
            width => self.write(row, column, width, sums),
        }
    }
}

/// `x` with zeros up to whole panels.
pub(super) fn padded(x: &[f32]) -> Vec<f32> {
    let mut x = x.to_vec();
    x.resize(x.len().next_multiple_of(PANEL), 0.0);
    x
}
