//! AdamW (Loshchilov & Hutter 2017) whose moments can be saved, with a warm-up and a linear decay.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Result, Tensor, Var, backprop::GradStore, bail};
use mixed_feelings::layers::keep_layouts;

use super::{
    layer_rates::{layer_rate, text_layer},
    lookup::RowGradient,
    together::{Group, Slot, group},
    update::{Update, added, square, sum_of_squares},
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
    /// All parameters are updated together, as on a GPU.
    together: bool,
    /// Those that are, from the first update on.
    groups: Vec<Group>,
    /// The sum of the squared norms of all gradients since the last [`check`](Self::check).
    unchecked: Option<Tensor>,
}

impl Slot {
    fn update_rows(&self, update: &Update, ids: &Tensor, gradient: &Tensor) -> Result<()> {
        let (mean, variance) = self.moments()?;
        let tables = [&self.var, mean, variance];
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
            let moments = Some((Var::from_tensor(&zeros)?, Var::from_tensor(&zeros)?));
            Ok(Slot { name, rate: 1.0, moments, var })
        });
        let slots = slots.collect::<Result<Vec<_>>>()?;
        let together = slots.first().is_some_and(|slot| !slot.var.device().is_cpu());
        Ok(AdamW { slots, weight_decay, clip, step: 0, together, groups: Vec::new(), unchecked: None })
    }

    /// Lets the lower layers of the text encoder learn more slowly, see [`layer_rate`].
    pub fn with_layer_decay(mut self, decay: f64) -> Self {
        let names = || self.slots.iter().map(|slot| slot.name.as_str());
        let layers = names().filter_map(text_layer).map(|layer| layer + 1).max().unwrap_or(0);
        let rates: Vec<f64> = names().map(|name| layer_rate(name, layers, decay)).collect();
        self.slots.iter_mut().zip(rates).for_each(|(slot, rate)| slot.rate = rate);
        self
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
        if self.together {
            return self.update_together(sums, of_rows, rate);
        }
        let scale = self.clip_scale(&sums)?;
        for (slot, gradient) in self.slots.iter().zip(sums) {
            let Some(gradient) = gradient else { continue };
            self.update_one(slot, &gradient, of_rows, Update { scale, ..self.plain(slot, rate) })?;
        }
        Ok(())
    }

    /// The update of a parameter such as `slot` by gradients as they are.
    fn plain(&self, slot: &Slot, rate: f64) -> Update {
        let (fix1, fix2) = (1.0 - BETA1.powi(self.step as i32), 1.0 - BETA2.powi(self.step as i32));
        let rate = rate * slot.rate;
        let decay = if slot.decays() { 1.0 - rate * self.weight_decay } else { 1.0 };
        Update { beta1: BETA1, beta2: BETA2, scale: 1.0, fix1, fix2, rate, decay }
    }

    fn update_one(
        &self,
        slot: &Slot,
        gradient: &Tensor,
        of_rows: &BTreeMap<&'static str, RowGradient>,
        update: Update,
    ) -> Result<()> {
        if let Some(RowGradient { ids, .. }) = of_rows.get(slot.name.as_str()) {
            return slot.update_rows(&update, ids, gradient);
        }
        let (mean, variance) = slot.moments()?;
        update.apply(&slot.var, mean, variance, gradient)
    }

    /// The same without a look at any number: nothing waits for the device.
    fn update_together(
        &mut self,
        sums: Vec<Option<Tensor>>,
        of_rows: &BTreeMap<&'static str, RowGradient>,
        rate: f64,
    ) -> Result<()> {
        let _kept = self.slots.first().map(|slot| keep_layouts(slot.var.device()));
        if self.groups.is_empty() {
            self.groups = group(&mut self.slots, |slot| !of_rows.contains_key(slot.name.as_str()))?;
        }
        let gradients = self.groups.iter().map(|group| group.gathered(&self.slots, &sums));
        let mut gradients = gradients.collect::<Result<Vec<_>>>()?;
        let alone: Vec<usize> =
            (0..sums.len()).filter(|&i| self.slots[i].moments.is_some() && sums[i].is_some()).collect();
        gradients.extend(alone.iter().filter_map(|&i| sums[i].clone()));
        if self.clip > 0.0 {
            let squares = gradients.iter().map(square).collect::<Result<Vec<_>>>()?;
            let square = Tensor::stack(&squares, 0)?.sum_all()?;
            // clip / max(norm, clip), with the larger of two numbers as a sum.
            let larger = (square.sqrt()?.affine(1.0, -self.clip)?.relu()? + self.clip)?;
            let scale = (larger.recip()? * self.clip)?;
            for gradient in &mut gradients {
                *gradient = gradient.broadcast_mul(&scale)?;
            }
            self.unchecked = Some(match self.unchecked.take() {
                Some(before) => (before + square)?,
                None => square,
            });
        }
        let mut gradients = gradients.into_iter();
        let mut groups = std::mem::take(&mut self.groups);
        for (group, gradient) in groups.iter_mut().zip(&mut gradients) {
            let Some(&first) = group.members.first() else { continue };
            group.update(&self.plain(&self.slots[first], rate), &gradient, &self.slots, &sums)?;
        }
        self.groups = groups;
        for (i, gradient) in alone.into_iter().zip(gradients) {
            let slot = &self.slots[i];
            self.update_one(slot, &gradient, of_rows, self.plain(slot, rate))?;
        }
        Ok(())
    }

    /// Looks at the gradients since the last time, where an update did not.
    ///
    /// # Errors
    /// When one of them was not finite.
    pub fn check(&mut self) -> Result<()> {
        match self.unchecked.take() {
            Some(square) if !square.to_scalar::<f32>()?.is_finite() => not_finite(),
            _ => Ok(()),
        }
    }

    /// The moments, as `adam.mean.NAME` and `adam.variance.NAME`.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        let mut put = |name: &str, mean: Tensor, variance: Tensor| {
            state.insert(format!("adam.mean.{name}"), mean);
            state.insert(format!("adam.variance.{name}"), variance);
        };
        for slot in &self.slots {
            if let Some((mean, variance)) = &slot.moments {
                put(&slot.name, mean.as_detached_tensor().copy()?, variance.as_detached_tensor().copy()?);
            }
        }
        for (slot, [mean, variance]) in self.groups.iter().flat_map(|group| group.moments(&self.slots)) {
            put(&slot.name, mean?, variance?);
        }
        Ok(state)
    }

    /// Goes on from a saved [`state`](Self::state) after `step` updates.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, step: usize) -> Result<()> {
        for slot in &mut self.slots {
            let moment = |moment: &str| match state.get(&format!("adam.{moment}.{}", slot.name)) {
                Some(tensor) if tensor.shape() == slot.var.shape() => {
                    Var::from_tensor(&tensor.to_device(slot.var.device())?)
                }
                Some(_) => bail!("the training state has a {moment} of {} in another shape", slot.name),
                None => bail!("the training state lacks the {moment} of {}", slot.name),
            };
            slot.moments = Some((moment("mean")?, moment("variance")?));
        }
        self.groups.clear();
        self.unchecked = None;
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
            not_finite()?;
        }
        Ok((self.clip / norm.max(1e-12)).min(1.0))
    }
}

