//! See `mixed_feelings_fuzz_targets::table`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mixed_feelings_fuzz_targets::table::run(bytes));
