//! Where the float model computes: `--device cpu` or `--device cuda[:N]`.

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
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s.split_once(':') {
            None if s == "cpu" => Ok(DeviceChoice::Cpu),
            None if s == "cuda" => Ok(DeviceChoice::Cuda(0)),
            Some(("cuda", n)) => {
                n.parse().map(DeviceChoice::Cuda).map_err(|_| format!("`{n}` is not the number of a GPU"))
            }
            _ => Err("expected cpu, cuda or cuda:N".into()),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// When this program was built without the `cuda` feature, or no driver or GPU answers.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
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
        for name in ["cpu", "cuda:0", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().map(|d| d.to_string()), Ok(name.to_owned()));
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:0", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let told = DeviceChoice::Cuda(0).open().expect_err("no CUDA here").to_string();
        assert!(told.contains("--features cuda") && told.contains("--device cpu"), "{told}");
    }
}
