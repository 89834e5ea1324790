//! See `takings_fuzz::targets::engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::engine::engine(data));
