//! The ledger through its public face. One binary: every test file is a link step.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, and the helpers of tests")]

mod committing;
mod fixtures;
mod keeping;
mod machine;
mod model;
mod opening;
mod random;
mod reading;
mod rebuilding;
mod recovering;
mod support;
mod witness;
