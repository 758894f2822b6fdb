//! Models of exactly the tensors that a file holds: none is made up, none is left over.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, bail};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};

/// How many of the tensors that are left over are named.
const NAMED: usize = 3;

/// What `load` builds of `tensors`.
///
/// # Errors
/// When it asks for a tensor that is not there or has another shape, or there is one that it does not ask for: then the
/// config that it goes by belongs to other weights.
pub fn build<T>(
    tensors: &HashMap<String, Tensor>,
    device: &Device,
    load: impl FnOnce(VarBuilder<'static>) -> candle_core::Result<T>,
) -> Result<T> {
    let asked = Asked::default();
    let noted = Noted { tensors: tensors.clone(), asked: asked.clone() };
    let built = load(VarBuilder::from_backend(Box::new(noted), DType::F32, device.clone()))?;
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left: Vec<&str> =
        tensors.keys().filter(|name| !asked.contains(*name)).map(String::as_str).collect();
    left.sort_unstable();
    match left.len() {
        0 => Ok(built),
        count => {
            left.truncate(NAMED);
            let (named, more) = (left.join(", "), count - left.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            bail!("the config has no place for {named}{more}: do config and weights belong together?")
        }
    }
}

/// The names that were asked for.
type Asked = Arc<Mutex<BTreeSet<String>>>;

/// Tensors that note their name when they are taken.
struct Noted {
    tensors: HashMap<String, Tensor>,
    asked: Asked,
}

impl Noted {
    fn note(&self, name: &str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }
}

impl SimpleBackend for Noted {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.note(name);
        SimpleBackend::get(&self.tensors, shape, name, init, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.note(name);
        self.tensors.get_unchecked(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_must_be_those_that_are_asked_for() -> Result<()> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
        let layer =
            HashMap::from([("weight".to_owned(), zeros(&[2, 3])?), ("bias".to_owned(), zeros(&[2])?)]);
        let told = |tensors: &HashMap<String, Tensor>| {
            let built = build(tensors, &Device::Cpu, |vb| candle_nn::linear(3, 2, vb));
            built.map(drop).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(told(&layer), Ok(()));
        let refused = |change: &dyn Fn(&mut HashMap<String, Tensor>), words: &[&str]| {
            let mut tensors = layer.clone();
            change(&mut tensors);
            let told = told(&tensors).expect_err("not the layer's");
            assert!(words.iter().all(|word| told.contains(word)), "{told}");
        };
        refused(&|tensors| drop(tensors.remove("bias")), &["cannot find tensor bias"]);
        let wide = zeros(&[3])?;
        refused(&|tensors| drop(tensors.insert("bias".into(), wide.clone())), &["shape mismatch for bias"]);
        let more = |count: usize| {
            let wide = wide.clone();
            move |tensors: &mut HashMap<String, Tensor>| {
                tensors.extend((0..count).map(|i| (format!("more.{i}"), wide.clone())));
            }
        };
        refused(&more(1), &["no place for more.0:"]);
        refused(&more(5), &["more.0, more.1, more.2 and 2 more"]);
        Ok(())
    }
}
