//! The real engine against the sandbox acquirer, a simulated reader and a line that does what a test tells it.
//!
//! Time moves only by the test. The acquirer's own book judges; the engine's fold is never asked whether it is right.

mod arriving;
mod bench;
mod bounded;
mod broken;
mod commands;
mod contacts;
mod drains;
mod honest;
mod kept;
mod line;
mod once;
mod reader_link;
mod readers;
mod receipts;
mod recovered;
mod rest;
mod secret;
mod seen;
mod stall;
mod unfit_readers;
mod vendor;
