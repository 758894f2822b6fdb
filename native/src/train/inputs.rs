//! What a training will read, looked over before it makes anything: a wrong cell or a missing picture is told at once, not
//! after the hours of an earlier stage.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use mixed_feelings::Labels;

use super::{
    config::{TrainConfig, ValenceTable},
    image::split,
    texts::{self, check_length},
};
use crate::{
    checkpoint::Checkpoint,
    data::{PairRow, read_valence},
};

/// Reads every table, looks whether each picture is there (not into it, which takes its time), and loads the teachers.
///
/// # Errors
/// When something is missing or wrong, or a teacher has other labels; the file and line are named.
pub fn check(config: &TrainConfig, labels: &Labels) -> Result<()> {
    if let Some(section) = &config.text {
        texts::check(section, labels)?;
    }
    let of_image = config.image.iter().map(|section| section.pairs.as_path());
    let tables: BTreeSet<&Path> = of_image.chain([config.fusion.pairs.as_path()]).collect();
    for table in tables {
        let (train, val) = split(table, labels)?;
        for row in train.iter().chain(&val) {
            check_pair(row).with_context(|| format!("{} line {}", table.display(), row.line))?;
        }
    }
    if let Some(ValenceTable { file, .. }) =
        config.image.as_ref().and_then(|section| section.valence.as_ref())
    {
        for row in read_valence(file)? {
            let named = || format!("{} line {}", file.display(), row.line);
            check_image(&row.image).with_context(named)?;
        }
    }
    for dir in config.fusion.distillation.iter().flat_map(|section| &section.teachers) {
        let named = || format!("teacher {}", dir.display());
        let teacher = Checkpoint::load(dir, &Device::Cpu).with_context(named)?;
        teacher.model(&Device::Cpu).with_context(named)?;
        ensure!(teacher.config.labels == *labels, "{}: it has other labels than [model]", named());
    }
    Ok(())
}

fn check_pair(row: &PairRow) -> Result<()> {
    check_length(&row.text)?;
    check_image(&row.image)
}

fn check_image(path: &Path) -> Result<()> {
    ensure!(path.is_file(), "image {}: there is no such file", path.display());
    Ok(())
}
