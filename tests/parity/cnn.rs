//! ResNets against torchvision, EfficientNet-Lites and MobileNetV3s against timm.

use candle_core::Result;
use mixed_feelings::{image::cnn::Cnn, layers::Mode, model::Architecture};

use crate::{
    expected::{assert_checkpoint, assert_output},
    hashed::{checkpoint, pixels},
};

fn grid_is_expected(architecture: Architecture, name: &str, side: usize) -> Result<()> {
    let cnn = Cnn::load(checkpoint(), architecture)?;
    let grid = cnn.forward(&pixels(1, side)?, Mode::Infer)?;
    assert_eq!(grid.dim(2)?, cnn.network().grid_size(side));
    assert_output(&format!("{name}/grid"), &grid)
}

#[test]
fn resnet18() -> Result<()> {
    grid_is_expected(Architecture::Resnet18, "resnet18", 224)
}

#[test]
fn resnet50() -> Result<()> {
    grid_is_expected(Architecture::Resnet50, "resnet50", 224)
}

#[test]
fn efficientnet_lite0() -> Result<()> {
    grid_is_expected(Architecture::EfficientnetLite0, "efficientnet_lite0", 224)
}

#[test]
fn efficientnet_lite2() -> Result<()> {
    grid_is_expected(Architecture::EfficientnetLite2, "efficientnet_lite2", 260)
}

#[test]
fn mobilenet_v3_small() -> Result<()> {
    grid_is_expected(Architecture::MobilenetV3Small, "mobilenet_v3_small", 224)
}

#[test]
fn mobilenet_v3_large() -> Result<()> {
    grid_is_expected(Architecture::MobilenetV3Large, "mobilenet_v3_large", 224)
}

#[test]
fn every_architecture_has_the_tensors_of_its_published_checkpoint() {
    for architecture in Architecture::ALL {
        let mut lines = Vec::new();
        let network = architecture.network();
        for conv in network.convs() {
            let [out, inner, rows, columns] = conv.weight_shape();
            lines.push(format!("{}.weight {out} {inner} {rows} {columns}\n", conv.name));
            for part in ["weight", "bias", "running_mean", "running_var"] {
                lines.push(format!("{}.{part} {out}\n", conv.norm));
            }
        }
        for linear in network.linears() {
            let shapes = [linear.float_shape(), vec![linear.outputs]];
            for (tensor, shape) in linear.float_names().into_iter().zip(shapes) {
                let shape: String = shape.iter().map(|size| format!(" {size}")).collect();
                lines.push(format!("{tensor}{shape}\n"));
            }
        }
        let name = serde_json::to_value(architecture).expect("a name");
        assert_checkpoint(&format!("{}/checkpoint", name.as_str().expect("a string")), lines);
    }
}
