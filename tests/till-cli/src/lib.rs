//! A till on a terminal: JSON lines in, JSON lines out, over the public `Till` alone.
//!
//! * [`run`]: the whole program; the binary and the market day call it.
//! * `args`: the command line. `command`: the lines it understands; the README is their contract.
//! * `session`: carries commands out. `charging`: one card at the simulated reader.
//! * `ports`: clock, randomness and device key of a till that is not a phone. `state`: what outlives the process.

mod answer;
mod args;
mod charging;
mod command;
mod ports;
mod program;
mod session;
mod state;

pub use args::USAGE;
pub use program::{check, run};
