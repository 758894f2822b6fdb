//! The weights of a case: random ones from a seed, written to a bundle and kept for the definition. Public for those who
//! make cases of their own.

use crate::{
    bundle::{Bundle, BundleError, BundleWriter},
    model::{
        Activation, ConvParameter, ConvSpec, EmbeddingParameter, LayerNormParameter, LinearLayout,
        LinearParameter, RangeParameter,
    },
    testing::Random,
};

/// How large weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Bell-shaped, as trained ones.
    Usual,
    /// The largest and smallest that there are: sums in 16 bits would overflow.
    Extreme,
}

/// Int8 weights with a scale and a bias for each row.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[rows, depth]`.
    pub levels: Vec<i8>,
    /// `[rows]`.
    pub scale: Vec<f32>,
    /// `[rows]`.
    pub bias: Vec<f32>,
}

/// A range with its numbers.
#[derive(Clone, Debug)]
pub struct Range {
    /// What it is called.
    pub parameter: RangeParameter,
    /// What one level is.
    pub scale: f32,
    /// The level of 0.
    pub zero_point: u8,
}

/// Collects the weights of a case.
#[derive(Debug)]
pub struct Maker {
    /// Where the numbers come from.
    pub random: Random,
    writer: BundleWriter,
    count: usize,
}

impl Maker {
    /// All that it makes follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Maker { random: Random::new(seed), writer: BundleWriter::new(), count: 0 }
    }

    /// The bundle of all that was made.
    ///
    /// # Errors
    /// [`BundleError`] when it is none, which is a mistake of the maker.
    pub fn finish(self) -> Result<Bundle, BundleError> {
        Bundle::parse(self.writer.finish()?)
    }

    fn name(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}.{}", self.count)
    }

    /// A number of `low..=high`.
    pub fn integer(&mut self, low: i32, high: i32) -> i32 {
        low + (self.random.next() % (high - low + 1) as u64) as i32
    }

    /// Random weights, their scales within a tenth of `scale`.
    pub fn weights(&mut self, rows: usize, depth: usize, size: Size, scale: f32) -> Weights {
        let levels = (0..rows * depth)
            .map(|_| match size {
                Size::Usual => self.random.level(),
                Size::Extreme => [-128, -127, 127, 127][self.random.next() as usize % 4],
            })
            .collect();
        let scale = self.random.around(rows, 1.0).into_iter().map(|factor| factor * scale).collect();
        let bias = self.random.around(rows, 0.0).into_iter().map(|bias| bias * 10.0).collect();
        Weights { levels, scale, bias }
    }

    /// A table of embeddings, a row for each of `scale`.
    ///
    /// # Errors
    /// [`BundleError`] when the numbers do not fit the shape.
    pub fn table(
        &mut self,
        width: usize,
        levels: &[i8],
        scale: &[f32],
    ) -> Result<EmbeddingParameter, BundleError> {
        let parameter = EmbeddingParameter { name: self.name("table"), rows: scale.len(), width };
        self.writer.i8(&format!("{}.weight", parameter.name), &[scale.len(), width], levels)?;
        self.writer.f32(&format!("{}.scale", parameter.name), &[scale.len()], scale)?;
        Ok(parameter)
    }

    /// A LayerNorm.
    ///
    /// # Errors
    /// [`BundleError`] when the numbers do not fit the shape.
    pub fn norm(
        &mut self,
        weight: &[f32],
        bias: &[f32],
        eps: f64,
    ) -> Result<LayerNormParameter, BundleError> {
        let parameter = LayerNormParameter { name: self.name("norm"), width: weight.len(), eps };
        let [weight_name, bias_name] = parameter.tensors();
        self.writer.f32(&weight_name, &[weight.len()], weight)?;
        self.writer.f32(&bias_name, &[bias.len()], bias)?;
        Ok(parameter)
    }

    /// A linear layer.
    ///
    /// # Errors
    /// [`BundleError`] when the numbers do not fit the shape.
    pub fn linear(&mut self, inputs: usize, weights: &Weights) -> Result<LinearParameter, BundleError> {
        let outputs = weights.scale.len();
        let parameter =
            LinearParameter { name: self.name("linear"), outputs, inputs, layout: LinearLayout::Linear };
        self.write(&parameter.name, &[outputs, inputs], weights)?;
        Ok(parameter)
    }

    /// A convolution; `spec.name` and `spec.norm` are chosen here.
    ///
    /// # Errors
    /// [`BundleError`] when the numbers do not fit the shape.
    pub fn conv(&mut self, spec: &ConvSpec, weights: &Weights) -> Result<ConvParameter, BundleError> {
        let name = self.name("conv");
        let spec = ConvSpec { name: name.clone(), norm: format!("{name}.norm"), ..spec.clone() };
        let [out, inputs, rows, columns] = spec.weight_shape();
        self.write(&name, &[out, rows, columns, inputs], weights)?;
        Ok(ConvParameter { name, spec })
    }

    /// The range of a grid, or of pixels.
    ///
    /// # Errors
    /// [`BundleError`] when the numbers do not fit the shape.
    pub fn range(&mut self, scale: f32, zero_point: u8, of_pixels: bool) -> Result<Range, BundleError> {
        let name = self.name("range");
        self.writer.f32(&name, &[2], &[scale, f32::from(zero_point)])?;
        let node = (!of_pixels).then(|| name.clone());
        let parameter = RangeParameter { name, node, activation: Activation::None };
        Ok(Range { parameter, scale, zero_point })
    }

    fn write(&mut self, name: &str, shape: &[usize], weights: &Weights) -> Result<(), BundleError> {
        self.writer.i8(&format!("{name}.weight"), shape, &weights.levels)?;
        self.writer.f32(&format!("{name}.scale"), &shape[..1], &weights.scale)?;
        self.writer.f32(&format!("{name}.bias"), &shape[..1], &weights.bias)
    }
}

/// The weights that copy `width` numbers.
pub fn identity(width: usize) -> Weights {
    let levels = (0..width * width).map(|i| i8::from(i / width == i % width)).collect();
    Weights { levels, scale: vec![1.0; width], bias: vec![0.0; width] }
}
