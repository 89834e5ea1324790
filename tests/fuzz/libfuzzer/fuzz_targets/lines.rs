//! See `takings_fuzz::targets::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::lines::lines(data));
