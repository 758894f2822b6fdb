//! The quantized model, from a bundle, without candle.

use super::{Immediate, Inference};
use crate::{
    backend::{Backend, Cpu, Pass},
    bundle::{Bundle, BundleError},
    error::{Error, Result},
    fusion::{Features, HeadLogits, Readout, explain::Shares, quantized::Fusion},
    image::{Picture, quantized::ImageEncoder},
    model::{ModelConfig, Parameters, Preprocess},
    text::{TextError, quantized::TextEncoder},
};

/// The model that runs in a page: both encoders on a backend, the heads on the CPU.
#[derive(Clone, Debug)]
pub struct QuantizedModel<B: Backend = Cpu> {
    backend: B,
    text: TextEncoder<B>,
    image: ImageEncoder<B>,
    fusion: Fusion,
    readout: Readout,
}

impl<B: Backend<Source = Bundle, Error: From<BundleError>>> QuantizedModel<B> {
    /// Makes the weights that `config`, the bundle's, asks for, and refuses a bundle that has others. The bundle's tensors
    /// are freed on the way: wasm memory never shrinks, so holding both at once would cost that memory for good.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing, wrong, or without a place; those of the backend.
    pub fn load(mut backend: B, bundle: &mut Bundle, config: &ModelConfig) -> Result<Self, B::Error> {
        let parameters = Parameters::new(config);
        // The text's weights come first because they are most of a bundle, and the last in its file.
        let text = TextEncoder::load(&mut backend, bundle, &config.text, &parameters.text)?;
        bundle.drop_tensors("text.");
        let image = ImageEncoder::load(&mut backend, bundle, &config.preprocess, &parameters.image)?;
        let fusion = Fusion::load(bundle, &config.fusion, &parameters)?;
        let readout = Readout::of_bundle(bundle, config.labels.clone(), &parameters)?;
        bundle.check_all_read()?;
        bundle.drop_tensors("");
        Ok(QuantizedModel { backend, text, image, fusion, readout })
    }
}

impl<B: Backend> QuantizedModel<B> {
    /// The hidden states `[ids, hidden_size]` of a text, in the backend's memory. They are valid until the next call.
    ///
    /// # Errors
    /// [`TextError::TokenIds`] when an id is not in the vocabulary or there are too many.
    pub fn hidden(&mut self, ids: &[u32]) -> Result<&B::Reals, TextError> {
        self.text.encode(&mut self.backend, &[ids])
    }

    /// The last grid `[side, side, channels]` of a picture, in the backend's memory. It is valid until the next call.
    pub fn grid(&mut self, picture: &Picture) -> &B::Reals {
        self.image.encode(&mut self.backend, picture)
    }

    /// What the encoders run on.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// The heads.
    pub fn fusion(&mut self) -> &mut Fusion {
        &mut self.fusion
    }
}

impl<B: Backend> Inference for QuantizedModel<B>
where
    Error: From<B::Error>,
{
    async fn encode_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let hidden = self.text.encode(&mut self.backend, texts)?;
        let hidden = self.backend.read(hidden).await?;
        let width = self.text.width();
        Ok(apart(hidden, texts.iter().map(|ids| ids.len() * width)))
    }

    fn pass(&self) -> Pass {
        B::PASS
    }

    fn preprocess(&self) -> &Preprocess {
        self.image.preprocess()
    }

    async fn encode_images(&mut self, squares: &[&Picture]) -> Result<Vec<Vec<f32>>> {
        let pixels: Vec<&[u8]> = squares.iter().map(|square| square.pixels()).collect();
        let grids = self.image.encode_squares(&mut self.backend, &pixels);
        let grids = self.backend.read(grids).await?;
        let len = self.image.side() * self.image.side() * self.image.channels();
        Ok(apart(grids, squares.iter().map(|_| len)))
    }

    fn grid_side(&self) -> usize {
        self.image.side()
    }

    fn logits(&mut self, features: Features<'_>) -> Result<HeadLogits> {
        Ok(self.fusion.logits(features))
    }

    fn explain(&mut self, features: Features<'_>, class: usize) -> Result<Shares> {
        Ok(self.fusion.explain(features, class))
    }

    fn readout(&self) -> &Readout {
        &self.readout
    }
}

impl Immediate for QuantizedModel<Cpu> {}

/// Outside of a page, reading from a GPU blocks.
#[cfg(all(feature = "webgpu", not(target_arch = "wasm32")))]
impl Immediate for QuantizedModel<crate::backend::gpu::Gpu> {}

/// The parts of these lengths, one after the other. The only one is not copied.
fn apart(numbers: Vec<f32>, lengths: impl ExactSizeIterator<Item = usize>) -> Vec<Vec<f32>> {
    if lengths.len() == 1 {
        return vec![numbers];
    }
    let mut rest = numbers.as_slice();
    let mut part = |len: usize| {
        let (part, others) = rest.split_at(len.min(rest.len()));
        rest = others;
        part.to_vec()
    };
    lengths.map(&mut part).collect()
}
