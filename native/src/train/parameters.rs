//! The parameters of a training: named, initialised reproducibly, some of them frozen.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::{Init, Linear, VarBuilder, init::NormalOrUniform, var_builder::SimpleBackend};
use mixed_feelings::{layers::NoiseSource, model::LinearParameter};

use crate::digest::fnv1a;

/// Every parameter by name. A clone shares the parameters.
///
/// A layer that asks for a tensor gets the one that was loaded, or one initialised from the seed and the tensor's own
/// name, so that adding a layer does not change how the others start.
#[derive(Clone)]
pub struct Parameters {
    seed: u64,
    frozen: Frozen,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// No parameters yet; those that `frozen` names will not be trained.
    pub fn new(seed: u64, frozen: Frozen) -> Self {
        Parameters { seed, frozen, vars: Arc::default() }
    }

    /// The same parameters, others of them frozen.
    pub fn with_frozen(&self, frozen: Frozen) -> Self {
        Parameters { frozen, ..self.clone() }
    }

    /// Which are not trained.
    pub fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// Puts `tensors` in place, under `prefix`, before a model is built of them.
    pub fn insert_all(&self, prefix: &str, tensors: HashMap<String, Tensor>, device: &Device) -> Result<()> {
        let mut vars = self.lock();
        for (name, tensor) in tensors {
            let tensor = tensor.to_device(device)?.to_dtype(DType::F32)?;
            vars.insert(format!("{prefix}{name}"), Var::from_tensor(&tensor)?);
        }
        Ok(())
    }

    /// Where layers take their tensors from.
    pub fn builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// The parameters that are trained, by name.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let vars = self.lock();
        vars.iter().filter(|(n, _)| self.trains(n)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    /// A copy of everything that a training changes: trained parameters and running statistics.
    pub fn changing(&self) -> Result<HashMap<String, Tensor>> {
        let vars = self.lock();
        let changing = vars.iter().filter(|(n, _)| !self.frozen.covers(n));
        changing.map(|(n, v)| Ok((n.clone(), v.as_detached_tensor().copy()?))).collect()
    }

    /// Whether the pattern, as in [`Frozen`], matches the name of a parameter.
    pub fn any(&self, pattern: &str) -> bool {
        self.lock().keys().any(|name| matches(pattern, name))
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<Var> {
        self.lock().get(name).cloned()
    }

    /// A copy of those whose names `keeps` keeps; the others will start anew, from another seed.
    pub fn anew(&self, seed: u64, keeps: impl Fn(&str) -> bool) -> Result<Self> {
        let copy = |(name, var): (&String, &Var)| {
            Ok((name.clone(), Var::from_tensor(&var.as_detached_tensor().copy()?)?))
        };
        let vars = self.lock().iter().filter(|(name, _)| keeps(name)).map(copy).collect::<Result<_>>()?;
        Ok(Parameters { seed, frozen: self.frozen.clone(), vars: Arc::new(Mutex::new(vars)) })
    }

    /// A copy of every parameter.
    pub fn all(&self) -> Result<HashMap<String, Tensor>> {
        self.lock().iter().map(|(n, v)| Ok((n.clone(), v.as_detached_tensor().copy()?))).collect()
    }

    /// Overwrites the parameters of these names.
    pub fn restore(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let vars = self.lock();
        for (name, tensor) in tensors {
            match vars.get(name) {
                Some(var) => var.set(&tensor.to_device(var.device())?)?,
                None => bail!("the model has no parameter {name}"),
            }
        }
        Ok(())
    }

    fn trains(&self, name: &str) -> bool {
        !self.frozen.covers(name) && !is_statistic(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut vars = self.lock();
        if !vars.contains_key(name) {
            let noise = NoiseSource::new(self.seed ^ fnv1a(name));
            vars.insert(name.to_string(), Var::from_tensor(&initial(&shape, init, &noise, dtype, device)?)?);
        }
        let var = &vars[name];
        if var.shape() != &shape {
            bail!("{name} has the shape {:?}, the model wants {shape:?}", var.shape());
        }
        // A frozen parameter is no variable of the graph, so no gradient is computed for it. Running statistics are handed
        // out as variables: what BatchNorm moves must be what is kept, and of anything else it makes a copy.
        Ok(if self.frozen.covers(name) { var.as_detached_tensor() } else { var.as_tensor().clone() })
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_detached_tensor()),
            None => bail!("there is no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

/// The layer of this name and shape.
pub fn linear(builder: &VarBuilder<'_>, layer: &LinearParameter) -> Result<Linear> {
    candle_nn::linear(layer.inputs, layer.outputs, builder.pp(&layer.name))
}

/// Patterns of the names of parameters that are not trained: a `*` stands for any characters.
#[derive(Clone, Debug, Default)]
pub struct Frozen(Vec<String>);

impl Frozen {
    /// From patterns such as `text.embeddings.*`.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Frozen(patterns.into_iter().collect())
    }

    /// Whether a pattern matches this name.
    pub fn covers(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, name))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|i| tail.is_char_boundary(i) && matches(rest, &tail[i..]))
        }),
    }
}

