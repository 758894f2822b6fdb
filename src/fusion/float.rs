//! The float fusion in candle: heads for text alone and image alone, and the fused head.

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::{Linear, Module, VarBuilder};

use super::fused_head::{FusedHead, Input, Items, linear};
pub use super::{
    float_features::{ImageFeatures, TextFeatures},
    fused_head::AttentionTrace,
};
use crate::{
    layers::{Mode, dropout},
    model::{FusionConfig, Parameters},
};

/// The logits of a batch. A row of a head whose modality is missing in that row means nothing.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The text alone, `[batch, classes]`; absent without text features.
    pub text: Option<Tensor>,
    /// The image alone, `[batch, classes]`; absent without image features.
    pub image: Option<Tensor>,
    /// The fused head, `[batch, classes]`.
    pub fused: Tensor,
    /// What the fused head's classifier reads, `[batch, width]` (twice the width for
    /// [`Concat`](crate::model::FusionKind::Concat)); absent for [`Late`](crate::model::FusionKind::Late), which has none.
    pub fused_features: Option<Tensor>,
    /// What the fused head's attention computed, for explanations; absent without one.
    pub trace: Option<AttentionTrace>,
}

/// The heads of each modality and the fused head.
#[derive(Clone, Debug)]
pub struct Fusion {
    text_head: Linear,
    image_head: Linear,
    fused: FusedHead,
    dropout: f64,
}

