//! What the bundle's own image encoder says of the pictures, computed once: `--quick` leaves that encoder as it is.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    Bundle,
    backend::Cpu,
    fusion::float::ImageFeatures,
    inference::QuantizedModel,
    model::{FusionKind, ModelConfig},
};
use rayon::prelude::*;

use super::posts::LabelledPost;
use crate::{data::duplicates::Print, post, progress};

/// The features of all pictures.
pub struct Pictures {
    /// `[pictures, channels, rows, columns]`, one cell each where the fusion looks at their mean alone; `None` without pictures.
    grids: Option<Tensor>,
    /// The picture of each post.
    of: Vec<Option<u32>>,
    /// What a post's picture is recognised by.
    pub prints: Vec<Option<Print>>,
}

impl Pictures {
    /// Reads the pictures of the posts, with the model of a bundle.
    ///
    /// # Errors
    /// When a picture cannot be read; the row is named.
    pub fn read(bundle: &[u8], config: &ModelConfig, posts: &[LabelledPost]) -> Result<Self> {
        let mut of = Vec::with_capacity(posts.len());
        let mut shown = Vec::new();
        for (i, post) in posts.iter().enumerate() {
            of.push(post.image.is_some().then_some(shown.len() as u32));
            shown.extend(post.image.as_deref().map(|image| (i, image)));
        }
        let mut prints = vec![None; posts.len()];
        if shown.is_empty() {
            return Ok(Pictures { grids: None, of, prints });
        }
        let mut parsed = Bundle::parse(bundle.to_vec())?;
        let model = QuantizedModel::load(Cpu::default(), &mut parsed, config)?;
        let network = config.image.architecture.network();
        let (channels, side) = (network.channels, network.grid_size(config.preprocess.input_size));
        let whole = config.fusion.kind == FusionKind::Tokens;
        let bar = progress::bar(shown.len(), "pictures");
        let read = shown.par_iter().with_min_len(16).map_init(
            || model.clone(),
            |model, &(i, image)| -> Result<_> {
                let picture = post::read_image(image).with_context(|| posts[i].place.clone())?;
                let print = Print::of(&picture)?;
                let grid = Tensor::from_slice(model.grid(&picture), (side, side, channels), &Device::Cpu)?;
                let grid = if whole { grid } else { grid.mean_keepdim((0, 1))? };
                bar.inc(1);
                Ok((i, print, grid.permute((2, 0, 1))?.contiguous()?))
            },
        );
        let read = read.collect::<Result<Vec<_>>>()?;
        bar.finish_and_clear();
        let mut grids = Vec::with_capacity(read.len());
        for (i, print, grid) in read {
            prints[i] = Some(print);
            grids.push(grid);
        }
        Ok(Pictures { grids: Some(Tensor::stack(&grids, 0)?), of, prints })
    }

    /// Whether a post has one.
    pub fn has(&self, post: usize) -> bool {
        self.of[post].is_some()
    }

    /// Whether any post has one.
    pub fn any(&self) -> bool {
        self.grids.is_some()
    }

    /// The features of these posts, `None` if none has a picture; those of a post without one mean nothing.
    pub fn get(&self, posts: &[usize], device: &Device) -> Result<Option<ImageFeatures>> {
        let Some(grids) = &self.grids else { return Ok(None) };
        if !posts.iter().any(|&post| self.has(post)) {
            return Ok(None);
        }
        let index: Vec<u32> = posts.iter().map(|&post| self.of[post].unwrap_or_default()).collect();
        let grid = grids.index_select(&Tensor::new(index, grids.device())?, 0)?;
        Ok(Some(ImageFeatures { grid: grid.to_device(device)? }))
    }
}
