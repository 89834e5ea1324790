//! The thin binary around [`till_cli::run`].

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    till_cli::run(std::env::args().skip(1), io::stdin().lock(), io::stdout().lock())
}
