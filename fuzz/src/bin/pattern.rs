//! See `wheelwright_fuzz::pattern`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::pattern(data));
