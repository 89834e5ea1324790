//! A till as a process of its own, for tests that take away its disk, its directory or its life.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    till_cli::run(std::env::args().skip(1), io::stdin().lock(), io::stdout().lock())
}
