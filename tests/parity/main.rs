//! The float model against the reference implementations (PyTorch, torchvision, timm, transformers) on full-size
//! shapes. `models.py` made the expected values; the weights are hashes that both sides compute.
#![cfg(feature = "float")]

mod expected;
mod hashed;

mod attention_and_fusion;
mod bert;
mod cnn;
mod real_weights;
mod second_reference;
mod training;
