//! Commands of a batch: written down one after the other, handed over once.

use std::collections::HashMap;

use super::{
    GpuError,
    device::{Context, Piece},
    kernels::{Kernel, Pipelines},
};

/// Bytes of a kernel's parameters: what offsets into a uniform buffer must be a multiple of.
const SLOT: usize = 256;

/// Kernels whose parameters lie in one block.
const SLOTS: usize = 256;

/// Which kernel reads and writes what, with parameters from which block.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bound {
    kernel: Kernel,
    pieces: Vec<u64>,
}

/// What is recorded and not yet handed over, and what is kept for the next time.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    // Ends before the encoder, of which it is a part.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    pipelines: Pipelines,
    /// Parameters of all kernels so far.
    parameters: Vec<u8>,
    blocks: Vec<Piece>,
    /// Memory that bytes of a batch are written to: in use, and free.
    used: Vec<(u64, Piece)>,
    free: Vec<(u64, Piece)>,
    /// The same kernel with the same memory needs no new binding.
    bound: HashMap<Bound, wgpu::BindGroup>,
}

impl Recorder {
    /// Compiles every kernel that is not yet.
    pub(super) fn prepare(&mut self, context: &Context) {
        for kernel in super::kernels::ALL {
            self.pipelines.get(&context.device, context.adapter.has_dot_products, kernel);
        }
    }

    /// Forgets how memory was bound, because some of it is no more.
    pub(super) fn forget(&mut self) {
        self.bound.clear();
    }

    /// Bytes for the batch's kernels to read.
    pub(super) fn upload(&mut self, context: &mut Context, mut bytes: Vec<u8>) -> Option<Piece> {
        if context.is_stopped() {
            return None;
        }
        bytes.resize(bytes.len().next_multiple_of(4).max(4), 0);
        let needed = bytes.len() as u64;
        let fits = |&(_, (size, _)): &(usize, &(u64, Piece))| *size >= needed;
        let smallest = self.free.iter().enumerate().filter(fits).min_by_key(|(_, (size, _))| *size);
        let (size, piece) = match smallest.map(|(at, _)| at) {
            Some(at) => self.free.swap_remove(at),
            None => {
                let size = roomy(needed).min(context.adapter.most_bytes).max(needed);
                let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
                (size, context.allocate(size, usage)?)
            }
        };
        context.queue.write_buffer(&piece.buffer, 0, &bytes);
        self.used.push((size, piece.clone()));
        Some(piece)
    }

    /// Has `kernel` run over so many workgroups, reading and writing `pieces`.
    pub(super) fn run(
        &mut self,
        context: &mut Context,
        kernel: Kernel,
        parameters: &[u32],
        pieces: &[&Piece],
        (across, down): (usize, usize),
    ) {
        let most = context.most_groups as usize;
        if across > most || down > most {
            context.fault.set(GpuError::TooMany { groups: across as u64 * down as u64 });
        }
        if context.is_stopped() || across == 0 || down == 0 {
            return;
        }
        let index = self.parameters.len() / SLOT;
        while index / SLOTS >= self.blocks.len() {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            match context.allocate((SLOT * SLOTS) as u64, usage) {
                Some(block) => self.blocks.push(block),
                None => return,
            }
        }
        let Some(block) = self.blocks.get(index / SLOTS) else { return };
        self.parameters.extend(parameters.iter().flat_map(|word| word.to_le_bytes()));
        self.parameters.resize((index + 1) * SLOT, 0);

        let pipeline = self.pipelines.get(&context.device, context.adapter.has_dot_products, kernel);
        let ids = std::iter::once(block.id).chain(pieces.iter().map(|piece| piece.id));
        let key = Bound { kernel, pieces: ids.collect() };
        let bound = self.bound.entry(key).or_insert_with(|| bind(context, pipeline, block, pieces));
        let encoder = self.encoder.get_or_insert_with(|| {
            context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        });
        let pass = self.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        });
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &*bound, &[(index % SLOTS * SLOT) as u32]);
        pass.dispatch_workgroups(across as u32, down as u32, 1);
    }

    /// Hands everything over, and a copy of `bytes` of `from` to `to` after it.
    pub(super) fn submit(&mut self, context: &Context, from: &Piece, to: &Piece, bytes: u64) {
        for (block, parameters) in self.blocks.iter().zip(self.parameters.chunks(SLOT * SLOTS)) {
            context.queue.write_buffer(&block.buffer, 0, parameters);
        }
        self.pass = None;
        let mut encoder = self.encoder.take().unwrap_or_else(|| {
            context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        });
        encoder.copy_buffer_to_buffer(&from.buffer, 0, &to.buffer, 0, bytes);
        context.queue.submit([encoder.finish()]);
        self.done();
    }

    /// Throws away what was recorded.
    pub(super) fn discard(&mut self) {
        self.pass = None;
        self.encoder = None;
        self.done();
    }

    fn done(&mut self) {
        self.parameters.clear();
        self.free.append(&mut self.used);
    }
}

fn bind(
    context: &Context,
    pipeline: &super::kernels::Pipeline,
    block: &Piece,
    pieces: &[&Piece],
) -> wgpu::BindGroup {
    let slot =
        wgpu::BufferBinding { buffer: &block.buffer, offset: 0, size: wgpu::BufferSize::new(SLOT as u64) };
    let first = wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(slot) };
    let others = pieces
        .iter()
        .zip(1..)
        .map(|(piece, binding)| wgpu::BindGroupEntry { binding, resource: piece.buffer.as_entire_binding() });
    let entries: Vec<_> = std::iter::once(first).chain(others).collect();
    context.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.layout,
        entries: &entries,
    })
}

/// `bytes` and some more, so that a slightly larger batch needs no new memory.
pub(super) fn roomy(bytes: u64) -> u64 {
    bytes.next_multiple_of((bytes.next_power_of_two() / 4).max(256))
}
