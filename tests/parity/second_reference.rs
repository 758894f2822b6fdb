//! candle-transformers' BERT and ResNets on the same weights: a reference that needs no committed numbers.

use candle_core::{Module, Result, Tensor};
use candle_transformers::models::{bert as reference_bert, resnet as reference_resnet};
use mixed_feelings::{
    image::cnn::{Cnn, average_pool},
    layers::Mode,
    model::Architecture,
    text::bert::Bert,
};

use crate::{
    bert::{MINILM, config},
    hashed::{checkpoint, pixels, tokens},
};

fn assert_close(actual: &Tensor, expected: &Tensor) -> Result<()> {
    let largest = |x: &Tensor| x.abs()?.max_all()?.to_scalar::<f32>();
    let (difference, size) = (largest(&(actual - expected)?)?, largest(expected)?);
    assert!(difference <= 1e-4 * size, "{difference} off, of {size}");
    Ok(())
}

#[test]
fn minilm() -> Result<()> {
    let reference: reference_bert::Config = serde_json::from_str(MINILM).expect("a valid config");
    let reference = reference_bert::BertModel::load(checkpoint(), &reference)?;
    let (ids, mask) = tokens(30_522)?;
    let expected = reference.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
    let actual = Bert::load(checkpoint(), &config(MINILM))?.forward(&ids, &mask, Mode::Infer)?;
    assert_close(&actual, &expected)
}

#[test]
fn resnets() -> Result<()> {
    let x = pixels(2, 96)?;
    for (architecture, reference) in [
        (Architecture::Resnet34, reference_resnet::resnet34_no_final_layer(checkpoint())?),
        (Architecture::Resnet50, reference_resnet::resnet50_no_final_layer(checkpoint())?),
    ] {
        let cnn = Cnn::load(checkpoint(), architecture)?;
        assert_close(&average_pool(&cnn.forward(&x, Mode::Infer)?)?, &reference.forward(&x)?)?;
    }
    Ok(())
}
