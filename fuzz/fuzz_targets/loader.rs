#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wheelwright_fuzz::bodies::loader(data));
