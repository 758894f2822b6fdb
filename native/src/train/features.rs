//! What the encoders say of each pair: computed anew in every step where an encoder is trained, else computed once and
//! kept on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use mixed_feelings::{
    fusion::float::{ImageFeatures, TextFeatures},
    image::cnn::Cnn,
    layers::{Mode, NoiseSource},
    model::{FusionKind, Modality, ModelConfig, Preprocess},
    text::{Tokenizer, bert::Bert},
};
use sha2::{Digest, Sha256};

use super::{image::load_cnn, parameters::Parameters, photos::PhotoMaker, pictures, text::Padded, varied};
use crate::{atomic, checkpoint, data::PairRow, parts::in_parts, progress};

/// Rows that are encoded together when features are computed once.
const ROWS_AT_ONCE: usize = 16;

/// Both modalities of every pair.
#[derive(Clone)]
pub struct Encoded {
    /// Hidden states.
    pub text: EncodedText,
    /// Grids.
    pub image: EncodedImage,
}

/// The text of every pair.
#[derive(Clone)]
pub enum EncodedText {
    /// The encoder is frozen: hidden states of all rows, one after the other, `[all tokens, width]`, and where each
    /// row starts and how many tokens it has.
    Kept { hidden: Tensor, rows: Vec<(usize, usize)> },
    /// The encoder is trained.
    Live { encoder: Box<Bert>, ids: Vec<Vec<u32>> },
}

/// The image of every pair.
#[derive(Clone)]
pub enum EncodedImage {
    /// The encoder is frozen: the grids of all rows, `[views * rows, channels, height, width]`. The first view is that
    /// of the photos as they are, the others are of varied ones.
    Kept { grids: Tensor, views: usize },
    /// The encoder is trained.
    Live { encoder: Box<Cnn>, paths: Vec<PathBuf>, preprocess: Preprocess, augment: bool },
}

impl EncodedText {
    /// The features of these rows.
    pub fn get(&self, rows: &[usize], mode: Mode<'_>, device: &Device) -> Result<TextFeatures> {
        match self {
            EncodedText::Live { encoder, ids } => {
                let ids: Vec<&[u32]> = rows.iter().map(|&row| ids[row].as_slice()).collect();
                let padded = Padded::of(&ids);
                let mask = padded.mask(device)?;
                Ok(TextFeatures { hidden: encoder.forward(&padded.ids(device)?, &mask, mode)?, mask })
            }
            EncodedText::Kept { hidden, rows: spans } => {
                let longest = rows.iter().map(|&row| spans[row].1).max().unwrap_or(1);
                if longest == 1 {
                    let starts: Vec<u32> = rows.iter().map(|&row| spans[row].0 as u32).collect();
                    let pooled = hidden.index_select(&Tensor::new(starts, hidden.device())?, 0)?;
                    return Ok(TextFeatures::from_pooled(&pooled.to_device(device)?)?);
                }
                let mut mask = vec![0f32; rows.len() * longest];
                let padded = rows.iter().enumerate().map(|(r, &row)| {
                    let (start, len) = spans[row];
                    mask[r * longest..][..len].fill(1.0);
                    hidden.narrow(0, start, len)?.pad_with_zeros(0, 0, longest - len)
                });
                let hidden = Tensor::stack(&padded.collect::<candle_core::Result<Vec<_>>>()?, 0)?;
                let mask = Tensor::from_vec(mask, (rows.len(), longest), device)?;
                Ok(TextFeatures { hidden: hidden.to_device(device)?, mask })
            }
        }
    }
}

impl EncodedImage {
    /// The features of these rows.
    pub fn get(&self, rows: &[usize], mode: Mode<'_>, device: &Device) -> Result<ImageFeatures> {
        match self {
            EncodedImage::Live { encoder, paths, preprocess, augment } => {
                let paths: Vec<&Path> = rows.iter().map(|&row| paths[row].as_path()).collect();
                let noise = match mode {
                    Mode::Train(noise) if *augment => Some(noise),
                    _ => None,
                };
                let pixels = pictures::batch(&paths, preprocess, noise, device)?;
                Ok(ImageFeatures { grid: encoder.forward(&pixels, mode)? })
            }
            EncodedImage::Kept { grids, views } => {
                let all = grids.dim(0)? / views;
                let view = || match mode {
                    Mode::Train(noise) if *views > 1 => (noise.next_u64() % *views as u64) as usize,
                    _ => 0,
                };
                let index: Vec<u32> = rows.iter().map(|&row| (view() * all + row) as u32).collect();
                let grid = grids.index_select(&Tensor::new(index, grids.device())?, 0)?;
                Ok(ImageFeatures { grid: grid.to_dtype(DType::F32)?.to_device(device)? })
            }
        }
    }
}

