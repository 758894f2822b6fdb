//! What 7-bit activations do to the mean of the image features, and its correction in the layers that read them.
//!
//! Each convolution's bias is corrected for its rounded weights already. What is left comes from activations that are cut
//! off and rounded, always in the same direction; over some 50 convolutions it adds up to a shift that the heads would
//! take for a feeling. Cf. the empirical bias correction of Nagel et al. 2019, here at the end of the network alone.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{Device, Tensor};
use mixed_feelings::{image::Picture, inference::QuantizedModel, model::ModelConfig};

use crate::checkpoint::image_readers;

/// Sums of pooled features, as float has them less as int8 has them.
pub struct Shift {
    difference: Vec<f64>,
    pictures: usize,
}

impl Shift {
    /// Of no pictures yet.
    pub fn new(channels: usize) -> Self {
        Shift { difference: vec![0.0; channels], pictures: 0 }
    }

    /// Adds pictures whose float `grid` `[pictures, channels, rows, columns]` is known.
    ///
    /// # Errors
    /// Those of candle.
    pub fn add(&mut self, grid: &Tensor, pictures: &[Picture], int8: &mut QuantizedModel) -> Result<()> {
        let float = grid.mean((2, 3))?.to_vec2::<f32>()?;
        for (float, picture) in float.iter().zip(pictures) {
            let grid = int8.grid(picture);
            let cells = (grid.len() / float.len()) as f64;
            for cell in grid.chunks_exact(float.len()) {
                self.difference.iter_mut().zip(cell).for_each(|(sum, &x)| *sum -= f64::from(x) / cells);
            }
            self.difference.iter_mut().zip(float).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        self.pictures += pictures.len();
        Ok(())
    }

    /// Adds what the mean features lack to the bias of each layer that reads them.
    ///
    /// # Errors
    /// Those of candle.
    pub fn correct(&self, tensors: &mut HashMap<String, Tensor>, config: &ModelConfig) -> Result<()> {
        let mean = |sum: &f64| (sum / self.pictures.max(1) as f64) as f32;
        let lacking: Vec<f32> = self.difference.iter().map(mean).collect();
        let lacking = Tensor::from_vec(lacking, (self.difference.len(), 1), &Device::Cpu)?;
        for reader in image_readers(config) {
            let [weight, bias] = reader.float_names();
            if let (Some(weight), Some(old)) = (tensors.get(&weight), tensors.get(&bias)) {
                let corrected = (old + weight.matmul(&lacking)?.squeeze(1)?)?;
                tensors.insert(bias, corrected);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mixed_feelings::{
        Bundle,
        backend::Cpu,
        testing::{random_bundle, tiny_config, tiny_tokenizer},
    };

    use super::*;

    /// Pictures on which "float" has half a unit more in the first channel than int8.
    #[test]
    fn what_int8_lacks_goes_into_the_biases() -> Result<()> {
        let config = tiny_config();
        let mut bundle = Bundle::parse(random_bundle(&config, &tiny_tokenizer(), 1)?)?;
        let mut int8 = QuantizedModel::load(Cpu::default(), &mut bundle, &config)?;
        let (channels, side) = (config.image.architecture.network().channels, 2);
        let picture = |level: u8| Picture::from_rgb(32, 32, vec![level; 32 * 32 * 3]);
        let pictures = [picture(40)?, picture(200)?];
        let mut grids = Vec::new();
        for picture in &pictures {
            let mut cells = int8.grid(picture).to_vec();
            cells.iter_mut().step_by(channels).for_each(|x| *x += 0.5);
            let cells = Tensor::from_vec(cells, (side, side, channels), &Device::Cpu)?;
            grids.push(cells.permute((2, 0, 1))?.contiguous()?);
        }
        let mut shift = Shift::new(channels);
        shift.add(&Tensor::stack(&grids, 0)?, &pictures, &mut int8)?;

        let ones = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu);
        let mut tensors = HashMap::from([
            ("heads.image.weight".to_owned(), (ones(&[3, channels])? * 2.0)?),
            ("heads.image.bias".to_owned(), ones(&[3])?),
            ("heads.text.bias".to_owned(), ones(&[3])?),
        ]);
        shift.correct(&mut tensors, &config)?;
        for (name, expected) in [("heads.image.bias", 2.0), ("heads.text.bias", 1.0)] {
            for bias in tensors[name].to_vec1::<f32>()? {
                assert!((bias - expected).abs() < 1e-3, "{name}: {bias}");
            }
        }
        Ok(())
    }
}
