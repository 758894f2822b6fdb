//! Templates: texts with slots in braces, `{dish}`, that are filled from a table of values, so that a few hundred sentences
//! show a model thousands of times what turns a feeling and what does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail};
use mixed_feelings::layers::NoiseSource;

use crate::{data::Table, digest::fnv1a};

/// What may stand in each slot.
pub struct Slots(BTreeMap<String, Vec<String>>);

impl Slots {
    /// A table with the columns `slot` and `value`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let table = Table::read(path)?;
        let (slot, value) = (table.column("slot")?, table.column("value")?);
        let mut slots = BTreeMap::<String, Vec<String>>::new();
        for row in table.rows() {
            slots.entry(row.get(slot).to_owned()).or_default().push(row.get(value).to_owned());
        }
        Ok(Slots(slots))
    }

    /// The `number`-th filling of a template: always the same, and another one for another number as far as the values go.
    /// `{Dish}` is `{dish}` with a capital; a slot that stands twice has two values.
    ///
    /// # Errors
    /// When a brace is not closed, a slot has no values, or stands more often than it has values.
    pub fn fill(&self, template: &str, number: usize) -> Result<String> {
        let noise = NoiseSource::new(fnv1a(template).wrapping_add(number as u64));
        let mut used = BTreeSet::new();
        let (mut text, mut rest) = (String::new(), template);
        while let Some((before, slot)) = rest.split_once('{') {
            let (slot, after) = slot.split_once('}').context("a brace `{` is not closed")?;
            let name = slot.to_lowercase();
            let values =
                self.0.get(&name).with_context(|| format!("nothing is known for the slot `{{{slot}}}`"))?;
            let free: Vec<&String> =
                values.iter().filter(|value| !used.contains(&(name.clone(), *value))).collect();
            if free.is_empty() {
                bail!("`{{{slot}}}` stands more often than it has values");
            }
            let value = free[(noise.next_u64() % free.len() as u64) as usize];
            used.insert((name, value));
            text.push_str(before);
            match slot.starts_with(char::is_uppercase) {
                true => text.push_str(&capitalised(value)),
                false => text.push_str(value),
            }
            rest = after;
        }
        Ok(text + rest)
    }
}

fn capitalised(value: &str) -> String {
    let mut rest = value.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Slots {
        let values = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        Slots(BTreeMap::from([
            ("dish".to_owned(), values(&["the soup", "the pie", "the éclair"])),
            ("one".to_owned(), values(&["x"])),
        ]))
    }

    #[test]
    fn fills_with_capitals_and_never_the_same_twice() -> Result<()> {
        let slots = slots();
        let mut seen = BTreeSet::new();
        for number in 0..40 {
            let text = slots.fill("{Dish} beats {dish}, {dish}!", number)?;
            assert_eq!(text, slots.fill("{Dish} beats {dish}, {dish}!", number)?);
            let lower = text.to_lowercase();
            assert!(["the soup", "the pie", "the éclair"].iter().all(|dish| lower.contains(dish)), "{text}");
            assert!(text.starts_with("The ") && text.ends_with('!'), "{text}");
            seen.insert(text);
        }
        assert_eq!(seen.len(), 6, "all orders come");
        assert_eq!(slots.fill("no slot", 3)?, "no slot");
        Ok(())
    }

    #[test]
    fn what_cannot_be_filled_is_an_error() {
        for template in ["{dish", "{wine}", "{one} and {one}", "{}"] {
            assert!(slots().fill(template, 0).is_err(), "{template}");
        }
    }
}
