//! See `takings_fuzz::targets::reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::reader::reader(data));