impl Fusion {
    /// Loads `heads.*` and `fusion.*` below `vb`, the root of a checkpoint.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder<'_>, config: &FusionConfig, parameters: &Parameters) -> Result<Self> {
        Ok(Fusion {
            text_head: linear(&vb, &parameters.heads.text)?,
            image_head: linear(&vb, &parameters.heads.image)?,
            fused: FusedHead::load(&vb, config, &parameters.fusion)?,
            dropout: config.dropout,
        })
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        self.text_head.weight().device()
    }

    /// The element type of the weights.
    pub fn dtype(&self) -> DType {
        self.text_head.weight().dtype()
    }

    /// The heads of text and image.
    pub fn heads(&self) -> [&Linear; 2] {
        [&self.text_head, &self.image_head]
    }

    /// The fused head.
    pub fn fused(&self) -> &FusedHead {
        &self.fused
    }

    /// Runs all heads on a batch.
    ///
    /// `has_text` and `has_image`, `[batch]` each, are 1 in the rows where a modality is present and 0 elsewhere; there a
    /// learned stand-in takes its place and its features do not matter (they must be finite). A modality without features
    /// is missing in every row.
    ///
    /// # Errors
    /// When both modalities are `None` or shapes do not fit.
    pub fn forward(
        &self,
        text: Option<&TextFeatures>,
        image: Option<&ImageFeatures>,
        has_text: &Tensor,
        has_image: &Tensor,
        mode: Mode<'_>,
    ) -> Result<Outputs> {
        let absent = has_text.zeros_like()?;
        let text = text.map(Items::of_text).transpose()?;
        let image = image.map(Items::of_image).transpose()?;
        if text.is_none() && image.is_none() {
            bail!("fusion: neither text nor image features")
        }
        let read = |items: &Option<Items>, head: &Linear| -> Result<Option<Tensor>> {
            let Some(items) = items else { return Ok(None) };
            head.forward(&dropout(&items.pooled, self.dropout, mode)?).map(Some)
        };
        let (text_logits, image_logits) = (read(&text, &self.text_head)?, read(&image, &self.image_head)?);
        let has = |items: &Option<Items>, has| if items.is_some() { has } else { &absent };
        let text = Input { has: has(&text, has_text), items: text, logits: text_logits.as_ref() };
        let image = Input { has: has(&image, has_image), items: image, logits: image_logits.as_ref() };
        let fused = self.fused.forward(&text, &image, self.dropout, mode)?;
        Ok(Outputs {
            text: text_logits,
            image: image_logits,
            fused: fused.logits,
            fused_features: fused.features,
            trace: fused.trace,
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use candle_nn::VarMap;

    use super::*;
    use crate::{
        layers::{
            NoiseSource,
            gradient_check::{assert_gradients, input, randomise},
        },
        model::{FusionKind, FusionParameters, LinearLayout, LinearParameter, PerModality},
    };

    const KINDS: [FusionKind; 4] =
        [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late];

    /// A fusion of 6-wide text and 5-channel images at width 8 in f64, its weights fixed numbers.
    fn fusion(kind: FusionKind) -> Result<(VarMap, Fusion)> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let config = FusionConfig { kind, width: 8, heads: 2, dropout: 0.25 };
        let features = PerModality { text: 6, image: 5 };
        let head = |name: &str, inputs| LinearParameter {
            name: format!("heads.{name}"),
            outputs: 3,
            inputs,
            layout: LinearLayout::Linear,
        };
        let fusion = Fusion {
            text_head: linear(&vb, &head("text", 6))?,
            image_head: linear(&vb, &head("image", 5))?,
            fused: FusedHead::load(&vb, &config, &FusionParameters::new(&config, features, 3, "fusion."))?,
            dropout: config.dropout,
        };
        randomise(&vars)?;
        Ok((vars, fusion))
    }

    fn vector(values: &[f64]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    /// Three posts of four tokens (the last one of the second post is padding) and 2 x 2 cells.
    fn features() -> Result<(Var, Var, Tensor)> {
        let mask = Tensor::new(&[[1f64, 1., 1., 1.], [1., 1., 1., 0.], [1., 1., 1., 1.]], &Device::Cpu)?;
        Ok((input((3, 4, 6), 1)?, input((3, 5, 2, 2), 2)?, mask))
    }

    fn text(hidden: &Tensor, mask: &Tensor) -> TextFeatures {
        TextFeatures { hidden: hidden.clone(), mask: mask.clone() }
    }

    fn image(grid: &Tensor) -> ImageFeatures {
        ImageFeatures { grid: grid.clone() }
    }

    fn assert_close(a: &Tensor, b: &Tensor) -> Result<()> {
        let distance = (a - b)?.abs()?.max_all()?.to_scalar::<f64>()?;
        assert!(distance < 1e-12, "{distance}");
        Ok(())
    }

    #[test]
    fn shapes_of_every_kind() -> Result<()> {
        for kind in KINDS {
            let (_, fusion) = fusion(kind)?;
            let (hidden, grid, mask) = features()?;
            let ones = vector(&[1.0; 3]);
            let noise = NoiseSource::new(1);
            for mode in [Mode::Infer, Mode::Train(&noise)] {
                let out =
                    fusion.forward(Some(&text(&hidden, &mask)), Some(&image(&grid)), &ones, &ones, mode)?;
                for logits in [out.text.as_ref(), out.image.as_ref(), Some(&out.fused)] {
                    assert_eq!(logits.map(|l| l.dims().to_vec()), Some(vec![3, 3]), "{kind:?}");
                }
            }
            assert!(fusion.forward(None, None, &ones, &ones, Mode::Infer).is_err());
        }
        Ok(())
    }

    #[test]
    fn every_parameter_and_input_has_its_gradient() -> Result<()> {
        for kind in KINDS {
            let (vars, fusion) = fusion(kind)?;
            let (hidden, grid, mask) = features()?;
            // The second post has no image, the third no text: the stand-ins train too.
            let (has_text, has_image) = (vector(&[1., 1., 0.]), vector(&[1., 0., 1.]));
            assert_gradients(
                &vars,
                &[("hidden", &hidden), ("grid", &grid)],
                |_| true,
                || {
                    let noise = NoiseSource::new(5);
                    let out = fusion.forward(
                        Some(&text(&hidden, &mask)),
                        Some(&image(&grid)),
                        &has_text,
                        &has_image,
                        Mode::Train(&noise),
                    )?;
                    let heads = [out.text, out.image].into_iter().flatten();
                    let logits: Vec<_> = heads.chain([out.fused]).collect();
                    Tensor::cat(&logits, 1)
                },
            )?;
        }
        Ok(())
    }

    #[test]
    fn a_missing_side_is_its_stand_in_whatever_its_features_say() -> Result<()> {
        for kind in KINDS {
            let (vars, fusion) = fusion(kind)?;
            let (hidden, grid, mask) = features()?;
            let (ones, zeros) = (vector(&[1.0; 3]), vector(&[0.0; 3]));
            let both = (text(&hidden, &mask), image(&grid));
            let other = (text(&(&*hidden * 3.0)?, &mask), image(&(&*grid * 3.0)?));
            let run =
                |t: Option<&TextFeatures>, i: Option<&ImageFeatures>, has_t: &Tensor, has_i: &Tensor| {
                    fusion.forward(t, i, has_t, has_i, Mode::Infer).map(|out| out.fused)
                };
            let no_image = run(Some(&both.0), Some(&both.1), &ones, &zeros)?;
            assert_close(&no_image, &run(Some(&both.0), Some(&other.1), &ones, &zeros)?)?;
            assert_close(&no_image, &run(Some(&both.0), None, &ones, &ones)?)?;
            let no_text = run(Some(&both.0), Some(&both.1), &zeros, &ones)?;
            assert_close(&no_text, &run(Some(&other.0), Some(&both.1), &zeros, &ones)?)?;
            assert_close(&no_text, &run(None, Some(&both.1), &ones, &ones)?)?;
            // Row by row: the first post is whole, the second has no image, the third no text.
            let mixed = run(Some(&both.0), Some(&both.1), &vector(&[1., 1., 0.]), &vector(&[1., 0., 1.]))?;
            assert_close(&mixed.narrow(0, 1, 1)?, &no_image.narrow(0, 1, 1)?)?;
            assert_close(&mixed.narrow(0, 2, 1)?, &no_text.narrow(0, 2, 1)?)?;
            let whole = run(Some(&both.0), Some(&both.1), &ones, &ones)?;
            assert_close(&mixed.narrow(0, 0, 1)?, &whole.narrow(0, 0, 1)?)?;
            if kind != FusionKind::Late {
                let stand_in = vars.data().lock().unwrap()["fusion.missing.image"].clone();
                stand_in.set(&(stand_in.as_tensor() + 1.0)?)?;
                let moved = run(Some(&both.0), None, &ones, &zeros)?;
                assert!((moved - no_image)?.abs()?.max_all()?.to_scalar::<f64>()? > 1e-3, "{kind:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn padding_does_not_change_the_answer() -> Result<()> {
        for kind in KINDS {
            let (_, fusion) = fusion(kind)?;
            let (hidden, grid, mask) = features()?;
            let one = vector(&[1.0]);
            let padded = text(&hidden.narrow(0, 1, 1)?, &mask.narrow(0, 1, 1)?);
            let exact =
                text(&hidden.narrow(0, 1, 1)?.narrow(1, 0, 3)?, &mask.narrow(0, 1, 1)?.narrow(1, 0, 3)?);
            let grid = image(&grid.narrow(0, 1, 1)?);
            let run = |t| fusion.forward(Some(t), Some(&grid), &one, &one, Mode::Infer);
            let (padded, exact) = (run(&padded)?, run(&exact)?);
            assert_close(&padded.fused, &exact.fused)?;
            assert_close(&padded.text.unwrap(), &exact.text.unwrap())?;
        }
        Ok(())
    }

    #[test]
    fn pooled_features_are_enough_where_no_item_is_looked_at() -> Result<()> {
        for kind in [FusionKind::Pooled, FusionKind::Concat, FusionKind::Late] {
            let (_, fusion) = fusion(kind)?;
            let (hidden, grid, mask) = features()?;
            let (text, image) = (text(&hidden, &mask), image(&grid));
            let ones = vector(&[1.0; 3]);
            let full = fusion.forward(Some(&text), Some(&image), &ones, &ones, Mode::Infer)?;
            let text = TextFeatures::from_pooled(&text.pooled()?)?;
            let image = ImageFeatures::from_pooled(&image.pooled()?)?;
            let pooled = fusion.forward(Some(&text), Some(&image), &ones, &ones, Mode::Infer)?;
            assert_close(&full.fused, &pooled.fused)?;
            assert_close(&full.text.unwrap(), &pooled.text.unwrap())?;
        }
        Ok(())
    }
}
