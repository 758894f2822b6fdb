//! The GPU, by wgpu: WebGPU in a browser; Vulkan, Metal or Direct3D 12 elsewhere. Feature `webgpu`.
//!
//! # What it promises
//! - **The same integers as the CPU.** Levels are 0 to 127, weights int8, sums exact: by WGSL's `dot4I8Packed` where the
//!   GPU's language has it, byte by byte elsewhere. [`Gpu::self_test`] compares them; who uses a GPU asks it first.
//! - **Nearly the same floats.** Kernels add up in the CPU's order and use its exponential and its GELU. But a GPU may fuse a
//!   product and a sum, and divides to within 2.5 ulp. So what passes through floats is within the tolerances of the suite
//!   over backends, and a level may be its neighbor where the number lies on the border of both. One such level moves
//!   others: a GPU that rounds as IEEE 754 says has scores within 1e-3 of the CPU's, usually the same.
//! - **An error, never a panic.** Operations do not fail: what goes wrong is kept, and [`Backend::read`](super::Backend::read)
//!   tells it. A lost GPU stays lost.
//!
//! # How it works
//! Operations are recorded, and handed over when numbers are read: one submission, one copy back. Memory grows to the
//! largest batch and is used again. No kernel knows how many threads run in step, none needs 16-bit floats, and none has
//! sizes in its text.

mod device;
mod error;
mod kernels;
mod memory;
mod operations;
mod recorder;
mod self_test;
mod weights;

use std::sync::atomic::Ordering;

pub use device::{Adapter, adapters};
use device::{Context, Piece};
pub use error::GpuError;
pub use memory::{Levels, Reals, Rows};
use recorder::Recorder;
pub use weights::{Conv, Embeddings, Gate, LayerNorm, Linear, Pixels};

/// How long an answer is waited for, natively. A page has a clock of its own.
#[cfg(not(target_arch = "wasm32"))]
const SECONDS: u64 = 60;

/// An opened GPU, with what is recorded for it.
#[derive(Debug)]
pub struct Gpu {
    // Ends before the device, of which its commands are.
    recorder: Recorder,
    context: Context,
    /// Memory that the last numbers came back in, and its size.
    staging: Option<(u64, Piece)>,
    /// Where each row's text is, as it was last recorded.
    texts: Option<(Vec<usize>, Piece)>,
    /// What is bound where there is nothing to add.
    nothing: Piece,
}

impl Gpu {
    /// Opens the GPU of this number, or the one that the system finds best.
    ///
    /// # Errors
    /// When there is none, it can do too little, or it cannot be opened.
    pub async fn open(index: Option<usize>) -> Result<Self, GpuError> {
        let mut context = Context::open(index).await?;
        let nothing = context.upload(vec![0; 16])?;
        Ok(Gpu { recorder: Recorder::default(), context, staging: None, texts: None, nothing })
    }

    /// What is known of it.
    pub fn adapter(&self) -> &Adapter {
        &self.context.adapter
    }

    /// The device, for those who want to know more of it than wgpu tells, or to destroy it under way.
    pub fn device(&self) -> &wgpu::Device {
        &self.context.device
    }

    /// Compiles every kernel now rather than when it is first used.
    pub fn prepare(&mut self) {
        self.recorder.prepare(&self.context);
    }

    /// Gives everything back. Whatever is asked of it afterwards is [`GpuError::Lost`].
    pub fn destroy(&mut self) {
        self.context.fault.set(GpuError::Lost { reason: "it was closed".into() });
        self.context.is_broken.store(true, Ordering::Relaxed);
        self.recorder.discard();
        self.recorder.forget();
        self.context.device.destroy();
    }

    /// Hands over what is recorded, and gives the words that `from` begins with then.
    async fn words(&mut self, from: Option<Piece>, count: usize) -> Result<Vec<u8>, GpuError> {
        self.texts = None;
        if let Some(error) = self.context.failure() {
            self.recorder.discard();
            return Err(error);
        }
        let (Some(from), false) = (from, count == 0) else {
            self.recorder.discard();
            return Ok(Vec::new());
        };
        let bytes = 4 * count as u64;
        let (size, staging) = match self.staging.take().filter(|(size, _)| *size >= bytes) {
            Some(staging) => staging,
            None => {
                let size = recorder::roomy(bytes).min(self.context.adapter.most_bytes);
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                match self.context.allocate(size, usage) {
                    Some(staging) => (size, staging),
                    None => return Err(self.failed()),
                }
            }
        };
        // Opened and closed without a wait between them: an unbalanced scope is a panic.
        let scope = self.context.device.push_error_scope(wgpu::ErrorFilter::Validation);
        self.recorder.submit(&self.context, &from, &staging, bytes);
        let refused = scope.pop();
        let mapped = memory::map(&staging.buffer, bytes);
        self.wait();
        if let Some(error) = refused.await {
            self.context.fault.set(device::of_wgpu(error));
        }
        let is_mapped = mapped.await;
        if let Some(error) = self.context.failure() {
            return Err(error);
        }
        let view = staging.buffer.get_mapped_range(0..bytes);
        let numbers = match (is_mapped, view) {
            (true, Ok(view)) => view.to_vec(),
            _ => {
                self.context.fault.set(GpuError::Lost { reason: "its memory could not be read".into() });
                return Err(self.failed());
            }
        };
        staging.buffer.unmap();
        self.staging = Some((size, staging));
        Ok(numbers)
    }

    fn failed(&self) -> GpuError {
        let unknown = GpuError::Lost { reason: "it does not say why".into() };
        self.context.failure().unwrap_or(unknown)
    }

    /// Waits for the device, where it does not call back by itself.
    #[cfg(not(target_arch = "wasm32"))]
    fn wait(&self) {
        let timeout = Some(std::time::Duration::from_secs(SECONDS));
        match self.context.device.poll(wgpu::PollType::Wait { submission_index: None, timeout }) {
            Err(wgpu::PollError::Timeout) => self.context.fault.set(GpuError::Timeout { seconds: SECONDS }),
            Err(error) => self.context.fault.set(GpuError::Lost { reason: error.to_string() }),
            Ok(_) => {}
        }
    }

    #[cfg(target_arch = "wasm32")]
    fn wait(&self) {}
}
