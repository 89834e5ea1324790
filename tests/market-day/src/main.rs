//! The main job, to watch. The till and the acquirer are this same program, started again under other names.

use std::process::ExitCode;

fn main() -> ExitCode {
    market_day::main(std::env::args().skip(1).collect())
}
