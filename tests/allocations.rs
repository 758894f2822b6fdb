//! The int8 encoders work in buffers that grow to the largest input and allocate no more.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use mixed_feelings::{
    Bundle,
    backend::Cpu,
    image::Picture,
    inference::QuantizedModel,
    model::{Architecture, ModelConfig},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
};

thread_local! {
    /// Allocations of this thread, growth included.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn model(config: &ModelConfig) -> QuantizedModel {
    let bytes = random_bundle(config, &tiny_tokenizer(), 5).expect("a bundle");
    let mut bundle = Bundle::parse(bytes).expect("sound");
    QuantizedModel::load(Cpu::default(), &mut bundle, config).expect("a model")
}

#[test]
fn a_text_no_longer_than_one_before_allocates_nothing() {
    let mut model = model(&tiny_config());
    let mut encode = |ids: &[u32]| {
        allocations_of(|| {
            model.hidden(ids).expect("hidden states");
        })
    };
    let ids: Vec<u32> = (0..29).map(|i| 3 + i * 2).collect();
    assert!(encode(&ids) > 0, "the first one makes the buffers");
    for length in [29, 1, 8, 28] {
        assert_eq!(encode(&ids[..length]), 0, "{length} tokens");
    }
}

#[test]
fn a_picture_allocates_what_scaling_it_does() {
    for architecture in
        [Architecture::EfficientnetLite0, Architecture::Resnet18, Architecture::MobilenetV3Small]
    {
        let mut config = tiny_config();
        config.image.architecture = architecture;
        let mut model = model(&config);
        let side = config.preprocess.input_size as u32;
        let pixels = (0..side * side * 3).map(|i| (i * 31 % 256) as u8).collect();
        let picture = Picture::from_rgb(side, side, pixels).expect("a picture");
        let scaling = allocations_of(|| {
            config.preprocess.apply(&picture);
        });
        model.grid(&picture);
        for _ in 0..3 {
            let all = allocations_of(|| {
                model.grid(&picture);
            });
            assert_eq!(all, scaling, "{architecture:?}: the layers allocate nothing");
        }
    }
}
