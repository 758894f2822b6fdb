//! Weights and inputs that both sides compute: element i of the tensor NAME is a hash of (NAME, i). The twin of
//! `uniform`, `between` and `weight` in `models.py`.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::{Init, VarBuilder, VarMap, var_builder::SimpleBackend};

/// FNV-1a (Fowler, Noll & Vo).
pub fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// `count` numbers in 0..1 with 24 random bits each: SplitMix64 started at the hash of the name.
pub fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = fnv1a(name);
    (1..=count as u64).map(move |i| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / (1u64 << 24) as f64
    })
}

/// Numbers in `low..high`, rounded to f32.
pub fn between(name: &str, shape: impl Into<Shape>, low: f64, high: f64) -> Result<Tensor> {
    let shape = shape.into();
    let values: Vec<f32> =
        uniform(name, shape.elem_count()).map(|u| (low + (high - low) * u) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// A tensor of a model: its kind is told by name and rank.
pub fn weight(name: &str, shape: &Shape) -> Result<Tensor> {
    let rank = shape.rank();
    if name.ends_with("running_var") {
        between(name, shape, 0.5, 1.5)
    } else if rank > 1 {
        let fan_in: usize = shape.dims()[1..].iter().product();
        let bound = (if rank == 4 { 6.0 } else { 3.0 } / fan_in as f64).sqrt();
        between(name, shape, -bound, bound)
    } else if name.ends_with("weight") {
        between(name, shape, 0.5, 1.0)
    } else {
        between(name, shape, -0.1, 0.1)
    }
}

/// Pixels `[batch, 3, side, side]`.
pub fn pixels(batch: usize, side: usize) -> Result<Tensor> {
    between("pixels", (batch, 3, side, side), -2.0, 2.0)
}

/// Ids and mask of two texts of 24 tokens; the last ten of the second are padding.
pub fn tokens(vocabulary: usize) -> Result<(Tensor, Tensor)> {
    let ids: Vec<u32> = uniform("ids", 48).map(|u| (u * vocabulary as f64) as u32).collect();
    let mask: Vec<f32> = (0..48).map(|i| if i >= 24 + 14 { 0.0 } else { 1.0 }).collect();
    Ok((Tensor::from_vec(ids, (2, 24), &Device::Cpu)?, Tensor::from_vec(mask, (2, 24), &Device::Cpu)?))
}

/// A checkpoint in which every tensor that is asked for is there, hashed.
pub fn checkpoint() -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Hashed), DType::F32, Device::Cpu)
}

/// Gives every variable of a trainable model its hashed value.
pub fn fill(vars: &VarMap) -> Result<()> {
    for (name, var) in vars.data().lock().expect("not poisoned").iter() {
        var.set(&weight(name, var.shape())?.to_dtype(var.dtype())?)?;
    }
    Ok(())
}

/// Every tensor that `load` asks for, by name.
pub fn collect<T>(load: impl FnOnce(VarBuilder<'_>) -> Result<T>) -> Result<HashMap<String, Tensor>> {
    let vars = VarMap::new();
    load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    fill(&vars)?;
    let vars = vars.data().lock().expect("not poisoned");
    Ok(vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect())
}

struct Hashed;

impl SimpleBackend for Hashed {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        weight(name, &shape)?.to_dtype(dtype)?.to_device(device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("{name}: a hashed tensor needs a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

#[test]
fn hashes_are_those_of_the_script() {
    assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
    let seeds: Vec<f64> = uniform("a", 3).collect();
    assert!(seeds.iter().all(|u| (0.0..1.0).contains(u)) && seeds[0] != seeds[1]);
}