/// Encodes both modalities of the rows.
pub struct FeatureMaker<'a> {
    /// The whole model.
    pub config: &'a ModelConfig,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Turns texts into ids.
    pub tokenizer: &'a Tokenizer,
    /// Where to compute.
    pub device: &'a Device,
    /// Where features are kept.
    pub folder: &'a Path,
    /// What the frozen layers of the image stage said of photos is used again.
    pub photos: Option<PhotoMaker<'a>>,
}

impl FeatureMaker<'_> {
    /// The texts; kept unless `live`.
    pub fn text(&self, rows: &[PairRow], live: bool) -> Result<EncodedText> {
        let encoder = Bert::load(self.parameters.builder(self.device).pp("text"), &self.config.text)?;
        let encode = |row: &PairRow| -> Result<Vec<u32>> {
            let encoding = self.tokenizer.encode(&row.text);
            Ok(encoding.with_context(|| format!("the text of pair {}", row.id))?.ids)
        };
        let ids = rows.iter().map(encode).collect::<Result<Vec<_>>>()?;
        if live {
            return Ok(EncodedText::Live { encoder: Box::new(encoder), ids });
        }
        let read = ids.concat();
        let texts = EncodedText::Live { encoder: Box::new(encoder), ids };
        let compute = |rows: &[usize]| -> Result<Vec<Tensor>> {
            let features = texts.get(rows, Mode::Infer, self.device)?;
            if !self.all_items() {
                let pooled = features.pooled()?.to_device(&Device::Cpu)?;
                return Ok(pooled.chunk(rows.len(), 0)?);
            }
            let lengths = features.mask.sum(1)?.to_vec1::<f32>()?;
            let hidden = features.hidden.to_device(&Device::Cpu)?;
            let row =
                |(i, &len): (usize, &f32)| Ok(hidden.get(i)?.narrow(0, 0, len as usize)?.contiguous()?);
            lengths.iter().enumerate().map(row).collect()
        };
        let kept = self.keep(Modality::Text, rows, &read, compute)?;
        let mut spans = Vec::with_capacity(rows.len());
        let mut start = 0;
        for tensor in &kept {
            let len = tensor.dim(0)?;
            spans.push((start, len));
            start += len;
        }
        Ok(EncodedText::Kept { hidden: self.placed(Tensor::cat(&kept, 0)?)?, rows: spans })
    }

    /// The images, of photos that are varied anew each time they are asked for if `augment` says so.
    pub fn live_image(&self, rows: &[PairRow], augment: bool) -> Result<EncodedImage> {
        Ok(EncodedImage::Live {
            encoder: Box::new(load_cnn(self.config, self.parameters, self.device)?),
            paths: rows.iter().map(|row| row.image.clone()).collect(),
            preprocess: self.config.preprocess.clone(),
            augment,
        })
    }

    /// The images, kept: of the photos as they are, and `views - 1` times of varied ones.
    pub fn kept_image(&self, rows: &[PairRow], views: usize) -> Result<EncodedImage> {
        let encoder = load_cnn(self.config, self.parameters, self.device)?;
        let mut grids = Vec::with_capacity(views * rows.len());
        let paths = rows.iter().map(|row| row.image.clone()).collect();
        let begun = self.photos.as_ref().map(|maker| maker.kept(paths, views)).transpose()?;
        for view in 0..views {
            let compute = |part: &[usize]| -> Result<Vec<Tensor>> {
                let grid = match &begun {
                    Some(photos) => photos.form(&encoder, part, view)?,
                    None => {
                        let paths: Vec<&Path> = part.iter().map(|&row| rows[row].image.as_path()).collect();
                        let seed = (view * rows.len() + part[0]) as u64;
                        let noise = (view > 0).then(|| NoiseSource::new(seed));
                        let pixels =
                            pictures::batch(&paths, &self.config.preprocess, noise.as_ref(), self.device)?;
                        encoder.forward(&pixels, Mode::Infer)?
                    }
                };
                let features = ImageFeatures { grid };
                let grid = if self.all_items() {
                    features.grid
                } else {
                    features.pooled()?.unsqueeze(2)?.unsqueeze(3)?
                };
                Ok(grid.to_device(&Device::Cpu)?.chunk(part.len(), 0)?)
            };
            let begun = u32::from(begun.is_some());
            grids.extend(self.keep(
                Modality::Image,
                rows,
                &[view as u32, begun, varied::VERSION],
                compute,
            )?);
        }
        Ok(EncodedImage::Kept { grids: self.placed(Tensor::cat(&grids, 0)?)?, views })
    }

    /// Kept features where the steps read them: pooled ones are small enough for the device.
    fn placed(&self, features: Tensor) -> Result<Tensor> {
        Ok(if self.all_items() { features } else { features.to_device(self.device)? })
    }

    /// Whether the fusion looks at every token and cell, or at their mean alone.
    fn all_items(&self) -> bool {
        self.config.fusion.kind == FusionKind::Tokens
    }

    /// One tensor a row: from the disk if it was computed of the same encoder, rows and `input` (the token ids, or which
    /// view of the photos), else computed and written.
    fn keep(
        &self,
        modality: Modality,
        rows: &[PairRow],
        input: &[u32],
        compute: impl Fn(&[usize]) -> Result<Vec<Tensor>> + Sync,
    ) -> Result<Vec<Tensor>> {
        let name = modality.name();
        let key = self.key(modality, rows, input)?;
        let path = self.folder.join(format!("features.{name}.{}.safetensors", &key[..16]));
        if path.exists() {
            let kept = checkpoint::load_tensors(&path, &Device::Cpu)?;
            let row = |i: usize| kept.get(&i.to_string()).cloned();
            return (0..rows.len())
                .map(|i| row(i).with_context(|| format!("{} lacks row {i}; delete it", path.display())))
                .collect();
        }
        let bar = progress::bar(rows.len(), format!("{name} features"));
        let order: Vec<usize> = (0..rows.len()).collect();
        let parts = in_parts(self.device, &order, ROWS_AT_ONCE, |rows| {
            let part = compute(rows)?;
            bar.inc(rows.len() as u64);
            Ok(part)
        });
        let tensors = parts?.concat();
        bar.finish_and_clear();
        let named = tensors.iter().enumerate().map(|(i, tensor)| (i.to_string(), tensor.clone()));
        atomic::write(&path, &safetensors::serialize(named, None)?)?;
        Ok(tensors)
    }

    /// A fingerprint of all that a modality's features depend on.
    fn key(&self, modality: Modality, rows: &[PairRow], input: &[u32]) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update([u8::from(self.all_items())]);
        // Not the texts: a program that cleans them up otherwise reads other ids.
        input.iter().for_each(|number| hash.update(number.to_le_bytes()));
        match modality {
            Modality::Text => {
                hash.update(serde_json::to_string(&(&self.config.text, self.config.max_tokens))?);
            }
            Modality::Image => {
                hash.update(serde_json::to_string(&(&self.config.image, &self.config.preprocess))?);
                for row in rows {
                    // Two configs may lead to the same photo on different ways.
                    let path = std::fs::canonicalize(&row.image).unwrap_or_else(|_| row.image.clone());
                    let modified = std::fs::metadata(&path).and_then(|file| file.modified());
                    hash.update(format!("{}\0{modified:?}\0", path.display()));
                }
            }
        }
        let mut tensors: Vec<_> = self.parameters.all()?.into_iter().collect();
        tensors.retain(|(name, _)| name.starts_with(&format!("{}.", modality.name())));
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, tensor) in tensors {
            hash.update(name);
            for value in tensor.flatten_all()?.to_vec1::<f32>()? {
                hash.update(value.to_le_bytes());
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Draws which rows are shown without their text, and which without their image; never without both.
pub fn drop_modalities(rows: usize, p: f64, noise: &NoiseSource) -> (Vec<f32>, Vec<f32>) {
    let draw = || f64::from(noise.next_f32());
    (0..rows)
        .map(|_| match draw() {
            d if d < p => (0.0, 1.0),
            d if d < 2.0 * p => (1.0, 0.0),
            _ => (1.0, 1.0),
        })
        .unzip()
}
