//! See `wheelwright_fuzz::checks::loader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::checks::loader(data));
