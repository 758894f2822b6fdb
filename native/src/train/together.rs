//! Parameters that are updated together. On a GPU an operation takes longer to begin than to do where it is on a few thousand
//! numbers, and an encoder has a hundred parameters: joined end to end they take as many operations as one of them.

use candle_core::{Result, Tensor, Var, bail};

use super::update::{Moving, Update};

/// A parameter with what an update needs of it.
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Itself.
    pub var: Var,
    /// What the learning rate is multiplied by.
    pub rate: f64,
    /// The mean of its gradients, and of their squares; none where a [`Group`] holds them.
    pub moments: Option<(Var, Var)>,
}

impl Slot {
    /// Whether weight decay applies: not to biases, norms and other vectors.
    pub fn decays(&self) -> bool {
        self.var.rank() > 1
    }

    /// Its own moments.
    ///
    /// # Errors
    /// When a group holds them.
    pub fn moments(&self) -> Result<(&Var, &Var)> {
        match &self.moments {
            Some((mean, variance)) => Ok((mean, variance)),
            None => bail!("{} is updated with others", self.name),
        }
    }

    fn len(&self) -> usize {
        self.var.elem_count()
    }
}

/// Parameters of one rate and one decay, end to end.
pub struct Group {
    /// Which slots.
    pub members: Vec<usize>,
    /// What the parameters are. They are written from it and not read again: whoever else changes them puts them back before the
    /// next update.
    var: Tensor,
    mean: Tensor,
    variance: Tensor,
}

/// Puts all slots that `joins` accepts into groups, with their moments.
pub fn group(slots: &mut [Slot], joins: impl Fn(&Slot) -> bool) -> Result<Vec<Group>> {
    let mut kinds: Vec<((bool, u64), Vec<usize>)> = Vec::new();
    for (i, slot) in slots.iter().enumerate().filter(|(_, slot)| joins(slot)) {
        let kind = (slot.decays(), slot.rate.to_bits());
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, members)) => members.push(i),
            None => kinds.push((kind, vec![i])),
        }
    }
    let mut joined = |members: Vec<usize>| {
        let mut parts = [const { Vec::new() }; 3];
        for &member in &members {
            let slot = &mut slots[member];
            let (mean, variance) = slot.moments()?;
            for (parts, of) in parts.iter_mut().zip([&slot.var, mean, variance]) {
                parts.push(of.as_detached_tensor().flatten_all()?);
            }
            slot.moments = None;
        }
        // A copy, also of a single part: what a parameter is set to must not be read from itself.
        let [var, mean, variance] = parts.map(|parts| Tensor::cat(&parts, 0)?.copy());
        Ok(Group { members, var: var?, mean: mean?, variance: variance? })
    };
    kinds.into_iter().map(|(_, members)| joined(members)).collect()
}

impl Group {
    /// The members' gradients end to end, with zeros for one that has none.
    pub fn gathered(&self, slots: &[Slot], gradients: &[Option<Tensor>]) -> Result<Tensor> {
        let one = |&member: &usize| match &gradients[member] {
            Some(gradient) => gradient.flatten_all(),
            None => Tensor::zeros(slots[member].len(), self.mean.dtype(), self.mean.device()),
        };
        Tensor::cat(&self.members.iter().map(one).collect::<Result<Vec<_>>>()?, 0)
    }

    /// Moves all members that have a gradient; the others stay as they are, with their moments.
    pub fn update(
        &mut self,
        update: &Update,
        gradient: &Tensor,
        slots: &[Slot],
        gradients: &[Option<Tensor>],
    ) -> Result<()> {
        let now = Moving { var: &self.var, mean: &self.mean, variance: &self.variance };
        let [next, mean, variance] = update.moved(now, gradient)?;
        let moves = |member: usize| gradients[member].is_some();
        for (slot, moved, start) in self.parts(slots) {
            if moves(moved) {
                slot.var.set(&next.narrow(0, start, slot.len())?.reshape(slot.var.shape())?)?;
            }
        }
        if self.members.iter().all(|&member| moves(member)) {
            (self.var, self.mean, self.variance) = (next, mean, variance);
            return Ok(());
        }
        let choose = |new: &Tensor, old: &Tensor| -> Result<Tensor> {
            let part = |(slot, member, start): (&Slot, usize, usize)| {
                if moves(member) { new } else { old }.narrow(0, start, slot.len())
            };
            Tensor::cat(&self.parts(slots).map(part).collect::<Result<Vec<_>>>()?, 0)
        };
        let (next, mean) = (choose(&next, &self.var)?, choose(&mean, &self.mean)?);
        (self.var, self.mean, self.variance) = (next, mean, choose(&variance, &self.variance)?);
        Ok(())
    }

    /// Whether it holds on to what its numbers were computed from.
    #[cfg(test)]
    pub fn tracks(&self) -> bool {
        [&self.var, &self.mean, &self.variance].into_iter().any(Tensor::track_op)
    }

    /// A copy of each member's mean and variance.
    pub fn moments<'a>(&'a self, slots: &'a [Slot]) -> impl Iterator<Item = (&'a Slot, [Result<Tensor>; 2])> {
        self.parts(slots).map(|(slot, _, start)| {
            let part =
                |of: &Tensor| of.narrow(0, start, slot.len())?.force_contiguous()?.reshape(slot.var.shape());
            (slot, [part(&self.mean), part(&self.variance)])
        })
    }

    /// Each member, its number, and where it begins.
    fn parts<'a>(&'a self, slots: &'a [Slot]) -> impl Iterator<Item = (&'a Slot, usize, usize)> {
        self.members.iter().scan(0, |end, &member| {
            let start = *end;
            *end += slots[member].len();
            Some((&slots[member], member, start))
        })
    }
}
