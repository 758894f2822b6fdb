//! AdamW (Loshchilov & Hutter 2017) whose moments can be saved, with a warm-up and a linear decay.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Result, Tensor, Var, backprop::GradStore, bail};

use super::{
    lookup::RowGradient,
    update::{Update, added, sum_of_squares},
};

/// How fast to learn at each step.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The highest learning rate, reached after the warm-up.
    pub peak: f64,
    /// Steps over which the rate rises linearly from 0.
    pub warm_up: usize,
    /// Steps in all; the rate falls linearly to 0 at the last.
    pub steps: usize,
}

impl Schedule {
    /// The learning rate of step `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let rise = (step + 1) as f64 / self.warm_up.max(1) as f64;
        let left = self.steps.saturating_sub(step) as f64;
        let fall = left / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        self.peak * rise.min(fall).min(1.0)
    }
}

/// The optimizer and its moments.
pub struct AdamW {
    slots: Vec<Slot>,
    weight_decay: f64,
    clip: f64,
    /// Updates done so far.
    pub step: usize,
}

struct Slot {
    name: String,
    var: Var,
    mean: Var,
    variance: Var,
}

impl Slot {
    fn update_rows(&self, update: &Update, ids: &Tensor, gradient: &Tensor) -> Result<()> {
        let tables = [&self.var, &self.mean, &self.variance];
        let rows = tables.map(|table| Var::from_tensor(&table.as_detached_tensor().index_select(ids, 0)?));
        let [var, mean, variance] = rows;
        let (var, mean, variance) = (var?, mean?, variance?);
        update.apply(&var, &mean, &variance, gradient)?;
        let places = ids.unsqueeze(1)?.broadcast_as(gradient.shape())?.contiguous()?;
        for (table, rows) in tables.into_iter().zip([var, mean, variance]) {
            table.as_detached_tensor().scatter_set(&places, &rows.as_detached_tensor(), 0)?;
        }
        Ok(())
    }
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;

impl AdamW {
    /// For these variables. Biases, norms and other vectors are not decayed. `clip` bounds the global norm of the
    /// gradients (0: no bound).
    pub fn new(vars: Vec<(String, Var)>, weight_decay: f64, clip: f64) -> Result<Self> {
        let slots = vars.into_iter().map(|(name, var)| {
            let zeros = var.zeros_like()?;
            Ok(Slot { name, mean: Var::from_tensor(&zeros)?, variance: Var::from_tensor(&zeros)?, var })
        });
        Ok(AdamW { slots: slots.collect::<Result<_>>()?, weight_decay, clip, step: 0 })
    }

    /// One update with the sum of several gradients (of the shards of one batch). Of a table in `of_rows` the rows that
    /// are there move, with their moments; the others stay as they are, as in PyTorch's `SparseAdam`.
    pub fn update(
        &mut self,
        gradients: &[GradStore],
        of_rows: &BTreeMap<&'static str, RowGradient>,
        rate: f64,
    ) -> Result<()> {
        self.step += 1;
        let gradient = |slot: &Slot| match of_rows.get(slot.name.as_str()) {
            Some(rows) => Ok(Some(rows.gradient.clone())),
            None => sum(gradients, &slot.var),
        };
        let sums = self.slots.iter().map(gradient).collect::<Result<Vec<_>>>()?;
        let scale = self.clip_scale(&sums)?;
        let (fix1, fix2) = (1.0 - BETA1.powi(self.step as i32), 1.0 - BETA2.powi(self.step as i32));
        for (slot, gradient) in self.slots.iter().zip(sums) {
            let Some(gradient) = gradient else { continue };
            let decay = if slot.var.rank() > 1 { 1.0 - rate * self.weight_decay } else { 1.0 };
            let update = Update { beta1: BETA1, beta2: BETA2, scale, fix1, fix2, rate, decay };
            match of_rows.get(slot.name.as_str()) {
                Some(RowGradient { ids, .. }) => slot.update_rows(&update, ids, &gradient)?,
                None => update.apply(&slot.var, &slot.mean, &slot.variance, &gradient)?,
            }
        }
        Ok(())
    }

