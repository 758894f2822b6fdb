//! See `mixed_feelings_fuzz_targets::profile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mixed_feelings_fuzz_targets::profile::run(bytes));
