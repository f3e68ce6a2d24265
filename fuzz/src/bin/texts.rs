//! See `wheelwright_fuzz::checks::texts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::checks::texts(data));
