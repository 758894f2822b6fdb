//! Placeholder, replaced by its room.
fn main() {}
