//! See `mixed_feelings_fuzz_targets::bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mixed_feelings_fuzz_targets::bundle::run(bytes));
