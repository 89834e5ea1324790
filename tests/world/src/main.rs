//! `cargo world`: see README.md.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&std::env::args().skip(1).collect::<Vec<_>>())
}
