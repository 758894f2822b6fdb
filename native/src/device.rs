//! Where a model computes: `--device cpu`; of the float model `--device cuda[:N]`, of a bundle `--device gpu[:N]`.

use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};

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
            DeviceChoice::Cuda(n) => match open_cuda(n) {
                Ok(device) => Ok(device),
                Err(reason) => bail!(
                    "--device {self}: no such GPU answers: {reason}: check that `nvidia-smi` lists it, or use \
                     --device cpu"
                ),
            },
        }
    }
}

/// The NVIDIA GPU with this number, once it has computed something.
fn open_cuda(number: usize) -> candle_core::Result<Device> {
    // candle's `new_cuda` gives each thread a stream of its own, and nothing makes the one wait for what the other computes.
    // On one stream all is done in the order in which it was asked for, whichever thread asked.
    let device = Device::new_cuda_with_stream(number)?;
    #[cfg(feature = "cuda")]
    settings::apply(device.as_cuda_device()?);
    try_out(&device)?;
    Ok(device)
}

/// Adds, multiplies and sums a little. Kernels that the driver cannot run are told before an hour of reading tables.
fn try_out(device: &Device) -> candle_core::Result<()> {
    let ones = Tensor::ones((2, 2), DType::F32, device)?;
    let sum = (ones.matmul(&ones)? + &ones)?.sum_all()?.to_scalar::<f32>()?;
    match sum {
        12.0 => Ok(()),
        wrong => candle_core::bail!("it adds up wrongly: {wrong} instead of 12"),
    }
}

/// What helps against an error of CUDA, where that is known.
pub fn advice(error: &str) -> Option<&'static str> {
    const KNOWN: [(&[&str], &str); 5] = [
        (
            &["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"],
            "the GPU's memory is full: `nvidia-smi` lists what other programs hold; in training a smaller `batch_size` or \
             `max_tokens`, or precision = \"bf16\", needs less",
        ),
        (
            &["CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_INVALID_DEVICE"],
            "`nvidia-smi -L` lists the GPUs that there are, numbered from 0; CUDA_VISIBLE_DEVICES hides some",
        ),
        (
            &["CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"],
            "the driver is older than the CUDA toolkit that this program was built with: update the driver, or build with a \
             toolkit of at most the version that `nvidia-smi` shows",
        ),
        (
            &["CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_INVALID_PTX", "CUDA_ERROR_NOT_FOUND"],
            "this program was built for another GPU: build it on the machine where it runs, or with CUDA_COMPUTE_CAP set to \
             what `nvidia-smi --query-gpu=compute_cap --format=csv` shows, without the dot",
        ),
        (
            &["CUDA_ERROR_STUB_LIBRARY"],
            "the program found the CUDA toolkit's stand-in for the driver: take the folder `stubs` off LD_LIBRARY_PATH",
        ),
    ];
    let fits = |codes: &[&str]| codes.iter().any(|code| error.contains(code));
    KNOWN.into_iter().find(|(codes, _)| fits(codes)).map(|(_, advice)| advice)
}

#[cfg(feature = "cuda")]
mod settings {
    //! What candle leaves as it finds it.

    use candle_core::{
        CudaDevice,
        cuda::cudarc::driver::{DriverError, result, sys},
    };

    /// For one stream, and for a training, which frees and takes the same memory in each step.
    #[expect(unsafe_code, reason = "the driver's own interface")]
    pub fn apply(device: &CudaDevice) {
        // SAFETY: all tensors are on one stream, so that no use of one can overtake another. With it on, each tensor costs two
        // events to make and two to destroy, as much time as the rest of an operation.
        unsafe { device.disable_event_tracking() };
        // Without it only time is lost.
        if let Err(reason) = keep_freed_memory(device) {
            tracing::debug!("the GPU's driver does not keep freed memory: {reason}");
        }
    }

    /// Otherwise the driver gives all that is free back to the system whenever somebody waits for the GPU. What is kept shows in
    /// the memory in use, which is therefore the most that was ever needed.
    #[expect(unsafe_code, reason = "the driver's own interface")]
    fn keep_freed_memory(device: &CudaDevice) -> Result<(), DriverError> {
        let stream = device.cuda_stream();
        if !stream.context().has_async_alloc() {
            return Ok(());
        }
        let mut all = u64::MAX;
        // SAFETY: the device is the open context's, the pool is the device's, and this attribute is a `u64` (cuMemPoolSetAttribute).
        unsafe {
            let pool = result::device::get_default_mem_pool(stream.context().cu_device())?;
            let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            result::mem_pool::set_attribute(pool, threshold, (&raw mut all).cast())
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

    #[test]
    fn a_device_that_can_add_is_taken() {
        assert!(try_out(&Device::Cpu).is_ok());
    }

    #[test]
    fn what_helps_is_told_of_known_errors_alone() {
        // As candle and cudarc word them.
        let full = r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#;
        assert!(advice(full).is_some_and(|advice| advice.contains("batch_size")));
        let none = r#"DriverError(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")"#;
        assert!(advice(none).is_some_and(|advice| advice.contains("nvidia-smi -L")));
        assert_eq!(advice("posts.tsv: there is no such file"), None);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let told = DeviceChoice::Cuda(0).open().expect_err("no CUDA here").to_string();
        assert!(told.contains("--features cuda") && told.contains("--device cpu"), "{told}");
    }
}
