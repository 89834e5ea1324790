//! See `takings_fuzz::targets::ledger`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| takings_fuzz::targets::ledger::ledger(data));
