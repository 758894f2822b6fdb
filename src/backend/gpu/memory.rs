//! Memory of the GPU that grows to the largest batch, and the way back from it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll, Waker},
};

use super::{
    device::{Context, Piece},
    recorder::{Recorder, roomy},
};

/// A piece of memory and its size; clones are the same one until it grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Option<(u64, Piece)>);

impl Memory {
    /// Memory for so many bytes: the same as before if that is enough. What was in it may be lost.
    pub(super) fn of(&mut self, context: &mut Context, recorder: &mut Recorder, bytes: u64) -> Option<Piece> {
        if context.is_stopped() {
            return None;
        }
        if self.0.as_ref().is_none_or(|(size, _)| *size < bytes) {
            recorder.forget();
            let size = roomy(bytes).min(context.adapter.most_bytes).max(bytes);
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            self.0 = context.allocate(size, usage).map(|piece| (size, piece));
        }
        self.piece()
    }

    /// What is in it, if anything is.
    pub(super) fn piece(&self) -> Option<Piece> {
        self.0.as_ref().map(|(_, piece)| piece.clone())
    }

    /// This piece, as it is.
    pub(super) fn holding(size: u64, piece: Piece) -> Self {
        Memory(Some((size, piece)))
    }
}

/// Floats. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub struct Reals {
    pub(super) memory: Memory,
    /// How many.
    pub(super) len: usize,
}

/// Rows of levels, four in a word, and the scale and zero point of each row. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub(super) levels: Memory,
    pub(super) quantizations: Memory,
    pub(super) rows: usize,
}

/// Grids of levels, four channels in a word, one picture after the other. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    pub(super) memory: Memory,
    pub(super) pictures: usize,
}

/// Whether the first bytes of a buffer came to be readable.
pub(super) fn map(buffer: &wgpu::Buffer, bytes: u64) -> impl Future<Output = bool> + use<> {
    let state = Arc::new(Mutex::new(State::default()));
    let told = Arc::clone(&state);
    buffer.slice(..bytes).map_async(wgpu::MapMode::Read, move |result| {
        let mut state = told.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_mapped = Some(result.is_ok());
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    });
    Mapping(state)
}

#[derive(Default)]
struct State {
    is_mapped: Option<bool>,
    waker: Option<Waker>,
}

struct Mapping(Arc<Mutex<State>>);

impl Future for Mapping {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<bool> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.is_mapped {
            Some(is_mapped) => Poll::Ready(is_mapped),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
