//! The image stage as a whole: done once on all photos, and once without each part of them, so that the fusion can learn from
//! what an encoder says of photos that it has not seen, as it will be in use.

use std::{collections::HashMap, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use candle_nn::ops::log_softmax;

use super::{
    Training,
    config::ImageSection,
    features::EncodedImage,
    image::{ImageTask, Material},
    learn::{Learner, Task},
    parameters::{Frozen, Parameters},
    photos::PhotoMaker,
    repeat::deal,
    state::StateFile,
};
use crate::{checkpoint, data::PairRow};

/// What the image stage leaves, in the output folder.
const FILE: &str = "image.safetensors";
const FEATURES: &str = "out_of_fold.features";
const LOGITS: &str = "out_of_fold.logits";

/// What encoders say of the training photos that they have not seen, in the order of the table's train.
#[derive(Clone)]
pub struct OutOfFold {
    /// `[rows, channels]`.
    pub features: Tensor,
    /// The log-probabilities of the head that belongs to the features, `[rows, classes]`.
    pub logits: Tensor,
}

impl OutOfFold {
    /// The features of all pairs, those of train in front replaced.
    pub fn replace(&self, encoded: EncodedImage) -> Result<EncodedImage> {
        let EncodedImage::Kept { grids, views } = encoded else { return Ok(encoded) };
        let (train, channels) = self.features.dims2()?;
        let (rows, of_grid, height, width) = grids.dims4()?;
        ensure!(
            (views, of_grid, height, width) == (1, channels, 1, 1) && train <= rows,
            "[image] folds: the fusion must look at pooled features of one form of each photo"
        );
        let rest = grids.narrow(0, train, rows - train)?;
        let features = self.features.reshape((train, channels, 1, 1))?.to_dtype(rest.dtype())?;
        Ok(EncodedImage::Kept { grids: Tensor::cat(&[features, rest], 0)?, views })
    }
}

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
        self.out_of_fold = (section.folds > 0)
            .then(|| self.image_folds(&section, &material, &parameters, shards, resume))
            .transpose()?;
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

    /// Trains an encoder without each part of the photos and asks it about that part.
    fn image_folds(
        &mut self,
        section: &ImageSection,
        material: &Arc<Material>,
        parameters: &Parameters,
        shards: usize,
        resume: bool,
    ) -> Result<OutOfFold> {
        let rows = &material.rows[..material.train];
        let fold_of = deal(rows, self.model.labels.len(), section.folds, self.config.seed)?;
        let mut found = vec![None; rows.len()];
        for fold in 0..section.folds {
            // Each starts from the same weights, so that their features stay alike.
            let parameters = parameters.anew(self.config.seed, |_| true)?;
            let pairs: Vec<usize> = (0..rows.len()).filter(|&row| fold_of[row] == fold).collect();
            let learned = (0..rows.len()).filter(|&row| fold_of[row] != fold).collect();
            let (model, device) = (&self.model, &self.device);
            let task = ImageTask::new(
                section,
                model,
                material.clone(),
                (learned, pairs.clone()),
                &parameters,
                device,
            )?;
            let name = format!("image.fold{}", fold + 1);
            let file = StateFile::new(&self.config.out, &name, self.origin.of_stage(task.name()));
            if !resume {
                file.clear()?;
            }
            let learning = &section.learning;
            let seed = self.config.seed;
            let learner = Learner { learning, parameters: &parameters, file: Some(file), seed, shards };
            self.record.run = Some((seed, Some(fold + 1)));
            learner.run(&task, &mut self.record, resume)?;
            self.record.run = None;
            let features = task.of_pairs(&pairs)?;
            let (weight, bias) = task.fitted_head()?.tensors(device)?;
            let logits = log_softmax(&features.matmul(&weight.t()?)?.broadcast_add(&bias)?, 1)?;
            for (i, &row) in pairs.iter().enumerate() {
                found[row] = Some((features.narrow(0, i, 1)?, logits.narrow(0, i, 1)?));
            }
        }
        let (features, logits): (Vec<_>, Vec<_>) = found.into_iter().flatten().unzip();
        ensure!(features.len() == rows.len(), "some pairs are in no fold");
        Ok(OutOfFold { features: Tensor::cat(&features, 0)?, logits: Tensor::cat(&logits, 0)? })
    }

    /// Writes what the fusion stage of another training may take.
    fn leave_image_stage(&self, parameters: &Parameters) -> Result<()> {
        let mut tensors = parameters.all()?;
        tensors.retain(|name, _| of_images(name));
        if let Some(OutOfFold { features, logits }) = &self.out_of_fold {
            tensors.insert(FEATURES.into(), features.to_device(&Device::Cpu)?);
            tensors.insert(LOGITS.into(), logits.to_device(&Device::Cpu)?);
        }
        let path = self.config.out.join(FILE);
        checkpoint::save_tensors(&path, &tensors)?;
        tracing::info!("the image stage is in {}", path.display());
        Ok(())
    }

    fn take_image_stage(&mut self, parameters: &Parameters, path: &Path) -> Result<()> {
        let mut tensors: HashMap<String, Tensor> = checkpoint::load_tensors(path, &self.device)?;
        let (features, logits) = (tensors.remove(FEATURES), tensors.remove(LOGITS));
        self.out_of_fold = features.zip(logits).map(|(features, logits)| OutOfFold { features, logits });
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

    /// The rows' features, those of train from encoders that have not seen them where there are such.
    pub(super) fn unseen(&self, rows: &[PairRow], encoded: EncodedImage) -> Result<EncodedImage> {
        let Some(out_of_fold) = &self.out_of_fold else { return Ok(encoded) };
        ensure!(
            self.config.image.as_ref().is_some_and(|image| image.pairs == self.config.fusion.pairs),
            "[image] folds: [image] and [fusion] must name the same pairs"
        );
        let train = rows.iter().filter(|row| row.split.as_deref() == Some("train")).count();
        let known = out_of_fold.features.dim(0)?;
        ensure!(train == known, "[image] from: it was left by a training on {known} pairs, here are {train}");
        out_of_fold.replace(encoded)
    }
}

fn of_images(name: &str) -> bool {
    name.starts_with("image.") || name.starts_with("heads.image.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_of_train_are_replaced() -> Result<()> {
        let device = &Device::Cpu;
        let seen = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]], device)?.reshape((3, 2, 1, 1))?;
        let features = Tensor::new(&[[10f32, 20.0], [30.0, 40.0]], device)?;
        let unseen = OutOfFold { features, logits: Tensor::zeros((2, 3), candle_core::DType::F32, device)? };
        let replaced = unseen.replace(EncodedImage::Kept { grids: seen.clone(), views: 1 })?;
        let EncodedImage::Kept { grids, .. } = replaced else { panic!("kept") };
        assert_eq!(grids.flatten_from(1)?.to_vec2::<f32>()?, [[10.0, 20.0], [30.0, 40.0], [5.0, 6.0]]);
        assert!(unseen.replace(EncodedImage::Kept { grids: seen, views: 3 }).is_err());
        Ok(())
    }
}
