//! The sandbox acquirer as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox_acquirer::run(std::env::args().skip(1))
}
