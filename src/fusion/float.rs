//! The float fusion in candle: heads for text alone and image alone, the joint head, contradiction.

use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::{Init, Linear, Module, VarBuilder, ops::log_softmax};

use super::{
    FusionConfig,
    joint::{Input, Joint, Side},
};
use crate::{
    image::cnn::average_pool,
    layers::{Mode, dropout},
    text::bert::mean_pool,
};

/// Classes: negative, neutral, positive.
pub(super) const CLASSES: usize = 3;

/// What the text encoder says of a batch. Can be cached when the encoder is frozen.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    /// Hidden states `[batch, tokens, hidden_size]`.
    pub hidden: Tensor,
    /// 1 for a real token, 0 for padding: `[batch, tokens]`.
    pub mask: Tensor,
}

impl TextFeatures {
    /// From vectors `[batch, hidden_size]` that are pooled already: enough for all fusions but
    /// [`Tokens`](super::FusionKind::Tokens).
    ///
    /// # Errors
    /// When `pooled` is not of rank 2.
    pub fn from_pooled(pooled: &Tensor) -> Result<Self> {
        let (batch, _) = pooled.dims2()?;
        let mask = Tensor::ones((batch, 1), pooled.dtype(), pooled.device())?;
        Ok(TextFeatures { hidden: pooled.unsqueeze(1)?, mask })
    }

    /// The mean over the real tokens, `[batch, hidden_size]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn pooled(&self) -> Result<Tensor> {
        mean_pool(&self.hidden, &self.mask)
    }
}

/// What the image encoder says of a batch. Can be cached when the encoder is frozen.
#[derive(Clone, Debug)]
pub struct ImageFeatures {
    /// The last grid `[batch, channels, rows, columns]`.
    pub grid: Tensor,
}

impl ImageFeatures {
    /// From vectors `[batch, channels]` that are pooled already: enough for all fusions but [`Tokens`](super::FusionKind::Tokens).
    ///
    /// # Errors
    /// When `pooled` is not of rank 2.
    pub fn from_pooled(pooled: &Tensor) -> Result<Self> {
        let (batch, channels) = pooled.dims2()?;
        Ok(ImageFeatures { grid: pooled.reshape((batch, channels, 1, 1))? })
    }

    /// The mean over the cells, `[batch, channels]`.
    ///
    /// # Errors
    /// When the grid is not of rank 4.
    pub fn pooled(&self) -> Result<Tensor> {
        average_pool(&self.grid)
    }

    /// The cells row by row, `[batch, cells, channels]`.
    pub(super) fn cells(&self) -> Result<Tensor> {
        self.grid.flatten_from(2)?.transpose(1, 2)?.contiguous()
    }
}

/// The logits of a batch. A row of a head whose side is missing in that row means nothing.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The text alone, `[batch, 3]`; absent without text features.
    pub text: Option<Tensor>,
    /// The image alone, `[batch, 3]`; absent without image features.
    pub image: Option<Tensor>,
    /// Both together, `[batch, 3]`.
    pub fused: Tensor,
    /// What the classifier of both reads, `[batch, width]` (twice the width for
    /// [`Concat`](super::FusionKind::Concat)); absent for [`Late`](super::FusionKind::Late), which has none.
    pub joined: Option<Tensor>,
    /// Logit of the probability that text and image contradict each other, `[batch]`; absent unless both are there.
    pub contradiction: Option<Tensor>,
}

/// The heads and the joint part.
#[derive(Clone, Debug)]
pub struct Fusion {
    text_head: Linear,
    image_head: Linear,
    joint: Joint,
    contradiction: Contradiction,
    dropout: f64,
}

