//! See `wheelwright_fuzz::checks::pattern`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::checks::pattern(data));
