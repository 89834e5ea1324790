//! The sandbox through its one face, `handle`, and the binary around it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod bank;
mod binary;
mod client;
mod faults;
mod guards;
mod journal;
mod key;
mod lists;
mod payments;
mod session;
mod settlement;
mod world;
