//! What products are computed in. Weights, their updates, norms, softmax and losses are float32 whatever is chosen.

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

/// The numbers of products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// float32 of which an NVIDIA GPU's tensor cores read 10 of 23 binary digits (Ampere or newer).
    Tf32,
    /// bfloat16: 7 digits, and half of the memory for what lies between the layers.
    Bf16,
}

impl Precision {
    /// Prepares the device, for all that is computed on it from now on.
    ///
    /// # Errors
    /// When the device cannot do it; the message says what can.
    pub fn begin(self, device: &Device) -> Result<()> {
        if self == Precision::Tf32 && !device.is_cuda() {
            bail!("precision = \"tf32\" is for NVIDIA GPUs: use --device cuda, or \"f32\"");
        }
        if self == Precision::Bf16 {
            let tried = || -> candle_core::Result<()> {
                let one = Tensor::ones((2, 2), self.numbers(), device)?;
                one.matmul(&one)?.broadcast_add(&one)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
                Ok(())
            };
            tried().context(
                "precision = \"bf16\": this device cannot compute in bfloat16 (NVIDIA GPUs can from compute capability \
                 8.0 on): use \"f32\"",
            )?;
        }
        candle_core::cuda::set_gemm_reduced_precision_f32(self == Precision::Tf32);
        Ok(())
    }

    /// What the layers of the text encoder compute in.
    pub fn numbers(self) -> DType {
        match self {
            Precision::F32 | Precision::Tf32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_cannot_do_is_told() {
        let told = Precision::Tf32.begin(&Device::Cpu).expect_err("no tensor cores").to_string();
        assert!(told.contains("tf32") && told.contains("--device cuda"), "{told}");
        assert!(Precision::Bf16.begin(&Device::Cpu).is_ok(), "the CPU can, if slowly");
        assert!(Precision::F32.begin(&Device::Cpu).is_ok());
    }
}
