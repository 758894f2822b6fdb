//! The exponential moving average of the weights (Polyak & Juditsky 1992, as Tarvainen & Valpola 2017 have it): measured
//! and kept in place of the weights that the last steps happened to leave.

use std::collections::HashMap;

use candle_core::{Result, Tensor, Var, bail};

use super::{parameters::Parameters, update::blend};

/// The averages of everything that a training changes.
pub struct Ema {
    decay: f64,
    means: Vec<(String, Var)>,
}

impl Ema {
    /// Starts at the parameters as they are; `decay` is the share of the average that a step keeps.
    pub fn new(parameters: &Parameters, decay: f64) -> Result<Self> {
        let copy = |(name, tensor)| Ok((name, Var::from_tensor(&tensor)?));
        let mut means = parameters.changing()?.into_iter().map(copy).collect::<Result<Vec<_>>>()?;
        means.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Ema { decay, means })
    }

    /// Takes in the parameters after update `step`, counted from 1. The first updates forget faster,
    /// `min(decay, (1 + step) / (10 + step))`, so that the random start does not linger.
    pub fn update(&self, parameters: &Parameters, step: usize) -> Result<()> {
        let keep = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        for (name, mean) in &self.means {
            let Some(now) = parameters.get(name) else { bail!("the model has no parameter {name}") };
            blend(mean, now.as_tensor(), keep, 1.0 - keep)?;
        }
        Ok(())
    }

    /// A copy of the averages by the names of the parameters.
    pub fn means(&self) -> Result<HashMap<String, Tensor>> {
        self.means.iter().map(|(n, mean)| Ok((n.clone(), mean.as_detached_tensor().copy()?))).collect()
    }

    /// Goes on from saved [`means`](Self::means).
    pub fn restore(&self, means: &HashMap<String, Tensor>) -> Result<()> {
        for (name, mean) in &self.means {
            match means.get(name) {
                Some(tensor) => mean.set(&tensor.to_device(mean.device())?)?,
                None => bail!("the training state lacks the average of {name}"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Shape};
    use candle_nn::Init;

    use super::{super::parameters::Frozen, *};

    /// A parameter that starts at 0 and is 1 after each of three updates: the average nears 1 by the shares that the
    /// formula says, worked by hand.
    #[test]
    fn the_average_follows_and_leaves_the_parameters_alone() -> Result<()> {
        let parameters = Parameters::new(0, Frozen::new(["cold".into()]));
        let builder = parameters.builder(&Device::Cpu);
        for name in ["warm", "cold"] {
            builder.get_with_hints(Shape::from(1), name, Init::Const(0.0))?;
        }
        let ema = Ema::new(&parameters, 0.25)?;
        let one = HashMap::from([("warm".to_owned(), Tensor::new(&[1f32], &Device::Cpu)?)]);
        parameters.restore(&one)?;
        let mut expected = 0f32;
        for (step, keep) in [(1, 2.0 / 11.0), (2, 0.25), (3, 0.25)] {
            ema.update(&parameters, step)?;
            expected = keep * expected + (1.0 - keep);
            let means = ema.means()?;
            assert_eq!(means.len(), 1, "what is frozen needs no average");
            assert!((means["warm"].to_vec1::<f32>()?[0] - expected).abs() < 1e-6);
        }
        assert_eq!(parameters.all()?["warm"].to_vec1::<f32>()?, [1.0]);

        let other = Ema::new(&parameters, 0.25)?;
        other.restore(&ema.means()?)?;
        assert_eq!(other.means()?["warm"].to_vec1::<f32>()?, ema.means()?["warm"].to_vec1::<f32>()?);
        assert!(other.restore(&HashMap::new()).is_err());
        Ok(())
    }
}
