//! One training step against PyTorch: outputs, running statistics and gradients, of BatchNorm and of whole networks.
//! In float64, since small differences grow through many BatchNorms that use a small batch.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use mixed_feelings::{
    image::cnn::Cnn,
    layers::{BatchNorm2d, Mode, NoiseSource},
    model::Architecture,
};

use crate::{
    expected::assert_output,
    hashed::{between, fill, pixels},
};

fn variables() -> (VarMap, VarBuilder<'static>) {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
    (vars, vb)
}

/// The output weighted with hashed numbers, summed: something to differentiate.
fn loss(output: &Tensor) -> Result<Tensor> {
    (output * between("probe", output.shape(), -1.0, 1.0)?.to_dtype(DType::F64)?)?.sum_all()
}

fn variable(vars: &VarMap, name: &str) -> Var {
    vars.data().lock().expect("not poisoned")[name].clone()
}

#[test]
fn batch_norm() -> Result<()> {
    let (vars, vb) = variables();
    let norm = BatchNorm2d::load(vb, 5, 1e-3)?;
    fill(&vars)?;
    let x = Var::from_tensor(&between("x", (4, 5, 3, 2), -2.0, 3.0)?.to_dtype(DType::F64)?)?;
    norm.forward_train(&x)?;
    let output = norm.forward_train(&(x.as_tensor() * 2.0)?)?;
    let gradients = loss(&output)?.backward()?;
    assert_output("batch_norm/output", &output)?;
    assert_output("batch_norm/input gradient", gradients.get(&x).expect("a gradient"))?;
    assert_output("batch_norm/running_mean", &variable(&vars, "running_mean"))?;
    assert_output("batch_norm/running_var", &variable(&vars, "running_var"))
}

fn step_is_expected(
    architecture: Architecture,
    name: &str,
    statistics: [&str; 2],
    parameters: [&str; 3],
) -> Result<()> {
    let (vars, vb) = variables();
    let cnn = Cnn::load(vb, architecture)?;
    fill(&vars)?;
    let noise = NoiseSource::new(0);
    let grid = cnn.forward(&pixels(3, 64)?.to_dtype(DType::F64)?, Mode::Train(&noise))?;
    let gradients = loss(&grid)?.backward()?;
    assert_output(&format!("{name}/train/grid"), &grid)?;
    for statistic in statistics {
        assert_output(&format!("{name}/train/{statistic}"), &variable(&vars, statistic))?;
    }
    for parameter in parameters {
        let gradient = gradients.get(&variable(&vars, parameter)).expect("a gradient");
        assert_output(&format!("{name}/train/{parameter}"), gradient)?;
    }
    Ok(())
}

#[test]
fn resnet18() -> Result<()> {
    step_is_expected(
        Architecture::Resnet18,
        "resnet18",
        ["bn1.running_mean", "layer4.1.bn2.running_var"],
        ["conv1.weight", "layer2.0.downsample.0.weight", "layer3.0.bn1.weight"],
    )
}

#[test]
fn efficientnet_lite0() -> Result<()> {
    step_is_expected(
        Architecture::EfficientnetLite0,
        "efficientnet_lite0",
        ["bn1.running_mean", "blocks.6.0.bn3.running_var"],
        ["conv_stem.weight", "blocks.2.0.conv_dw.weight", "blocks.5.1.bn2.bias"],
    )
}

#[test]
fn mobilenet_v3_small() -> Result<()> {
    step_is_expected(
        Architecture::MobilenetV3Small,
        "mobilenet_v3_small",
        ["bn1.running_mean", "blocks.5.0.bn1.running_var"],
        ["conv_stem.weight", "blocks.0.0.se.conv_expand.bias", "blocks.2.0.se.conv_reduce.weight"],
    )
}
