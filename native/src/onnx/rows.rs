//! Linear layers and embeddings with a bundle's int8 weights, as ONNX nodes that compute what the int8 plan computes.
//!
//! `QuantizeLinear` knows one scale a tensor or a fixed number of them along an axis, but the plan finds a scale for every
//! row as it goes. So a row's levels are made of elementary operators, and `MatMulInteger` takes the exact integer
//! products, in which runtimes are fast.

use anyhow::Result;
use mixed_feelings::{Bundle, bundle::BundleError, kernels::quantize::LEVELS};

use super::{
    graph::{Value, int, signed_list},
    layers::Layers,
    proto::ElementType,
};

/// Rows of activations as levels: `real = (level - zero) * scale`.
#[derive(Clone, Debug)]
pub struct QuantizedRows {
    /// Levels of 0 to 127, as uint8.
    levels: Value,
    /// One a row, int32.
    zero: Value,
    /// One a row.
    scale: Value,
}

/// The int8 weights of a linear layer.
pub struct Weights<'a> {
    levels: &'a [i8],
    scale: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl<'a> Weights<'a> {
    /// Those of the layer `name`.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub fn read(bundle: &'a Bundle, name: &str, outputs: usize, inputs: usize) -> Result<Self, BundleError> {
        Ok(Weights {
            levels: bundle.i8(&format!("{name}.weight"), &[outputs, inputs])?,
            scale: bundle.f32(&format!("{name}.scale"), &[outputs])?,
            bias: bundle.f32(&format!("{name}.bias"), &[outputs])?,
            inputs,
        })
    }

    /// Those of `count` outputs from `start` alone.
    pub fn rows(self, start: usize, count: usize) -> Self {
        let rows = start..start + count;
        Weights {
            levels: &self.levels[start * self.inputs..][..count * self.inputs],
            scale: self.scale[rows.clone()].to_vec(),
            bias: self.bias[rows].to_vec(),
            inputs: self.inputs,
        }
    }

    /// `[inputs, outputs]`, as a matrix product takes them.
    fn transposed(&self) -> Vec<i8> {
        let at = |input: usize| self.levels.iter().skip(input).step_by(self.inputs).copied();
        (0..self.inputs).flat_map(at).collect()
    }

    /// The sum of each output's levels.
    fn sums(&self) -> Vec<i32> {
        self.levels
            .chunks_exact(self.inputs)
            .map(|row| row.iter().map(|&level| i32::from(level)).sum())
            .collect()
    }
}

impl Layers<'_> {
    /// A linear layer on the last axis over rows that are quantised here.
    pub fn int8_linear(&mut self, name: &str, weights: &Weights<'_>, x: &Value) -> Value {
        let rows = self.quantize_rows(x);
        let outputs = weights.scale.len();
        let graph = &mut self.graph;
        let levels =
            graph.int8(&format!("{name}.weight.T"), &[weights.inputs, outputs], &weights.transposed());
        let scale = graph.floats(&format!("{name}.scale"), &[outputs], &weights.scale);
        let bias = graph.floats(&format!("{name}.bias"), &[outputs], &weights.bias);
        let sums = graph.int32(&format!("{name}.sums"), &weights.sums());
        let of = |part: &str| format!("{name}.{part}");
        // As u8 times i8: the other order of signs, levels without their zero point, would overflow where a processor
        // adds two such products in 16 bits. Levels of 7 bits cannot.
        let products = graph.op("MatMulInteger", &of("products"), &[&rows.levels, &levels]);
        let zeros = graph.op("Mul", &of("zeros"), &[&rows.zero, &sums]);
        let exact = graph.op("Sub", &of("exact"), &[&products, &zeros]);
        let exact = graph.cast(&of("reals"), &exact, ElementType::Float);
        let scale = graph.op("Mul", &of("scales"), &[&rows.scale, &scale]);
        let scaled = graph.op("Mul", &of("scaled"), &[&exact, &scale]);
        graph.op("Add", name, &[&scaled, &bias])
    }

    /// Each row of the last axis by its own smallest and largest element, as the plan does.
    fn quantize_rows(&mut self, x: &Value) -> QuantizedRows {
        if let Some(known) = self.quantized.get(x) {
            return known.clone();
        }
        let of = |part: &str| format!("{x}.row.{part}");
        let graph = &mut self.graph;
        let (zero, one, most) =
            (graph.scalar("zero", 0.0), graph.scalar("one", 1.0), graph.scalar("levels", LEVELS.into()));
        let step = graph.scalar("step", (1.0 / LEVELS).into());
        let least = graph.scalar("least.scale", f32::MIN_POSITIVE.into());
        let last = || vec![signed_list("axes", &[-1]), int("keepdims", 1)];
        let low = graph.op_with("ReduceMin", &of("smallest"), &[x], last());
        let low = graph.op("Min", &of("low"), &[&low, &zero]);
        let high = graph.op_with("ReduceMax", &of("largest"), &[x], last());
        let high = graph.op("Max", &of("high"), &[&high, &zero]);
        let range = graph.op("Sub", &of("range"), &[&high, &low]);
        let scale = graph.op("Mul", &of("fine"), &[&range, &step]);
        // A row of zeros has no range, and stays zeros.
        let scale = graph.op("Max", &of("scale"), &[&scale, &least]);
        let down = graph.op("Neg", &of("down"), &[&low]);
        let zero_point = graph.op("Div", &of("zero.real"), &[&down, &scale]);
        let zero_point = graph.op("Round", &of("zero"), &[&zero_point]);
        let inverse = graph.op("Div", &of("inverse"), &[&one, &scale]);
        let levels = graph.op("Mul", &of("steps"), &[x, &inverse]);
        let levels = graph.op("Add", &of("shifted"), &[&levels, &zero_point]);
        let levels = graph.op("Round", &of("rounded"), &[&levels]);
        let levels = graph.op("Clip", &of("held"), &[&levels, &zero, &most]);
        let rows = QuantizedRows {
            levels: graph.cast(&of("levels"), &levels, ElementType::Uint8),
            zero: graph.cast(&of("zero.int"), &zero_point, ElementType::Int32),
            scale,
        };
        self.quantized.insert(x.clone(), rows.clone());
        rows
    }

    /// Rows of an int8 table `[rows, width]`, each times its own scale.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub fn int8_embedding(
        &mut self,
        name: &str,
        bundle: &Bundle,
        (table, rows, width): (&str, usize, usize),
        ids: &Value,
    ) -> Result<Value> {
        let (weight, scale) = (format!("{table}.weight"), format!("{table}.scale"));
        let levels = self.graph.int8(&weight, &[rows, width], bundle.i8(&weight, &[rows, width])?);
        let scale = self.graph.floats(&scale, &[rows, 1], &bundle.f32(&scale, &[rows])?);
        let levels = self.graph.op("Gather", &format!("{name}.levels"), &[&levels, ids]);
        let levels = self.graph.cast(&format!("{name}.reals"), &levels, ElementType::Float);
        let scale = self.graph.op("Gather", &format!("{name}.scale"), &[&scale, ids]);
        Ok(self.graph.op("Mul", name, &[&levels, &scale]))
    }
}
