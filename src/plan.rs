//! The int8 plan: both encoders and the fusion, loaded from a bundle, without candle.

use crate::{
    analysis::Scores,
    analyzer::{Inference, Side, Verdict},
    bundle::{Bundle, BundleError},
    error::Result,
    fusion::{Temperatures, int8::Fusion},
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
    /// Loads the weights that the bundle's configuration asks for, and refuses a bundle that has others. The bundle's own
    /// are dropped on the way: wasm memory never shrinks, so that both at once would be there for good.
    ///
    /// # Errors
    /// [`BundleError`] for a tensor that is missing, wrong, or without a place.
    pub fn load(bundle: &mut Bundle) -> Result<Self, BundleError> {
        // The text's weights come first because they are most of a bundle, and the last in its file.
        let text = TextEncoder::load(bundle, &bundle.config().text)?;
        bundle.drop_tensors("text.");
        let config = bundle.config();
        let image = ImageEncoder::load(bundle, &config.image, &config.preprocess)?;
        let fusion = Fusion::load(bundle, &config.fusion, text.width(), image.channels())?;
        bundle.check_all_read()?;
        bundle.drop_tensors("");
        Ok(Plan { text, image, fusion })
    }
}

impl Inference for Plan {
    fn encode_text(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        Ok(self.text.encode(ids)?.to_vec())
    }

    fn encode_image(&mut self, picture: &Picture) -> Result<Vec<f32>> {
        Ok(self.image.encode(picture).to_vec())
    }

    fn grid_side(&self) -> usize {
        self.image.side()
    }

    fn judge(&mut self, text: Option<&[f32]>, image: Option<&[f32]>) -> Result<Verdict> {
        let fusion = &mut self.fusion;
        let mut verdict = Verdict {
            text: text.map(|items| fusion.text.logits_of_mean(items)),
            image: image.map(|items| fusion.image.logits_of_mean(items)),
            ..Verdict::default()
        };
        if let (Some(text), Some(image)) = (verdict.text, verdict.image) {
            let [text, image] = [text, image].map(|logits| Scores::from_logits(logits).to_array());
            verdict.contradiction = Some(fusion.contradiction(text, image));
        }
        if text.is_some() && image.is_some() {
            verdict.fused = Some(fusion.fused(text, image));
        }
        Ok(verdict)
    }

    fn temperatures(&self) -> Temperatures {
        self.fusion.temperatures()
    }

    fn contributions(&self, side: Side, items: &[f32], class: usize) -> Vec<f32> {
        match side {
            Side::Text => self.fusion.text.contributions(items, class),
            Side::Image => self.fusion.image.contributions(items, class),
        }
    }
}
