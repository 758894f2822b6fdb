//! Where a model computes: `--device cpu`; of the float model `--device cuda[:N]`, of a bundle `--device gpu[:N]`.

use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::Device;

/// The value of `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU.
    #[default]
    Cpu,
    /// The NVIDIA GPU with this number, from 0.
    Cuda(usize),
    /// The GPU with this number, from 0, or the one that the system finds best, by Vulkan, Metal or Direct3D 12.
    Gpu(Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s.split_once(':') {
            None if s == "cpu" => Ok(DeviceChoice::Cpu),
            None if s == "cuda" => Ok(DeviceChoice::Cuda(0)),
            None if s == "gpu" => Ok(DeviceChoice::Gpu(None)),
            Some(("cuda", n)) => number(n).map(DeviceChoice::Cuda),
            Some(("gpu", n)) => number(n).map(|n| DeviceChoice::Gpu(Some(n))),
            _ => Err("expected cpu, cuda, cuda:N, gpu or gpu:N".into()),
        }
    }
}

fn number(n: &str) -> Result<usize, String> {
    n.parse().map_err(|_| format!("`{n}` is not the number of a GPU"))
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(n) => write!(f, "cuda:{n}"),
            DeviceChoice::Gpu(None) => f.write_str("gpu"),
            DeviceChoice::Gpu(Some(n)) => write!(f, "gpu:{n}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device for a float model.
    ///
    /// # Errors
    /// When it computes bundles alone, this program was built without the `cuda` feature, or no driver or GPU answers.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Gpu(_) => bail!(
                "--device {self}: it computes bundles, which are int8; for a float model use --device cpu or cuda"
            ),
            DeviceChoice::Cuda(_) if !cfg!(feature = "cuda") => bail!(
                "--device {self}: this build computes on the CPU only: build with `--features cuda` on a machine \
                 with the CUDA toolkit, or use --device cpu"
            ),
            DeviceChoice::Cuda(n) => match Device::new_cuda(n) {
                Ok(device) => Ok(device),
                Err(reason) => bail!(
                    "--device {self}: no such GPU answers: {reason}: check that `nvidia-smi` lists it, or use \
                     --device cpu"
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["cpu", "cuda:0", "cuda:3", "gpu", "gpu:2"] {
            assert_eq!(name.parse::<DeviceChoice>().map(|d| d.to_string()), Ok(name.to_owned()));
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu:", "gpu:x", "cuda:", "cuda:x", "cpu:0", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_float_model_is_not_for_every_gpu() {
        let told = DeviceChoice::Gpu(None).open().expect_err("a float model").to_string();
        assert!(told.contains("--device cpu or cuda"), "{told}");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let told = DeviceChoice::Cuda(0).open().expect_err("no CUDA here").to_string();
        assert!(told.contains("--features cuda") && told.contains("--device cpu"), "{told}");
    }
}
