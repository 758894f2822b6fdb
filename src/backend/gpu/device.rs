//! Opening a GPU, its memory, and what it says when something goes wrong.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::GpuError;

/// What is known of an opened GPU.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name, as the system has it; a browser may give none.
    pub name: String,
    /// Its driver; a browser gives none.
    pub driver: String,
    /// What it is reached by: `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Whether it is a program on the CPU.
    pub is_software: bool,
    /// Whether it is asked for sums of four products at once; otherwise they are made byte by byte.
    pub has_dot_products: bool,
    /// The largest piece of memory that a kernel can see.
    pub most_bytes: u64,
}

/// The first thing that went wrong, told by whoever notices.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<GpuError>>>);

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").finish_non_exhaustive()
    }
}

impl Fault {
    /// Keeps an error, unless there was one before.
    pub(super) fn set(&self, error: GpuError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Whether something went wrong.
    pub(super) fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What went wrong.
    pub(super) fn take(&self) -> Option<GpuError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A piece of the GPU's memory. Clones are the same piece.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub buffer: wgpu::Buffer,
    /// Tells pieces apart.
    pub id: u64,
}

/// An opened GPU.
#[derive(Debug)]
pub(super) struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter: Adapter,
    pub fault: Fault,
    /// What was lost stays lost.
    pub is_broken: Arc<AtomicBool>,
    /// The most workgroups in one direction.
    pub most_groups: u32,
    pieces: u64,
}

/// The GPUs that the system has, best first, as [`Adapter`] describes them once opened.
pub async fn adapters() -> Vec<String> {
    let instance = instance();
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    adapters.iter().map(|adapter| described(&adapter.get_info())).collect()
}

fn described(info: &wgpu::AdapterInfo) -> String {
    let kind = match info.device_type {
        wgpu::DeviceType::Cpu => ", a program on the CPU",
        _ => "",
    };
    format!("{} ({}{kind})", info.name, info.backend)
}

fn instance() -> wgpu::Instance {
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    // No validation layers: they are for those who debug this crate.
    description.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(description)
}

impl Context {
    /// Opens the GPU of this number, or the one that the system finds best.
    pub(super) async fn open(index: Option<usize>) -> Result<Self, GpuError> {
        let instance = instance();
        let adapter = match index {
            None => {
                let options = wgpu::RequestAdapterOptions {
                    power_preference: wgpu::PowerPreference::HighPerformance,
                    ..wgpu::RequestAdapterOptions::default()
                };
                let found = instance.request_adapter(&options).await;
                found.map_err(|error| GpuError::NoAdapter { reason: error.to_string() })?
            }
            Some(index) => {
                let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
                if index >= adapters.len() {
                    return Err(GpuError::NoSuchAdapter { index, count: adapters.len() });
                }
                adapters.swap_remove(index)
            }
        };
        let available = adapter.limits();
        let needed = wgpu::Limits::default();
        let mut missing = None;
        needed.check_limits_with_fail_fn(&available, true, |name, needed, available| {
            missing = Some(GpuError::Limit { name, needed, available });
        });
        if let Some(error) = missing {
            return Err(error);
        }
        let limits = wgpu::Limits {
            max_buffer_size: available.max_buffer_size,
            max_storage_buffer_binding_size: available.max_storage_buffer_binding_size,
            ..needed
        };
        let description = wgpu::DeviceDescriptor {
            label: Some("mixed-feelings"),
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = adapter.request_device(&description).await;
        let (device, queue) = opened.map_err(|error| GpuError::Device { reason: error.to_string() })?;
        let (fault, is_broken) = (Fault::default(), Arc::new(AtomicBool::new(false)));
        watch(&device, &fault, &is_broken);
        let info = adapter.get_info();
        let features = instance.wgsl_language_features();
        let adapter = Adapter {
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            name: info.name,
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            backend: info.backend.to_string(),
            has_dot_products: features.contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct),
            most_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        };
        let most_groups = limits.max_compute_workgroups_per_dimension;
        Ok(Context { device, queue, adapter, fault, is_broken, most_groups, pieces: 0 })
    }

    /// Whether nothing more can be asked of it, in this batch or at all.
    pub(super) fn is_stopped(&self) -> bool {
        self.fault.is_set() || self.is_broken.load(Ordering::Relaxed)
    }

    /// What went wrong since it was last asked, if anything did.
    pub(super) fn failure(&self) -> Option<GpuError> {
        match self.fault.take() {
            Some(error) => {
                if !error.is_of_the_batch() {
                    self.is_broken.store(true, Ordering::Relaxed);
                }
                Some(error)
            }
            None if self.is_broken.load(Ordering::Relaxed) => {
                Some(GpuError::Lost { reason: "it failed before".into() })
            }
            None => None,
        }
    }

    /// A new piece of memory for kernels, or `None` and a fault where it would be too large.
    pub(super) fn allocate(&mut self, bytes: u64, usage: wgpu::BufferUsages) -> Option<Piece> {
        let limit = self.adapter.most_bytes;
        if bytes > limit {
            self.fault.set(GpuError::TooLarge { bytes, limit });
            return None;
        }
        self.pieces += 1;
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            // An empty buffer cannot be bound.
            size: bytes.next_multiple_of(16).max(16),
            usage,
            mapped_at_creation: false,
        });
        Some(Piece { buffer, id: self.pieces })
    }

    /// Memory with these bytes in it, for kernels to read.
    pub(super) fn upload(&mut self, mut bytes: Vec<u8>) -> Result<Piece, GpuError> {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        match self.allocate(bytes.len() as u64, usage) {
            Some(piece) => {
                self.queue.write_buffer(&piece.buffer, 0, &bytes);
                Ok(piece)
            }
            None => Err(self.failure().unwrap_or(GpuError::Lost { reason: "it failed before".into() })),
        }
    }
}

/// Has the device tell what goes wrong. Without this wgpu panics.
fn watch(device: &wgpu::Device, fault: &Fault, is_broken: &Arc<AtomicBool>) {
    let told = fault.clone();
    device.on_uncaptured_error(Arc::new(move |error| told.set(of_wgpu(error))));
    let (told, broken) = (fault.clone(), Arc::clone(is_broken));
    device.set_device_lost_callback(move |_, reason| {
        told.set(GpuError::Lost { reason });
        broken.store(true, Ordering::Relaxed);
    });
}

/// An error of wgpu's as one of ours.
pub(super) fn of_wgpu(error: wgpu::Error) -> GpuError {
    match error {
        wgpu::Error::OutOfMemory { source } => GpuError::Memory { reason: source.to_string() },
        error => GpuError::Refused { reason: error.to_string() },
    }
}
