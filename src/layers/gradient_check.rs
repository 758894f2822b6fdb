//! Backpropagated gradients against central differences, in f64: the test that each layer really trains.

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::VarMap;

/// Elements of a variable that are checked at most, spread evenly.
const CHECKED: usize = 24;

/// Fills every variable with fixed numbers in -0.5..0.5, so that no weight is a special one (bias 0, scale 1).
pub(crate) fn randomise(vars: &VarMap) -> Result<()> {
    for (i, (_, var)) in sorted(vars).into_iter().enumerate() {
        let filled = noise(var.elem_count(), i as u64 + 1);
        var.set(&Tensor::from_vec(filled, var.shape(), var.device())?.to_dtype(var.dtype())?)?;
    }
    Ok(())
}

/// A variable with fixed numbers in -0.5..0.5, to check the gradient of an input.
pub(crate) fn input(shape: impl Into<candle_core::Shape>, seed: u64) -> Result<Var> {
    let shape = shape.into();
    let values = noise(shape.elem_count(), seed ^ 0xabcd);
    Var::from_tensor(&Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?)
}

/// Asserts that `output`, weighted with fixed numbers and summed, has the derivatives that backpropagation says: for
/// each of `inputs` and each of `vars` whose name `trainable` accepts. All must be f64. A variable that
/// backpropagation does not reach must not matter to the output either.
pub(crate) fn assert_gradients(
    vars: &VarMap,
    inputs: &[(&str, &Var)],
    trainable: impl Fn(&str) -> bool,
    output: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let loss = || -> Result<Tensor> {
        let out = output()?;
        let probe = Tensor::from_vec(noise(out.elem_count(), 7), out.shape(), out.device())?;
        (out * probe)?.sum_all()
    };
    let gradients = loss()?.backward()?;
    let mut all: Vec<(String, Var)> = inputs.iter().map(|(n, v)| (n.to_string(), (*v).clone())).collect();
    all.extend(sorted(vars).into_iter().filter(|(name, _)| trainable(name)));
    for (name, var) in all {
        let values: Vec<f64> = var.flatten_all()?.to_vec1()?;
        let analytic: Vec<f64> = match gradients.get(&var) {
            Some(g) => g.flatten_all()?.to_vec1()?,
            None => vec![0.0; values.len()],
        };
        for i in (0..values.len()).step_by(values.len().div_ceil(CHECKED)) {
            let step = 1e-5;
            let at = |x: f64| -> Result<f64> {
                let mut moved = values.clone();
                moved[i] = x;
                var.set(&Tensor::from_vec(moved, var.shape(), var.device())?)?;
                loss()?.to_scalar()
            };
            let numeric: f64 = (at(values[i] + step)? - at(values[i] - step)?) / (2.0 * step);
            at(values[i])?;
            let tolerance = 1e-7 + 1e-5 * numeric.abs().max(analytic[i].abs());
            assert!(
                (numeric - analytic[i]).abs() <= tolerance,
                "{name}[{i}]: backpropagation says {}, differences say {numeric}",
                analytic[i]
            );
        }
    }
    Ok(())
}

/// Asserts that `one` and `other` agree in float32: their values and what backpropagation says of each input, each to
/// within `tolerance` times the largest.
pub(crate) fn assert_agree(
    inputs: &[&Var],
    tolerance: f32,
    one: impl Fn(&[&Tensor]) -> Result<Tensor>,
    other: impl Fn(&[&Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let all = |form: &dyn Fn(&[&Tensor]) -> Result<Tensor>| -> Result<Vec<Vec<f32>>> {
        let vars: Vec<Var> =
            inputs.iter().map(|x| Var::from_tensor(&x.to_dtype(DType::F32)?)).collect::<Result<_>>()?;
        let out = form(&vars.iter().map(Var::as_tensor).collect::<Vec<_>>())?;
        let probe = Tensor::from_vec(noise(out.elem_count(), 7), out.shape(), out.device())?;
        let gradients = (&out * probe.to_dtype(DType::F32)?)?.sum_all()?.backward()?;
        let of = |var: &Var| gradients.get(var).expect("a gradient").flatten_all()?.to_vec1();
        std::iter::once(out.flatten_all()?.to_vec1()).chain(vars.iter().map(of)).collect()
    };
    for (i, (a, b)) in all(&one)?.iter().zip(&all(&other)?).enumerate() {
        let largest = b.iter().fold(0.0, |m: f32, x| m.max(x.abs()));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance * largest, "result {i}: {a} against {b}");
        }
    }
    Ok(())
}

