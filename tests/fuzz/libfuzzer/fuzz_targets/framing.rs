//! See `takings_fuzz::targets::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::framing::framing(data));
