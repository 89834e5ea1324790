//! A sandbox acquirer and bank, written from the acquirer contract (`core/acquirers/openapi.yaml`)
//! alone. It shares no code with the till it serves, so that one wrong idea cannot hide on both sides.
//!
//! [`Sandbox::handle`] takes a time and a request and gives an answer: no sockets, no clock, no
//! threads, no randomness but the seed. [`run`] is the thin HTTP binary around it. `README.md`
//! documents the published rules and every `/admin` path.
//!
//! Inside, in the order a request meets them:
//!
//! * [`message`]: a request and its answer. `server` carries them over sockets, `args` is its command line.
//! * `sandbox`: the state, and the way through it: `faults`, `routes`, `device` (keys and RFC 9421
//!   signatures), then `operations`, and at last the acquirer's own `keys`. `journal` keeps what was handled.
//! * `terminals`, `submission`, `payments`, `lookups`: activation to reversal. `authorise` is the bank's rules.
//! * `jobs`, `settlement`, `bank`: cut-off, payouts, credits. `calendar`, `documents`, `instant`: when and for how much.
//! * `events`: the feed. `render`, `reply`, `problem`, `input`: the contract's forms. `book`: what is kept.
//! * `admin`, `ledger`: the administrator's face; `contacts`: who asked about which payment.

mod admin;
mod args;
mod authorise;
mod bank;
mod book;
mod calendar;
mod contacts;
mod device;
mod documents;
mod events;
mod faults;
mod input;
mod instant;
mod jobs;
mod journal;
mod keys;
mod ledger;
mod lookups;
pub mod message;
mod operations;
mod payments;
mod problem;
mod random;
mod render;
mod reply;
mod routes;
mod sandbox;
mod server;
mod settlement;
mod submission;
mod terminals;

pub use args::{DEFAULT_START_MS, USAGE};
pub use message::{Delivery, Request, Response};
pub use sandbox::{Config, OpenError, Sandbox};
pub use server::{check, run};
