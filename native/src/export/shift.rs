//! What 7-bit activations do to the mean of the image features, and its correction in the layers that read them.
//!
//! Each convolution's bias is corrected for its rounded weights already. What is left comes from activations that are cut
//! off and rounded, always in the same direction; over some 50 convolutions it adds up to a shift that the heads would
//! take for a feeling. Cf. the empirical bias correction of Nagel et al. 2019, here at the end of the network alone.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{Device, Tensor};
use mixed_feelings::image::{Picture, int8::ImageEncoder};

/// The linear layers that read the image features.
const READERS: [&str; 2] = ["heads.image", "fusion.image"];

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
    pub fn add(&mut self, grid: &Tensor, pictures: &[Picture], int8: &mut ImageEncoder) -> Result<()> {
        let float = grid.mean((2, 3))?.to_vec2::<f32>()?;
        for (float, picture) in float.iter().zip(pictures) {
            let cells = (int8.side() * int8.side()) as f64;
            for cell in int8.encode(picture).chunks_exact(float.len()) {
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
    pub fn correct(&self, tensors: &mut HashMap<String, Tensor>) -> Result<()> {
        let mean = |sum: &f64| (sum / self.pictures.max(1) as f64) as f32;
        let lacking: Vec<f32> = self.difference.iter().map(mean).collect();
        let lacking = Tensor::from_vec(lacking, (self.difference.len(), 1), &Device::Cpu)?;
        for reader in READERS {
            let (weight, bias) = (format!("{reader}.weight"), format!("{reader}.bias"));
            if let (Some(weight), Some(old)) = (tensors.get(&weight), tensors.get(&bias)) {
                let corrected = (old + weight.matmul(&lacking)?.squeeze(1)?)?;
                tensors.insert(bias, corrected);
            }
        }
        Ok(())
    }
}
