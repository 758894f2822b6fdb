//! Standardised image features: the image head and the projection learn on channels of mean 0 and deviation 1, which
//! AdamW's equal steps suit better than the CNN's own scales. At the end mean and deviation go into the weights, so that
//! the model stays the same.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use mixed_feelings::model::LinearParameter;

use super::{features::EncodedImage, parameters::Parameters};

/// Keeps a channel that never changes from being divided by zero.
const EPS: f64 = 1e-5;

/// Mean and standard deviation of each channel, `[channels]`, and the layers that read the features.
pub struct Standard {
    readers: Vec<LinearParameter>,
    mean: Tensor,
    deviation: Tensor,
}

impl Standard {
    /// Of the pooled features of `rows`, which `readers` read.
    pub fn of(grids: &Tensor, rows: &[usize], readers: Vec<LinearParameter>) -> Result<Self> {
        let index: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        let pooled = grids.mean((2, 3))?.index_select(&Tensor::new(index, grids.device())?, 0)?;
        let mean = pooled.mean(0)?;
        let deviation = (pooled.broadcast_sub(&mean)?.sqr()?.mean(0)? + EPS)?.sqrt()?;
        Ok(Standard { readers, mean, deviation })
    }

    /// The grids `[rows, channels, height, width]`, standardised.
    pub fn apply(&self, grids: &Tensor) -> Result<Tensor> {
        let shape = (1, self.mean.dim(0)?, 1, 1);
        let centred = grids.broadcast_sub(&self.mean.reshape(shape)?)?;
        centred.broadcast_div(&self.deviation.reshape(shape)?)
    }

    /// Layers of plain features become layers of standardised ones that answer the same.
    pub fn unfold(&self, parameters: &Parameters) -> Result<()> {
        self.rewrite(parameters, |weight, bias| {
            let bias = (bias + weight.broadcast_mul(&self.mean)?.sum(1)?)?;
            Ok((weight.broadcast_mul(&self.deviation)?, bias))
        })
    }

    /// The way back.
    pub fn fold(&self, parameters: &Parameters) -> Result<()> {
        self.rewrite(parameters, |weight, bias| {
            let weight = weight.broadcast_div(&self.deviation)?;
            let bias = (bias - weight.broadcast_mul(&self.mean)?.sum(1)?)?;
            Ok((weight, bias))
        })
    }

    /// Changes weight `[out, channels]` and bias `[out]` of every reader that there is.
    fn rewrite(
        &self,
        parameters: &Parameters,
        change: impl Fn(&Tensor, &Tensor) -> Result<(Tensor, Tensor)>,
    ) -> Result<()> {
        for reader in &self.readers {
            let names = reader.float_names();
            let (Some(weight), Some(bias)) = (parameters.get(&names[0]), parameters.get(&names[1])) else {
                continue;
            };
            let to_cpu = |tensor: &Tensor| tensor.detach().to_device(self.mean.device());
            let (weight, bias) = change(&to_cpu(&weight)?, &to_cpu(&bias)?)?;
            let [weight_name, bias_name] = names;
            parameters.restore(&HashMap::from([(weight_name, weight), (bias_name, bias)]))?;
        }
        Ok(())
    }
}

/// Standardises kept image features by what `rows` hold; encoders that are trained are left alone.
pub fn standardise(
    images: EncodedImage,
    rows: &[usize],
    readers: Vec<LinearParameter>,
) -> Result<(EncodedImage, Option<Standard>)> {
    match images {
        EncodedImage::Kept { grids, views } => {
            let standard = Standard::of(&grids, rows, readers)?;
            Ok((EncodedImage::Kept { grids: standard.apply(&grids)?, views }, Some(standard)))
        }
        live => Ok((live, None)),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::{Linear, Module};

    use super::{super::parameters::Frozen, *};

    #[test]
    fn a_folded_layer_answers_as_the_standardised_one() -> Result<()> {
        let values: Vec<f32> =
            (0..5 * 3 * 4).map(|i| ((i * 37) % 17) as f32 * 0.1 + (i / 4 % 3) as f32).collect();
        let grids = Tensor::from_vec(values, (5, 3, 2, 2), &Device::Cpu)?;
        let head = LinearParameter {
            name: "heads.image".into(),
            outputs: 2,
            inputs: 3,
            layout: mixed_feelings::model::LinearLayout::Linear,
        };
        let standard = Standard::of(&grids, &[0, 1, 2, 3, 4], vec![head])?;
        let standardised = standard.apply(&grids)?.mean((2, 3))?;
        assert!(standardised.mean(0)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5);
        let spread = (standardised.sqr()?.mean(0)? - 1.0)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(spread < 1e-2, "{spread}");

        let parameters = Parameters::new(1, Frozen::default());
        let builder = parameters.builder(&Device::Cpu).pp("heads.image");
        let answer = |features: &Tensor| -> Result<Tensor> {
            let get = |name| parameters.get(&format!("heads.image.{name}")).expect("there");
            Linear::new(get("weight").as_detached_tensor(), Some(get("bias").as_detached_tensor()))
                .forward(features)
        };
        candle_nn::linear(3, 2, builder)?;
        let apart = |a: &Tensor, b: &Tensor| (a - b)?.abs()?.max_all()?.to_scalar::<f32>();
        let trained = answer(&standardised)?.copy()?;
        standard.fold(&parameters)?;
        assert!(apart(&answer(&grids.mean((2, 3))?)?, &trained)? < 1e-5);
        standard.unfold(&parameters)?;
        assert!(apart(&answer(&standardised)?, &trained)? < 1e-5);
        Ok(())
    }
}
