//! The command line.
//!
//! * [`args`]: what was asked. [`days`]: many days on all cores. [`workers`]: the processes that play them.
//! * [`planted`]: bugs, and the days that find them. [`shrink`]: the fewest faults with which a day still fails.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

mod args;
mod days;
mod faulty_disk;
mod planted;
mod progress;
mod shrink;
mod workers;

use std::process::ExitCode;

use args::{Args, Command};
use world::world::World;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A wrong argument.
    #[error("{0}\n\n{usage}", usage = args::USAGE)]
    Usage(String),
    /// The world failed, not the till.
    #[error(transparent)]
    World(#[from] world::world::WorldError),
    /// The stall of a disk test failed, not the till.
    #[error(transparent)]
    Stall(#[from] world::stall::StallError),
    /// Real processes could not be started or watched.
    #[error(transparent)]
    Kill(#[from] world::kill::KillError),
    /// A worker or a file.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A worker said something that is no report.
    #[error("a worker said {0}")]
    Worker(String),
    /// A file's content.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// There is no such bug.
    #[error("{0}")]
    Bug(String),
}

/// Runs the command; the exit code is 0 if every promise held, 1 if not, 2 for a wrong argument, 3 if the world itself failed.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    match args::parse(arguments).and_then(|args| carry_out(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error @ CommandError::Usage(_)) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

fn carry_out(args: &Args) -> Result<bool, CommandError> {
    match &args.command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(true)
        }
        Command::Run => days::run(args),
        Command::Worker { first, step } => workers::work(args, *first, *step),
        Command::Replay(seed) => replay(args, *seed),
        Command::Planted => planted::run(args),
        Command::Shrink(seed) => shrink::run(args, *seed),
        Command::Power => faulty_disk::power(args),
        Command::Sweep => faulty_disk::sweep(args),
        Command::Tamper => faulty_disk::tamper(args),
        Command::Kill => faulty_disk::kill(args),
    }
}

/// Prints the day as it happened, up to the first broken promise.
fn replay(args: &Args, seed: u64) -> Result<bool, CommandError> {
    planted::plant(args.plant.as_deref())?;
    let mut world = World::new(seed, args.size, args.without.clone(), true)?;
    let report = world.play();
    for line in world.lines() {
        println!("{line}");
    }
    let report = report?;
    println!("\nseed {seed}: {} charges, {} requests, trace {}", report.charges, report.requests, report.trace);
    for violation in &report.violations {
        println!("BROKEN {violation}");
    }
    for line in world.histories() {
        println!("{line}");
    }
    Ok(report.violations.is_empty())
}