impl Fusion {
    /// Loads `heads.*`, `fusion.*` and `contradiction.*` below `vb`, the root of a checkpoint, for a text encoder of
    /// width `hidden_size` and an image encoder whose last grid has `channels`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(
        vb: VarBuilder<'_>,
        config: &FusionConfig,
        hidden_size: usize,
        channels: usize,
    ) -> Result<Self> {
        Ok(Fusion {
            text_head: candle_nn::linear(hidden_size, CLASSES, vb.pp("heads.text"))?,
            image_head: candle_nn::linear(channels, CLASSES, vb.pp("heads.image"))?,
            joint: Joint::load(vb.pp("fusion"), config, hidden_size, channels)?,
            contradiction: Contradiction::load(vb.pp("contradiction"))?,
            dropout: config.dropout,
        })
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        self.contradiction.scale.device()
    }

    /// What the weights are made of.
    pub fn dtype(&self) -> DType {
        self.contradiction.scale.dtype()
    }

    /// Runs all heads on a batch.
    ///
    /// `has_text` and `has_image`, `[batch]` each, say with 1 and 0 in which rows a side is there; where it is not, a
    /// learned stand-in takes its place and its features do not matter (they must be finite). A side without features
    /// is missing in every row.
    ///
    /// # Errors
    /// When both sides are `None` or shapes do not fit.
    pub fn forward(
        &self,
        text: Option<&TextFeatures>,
        image: Option<&ImageFeatures>,
        has_text: &Tensor,
        has_image: &Tensor,
        mode: Mode<'_>,
    ) -> Result<Outputs> {
        let absent = has_text.zeros_like()?;
        let text = text.map(Side::of_text).transpose()?;
        let image = image.map(Side::of_image).transpose()?;
        if text.is_none() && image.is_none() {
            bail!("fusion: neither text nor image features")
        }
        let read = |side: &Option<Side>, head: &Linear| -> Result<Option<Tensor>> {
            let Some(side) = side else { return Ok(None) };
            head.forward(&dropout(&side.pooled, self.dropout, mode)?).map(Some)
        };
        let (text_logits, image_logits) = (read(&text, &self.text_head)?, read(&image, &self.image_head)?);
        let has = |side: &Option<Side>, has| if side.is_some() { has } else { &absent };
        let text = Input { has: has(&text, has_text), side: text, logits: text_logits.as_ref() };
        let image = Input { has: has(&image, has_image), side: image, logits: image_logits.as_ref() };
        let (fused, joined) = self.joint.forward(&text, &image, self.dropout, mode)?;
        let contradiction = match (&text_logits, &image_logits) {
            (Some(text), Some(image)) => Some(self.contradiction.forward(text, image)?),
            _ => None,
        };
        Ok(Outputs { text: text_logits, image: image_logits, fused, joined, contradiction })
    }
}

/// How probable it is that text and image point opposite ways: `p = T(pos) I(neg) + T(neg) I(pos)` of the two heads'
/// probabilities, calibrated by Platt scaling (Platt 1999) on its logit.
#[derive(Clone, Debug)]
struct Contradiction {
    scale: Tensor,
    bias: Tensor,
}

impl Contradiction {
    fn load(vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Contradiction {
            scale: vb.get_with_hints(1, "scale", Init::Const(1.0))?,
            bias: vb.get_with_hints(1, "bias", Init::Const(0.0))?,
        })
    }

    /// The calibrated logit, `[batch]`, from two logits `[batch, 3]`.
    fn forward(&self, text: &Tensor, image: &Tensor) -> Result<Tensor> {
        let probability =
            |logits: &Tensor, class: usize| log_softmax(logits, D::Minus1)?.narrow(1, class, 1)?.exp();
        let opposed = (probability(text, 2)? * probability(image, 0)?)?;
        let p = (opposed + (probability(text, 0)? * probability(image, 2)?)?)?
            .squeeze(1)?
            .clamp(1e-6, 1.0 - 1e-6)?;
        let logit = (p.log()? - (1.0 - &p)?.log()?)?;
        logit.broadcast_mul(&self.scale)?.broadcast_add(&self.bias)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use candle_nn::VarMap;

    use super::{super::FusionKind, *};
    use crate::layers::{
        NoiseSource,
        gradient_check::{assert_gradients, input, randomise},
    };

    const KINDS: [FusionKind; 4] =
        [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late];

    /// A fusion of 6-wide text and 5-channel images at width 8 in f64, its weights fixed numbers.
    fn fusion(kind: FusionKind) -> Result<(VarMap, Fusion)> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let config = FusionConfig { kind, width: 8, heads: 2, dropout: 0.25 };
        let fusion = Fusion::load(vb, &config, 6, 5)?;
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
                assert_eq!(out.contradiction.map(|c| c.dims().to_vec()), Some(vec![3]));
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
                    let contradiction = out.contradiction.unwrap().unsqueeze(1)?;
                    Tensor::cat(&[Tensor::cat(&logits, 1)?, contradiction], 1)
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
            assert_close(&full.contradiction.unwrap(), &pooled.contradiction.unwrap())?;
        }
        Ok(())
    }

    #[test]
    fn contradiction_is_high_when_the_heads_are_opposed() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
        let contradiction = Contradiction::load(vb)?;
        let (good, bad) = (vector(&[-20., 0., 20.]).unsqueeze(0)?, vector(&[20., 0., -20.]).unsqueeze(0)?);
        let logit = |a, b| contradiction.forward(a, b)?.squeeze(0)?.to_scalar::<f64>();
        // The clamp at 1e-6 keeps both ends finite.
        let most = (1e6f64 - 1.0).ln();
        assert!((logit(&good, &bad)? - most).abs() < 1e-6);
        assert!((logit(&good, &good)? + most).abs() < 1e-6);
        let even = vector(&[0.0; 3]).unsqueeze(0)?;
        assert!((logit(&even, &even)? - (2.0f64 / 7.0).ln()).abs() < 1e-9);
        Ok(())
    }
}
