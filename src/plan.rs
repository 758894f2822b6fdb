//! The int8 plan: both encoders and the fusion, loaded from a bundle, without candle.

use crate::{
    analyzer::{Model, Side},
    bundle::{Bundle, BundleError},
    error::Result,
    fusion::int8::Fusion,
    image::{Picture, int8::ImageEncoder},
    text::int8::TextEncoder,
};

/// The model that runs in a page.
#[derive(Clone, Debug)]
pub struct Plan {
    text: TextEncoder,
    image: ImageEncoder,
    fusion: Fusion,
}

impl Plan {
    /// Loads the weights that the bundle's configuration asks for, and refuses a bundle that has others.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing, wrong, or without a place.
    pub fn load(bundle: &Bundle) -> Result<Self, BundleError> {
        let config = bundle.config();
        let text = TextEncoder::load(bundle, &config.text)?;
        let image = ImageEncoder::load(bundle, &config.image, &config.preprocess)?;
        let fusion = Fusion::load(bundle, &config.fusion, text.width(), image.channels())?;
        bundle.check_all_read()?;
        Ok(Plan { text, image, fusion })
    }
}

impl Model for Plan {
    fn encode_text(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        Ok(self.text.encode(ids)?.to_vec())
    }

    fn encode_image(&mut self, picture: &Picture) -> Result<Vec<f32>> {
        Ok(self.image.encode(picture).to_vec())
    }

    fn grid_side(&self) -> usize {
        self.image.side()
    }

    fn logits(&mut self, side: Side, items: &[f32]) -> Result<[f32; 3]> {
        Ok(match side {
            Side::Text => self.fusion.text.logits_of_mean(items),
            Side::Image => self.fusion.image.logits_of_mean(items),
        })
    }

    fn fused_logits(&mut self, text: &[f32], image: &[f32]) -> Result<[f32; 3]> {
        Ok(self.fusion.fused(Some(text), Some(image)))
    }

    fn contradiction(&self, text: [f32; 3], image: [f32; 3]) -> f32 {
        self.fusion.contradiction(text, image)
    }

    fn contributions(&self, side: Side, items: &[f32], class: usize) -> Vec<f32> {
        match side {
            Side::Text => self.fusion.text.contributions(items, class),
            Side::Image => self.fusion.image.contributions(items, class),
        }
    }
}