fn not_finite() -> Result<()> {
    bail!("the gradients are not finite: lower the learning rate")
}

fn sum(gradients: &[GradStore], var: &Var) -> Result<Option<Tensor>> {
    let mut total: Option<Tensor> = None;
    for gradient in gradients.iter().filter_map(|g| g.get(var)) {
        total = Some(match total {
            Some(total) => added(total, gradient)?,
            None => gradient.clone(),
        });
    }
    // That of a weight of candle's own linear layer still knows what it was made of: all that the step computed. The moments and the
    // norm would keep it in memory, the norm for as many steps as nobody looks at it.
    Ok(total.map(|total| total.detach()))
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

    fn uneven() -> Result<Vec<(String, Var)>> {
        let numbers = |len: usize, of: f32| (0..len).map(move |i| of + (i as f32 * 0.7).sin()).collect();
        let var = |(name, rows, width): (&str, usize, usize)| {
            let numbers: Vec<f32> = numbers(rows * width, rows as f32);
            let shape = if rows == 1 { vec![width] } else { vec![rows, width] };
            Ok((name.to_owned(), Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu)?)?))
        };
        let shapes = [
            ("heads.text.bias", 1, 3),
            ("heads.text.weight", 3, 4),
            ("tasks.other.weight", 2, 4),
            ("text.encoder.layer.0.weight", 5, 2),
            ("words", 6, 3),
        ];
        shapes.into_iter().map(var).collect()
    }

    /// Five steps, in the second and the fourth of which one parameter has no gradient; saved and restored after `broken`.
    fn trained(together: bool, clip: f64, broken: Option<usize>) -> Result<Vec<Vec<f32>>> {
        let vars = uneven()?;
        let start = || -> Result<AdamW> {
            let adamw = AdamW::new(vars.clone(), 0.01, clip)?.with_layer_decay(0.5);
            Ok(AdamW { together, ..adamw })
        };
        let mut adamw = start()?;
        for step in 0..5 {
            if broken == Some(step) {
                let state = adamw.state()?;
                adamw = start()?;
                adamw.restore(&state, step)?;
            }
            let mut loss = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
            for (name, var) in &vars {
                if name != "words" && !(name.starts_with("tasks") && step % 2 == 1) {
                    loss = (loss + (var.sqr()? * (1.0 + step as f64))?.sum_all()?)?;
                }
            }
            let ids = Tensor::new(&[1u32, 4], &Device::Cpu)?;
            let gradient = vars[4].1.as_detached_tensor().index_select(&ids, 0)?;
            let of_rows = BTreeMap::from([("words", RowGradient { ids, gradient })]);
            adamw.update(&[loss.backward()?], &of_rows, 0.1)?;
            adamw.check()?;
        }
        vars.iter().map(|(_, var)| var.flatten_all()?.to_vec1()).collect()
    }

    #[test]
    fn together_is_as_one_by_one() -> Result<()> {
        for clip in [0.0, 1.0] {
            let (one, all) = (trained(false, clip, None)?, trained(true, clip, None)?);
            for (a, b) in one.concat().iter().zip(all.concat()) {
                assert!((a - b).abs() < 1e-5, "{a} against {b}, clip {clip}");
            }
            for ((name, start), end) in uneven()?.iter().zip(&one) {
                assert_ne!(start.flatten_all()?.to_vec1::<f32>()?, *end, "{name} moves");
            }
        }
        Ok(())
    }

    /// A gradient may hold on to the whole step that it came from.
    #[test]
    fn nothing_of_a_step_stays_but_numbers() -> Result<()> {
        let weight = Var::new(&[[1f32, 2.0], [0.5, -1.0]], &Device::Cpu)?;
        let adamw = AdamW::new(vec![("w".into(), weight.clone())], 0.01, 1.0)?;
        let mut adamw = AdamW { together: true, ..adamw };
        for _ in 0..2 {
            let hidden = weight.matmul(&weight.sqr()?)?;
            let gradients = hidden.matmul(&weight)?.sum_all()?.backward()?;
            assert!(gradients.get(&weight).is_some_and(Tensor::track_op), "candle's does");
            adamw.update(&[gradients], &BTreeMap::new(), 0.1)?;
        }
        assert!(adamw.unchecked.as_ref().is_some_and(|square| !square.track_op()));
        assert!(adamw.groups.iter().all(|group| !group.tracks()));
        Ok(())
    }

    #[test]
    fn a_restored_optimizer_goes_on_with_the_same_bits() -> Result<()> {
        for together in [false, true] {
            assert_eq!(trained(together, 1.0, Some(3))?, trained(together, 1.0, None)?);
        }
        Ok(())
    }

    #[test]
    fn gradients_that_are_not_finite_are_told() -> Result<()> {
        for together in [false, true] {
            let var = Var::new(&[1f32, 2.0], &Device::Cpu)?;
            let adamw = AdamW::new(vec![("w".into(), var.clone())], 0.01, 1.0)?;
            let mut adamw = AdamW { together, ..adamw };
            let gradients = var.affine(1.0, -1.0)?.log()?.sum_all()?.backward()?; // 1 / 0
            let told = adamw.update(&[gradients], &BTreeMap::new(), 0.1).and_then(|()| adamw.check());
            assert!(told.expect_err("NaN").to_string().contains("not finite"), "together: {together}");
            assert!(adamw.check().is_ok(), "it is told once");
        }
        Ok(())
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
