//! See `takings_fuzz::targets::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::message::message(data));
