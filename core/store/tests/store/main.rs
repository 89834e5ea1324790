//! The ledger through its public face. One binary: every test file is a link step.

mod keeping;
mod opening;
mod random;
mod support;