    /// The moments, as `adam.mean.NAME` and `adam.variance.NAME`.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for slot in &self.slots {
            state.insert(format!("adam.mean.{}", slot.name), slot.mean.as_detached_tensor().copy()?);
            state.insert(format!("adam.variance.{}", slot.name), slot.variance.as_detached_tensor().copy()?);
        }
        Ok(state)
    }

    /// Goes on from a saved [`state`](Self::state) after `step` updates.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, step: usize) -> Result<()> {
        for slot in &self.slots {
            for (moment, var) in [("mean", &slot.mean), ("variance", &slot.variance)] {
                match state.get(&format!("adam.{moment}.{}", slot.name)) {
                    Some(tensor) => var.set(&tensor.to_device(var.device())?)?,
                    None => bail!("the training state lacks the {moment} of {}", slot.name),
                }
            }
        }
        self.step = step;
        Ok(())
    }

    fn clip_scale(&self, gradients: &[Option<Tensor>]) -> Result<f64> {
        if self.clip <= 0.0 {
            return Ok(1.0);
        }
        let mut square = 0.0;
        for gradient in gradients.iter().flatten() {
            square += sum_of_squares(gradient)?;
        }
        let norm = square.sqrt();
        if !norm.is_finite() {
            bail!("the gradients are not finite: lower the learning rate");
        }
        Ok((self.clip / norm.max(1e-12)).min(1.0))
    }
}

fn sum(gradients: &[GradStore], var: &Var) -> Result<Option<Tensor>> {
    let mut total: Option<Tensor> = None;
    for gradient in gradients.iter().filter_map(|g| g.get(var)) {
        total = Some(match total {
            Some(total) => added(total, gradient)?,
            None => gradient.clone(),
        });
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_rate_rises_then_falls() {
        let schedule = Schedule { peak: 1.0, warm_up: 10, steps: 110 };
        assert!((schedule.rate(0) - 0.1).abs() < 1e-12);
        assert!((schedule.rate(9) - 1.0).abs() < 1e-12);
        assert!((schedule.rate(60) - 0.5).abs() < 1e-12);
        assert!(schedule.rate(110).abs() < 1e-12);
    }

    /// The weights after three steps on the loss `sum(w * w)`, from 1, -2, 3, 0.5.
    fn after_three_steps(clip: f64) -> Result<Vec<f32>> {
        let var = Var::new(&[[1.0f32, -2.0], [3.0, 0.5]], &Device::Cpu)?;
        let mut adamw = AdamW::new(vec![("w".into(), var.clone())], 0.01, clip)?;
        for _ in 0..3 {
            let gradients = var.sqr()?.sum_all()?.backward()?;
            adamw.update(&[gradients], &BTreeMap::new(), 0.1)?;
        }
        var.flatten_all()?.to_vec1()
    }

    /// Values of `torch.optim.AdamW(lr=0.1, weight_decay=0.01)`; the clipped ones are those of the formulas of
    /// `torch.nn.utils.clip_grad_norm_(w, 1.0)` and of AdamW in numpy.
    #[test]
    fn agrees_with_torch() -> Result<()> {
        for (clip, expected) in [
            (0.0, [0.698_911_25, -1.694_944_6, 2.691_703_6, 0.203_712_4]),
            (1.0, [0.698_086_25, -1.694_360_4, 2.691_197_2, 0.202_404_58]),
        ] {
            for (a, b) in after_three_steps(clip)?.iter().zip(expected) {
                assert!((a - b).abs() < 1e-5, "{a} against {b}, clip {clip}");
            }
        }
        Ok(())
    }

    /// Rows that are looked up move as they would alone; the others stay.
    #[test]
    fn only_the_rows_of_a_lookup_move() -> Result<()> {
        let numbers = Tensor::new(&[[1.0f32, -2.0], [3.0, 0.5], [0.25, 4.0]], &Device::Cpu)?;
        let table = Var::from_tensor(&numbers)?;
        let mut adamw = AdamW::new(vec![("words".into(), table.clone())], 0.01, 0.0)?;
        for _ in 0..3 {
            let ids = Tensor::new(&[0u32, 1], &Device::Cpu)?;
            let gradient = (table.as_detached_tensor().index_select(&ids, 0)? * 2.0)?;
            let of_rows = BTreeMap::from([("words", RowGradient { ids, gradient })]);
            adamw.update(&[], &of_rows, 0.1)?;
        }
        let moved = table.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(moved[..4], after_three_steps(0.0)?);
        assert_eq!(moved[4..], [0.25, 4.0]);
        Ok(())
    }
}
