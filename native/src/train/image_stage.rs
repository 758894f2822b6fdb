//! The image stage as a whole: trained, or taken from an earlier training.

use std::{collections::HashMap, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use candle_core::Tensor;

use super::{
    Training,
    config::ImageSection,
    image::{ImageTask, Material},
    parameters::{Frozen, Parameters},
    photos::PhotoMaker,
};
use crate::checkpoint;

/// What the image stage leaves, in the output folder.
const FILE: &str = "image.safetensors";

impl Training {
    /// Trains the image encoder, or takes that of an earlier training.
    pub(super) fn image_stage(&mut self, parameters: &Parameters, resume: bool) -> Result<()> {
        let Some(section) = self.config.image.clone() else { return Ok(()) };
        if let Some(path) = &section.from {
            return self.take_image_stage(parameters, path).with_context(|| path.display().to_string());
        }
        let parameters = parameters.with_frozen(self.frozen_in_image(&section));
        let shards = self.shards_of_images(&parameters);
        let maker = PhotoMaker {
            config: &self.model,
            parameters: &parameters,
            device: &self.device,
            folder: &self.features,
            augment: section.augment,
        };
        let material = Arc::new(Material::read(&section, &self.model.labels, &maker)?);
        let split = ((0..material.train).collect(), (material.train..material.rows.len()).collect());
        let task = ImageTask::new(&section, &self.model, material, split, &parameters, &self.device)?;
        self.learn(&task, &section.learning, &parameters, shards, resume)?;
        let (weight, bias) = task.fitted_head()?.tensors(&self.device)?;
        let named = [("heads.image.weight", weight), ("heads.image.bias", bias)];
        parameters.restore(&named.map(|(name, tensor)| (name.to_owned(), tensor)).into())?;
        self.leave_image_stage(&parameters)
    }

    /// The parameters that the image stage leaves as they are.
    pub(super) fn frozen_in_image(&self, section: &ImageSection) -> Frozen {
        let other = ["text.*", "heads.text.*"].map(String::from);
        Frozen::new(section.learning.freeze.iter().cloned().chain(other))
    }

    /// Writes what another training may take.
    fn leave_image_stage(&self, parameters: &Parameters) -> Result<()> {
        let mut tensors = parameters.all()?;
        tensors.retain(|name, _| of_images(name));
        let path = self.config.out.join(FILE);
        checkpoint::save_tensors(&path, &tensors)?;
        tracing::info!("the image stage is in {}", path.display());
        Ok(())
    }

    fn take_image_stage(&mut self, parameters: &Parameters, path: &Path) -> Result<()> {
        let tensors: HashMap<String, Tensor> = checkpoint::load_tensors(path, &self.device)?;
        let known = parameters.all()?;
        for (name, tensor) in &tensors {
            ensure!(of_images(name), "it has the tensor {name}, which is no image stage's");
            let fits = known.get(name).is_none_or(|known| known.shape() == tensor.shape());
            ensure!(fits, "{name} is of another shape than the model's");
        }
        for name in known.keys().filter(|name| name.starts_with("image.")) {
            ensure!(tensors.contains_key(name), "it lacks {name}");
        }
        Ok(parameters.insert_all("", tensors, &self.device)?)
    }
}

fn of_images(name: &str) -> bool {
    name.starts_with("image.") || name.starts_with("heads.image.")
}
