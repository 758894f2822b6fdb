//! Rows of an embedding table that a batch looks up, learned without a gradient of the whole table: of 30,000 word
//! pieces a batch has some hundreds, and zeros for the others cost more than the encoder's layers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var, backprop::GradStore};

/// Rows of a table as variables of their own.
pub struct Lookup {
    /// The table's name among the parameters.
    pub table: &'static str,
    ids: Vec<u32>,
    rows: Var,
}

impl Lookup {
    /// Looks `ids` up in `table` `[rows, width]`, whose name among the parameters is `name`.
    pub fn new(name: &'static str, table: &Tensor, ids: Vec<u32>) -> Result<Self> {
        let places = Tensor::from_slice(&ids, ids.len(), table.device())?;
        let rows = Var::from_tensor(&table.detach().index_select(&places, 0)?)?;
        Ok(Lookup { table: name, ids, rows })
    }

    /// What was looked up, `[ids, width]`.
    pub fn rows(&self) -> &Tensor {
        self.rows.as_tensor()
    }
}

/// The gradient of some rows of a table.
pub struct RowGradient {
    /// Which rows, each once, `[rows]`.
    pub ids: Tensor,
    /// `[rows, width]`.
    pub gradient: Tensor,
}

/// The gradient of every table that was looked up in the parts of a batch: an id that stands several times has the sum.
pub fn gradients(parts: &[(GradStore, Vec<Lookup>)]) -> Result<BTreeMap<&'static str, RowGradient>> {
    let mut found: BTreeMap<&'static str, Vec<(&Lookup, &Tensor)>> = BTreeMap::new();
    for (store, lookups) in parts {
        for lookup in lookups {
            let gradient = store.get(&lookup.rows).context("nothing was done with what was looked up")?;
            found.entry(lookup.table).or_default().push((lookup, gradient));
        }
    }
    found.into_iter().map(|(table, found)| Ok((table, summed(&found)?))).collect()
}

fn summed(found: &[(&Lookup, &Tensor)]) -> Result<RowGradient> {
    let mut place: BTreeMap<u32, u32> = BTreeMap::new();
    for &id in found.iter().flat_map(|(lookup, _)| &lookup.ids) {
        place.insert(id, 0);
    }
    place.values_mut().zip(0..).for_each(|(place, number)| *place = number);
    let (_, first) = found.first().context("no lookup")?;
    let (width, device) = (first.dim(1)?, first.device());
    let mut gradient = Tensor::zeros((place.len(), width), first.dtype(), device)?;
    for (lookup, part) in found {
        ensure!(
            part.dim(0)? == lookup.ids.len(),
            "a gradient of {:?} for {} ids",
            part.shape(),
            lookup.ids.len()
        );
        let places: Vec<u32> = lookup.ids.iter().map(|id| place[id]).collect();
        let places = Tensor::new(places, device)?;
        gradient = match device {
            Device::Cpu => gradient.index_add(&places, part, 0)?,
            _ => (gradient + by_product(&places, part, place.len())?)?,
        };
    }
    let ids = Tensor::from_iter(place.into_keys(), device)?;
    Ok(RowGradient { ids, gradient })
}

/// The sums of the rows of `part` that go to each of `rows` places. candle's `index_add` on a GPU goes through all ids one after the
/// other in each thread; a product with a matrix of ones and zeros does not.
fn by_product(places: &Tensor, part: &Tensor, rows: usize) -> Result<Tensor> {
    let all = Tensor::arange(0, rows as u32, places.device())?.unsqueeze(1)?;
    let goes = all.broadcast_eq(&places.unsqueeze(0)?)?.to_dtype(part.dtype())?;
    Ok(goes.matmul(part)?)
}

#[cfg(test)]
mod tests {
    use candle_core::IndexOp;

    use super::*;

    #[test]
    fn a_product_adds_as_index_add_does() -> Result<()> {
        let part = Tensor::rand(-1f32, 1., (5, 3), &Device::Cpu)?;
        let places = Tensor::new(&[2u32, 0, 2, 3, 0], &Device::Cpu)?;
        let expected = Tensor::zeros((4, 3), part.dtype(), &Device::Cpu)?.index_add(&places, &part, 0)?;
        let apart = (by_product(&places, &part, 4)? - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(apart < 1e-6, "{apart}");
        Ok(())
    }

    /// Against candle's gradient of the whole table, with ids that repeat within a part and over parts.
    #[test]
    fn agrees_with_the_gradient_of_the_whole_table() -> Result<()> {
        let table = Var::from_tensor(&Tensor::rand(-1f32, 1., (7, 3), &Device::Cpu)?)?;
        let parts = [vec![1u32, 5, 1], vec![6, 5]];
        let (mut of_rows, mut of_table) = (Vec::new(), Tensor::zeros((7, 3), table.dtype(), &Device::Cpu)?);
        for ids in &parts {
            let lookup = Lookup::new("words", &table, ids.clone())?;
            of_rows.push((lookup.rows().sqr()?.sum_all()?.backward()?, vec![lookup]));
            let looked_up = table.index_select(&Tensor::new(ids.as_slice(), &Device::Cpu)?, 0)?;
            let store = looked_up.sqr()?.sum_all()?.backward()?;
            of_table = (of_table + store.get(&table).context("a gradient")?)?;
        }
        let found = gradients(&of_rows)?;
        let RowGradient { ids, gradient } = &found["words"];
        let ids = ids.to_vec1::<u32>()?;
        assert_eq!(ids, [1, 5, 6]);
        for (row, id) in ids.into_iter().enumerate() {
            assert_eq!(gradient.i(row)?.to_vec1::<f32>()?, of_table.i(id as usize)?.to_vec1::<f32>()?);
        }
        Ok(())
    }
}
