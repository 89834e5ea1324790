//! See `takings_fuzz::targets::tlv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::tlv::tlv(data));
