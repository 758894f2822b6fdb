//! Photos up to where the image encoder begins to learn. What its frozen layers say of each is computed once, of the photo
//! as it is and of varied forms of it, and kept on disk: a step then computes the other layers alone.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use mixed_feelings::{
    image::cnn::Cnn,
    layers::{Mode, NoiseSource},
    model::{ModelConfig, Preprocess},
};
use sha2::{Digest, Sha256};

use super::{image::load_cnn, parameters::Parameters, pictures, varied};
use crate::{atomic, checkpoint, digest::fnv1a, parts::in_parts, progress};

/// Photos that go through the frozen layers together.
const AT_ONCE: usize = 8;
/// The tensor's name in a file.
const VALUES: &str = "values";

/// Some photos, as the layers that learn read them.
pub struct Photos {
    paths: Vec<PathBuf>,
    preprocess: Preprocess,
    augment: bool,
    /// Nodes of the encoder that are frozen and were run.
    nodes: usize,
    /// Their output for each form of all photos, in half precision; none: pixels are read anew each time.
    forms: Vec<Tensor>,
    device: Device,
}

/// What [`Photos`] are made of besides paths.
pub struct PhotoMaker<'a> {
    /// The whole model.
    pub config: &'a ModelConfig,
    /// Its parameters, frozen as they will be.
    pub parameters: &'a Parameters,
    /// Where to compute.
    pub device: &'a Device,
    /// Where the frozen layers' outputs are kept.
    pub folder: &'a Path,
    /// Vary the photos in training.
    pub augment: bool,
}

impl PhotoMaker<'_> {
    /// Photos that are read anew whenever they are asked for.
    pub fn live(&self, paths: Vec<PathBuf>) -> Photos {
        Photos {
            paths,
            preprocess: self.config.preprocess.clone(),
            augment: self.augment,
            nodes: 0,
            forms: Vec::new(),
            device: self.device.clone(),
        }
    }

    /// `views` forms of the photos: as they are, and varied.
    pub fn kept(&self, paths: Vec<PathBuf>, views: usize) -> Result<Photos> {
        let encoder = load_cnn(self.config, self.parameters, self.device)?;
        let frozen = self.parameters.frozen();
        let nodes = encoder.frozen_nodes(|name| frozen.covers(&format!("image.{name}.weight")));
        let forms = (0..views).map(|view| self.form(&paths, &encoder, nodes, view)).collect::<Result<_>>()?;
        Ok(Photos { nodes, forms, ..self.live(paths) })
    }

    /// The first `nodes` nodes' output for one form of all photos, from the disk if it was computed before.
    fn form(&self, paths: &[PathBuf], encoder: &Cnn, nodes: usize, view: usize) -> Result<Tensor> {
        let key = self.key(paths, encoder, nodes, view)?;
        let path = self.folder.join(format!("photos.{view}.{}.safetensors", &key[..16]));
        if path.exists() {
            let mut kept = checkpoint::read(&path)
                .and_then(|bytes| Ok(candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?))?;
            let values =
                kept.remove(VALUES).filter(|values| values.dim(0).is_ok_and(|rows| rows == paths.len()));
            return values.with_context(|| format!("{} is damaged; delete it", path.display()));
        }
        let bar = progress::bar(paths.len(), format!("photos, form {}", view + 1));
        let parts = in_parts(self.device, paths, AT_ONCE, |part| {
            let part: Vec<&Path> = part.iter().map(PathBuf::as_path).collect();
            let seed = fnv1a(&part[0].to_string_lossy()).wrapping_add(view as u64);
            let noise = (view > 0).then(|| NoiseSource::new(seed));
            let pixels = pictures::batch(&part, &self.config.preprocess, noise.as_ref(), self.device)?;
            let values = encoder.begin(&pixels, nodes)?.to_dtype(DType::F16)?.to_device(&Device::Cpu)?;
            bar.inc(part.len() as u64);
            Ok(values)
        });
        let values = Tensor::cat(&parts?, 0)?;
        bar.finish_and_clear();
        atomic::write(&path, &safetensors::serialize([(VALUES, values.clone())], None)?)?;
        Ok(values)
    }

    /// A fingerprint of all that the kept outputs depend on.
    fn key(&self, paths: &[PathBuf], encoder: &Cnn, nodes: usize, view: usize) -> Result<String> {
        let mut hash = Sha256::new();
        let how =
            (&self.config.image, &self.config.preprocess, nodes, view, (view > 0).then_some(varied::VERSION));
        hash.update(serde_json::to_string(&how)?);
        for path in paths {
            let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            let modified = std::fs::metadata(&path).and_then(|file| file.modified());
            hash.update(format!("{}\0{modified:?}\0", path.display()));
        }
        let all: HashMap<String, Tensor> = self.parameters.all()?;
        let mut tensors: Vec<_> = all.iter().collect();
        tensors.sort_by_key(|(name, _)| name.as_str());
        for node in &encoder.network().nodes[..nodes] {
            let convs = node.conv().into_iter().flat_map(|conv| [&conv.name, &conv.norm]);
            for layer in convs.chain(node.linears().iter().map(|linear| &linear.name)) {
                let prefix = format!("image.{layer}.");
                for (name, tensor) in tensors.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                    hash.update(name);
                    for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                        hash.update(value.to_le_bytes());
                    }
                }
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Photos {
    /// The last grid of these photos. In training one of their forms, drawn from the noise.
    pub fn grid(&self, encoder: &Cnn, rows: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let view = |_| match mode {
            Mode::Train(noise) if self.forms.len() > 1 => {
                (noise.next_u64() % self.forms.len() as u64) as usize
            }
            _ => 0,
        };
        self.grid_of(encoder, rows, rows.iter().map(view).collect(), mode)
    }

    /// The last grid of one form of these photos.
    pub fn form(&self, encoder: &Cnn, rows: &[usize], view: usize) -> Result<Tensor> {
        ensure!(view < self.forms.len().max(1), "there is no form {view} of the photos");
        self.grid_of(encoder, rows, vec![view; rows.len()], Mode::Infer)
    }

    fn grid_of(&self, encoder: &Cnn, rows: &[usize], views: Vec<usize>, mode: Mode<'_>) -> Result<Tensor> {
        if self.forms.is_empty() {
            let paths: Vec<&Path> = rows.iter().map(|&row| self.paths[row].as_path()).collect();
            let noise = match mode {
                Mode::Train(noise) if self.augment => Some(noise),
                _ => None,
            };
            let pixels = pictures::batch(&paths, &self.preprocess, noise, &self.device)?;
            return Ok(encoder.go_on(&pixels, 0, mode)?);
        }
        let one = |(&row, view): (&usize, usize)| self.forms[view].narrow(0, row, 1);
        let values = rows.iter().zip(views).map(one).collect::<candle_core::Result<Vec<_>>>()?;
        let values = Tensor::cat(&values, 0)?.to_device(&self.device)?.to_dtype(DType::F32)?;
        Ok(encoder.go_on(&values, self.nodes, mode)?)
    }
}
