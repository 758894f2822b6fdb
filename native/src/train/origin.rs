//! What a training state was learned by. A stage goes on from a state only with the config that it was begun with: the
//! rates of all steps follow from it.

use std::path::Path;

use anyhow::{Context, Result};
use toml::Table;

use super::overrides;
use crate::digest;

/// The sections of the stages, in their order.
const STAGES: [&str; 3] = ["text", "image", "fusion"];

/// A config as it is written, so that the folder where the program runs does not matter.
pub struct Origin(Table);

impl Origin {
    /// Of a config file and what was set on the command line.
    ///
    /// # Errors
    /// When the file cannot be read or is no TOML, or an override is none.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let named = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(named)?;
        let mut table = toml::from_str(&text).with_context(named)?;
        overrides.iter().try_for_each(|assignment| overrides::set(&mut table, assignment))?;
        Ok(Origin(table))
    }

    /// A fingerprint of all that the stage `name` depends on: seed, model, its own section and those of the stages before
    /// it.
    pub fn of_stage(&self, name: &str) -> String {
        let earlier = STAGES.into_iter().take_while(|stage| *stage != name);
        let keys = ["seed", "model", name].into_iter().chain(earlier);
        let part: Table = keys.filter_map(|key| Some((key.to_owned(), self.0.get(key)?.clone()))).collect();
        digest::sha256(part.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_depends_on_what_comes_before_it() -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let written = "seed = 1\nout = 'a'\n[model]\nfrom = 'b'\n[text]\nval = 2\n[fusion]\npairs = 'c'\n\
            [fusion.learning]\nepochs = 3\n";
        std::fs::write(&file, written)?;
        let stages = |overrides: &[&str]| -> Result<Vec<String>> {
            let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
            let origin = Origin::read(file.path(), &overrides)?;
            Ok(STAGES.map(|stage| origin.of_stage(stage)).into())
        };
        let plain = stages(&[])?;
        let same = |overrides: &[&str]| -> Result<Vec<bool>> {
            Ok(plain.iter().zip(stages(overrides)?).map(|(a, b)| *a == b).collect())
        };
        assert_eq!(same(&["out='elsewhere'"])?, [true, true, true]);
        assert_eq!(same(&["fusion.learning.epochs=4"])?, [true, true, false]);
        assert_eq!(same(&["image.augment=true"])?, [true, false, false]);
        assert_eq!(same(&["text.val=3"])?, [false, false, false]);
        assert_eq!(same(&["model.from='d'"])?, [false, false, false]);
        assert_eq!(same(&["seed=2"])?, [false, false, false]);
        std::fs::write(&file, format!("# Said otherwise.\n{}", written.replace(" = ", "=")))?;
        assert_eq!(stages(&[])?, plain);
        Ok(())
    }
}
