//! The line breaks after every byte of an answer, and of a request; every payment must still end in one answer, charged once
//! or not at all.
//!
//! Real parts in processes of their own: `till-cli`, the sandbox acquirer, and the relay between them. What the till says is
//! judged by the acquirer's own book.
//!
//! * `args`, `plan`: what is cut where. `work`: who does it, two at a time.
//! * `paying`: cuts while money moves, one till after many cuts. `reading`: cuts while it looks, each on a copy of one till.
//! * `judge`: till and acquirer compared. `stall`, `till`, `admin`: the parts and how one talks to them.

mod admin;
mod args;
mod judge;
mod paying;
mod plan;
mod random;
mod reading;
mod stall;
mod till;
mod work;

use std::io::Write as _;
use std::process::ExitCode;

/// What is wrong, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

/// Says what was being tried when something went wrong.
pub(crate) trait During<T> {
    fn during(self, what: &str) -> Result<T, Wrong>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Result<T, Wrong> {
        self.map_err(|error| Wrong(format!("{what}: {error}")))
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let args = match args::Args::parse(&words) {
        Ok(args) => args,
        Err(wrong) => {
            let _ = writeln!(std::io::stderr(), "{wrong}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match work::everything(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            let _ = writeln!(std::io::stderr(), "{wrong}");
            ExitCode::FAILURE
        }
    }
}
