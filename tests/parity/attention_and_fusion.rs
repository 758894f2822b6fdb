//! Attention against torch's `nn.MultiheadAttention`, the fusion against the same written with torch's modules.

use candle_core::{DType, Device, Result, Tensor};
use mixed_feelings::{
    fusion::{
        HeadLogits, Readout,
        float::{Fusion, ImageFeatures, Outputs, TextFeatures},
    },
    layers::{Mode, MultiHeadAttention, key_bias},
    model::{Architecture, FusionConfig, FusionKind, Labels, ModelConfig, Parameters},
    testing::tiny_config,
};

use crate::{
    expected::assert_output,
    hashed::{between, checkpoint, tokens},
};

#[test]
fn multi_head_attention() -> Result<()> {
    let attention = MultiHeadAttention::load(checkpoint(), 512, 8, 0.1)?;
    let x = between("x", (2, 7, 512), -1.0, 1.0)?;
    assert_output("attention/output", &attention.forward(&x, None, Mode::Infer)?.0)?;
    let mask = Tensor::new(&[[1f32; 7], [1., 1., 1., 1., 1., 0., 0.]], &Device::Cpu)?;
    assert_output("attention/masked", &attention.forward(&x, Some(&key_bias(&mask)?), Mode::Infer)?.0)
}

/// Those of BERT-base and ResNet-50, joined as `fusion` says.
fn parameters(fusion: &FusionConfig) -> Parameters {
    let mut config = ModelConfig { fusion: fusion.clone(), ..tiny_config() };
    config.text.hidden_size = 768;
    config.image.architecture = Architecture::Resnet50;
    Parameters::new(&config)
}

/// BERT-base's 768 and ResNet-50's 2048 to 512, 8 heads.
fn run(kind: FusionKind, with_image: bool) -> Result<Outputs> {
    let config = FusionConfig { kind, width: 512, heads: 8, dropout: 0.1 };
    let fusion = Fusion::load(checkpoint(), &config, &parameters(&config))?;
    let text = TextFeatures { hidden: between("text", (2, 24, 768), -1.0, 1.0)?, mask: tokens(4)?.1 };
    let image = ImageFeatures { grid: between("image", (2, 2048, 7, 7), 0.0, 2.0)? };
    let ones = Tensor::ones(2, DType::F32, &Device::Cpu)?;
    let has_image = if with_image { ones.clone() } else { ones.zeros_like()? };
    fusion.forward(Some(&text), Some(&image), &ones, &has_image, Mode::Infer)
}

#[test]
fn pooled_fusion() -> Result<()> {
    let out = run(FusionKind::Pooled, true)?;
    assert_output("fusion/pooled", &out.fused)?;
    let (text, image) = (out.text.expect("text logits"), out.image.expect("image logits"));
    assert_output("fusion/text head", &text)?;
    assert_output("fusion/image head", &image)?;
    let readout =
        Readout::of_checkpoint(&checkpoint(), Labels::sentiment(), &parameters(&FusionConfig::default()))?;
    let (scale, bias) = readout.contradiction;
    let logit = |(text, image)| {
        let logits = HeadLogits { text: Some(text), image: Some(image), fused: None };
        scale * readout.opposition_logit(&logits).expect("both heads") + bias
    };
    let rows = text.to_vec2()?.into_iter().zip(image.to_vec2()?);
    let logits: Vec<f32> = rows.map(logit).collect();
    assert_output("fusion/contradiction", &Tensor::new(logits, &Device::Cpu)?)
}

#[test]
fn pooled_fusion_without_image() -> Result<()> {
    assert_output("fusion/pooled without image", &run(FusionKind::Pooled, false)?.fused)
}

#[test]
fn tokens_fusion() -> Result<()> {
    assert_output("fusion/tokens", &run(FusionKind::Tokens, true)?.fused)
}
