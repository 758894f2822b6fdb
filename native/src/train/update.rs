//! The arithmetic of AdamW and of moving averages, in place on the CPU: a third of the memory traffic of a chain of
//! tensor operations, which is what an update costs.

use candle_core::{CpuStorage, Device, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor, Var, bail};

/// What an update needs besides the tensors.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Share of the old mean that is kept.
    pub beta1: f64,
    /// Share of the old variance that is kept.
    pub beta2: f64,
    /// What the gradient is scaled by.
    pub scale: f64,
    /// `1 - beta1 ^ step`: the mean starts at zero.
    pub fix1: f64,
    /// `1 - beta2 ^ step`.
    pub fix2: f64,
    /// The learning rate.
    pub rate: f64,
    /// What the variable is scaled by: decoupled weight decay.
    pub decay: f64,
}

const EPS: f64 = 1e-8;

impl Update {
    /// Moves both moments and the variable.
    pub fn apply(&self, var: &Var, mean: &Var, variance: &Var, gradient: &Tensor) -> Result<()> {
        match var.device() {
            Device::Cpu => {
                let gradient = gradient.contiguous()?;
                mean.inplace_op2(
                    &gradient,
                    &Blend { keep: self.beta1, add: (1.0 - self.beta1) * self.scale },
                )?;
                variance.inplace_op2(&gradient, &Variance(*self))?;
                var.inplace_op3(mean, variance, &Step(*self))
            }
            _ => self.apply_composed(var, mean, variance, gradient),
        }
    }

    /// The same as a chain of tensor operations, for any device.
    fn apply_composed(&self, var: &Var, mean: &Var, variance: &Var, gradient: &Tensor) -> Result<()> {
        let now = Moving { var: var.as_tensor(), mean: mean.as_tensor(), variance: variance.as_tensor() };
        let [next, new_mean, new_variance] = self.moved(now, gradient)?;
        mean.set(&new_mean)?;
        variance.set(&new_variance)?;
        var.set(&next)
    }

    /// What the variable, the mean and the variance will be, for any device.
    pub fn moved(&self, now: Moving<'_>, gradient: &Tensor) -> Result<[Tensor; 3]> {
        let gradient = if self.scale == 1.0 { gradient.clone() } else { (gradient * self.scale)? };
        let [var, mean, variance] = [now.var, now.mean, now.variance].map(Tensor::detach);
        let new_mean = ((mean * self.beta1)? + (&gradient * (1.0 - self.beta1))?)?;
        let new_variance = ((variance * self.beta2)? + (gradient.sqr()? * (1.0 - self.beta2))?)?;
        let spread = ((&new_variance * (1.0 / self.fix2))?.sqrt()? + EPS)?;
        let step = ((&new_mean * (self.rate / self.fix1))? / spread)?;
        Ok([((var * self.decay)? - step)?, new_mean, new_variance])
    }
}

/// What an update moves.
#[derive(Clone, Copy)]
pub struct Moving<'a> {
    /// The variable.
    pub var: &'a Tensor,
    /// The mean of its gradients.
    pub mean: &'a Tensor,
    /// The mean of their squares.
    pub variance: &'a Tensor,
}

/// `mean <- keep mean + add value`, in place on the CPU.
pub fn blend(mean: &Var, value: &Tensor, keep: f64, add: f64) -> Result<()> {
    match mean.device() {
        Device::Cpu => mean.inplace_op2(&value.contiguous()?, &Blend { keep, add }),
        _ => mean.set(&((mean.as_tensor() * keep)? + (value * add)?)?.detach()),
    }
}

/// `total + value`; on the CPU in the memory of `total`.
pub fn added(total: Tensor, value: &Tensor) -> Result<Tensor> {
    if !(total.device().is_cpu() && total.is_contiguous()) {
        return total + value;
    }
    total.inplace_op2(&value.contiguous()?, &Blend { keep: 1.0, add: 1.0 })?;
    Ok(total)
}

/// The sum of the squares of all elements; on the CPU without a tensor of them.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let (storage, layout) = x.storage_and_layout();
    if let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    {
        // Sixteen sums of float32 become vector code; their blocks are added in float64.
        let blocks = values[start..end].chunks(4096).map(|block| {
            let mut sums = [0f32; 16];
            let (chunks, rest) = block.as_chunks::<16>();
            for chunk in chunks {
                sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x * x);
            }
            f64::from(sums.into_iter().chain(rest.iter().map(|x| x * x)).sum::<f32>())
        });
        return Ok(blocks.sum());
    }
    drop(storage);
    Ok(f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?))
}

/// The same as a tensor, for any device. A GPU sums all elements of a tensor in candle with a single block of threads, which takes
/// milliseconds for millions: here many blocks sum a row each, and one the rows' sums.
pub fn square(x: &Tensor) -> Result<Tensor> {
    const WIDTH: usize = 1024;
    let squares = x.flatten_all()?.sqr()?;
    let len = squares.elem_count();
    let (rows, rest) = (len / WIDTH, len % WIDTH);
    if rows < 2 {
        return squares.sum_all();
    }
    let sum = squares.narrow(0, 0, rows * WIDTH)?.reshape((rows, WIDTH))?.sum(1)?.sum_all()?;
    if rest == 0 { Ok(sum) } else { sum + squares.narrow(0, rows * WIDTH, rest)?.sum_all()? }
}

