//! See `wheelwright_fuzz::loader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::loader(data));