fn sorted(vars: &VarMap) -> Vec<(String, Var)> {
    let vars = vars.data().lock().unwrap();
    let mut vars: Vec<_> = vars.iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    vars.sort_by(|a, b| a.0.cmp(&b.0));
    vars
}

fn noise(len: usize, seed: u64) -> Vec<f64> {
    let source = super::NoiseSource::new(seed);
    (0..len).map(|_| f64::from(source.next_f32()) - 0.5).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::{Module, VarBuilder};

    use super::super::{Mode, MultiHeadAttention, attend, dropout, key_bias};
    use super::*;

    fn vars() -> (VarMap, VarBuilder<'static>) {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        (vars, vb)
    }

    #[test]
    fn attention_with_a_mask() -> Result<()> {
        let (q, k, v) = (input((2, 3, 8), 1)?, input((2, 4, 8), 2)?, input((2, 4, 8), 3)?);
        let mask = Tensor::new(&[[1f64, 1., 1., 1.], [1., 1., 0., 0.]], &Device::Cpu)?;
        let bias = key_bias(&mask)?;
        let inputs = [("q", &q), ("k", &k), ("v", &v)];
        assert_gradients(
            &VarMap::new(),
            &inputs,
            |_| true,
            || Ok(attend(&q, &k, &v, Some(&bias), 2, 0.0, Mode::Infer)?.0),
        )
    }

    #[test]
    fn multi_head_attention() -> Result<()> {
        let (vars, vb) = vars();
        let attention = MultiHeadAttention::load(vb, 8, 2, 0.0)?;
        randomise(&vars)?;
        let x = input((2, 3, 8), 1)?;
        assert_gradients(&vars, &[("x", &x)], |_| true, || Ok(attention.forward(&x, None, Mode::Infer)?.0))
    }

    #[test]
    fn embedding() -> Result<()> {
        let (vars, vb) = vars();
        let embedding = candle_nn::embedding(6, 4, vb)?;
        randomise(&vars)?;
        let ids = Tensor::new(&[[1u32, 5, 1], [0, 2, 5]], &Device::Cpu)?;
        assert_gradients(&vars, &[], |_| true, || embedding.forward(&ids))
    }

    #[test]
    fn activations() -> Result<()> {
        let x = input((4, 16), 1)?;
        let wide = || x.affine(6.0, 0.0);
        let inputs = [("x", &x)];
        assert_gradients(&VarMap::new(), &inputs, |_| true, || wide()?.gelu())?;
        assert_gradients(&VarMap::new(), &inputs, |_| true, || wide()?.relu())
    }

    #[test]
    fn dropout_with_the_same_noise() -> Result<()> {
        let x = input((4, 16), 1)?;
        assert_gradients(
            &VarMap::new(),
            &[("x", &x)],
            |_| true,
            || {
                let noise = super::super::NoiseSource::new(3);
                dropout(&x, 0.4, Mode::Train(&noise))
            },
        )
    }

    #[test]
    #[should_panic(expected = "backpropagation says")]
    fn a_wrong_gradient_is_noticed() {
        let x = input((2, 3), 1).unwrap();
        let _ = assert_gradients(&VarMap::new(), &[("x", &x)], |_| true, || x.as_tensor() * x.detach());
    }
}
