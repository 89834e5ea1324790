//! See `takings_fuzz::targets::head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::head::head(data));