/// `m <- keep m + add g`
struct Blend {
    keep: f64,
    add: f64,
}

/// `v <- beta2 v + (1 - beta2) g^2`
struct Variance(Update);

/// `w <- decay w - rate (m / fix1) / (sqrt(v / fix2) + eps)`
struct Step(Update);

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, lm: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let (keep, add) = (self.keep as f32, self.add as f32);
        let values = read(g, lg)?;
        write(m, lm)?.iter_mut().zip(values).for_each(|(m, g)| *m = keep * *m + add * g);
        Ok(())
    }
}

impl InplaceOp2 for Variance {
    fn name(&self) -> &'static str {
        "adamw-variance"
    }

    fn cpu_fwd(&self, v: &mut CpuStorage, lv: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let (keep, scale) = (self.0.beta2 as f32, self.0.scale as f32);
        let add = (1.0 - self.0.beta2) as f32;
        let gradients = read(g, lg)?;
        write(v, lv)?.iter_mut().zip(gradients).for_each(|(v, g)| {
            let g = scale * g;
            *v = keep * *v + add * g * g;
        });
        Ok(())
    }
}

impl InplaceOp3 for Step {
    fn name(&self) -> &'static str {
        "adamw-step"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        lw: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<()> {
        let (decay, rate) = (self.0.decay as f32, (self.0.rate / self.0.fix1) as f32);
        let (fix, eps) = (1.0 / self.0.fix2 as f32, EPS as f32);
        let moments = read(m, lm)?.iter().zip(read(v, lv)?);
        write(w, lw)?.iter_mut().zip(moments).for_each(|(w, (m, v))| {
            *w = decay * *w - rate * m / ((v * fix).sqrt() + eps);
        });
        Ok(())
    }
}

fn read<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("in-place update: {layout:?} is not contiguous")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn write<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (Some((start, end)), CpuStorage::F32(values)) = (layout.contiguous_offsets(), storage) else {
        bail!("in-place update: {layout:?} is not contiguous float32")
    };
    Ok(&mut values[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_place_and_composed_agree() -> Result<()> {
        let update = Update {
            beta1: 0.9,
            beta2: 0.999,
            scale: 0.5,
            fix1: 0.19,
            fix2: 0.002,
            rate: 0.01,
            decay: 0.999,
        };
        let start = || -> Result<[Var; 3]> {
            Ok([
                Var::new(&[[1.0f32, -2.0, 0.5], [3.0, 0.0, -1.0]], &Device::Cpu)?,
                Var::new(&[[0.1f32, 0.2, 0.0], [-0.4, 0.5, 1.0]], &Device::Cpu)?,
                Var::new(&[[0.1f32, 0.2, 0.0], [0.4, 0.5, 1.0]], &Device::Cpu)?,
            ])
        };
        // Transposed: gradients of matrix products come so.
        let gradient = Tensor::new(&[[1.0f32, 2.0], [-3.0, 0.1], [0.0, -0.2]], &Device::Cpu)?.t()?;
        let ([a, am, av], [b, bm, bv]) = (start()?, start()?);
        update.apply(&a, &am, &av, &gradient)?;
        update.apply_composed(&b, &bm, &bv, &gradient)?;
        for (a, b) in [(a, b), (am, bm), (av, bv)] {
            let distance = (a.as_tensor() - b.as_tensor())?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(distance < 1e-6, "{distance}");
        }
        Ok(())
    }

    #[test]
    fn sums_do_not_depend_on_the_layout() -> Result<()> {
        let x = Tensor::arange(0f32, 9001.0, &Device::Cpu)?.affine(1e-3, -4.0)?.reshape((9001, 1))?;
        let wide = x.broadcast_as((9001, 3))?;
        let expected: f64 = x.flatten_all()?.to_vec1::<f32>()?.iter().map(|x| f64::from(x * x)).sum();
        for (x, times) in [(x.clone(), 1.0), (wide.contiguous()?, 3.0), (wide.t()?, 3.0)] {
            let sum = sum_of_squares(&x)?;
            assert!((sum / (times * expected) - 1.0).abs() < 1e-5, "{sum}");
        }
        // Within a row, one row and a rest, rows alone, rows and a rest.
        for len in [5, 1500, 4096, 9001] {
            let x = x.narrow(0, 0, len)?;
            let (sum, apart) = (sum_of_squares(&x)?, f64::from(square(&x)?.to_scalar::<f32>()?));
            assert!((apart / sum - 1.0).abs() < 1e-5, "{apart} against {sum} of {len}");
        }
        let (a, b) = (wide.contiguous()?, wide.t()?.contiguous()?.t()?);
        for (total, value) in [(&a, &b), (&b, &a)] {
            let total = added(total.copy()?, value)?;
            assert_eq!(total.sum_all()?.to_scalar::<f32>()?, ((&a + &b)?).sum_all()?.to_scalar::<f32>()?);
        }
        Ok(())
    }
}
