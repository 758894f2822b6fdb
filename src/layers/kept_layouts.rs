//! What a GPU's kernels must know of tensors that are no plain rows of numbers: sizes and strides. candle sends them anew for each
//! operation, a few bytes that take longer to allocate, to copy and to free than the operation itself.

use candle_core::Device;

/// Until what it returns is dropped, on this thread sizes and strides are sent to a GPU once and stay there. Whatever else of at
/// most 4 KiB is sent to it meanwhile stays too: this is for passes over tensors that are there already, and not for the data of
/// each step, which would pile up.
#[cfg(feature = "cuda")]
#[must_use]
pub fn keep_layouts(device: &Device) -> impl Sized + use<> {
    device.as_cuda_device().ok().map(candle_core::CudaDevice::enable_cuda_graph_htod_cache)
}

/// Does nothing: this build knows no GPU.
#[cfg(not(feature = "cuda"))]
#[must_use]
pub fn keep_layouts(_: &Device) -> impl Sized + use<> {}