/// Running statistics of BatchNorm change in training, but no gradient moves them.
fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// A number from a normal distribution (Box & Muller 1958).
pub fn normal(noise: &NoiseSource, mean: f64, stdev: f64) -> f32 {
    // 1 - u keeps the logarithm finite.
    let (u, v) = (1.0 - f64::from(noise.next_f32()), f64::from(noise.next_f32()));
    (mean + stdev * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

fn initial(shape: &Shape, init: Init, noise: &NoiseSource, dtype: DType, device: &Device) -> Result<Tensor> {
    let uniform = |lo: f64, up: f64| (lo + (up - lo) * f64::from(noise.next_f32())) as f32;
    let values: Vec<f32> = match init {
        Init::Const(value) => vec![value as f32; shape.elem_count()],
        Init::Uniform { lo, up } => (0..shape.elem_count()).map(|_| uniform(lo, up)).collect(),
        Init::Randn { mean, stdev } => (0..shape.elem_count()).map(|_| normal(noise, mean, stdev)).collect(),
        Init::Kaiming { dist, fan, non_linearity } => {
            let stdev = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            let bound = stdev * 3f64.sqrt();
            (0..shape.elem_count())
                .map(|_| match dist {
                    NormalOrUniform::Normal => normal(noise, 0.0, stdev),
                    NormalOrUniform::Uniform => uniform(-bound, bound),
                })
                .collect()
        }
    };
    Tensor::from_vec(values, shape, device)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use mixed_feelings::layers::BatchNorm2d;

    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let frozen = Frozen::new(["text.embeddings.*".into(), "*.layer.0.*.weight".into()]);
        assert!(frozen.covers("text.embeddings.word_embeddings.weight"));
        assert!(frozen.covers("text.encoder.layer.0.output.dense.weight"));
        assert!(!frozen.covers("text.encoder.layer.0.output.dense.bias"));
        assert!(!frozen.covers("the.text.embeddings.x"));
    }

    #[test]
    fn a_seed_and_a_name_fix_the_start() -> Result<()> {
        let start = |seed, name: &str| -> Result<Vec<f32>> {
            let parameters = Parameters::new(seed, Frozen::default());
            let init = Init::Randn { mean: 0.0, stdev: 1.0 };
            parameters.builder(&Device::Cpu).get_with_hints(64, name, init)?.to_vec1()
        };
        assert_eq!(start(1, "a")?, start(1, "a")?);
        assert_ne!(start(1, "a")?, start(2, "a")?);
        assert_ne!(start(1, "a")?, start(1, "b")?);
        Ok(())
    }

    #[test]
    fn frozen_parameters_get_no_gradient_and_statistics_are_not_trained() -> Result<()> {
        let parameters = Parameters::new(1, Frozen::new(["cold.*".into()]));
        let builder = parameters.builder(&Device::Cpu);
        let sum = (builder.get(2, "cold.weight")? + builder.get(2, "warm.weight")?)?;
        let sum = (sum + builder.get(2, "warm.running_mean")?)?;
        let gradients = sum.sqr()?.sum_all()?.backward()?;
        let trainable = parameters.trainable();
        assert_eq!(trainable.len(), 1);
        assert!(gradients.get(&trainable[0].1).is_some());
        assert!(parameters.get("cold.weight").is_some_and(|cold| gradients.get(&cold).is_none()));
        assert_eq!(parameters.changing()?.len(), 2);
        Ok(())
    }

    #[test]
    fn the_statistics_that_a_layer_moves_are_those_that_are_kept() -> Result<()> {
        let parameters = Parameters::new(1, Frozen::new(["cold.*".into()]));
        let builder = parameters.builder(&Device::Cpu);
        let x = Tensor::arange(0f32, 16.0, &Device::Cpu)?.reshape((2, 2, 2, 2))?;
        for (name, moves) in [("warm", true), ("cold", false)] {
            BatchNorm2d::load(builder.pp(name), 2, 1e-5)?.forward_train(&x)?;
            for (statistic, start) in [("running_mean", 0.0), ("running_var", 1.0)] {
                let name = format!("{name}.{statistic}");
                let now = parameters.all()?[&name].to_vec1::<f32>()?;
                assert_eq!(now != [start; 2], moves, "{name}: {now:?}");
            }
        }
        Ok(())
    }
}
