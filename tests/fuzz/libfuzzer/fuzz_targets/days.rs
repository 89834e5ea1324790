//! See `takings_fuzz::targets::days`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::days::days(data));
