//! The shaders, and pipelines made of them when they are first used. Their text is the same in every release that does not
//! change them, because browsers keep compiled pipelines by it: sizes are parameters.

use std::collections::HashMap;

/// A program of the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Embed,
    LayerNorm,
    QuantizeRows,
    Linear,
    Attend,
    Dense,
    Depthwise,
    Pixels,
    MaxPool,
    Squeeze,
    Excite,
}

/// Every kernel.
pub(super) const ALL: [Kernel; 11] = [
    Kernel::Embed,
    Kernel::LayerNorm,
    Kernel::QuantizeRows,
    Kernel::Linear,
    Kernel::Attend,
    Kernel::Dense,
    Kernel::Depthwise,
    Kernel::Pixels,
    Kernel::MaxPool,
    Kernel::Squeeze,
    Kernel::Excite,
];

/// A shader file with what it is built on, with the GPU's dot products and without.
macro_rules! shader {
    ($($file:literal),+) => { [concat!($(include_str!(concat!("shaders/", $file))),+); 2] };
    (dot $($file:literal),+) => {
        [
            concat!(include_str!("shaders/dot_unpacked.wgsl"), $(include_str!(concat!("shaders/", $file))),+),
            concat!(include_str!("shaders/dot_packed.wgsl"), $(include_str!(concat!("shaders/", $file))),+),
        ]
    };
}

const EMBED: [&str; 2] = shader!("embed.wgsl");
const LAYER_NORM: [&str; 2] = shader!("layer_norm.wgsl");
const QUANTIZE_ROWS: [&str; 2] = shader!("quantize_rows.wgsl");
const LINEAR: [&str; 2] = shader!(dot "tile.wgsl", "exponential.wgsl", "linear.wgsl");
const ATTENTION: [&str; 2] = shader!("exponential.wgsl", "attention.wgsl");
const CONV: [&str; 2] = shader!(dot "tile.wgsl", "conv.wgsl");
const GRID: [&str; 2] = shader!("grid.wgsl");

impl Kernel {
    /// Its shader, the name of its entry, how many pieces of memory it reads, and how many it writes; these follow them.
    fn parts(self) -> ([&'static str; 2], &'static str, u32, u32) {
        match self {
            Kernel::Embed => (EMBED, "embed", 4, 1),
            Kernel::LayerNorm => (LAYER_NORM, "layer_norm", 2, 1),
            Kernel::QuantizeRows => (QUANTIZE_ROWS, "quantize_rows", 1, 2),
            Kernel::Linear => (LINEAR, "linear", 4, 1),
            Kernel::Attend => (ATTENTION, "attend", 2, 1),
            Kernel::Dense => (CONV, "dense", 4, 1),
            Kernel::Depthwise => (CONV, "depthwise", 4, 1),
            Kernel::Pixels => (GRID, "pixels", 2, 1),
            Kernel::MaxPool => (GRID, "max_pool", 2, 1),
            Kernel::Squeeze => (GRID, "squeeze", 2, 1),
            Kernel::Excite => (GRID, "excite", 2, 1),
        }
    }
}

/// A kernel, compiled.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The kernels that were used so far.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    made: HashMap<Kernel, Pipeline>,
}

impl Pipelines {
    /// The kernel, compiled when it is first asked for.
    pub(super) fn get(&mut self, device: &wgpu::Device, has_dot_products: bool, kernel: Kernel) -> &Pipeline {
        self.made.entry(kernel).or_insert_with(|| make(device, has_dot_products, kernel))
    }
}

fn make(device: &wgpu::Device, has_dot_products: bool, kernel: Kernel) -> Pipeline {
    let ([unpacked, packed], entry, reads, writes) = kernel.parts();
    let source = if has_dot_products { packed } else { unpacked };
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(entry),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let binding = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let storage = |i| binding(i + 1, wgpu::BufferBindingType::Storage { read_only: i < reads }, false);
    let mut entries = vec![binding(0, wgpu::BufferBindingType::Uniform, true)];
    entries.extend((0..reads + writes).map(storage));
    let layout = device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(entry), entries: &entries });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(entry),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        })),
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every kernel writes its workgroup's memory before it reads it.
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: None,
    });
    Pipeline { pipeline, layout }
}
