//! The float model in candle: both encoders and the fusion under the names of a checkpoint.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::{
    fusion::{
        Readout,
        float::{Fusion, ImageFeatures, Outputs, TextFeatures},
    },
    image::cnn::Cnn,
    layers::Mode,
    model::{ModelConfig, Parameters},
    text::bert::Bert,
};

/// A whole model. Its parts are public: training runs them separately, for instance the fusion alone on cached features.
#[derive(Clone, Debug)]
pub struct FloatModel {
    /// The text encoder, `text.*` in a checkpoint.
    pub text: Bert,
    /// The image encoder, `image.*` in a checkpoint.
    pub image: Cnn,
    /// The heads: `heads.*`, `fusion.*`.
    pub fusion: Fusion,
    /// What turns logits into an answer: `contradiction.*` and `temperature.*`, if the checkpoint has them.
    pub readout: Readout,
}

impl FloatModel {
    /// Loads each tensor by its name below `vb`: of a checkpoint, of a map of variables to train, or of a bundle's
    /// dequantized tensors, where each BatchNorm is folded into its convolution.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than `config` says.
    pub fn load(vb: VarBuilder<'_>, config: &ModelConfig) -> Result<Self> {
        let parameters = Parameters::new(config);
        Ok(FloatModel {
            text: Bert::load(vb.pp("text"), &config.text)?,
            image: Cnn::load(vb.pp("image"), config.image.architecture)?,
            readout: Readout::of_checkpoint(&vb, config.labels.clone(), &parameters)?,
            fusion: Fusion::load(vb, &config.fusion, &parameters)?,
        })
    }

    /// The text encoder on token ids `[batch, tokens]` (u32) and their mask `[batch, tokens]` (1 real, 0 padding).
    ///
    /// # Errors
    /// When an id is not in the vocabulary or the sequence is longer than the position table.
    pub fn text_features(&self, ids: &Tensor, mask: &Tensor, mode: Mode<'_>) -> Result<TextFeatures> {
        Ok(TextFeatures { hidden: self.text.forward(ids, mask, mode)?, mask: mask.clone() })
    }

    /// The image encoder on normalized pixels `[batch, 3, size, size]`.
    ///
    /// # Errors
    /// When `pixels` has another shape.
    pub fn image_features(&self, pixels: &Tensor, mode: Mode<'_>) -> Result<ImageFeatures> {
        Ok(ImageFeatures { grid: self.image.forward(pixels, mode)? })
    }

    /// One post: token ids, pixels `[3, size, size]`, or both.
    ///
    /// # Errors
    /// When both are missing, and those of the encoders.
    pub fn forward(&self, ids: Option<&[u32]>, pixels: Option<&Tensor>) -> Result<Outputs> {
        let device = self.fusion.device();
        let here = Tensor::ones(1, self.fusion.dtype(), device)?;
        let text = match ids {
            Some(ids) => {
                let mask = Tensor::ones((1, ids.len()), here.dtype(), device)?;
                Some(self.text_features(&Tensor::new(ids, device)?.unsqueeze(0)?, &mask, Mode::Infer)?)
            }
            None => None,
        };
        let image = match pixels {
            Some(pixels) => Some(self.image_features(&pixels.unsqueeze(0)?, Mode::Infer)?),
            None => None,
        };
        self.fusion.forward(text.as_ref(), image.as_ref(), &here, &here, Mode::Infer)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;

    fn config(kind: &str) -> ModelConfig {
        ModelConfig::from_json(
            &serde_json::json!({
                "text": {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                    "intermediate_size": 16, "max_position_embeddings": 10},
                "max_tokens": 10,
                "image": {"architecture": "resnet18"},
                "preprocess": {"input_size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
                "fusion": {"kind": kind, "width": 16, "heads": 4},
            })
            .to_string(),
        )
        .unwrap()
    }

    #[test]
    fn a_post_of_one_or_both_modalities() -> Result<()> {
        for kind in ["pooled", "tokens", "concat", "late"] {
            let vars = VarMap::new();
            let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
            let model = FloatModel::load(vb, &config(kind))?;
            let ids = [2u32, 7, 9, 3];
            let pixels = Tensor::rand(-1f32, 1., (3, 32, 32), &Device::Cpu)?;
            let both = model.forward(Some(&ids), Some(&pixels))?;
            assert_eq!(both.fused.dims(), [1, 3]);
            assert!(both.text.is_some() && both.image.is_some());
            let text = model.forward(Some(&ids), None)?;
            assert!(text.image.is_none());
            let image = model.forward(None, Some(&pixels))?;
            assert!(image.text.is_none() && image.fused.dims() == [1, 3]);
            assert!(model.forward(None, None).is_err());
        }
        Ok(())
    }

    #[test]
    fn the_names_are_those_of_a_checkpoint() -> Result<()> {
        let names = |kind: &str| -> Result<Vec<String>> {
            let vars = VarMap::new();
            FloatModel::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config(kind))?;
            let mut names: Vec<_> = vars.data().lock().unwrap().keys().cloned().collect();
            names.retain(|n| !n.starts_with("text.") && !n.starts_with("image."));
            names.sort_unstable();
            Ok(names)
        };
        let heads = ["heads.image.bias", "heads.image.weight", "heads.text.bias", "heads.text.weight"];
        let contradiction = ["contradiction.bias", "contradiction.scale"];
        let with = |fusion: &[&'static str]| [&contradiction, fusion, &heads].concat();
        let projections =
            ["fusion.image.bias", "fusion.image.weight", "fusion.missing.image", "fusion.missing.text"];
        let text = ["fusion.text.bias", "fusion.text.weight"];
        let attention = [
            "fusion.attention.in_proj_bias",
            "fusion.attention.in_proj_weight",
            "fusion.attention.out_proj.bias",
            "fusion.attention.out_proj.weight",
        ];
        let classifier = ["fusion.classifier.bias", "fusion.classifier.weight"];
        let norm = ["fusion.modality", "fusion.norm.bias", "fusion.norm.weight"];
        let whole = [&attention[..], &classifier, &projections, &norm, &text].concat();
        assert_eq!(names("pooled")?, with(&whole));
        assert_eq!(names("tokens")?, with(&whole));
        assert_eq!(names("concat")?, with(&[&classifier[..], &projections, &text].concat()));
        assert_eq!(names("late")?, with(&["fusion.late", "fusion.late_bias"]));
        Ok(())
    }
}
