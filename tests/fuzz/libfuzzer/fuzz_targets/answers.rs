//! See `takings_fuzz::targets::answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::answers::answers(data));
