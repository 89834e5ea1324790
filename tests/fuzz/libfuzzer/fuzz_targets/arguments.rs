//! See `takings_fuzz::targets::arguments`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::arguments::arguments(data));
