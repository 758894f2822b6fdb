//! The inner loops: int8 matrix products and convolutions, and the float functions around them. One file an
//! instruction set, one contract, one test for all.

pub mod math;
