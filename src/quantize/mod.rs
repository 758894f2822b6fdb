//! From a float model to a bundle and back: activation ranges from real pictures, rounding with corrections, and the
//! dequantized weights.

mod calibrate;
mod correlation;
mod dequantize;
mod groups;
mod moments;
mod precision;
mod replace;
mod weights;

pub use calibrate::Calibration;
pub use dequantize::dequantize;
pub use precision::Precision;
pub use replace::replace;
pub use weights::quantize;
