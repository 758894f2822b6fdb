//! Attention against torch's `nn.MultiheadAttention`, the fusion against the same written with torch's modules.

use candle_core::{DType, Device, Result, Tensor};
use mixed_feelings::{
    fusion::{
        FusionConfig, FusionKind,
        float::{Fusion, ImageFeatures, Outputs, TextFeatures},
    },
    layers::{Mode, MultiHeadAttention, key_bias},
};

use crate::{
    expected::assert_output,
    hashed::{between, checkpoint, tokens},
};

#[test]
fn multi_head_attention() -> Result<()> {
    let attention = MultiHeadAttention::load(checkpoint(), 512, 8, 0.1)?;
    let x = between("x", (2, 7, 512), -1.0, 1.0)?;
    assert_output("attention/output", &attention.forward(&x, None, Mode::Infer)?)?;
    let mask = Tensor::new(&[[1f32; 7], [1., 1., 1., 1., 1., 0., 0.]], &Device::Cpu)?;
    assert_output("attention/masked", &attention.forward(&x, Some(&key_bias(&mask)?), Mode::Infer)?)
}

/// BERT-base's 768 and ResNet-50's 2048 to 512, 8 heads.
fn run(kind: FusionKind, with_image: bool) -> Result<Outputs> {
    let config = FusionConfig { kind, width: 512, heads: 8, dropout: 0.1 };
    let fusion = Fusion::load(checkpoint(), &config, 768, 2048)?;
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
    assert_output("fusion/text head", &out.text.expect("text logits"))?;
    assert_output("fusion/image head", &out.image.expect("image logits"))?;
    assert_output("fusion/contradiction", &out.contradiction.expect("a contradiction"))
}

#[test]
fn pooled_fusion_without_image() -> Result<()> {
    assert_output("fusion/pooled without image", &run(FusionKind::Pooled, false)?.fused)
}

#[test]
fn tokens_fusion() -> Result<()> {
    assert_output("fusion/tokens", &run(FusionKind::Tokens, true)?.fused)
}
